//! Calls without a socket, and over a connection.

use std::net::Ipv4Addr;
use std::sync::Arc;

use lro_core::pb::operations_client::OperationsClient;
use lro_core::store::MemoryStore;
use lro_server::access::OperationsRpc;
use lro_server::{Operations, OperationsService};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tonic::transport::{Channel, Error, Server as Tonic};

use crate::access::fixture::Server;
use crate::support::Exporter;

/// The service of operations, as tests call it.
pub(crate) type OperationsOver = OperationsService;

/// The service that starts them.
pub(crate) type ExporterOver = Exporter;

/// How many calls each test of isolation makes, unless `LRO_ISOLATION_CALLS` says.
pub(crate) const ISOLATION_CALLS: usize = 50_000;

/// Both services.
pub(crate) fn of(
    operations: &Operations,
    exporter: Arc<Exporter>,
) -> (OperationsOver, Arc<ExporterOver>) {
    (operations.clone().into(), exporter)
}

/// Whether a call with this name reaches the rpc. Any does, but where a name is a part of a path.
pub(crate) fn carries(_: OperationsRpc, _: &str) -> bool {
    true
}

/// Whether a call has room for this text.
pub(crate) fn carries_text(_: &str) -> bool {
    true
}

/// A server of operations in memory, over a connection.
pub(crate) struct Wire {
    pub(crate) server: Server,
    pub(crate) channel: Channel,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<Result<(), Error>>,
}

impl Wire {
    pub(crate) async fn new() -> Self {
        let operations = Operations::new(MemoryStore::new());
        let address = (Ipv4Addr::LOCALHOST, 0).into();
        let incoming = tonic::transport::server::TcpIncoming::bind(address).unwrap();
        let address = incoming.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let served = Tonic::builder().add_service(operations.service());
        let serving = tokio::spawn(served.serve_with_incoming_shutdown(incoming, async {
            stopped.await.ok();
        }));
        let channel = Channel::from_shared(format!("http://{address}")).unwrap();
        Self {
            server: Server::new(operations),
            channel: channel.connect().await.unwrap(),
            stop,
            serving,
        }
    }

    pub(crate) fn client(&self) -> OperationsClient<Channel> {
        OperationsClient::new(self.channel.clone())
    }

    pub(crate) async fn stop(self) {
        drop(self.channel);
        self.stop.send(()).unwrap();
        self.serving.await.unwrap().unwrap();
    }
}
