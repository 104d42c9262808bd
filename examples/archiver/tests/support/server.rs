//! The server in the test's own process.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use archiver::archive::Options;
use archiver::{Server, ServerOptions};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::Clients;

/// A server, shut down by [`stop`](Self::stop).
pub struct LocalServer {
    stop: oneshot::Sender<()>,
    serving: JoinHandle<Result<(), archiver::Error>>,
}

/// A server over this data folder, and its clients.
pub async fn start(data: &Path) -> (LocalServer, Clients) {
    let server = Server::bind(ServerOptions {
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        pack: Options {
            frame_bytes: 64 * 1024,
            ..Options::default()
        },
        drain_timeout: std::time::Duration::from_millis(1),
        ..ServerOptions::new(data)
    });
    let server = server.await.unwrap();
    let url = format!("http://{}", server.address());
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn(server.serve(async {
        stopped.await.ok();
    }));
    let clients = Clients::connect(&url).await;
    (LocalServer { stop, serving }, clients)
}

impl LocalServer {
    /// In order.
    pub async fn stop(self) {
        self.stop.send(()).unwrap();
        self.serving.await.unwrap().unwrap();
    }
}
