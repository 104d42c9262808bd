//! Services behind a gateway, on a port of its own.

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use lro_gateway::Gateway;
use lro_server::Worker;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tonic::service::Routes;

/// A server, until it is stopped.
pub(crate) struct Served {
    pub(crate) url: String,
    worker: Option<Worker>,
    _accepting: JoinSet<()>,
}

impl Served {
    pub(crate) async fn start(routes: Routes, descriptors: &'static [u8], worker: Worker) -> Self {
        let gateway = Gateway::builder(routes)
            .file_descriptor_set(descriptors)
            .build()
            .unwrap();
        Self::start_gateway(gateway, Some(worker)).await
    }

    pub(crate) async fn start_gateway(gateway: Gateway, worker: Option<Worker>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let mut accepting = JoinSet::new();
        accepting.spawn(async move {
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
        });
        Self {
            url,
            worker,
            _accepting: accepting,
        }
    }

    pub(crate) async fn stop(self) {
        if let Some(worker) = self.worker {
            worker.drain().await;
        }
    }
}
