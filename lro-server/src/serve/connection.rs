//! One connection, from its first words to its end.

use std::convert::Infallible;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Extensions, Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::{HttpService, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use pin_project_lite::pin_project;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tokio_util::task::TaskTracker;
#[cfg(feature = "tls")]
use tonic::transport::server::TlsConnectInfo;
use tonic::transport::server::{Connected as _, TcpConnectInfo};
use tower::{BoxError, Service};
use uuid::Uuid;

use super::admission::Admitted;
use super::limits::ServeLimits;
use super::preface::{Prefaced, Protocol};

/// About 30 years: hyper adds it to the time it is.
const NEVER: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);

/// The state that all connections of a server share.
pub(super) struct Connections<S, H> {
    pub(super) service: S,
    /// The service of connections of HTTP/1.1.
    pub(super) http1_service: H,
    pub(super) limits: ServeLimits,
    /// HTTP/1.1 is spoken, too.
    pub(super) with_http1: bool,
    #[cfg(feature = "tls")]
    pub(super) tls: Option<tokio_rustls::TlsAcceptor>,
    /// Calls come to their end, and no new ones come.
    pub(super) closing: CancellationToken,
    pub(super) tasks: Tasks,
}

/// The tasks of connections and of their calls.
#[derive(Clone, Debug)]
pub(super) struct Tasks {
    pub(super) tracker: TaskTracker,
    /// They are dropped where they stand.
    pub(super) cut: CancellationToken,
}

impl<F> hyper::rt::Executor<F> for Tasks
where
    F: Future<Output: Send> + Send + 'static,
{
    fn execute(&self, future: F) {
        let cut = self.cut.clone().cancelled_owned();
        self.tracker.spawn(Task { future, cut });
    }
}

pin_project! {
    /// A task, until it is cut. An `async` block would hold the future once as its own, and once for
    /// each call that waits for it.
    struct Task<F> {
        #[pin]
        future: F,
        #[pin]
        cut: WaitForCancellationFutureOwned,
    }
}

impl<F: Future> Future for Task<F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        if this.cut.poll(cx).is_ready() {
            return Poll::Ready(());
        }
        this.future.poll(cx).map(drop)
    }
}

impl<S, B, H, C> Connections<S, H>
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>
        + Clone
        + Send
        + Sync
        + 'static,
    S::Future: Send + 'static,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
    H: Service<Request<Incoming>, Response = Response<C>, Error = Infallible>
        + Clone
        + Send
        + Sync
        + 'static,
    H::Future: Send + 'static,
    C: Body<Data = Bytes> + Send + 'static,
    C::Error: Into<BoxError>,
{
    /// Serves one connection in a task of its own.
    pub(super) fn spawn(self: &Arc<Self>, stream: TcpStream, admitted: Admitted) {
        let this = self.clone();
        hyper::rt::Executor::execute(&self.tasks, async move {
            let _admitted = admitted;
            this.accept(stream).await;
        });
    }

    async fn accept(&self, stream: TcpStream) {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection was closed before it was served");
            return;
        }
        let tcp = stream.connect_info();
        #[cfg(feature = "tls")]
        if let Some(tls) = &self.tls {
            let limit = self.limits.tls_handshake_timeout;
            let Some(stream) = self
                .in_time("TLS handshake", limit, Box::pin(tls.accept(stream)))
                .await
            else {
                return;
            };
            let peer = Peer::Tls(tcp, stream.connect_info());
            // Not a part of every connection's task.
            return Box::pin(self.serve(stream, peer)).await;
        }
        self.serve(stream, Peer::Tcp(tcp)).await;
    }

    async fn serve<IO>(&self, io: IO, peer: Peer)
    where
        IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let limit = self.limits.first_bytes_timeout;
        let read = Prefaced::read(io, self.with_http1);
        let Some((io, protocol)) = self.in_time("first bytes", limit, read).await else {
            return;
        };
        let io = TokioIo::new(io);
        // Both services, with the layers around them, are always ready.
        match protocol {
            Protocol::Http1 => {
                let service = self.http1_service.clone();
                let service = service_fn(move |mut request: Request<Incoming>| {
                    peer.insert_into(request.extensions_mut());
                    service.clone().call(request)
                });
                let connection = self.http1().serve_connection(io, service);
                self.drive(Box::pin(connection)).await;
            }
            Protocol::Http2 => {
                let service = self.service.clone();
                let service = service_fn(move |mut request: Request<Incoming>| {
                    peer.insert_into(request.extensions_mut());
                    service.clone().call(request)
                });
                let connection = self.http2().serve_connection(io, service);
                self.drive(Box::pin(connection)).await;
            }
        }
    }

    /// Serves a connection to its end, which begins when it is old or the server closes. It is boxed so
    /// that a task has room for one protocol only, and once.
    async fn drive(&self, mut connection: Pin<Box<impl Graceful>>) {
        // The first 53 bits, as a part of 1.
        let random = (Uuid::new_v4().as_u128() >> 75) as f64 / (1_u64 << 53) as f64;
        let mut old = pin!(tokio::time::sleep(self.limits.connection_age(random)));
        let mut closing = pin!(self.closing.cancelled());
        let mut ending = false;
        loop {
            tokio::select! {
                ended = &mut connection => {
                    if let Err(error) = ended {
                        tracing::debug!(%error, "a connection has failed");
                    }
                    return;
                }
                () = &mut old, if !ending => {}
                () = &mut closing, if !ending => {}
            }
            ending = true;
            connection.as_mut().begin_end();
        }
    }

    /// Waits for a step of the peer; `None` if the time limit passes or the server shuts down.
    async fn in_time<T>(
        &self,
        what: &str,
        limit: Duration,
        step: impl Future<Output = std::io::Result<T>>,
    ) -> Option<T> {
        let done = tokio::select! {
            done = timeout(limit, step) => done,
            () = self.closing.cancelled() => return None,
        };
        match done {
            Ok(Ok(done)) => Some(done),
            Ok(Err(error)) => {
                tracing::debug!(%error, "connection failed during its {what}");
                None
            }
            Err(_) => {
                tracing::debug!("closing a connection: no {what} in time");
                None
            }
        }
    }

    fn http1(&self) -> http1::Builder {
        /// hyper needs this much for the head of a request.
        const SHORTEST_HEAD: usize = 8 * 1024;
        let limits = &self.limits;
        let mut builder = http1::Builder::new();
        builder
            .timer(TokioTimer::new())
            .header_read_timeout(limits.request_head_timeout.min(NEVER))
            .max_buf_size((limits.max_header_list_len as usize).max(SHORTEST_HEAD));
        builder
    }

    fn http2(&self) -> http2::Builder<Tasks> {
        /// A shorter one would be a busy loop.
        const SHORTEST: Duration = Duration::from_millis(10);
        let limits = &self.limits;
        let mut builder = http2::Builder::new(self.tasks.clone());
        builder
            .timer(TokioTimer::new())
            .max_concurrent_streams(limits.max_concurrent_streams.max(1))
            .max_header_list_size(limits.max_header_list_len)
            .max_send_buf_size(limits.max_send_buffer_len.clamp(1, u32::MAX as usize))
            .keep_alive_interval(limits.keep_alive_interval.clamp(SHORTEST, NEVER))
            .keep_alive_timeout(limits.keep_alive_timeout.clamp(SHORTEST, NEVER));
        builder
    }
}

