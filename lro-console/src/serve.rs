//! The console on a port of its own.

use std::future::Future;
use std::io;
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tonic::transport::server::{Connected as _, TcpConnectInfo};
use tower::Service as _;

use crate::console::Console;

/// The most connections. Further ones wait to be accepted.
const MAX_CONNECTIONS: usize = 1_024;

/// How long the head of a request may take.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// How long answers may take after the shutdown has begun.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(1);

/// The pause after an error of `accept`, such as too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

impl Console {
    /// Serves the console over HTTP/1.1 until `shutdown` completes. For TLS and for sign-in, put a
    /// proxy in front, or give the console to `lro_server::serve::Server::http`.
    ///
    /// ```no_run
    /// # use lro_server::{Operations, lro_core::store::MemoryStore};
    /// use lro_console::Console;
    /// use tokio::net::TcpListener;
    ///
    /// # async fn example(operations: Operations) -> Result<(), Box<dyn std::error::Error>> {
    /// let listener = TcpListener::bind("127.0.0.1:8080").await?;
    /// let shutdown = async { drop(tokio::signal::ctrl_c().await) };
    /// Console::of_server(&operations)?.serve(listener, shutdown).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// Before serving: if the address is not a loopback one, and there is neither an authorizer nor
    /// [`allow_anonymous`](Self::allow_anonymous).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes all connections.
    pub async fn serve(
        self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()>,
    ) -> io::Result<()> {
        let address = listener.local_addr()?;
        let is_loopback = address.ip().to_canonical().is_loopback();
        let settings = self.settings();
        if !settings.has_authorizer && !is_loopback {
            if !settings.allows_anonymous {
                let text = format!(
                    "the console does not listen on {address}: everyone who reaches it could cancel \
                     and delete operations; listen on 127.0.0.1, set an authorizer, or call \
                     Console::allow_anonymous"
                );
                return Err(io::Error::new(io::ErrorKind::PermissionDenied, text));
            }
            tracing::warn!(%address, "the console serves everyone who reaches it, without sign-in");
        }
        tracing::info!(url = format!("http://{address}/"), "console");
        let (closing, closed) = watch::channel(());
        let mut connections = JoinSet::new();
        tokio::pin!(shutdown);
        loop {
            let has_room = connections.len() < MAX_CONNECTIONS;
            tokio::select! {
                biased;
                () = &mut shutdown => break,
                Some(_) = connections.join_next() => {}
                accepted = listener.accept(), if has_room => match accepted {
                    Ok((stream, _)) => {
                        connections.spawn(connection(self.clone(), stream, closed.clone()));
                    }
                    Err(error) => {
                        tracing::warn!(%error, "the console cannot accept a connection");
                        sleep(ACCEPT_PAUSE).await;
                    }
                }
            }
        }
        drop(closing);
        let ended = async { while connections.join_next().await.is_some() {} };
        let _ = timeout(SHUTDOWN_TIMEOUT, ended).await;
        Ok(())
    }
}

/// Serves one connection, until it ends or the server closes.
async fn connection(console: Console, stream: TcpStream, mut closed: watch::Receiver<()>) {
    let _ = stream.set_nodelay(true);
    let info: TcpConnectInfo = stream.connect_info();
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(info.clone());
        console.clone().call(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        _ = closed.changed() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection of the console ended");
    }
}
