//! Servers of the tests.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use lro_gateway::Gateway;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};

/// A server, until it is stopped.
pub(crate) struct Served {
    pub(crate) url: String,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<()>,
}

type Stopped = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Served {
    /// Runs a server that ends when the future that it gets does.
    pub(crate) fn run<F>(address: SocketAddr, serve: impl FnOnce(Stopped) -> F) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = serve(Box::pin(async {
            stopped.await.ok();
        }));
        Self {
            url: format!("http://{address}"),
            stop,
            serving: tokio::spawn(serving),
        }
    }

    /// A gateway on a port of its own, in front of services that are no server of operations.
    pub(crate) async fn gateway(gateway: Gateway) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        Self::run(address, |stopped| async move {
            tokio::select! {
                () = stopped => {}
                () = accept(listener, gateway) => {}
            }
        })
    }

    pub(crate) async fn stop(self) {
        self.stop.send(()).unwrap();
        self.serving.await.unwrap();
    }
}

async fn accept(listener: TcpListener, gateway: Gateway) {
    let mut connections = JoinSet::new();
    while let Ok((socket, _)) = listener.accept().await {
        let service = TowerToHyperService::new(gateway.clone());
        connections.spawn(async move {
            let builder = auto::Builder::new(TokioExecutor::new());
            // A client may close its connection at any time.
            let _ = builder
                .serve_connection(TokioIo::new(socket), service)
                .await;
        });
    }
}