/// A connection of either protocol.
trait Graceful: Future<Output = hyper::Result<()>> {
    /// The calls under way come to their end, and no new ones come.
    fn begin_end(self: Pin<&mut Self>);
}

impl<IO, S, B> Graceful for http1::Connection<IO, S>
where
    S: HttpService<Incoming, ResBody = B>,
    S::Error: Into<BoxError>,
    IO: hyper::rt::Read + hyper::rt::Write + Unpin,
    B: Body + 'static,
    B::Error: Into<BoxError>,
{
    fn begin_end(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

impl<IO, S, B> Graceful for http2::Connection<IO, S, Tasks>
where
    S: HttpService<Incoming, ResBody = B>,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
    IO: hyper::rt::Read + hyper::rt::Write + Unpin,
    B: Body<Data: Send> + Send + 'static,
    B::Error: Into<BoxError>,
{
    fn begin_end(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

/// The peer's addresses for handlers, as in tonic's own server.
#[derive(Clone, Debug)]
enum Peer {
    Tcp(TcpConnectInfo),
    #[cfg(feature = "tls")]
    Tls(TcpConnectInfo, TlsConnectInfo<TcpConnectInfo>),
}

impl Peer {
    fn insert_into(&self, extensions: &mut Extensions) {
        match self.clone() {
            Self::Tcp(tcp) => {
                extensions.insert(tcp);
            }
            #[cfg(feature = "tls")]
            Self::Tls(tcp, tls) => {
                extensions.insert(tcp);
                extensions.insert(tls);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::Empty;
    use tokio::net::TcpListener;

    use super::*;

    /// Servers hold many idle connections and watches.
    #[tokio::test]
    async fn the_task_of_a_connection_is_small() {
        let service = tower::service_fn(|_: Request<Incoming>| async {
            Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
        });
        let connections = Connections {
            service,
            http1_service: service,
            limits: ServeLimits::default(),
            with_http1: true,
            #[cfg(feature = "tls")]
            tls: None,
            closing: CancellationToken::new(),
            tasks: Tasks {
                tracker: TaskTracker::new(),
                cut: CancellationToken::new(),
            },
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await;
        let task = Task {
            future: connections.accept(stream.unwrap()),
            cut: CancellationToken::new().cancelled_owned(),
        };
        let size = size_of_val(&task);
        assert!(size <= 2_560, "{size} bytes");
    }
}
