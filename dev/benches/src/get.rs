//! GetOperation against a bare tonic service that returns the same message from memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use lro_core::OperationName;
use lro_core::pb::operations_client::OperationsClient;
use lro_core::pb::operations_server::{Operations, OperationsServer};
use lro_core::pb::{self, GetOperationRequest};
use lro_core::store::{ExecutionPolicy, MemoryStore};
use lro_sqlite::SqliteStore;
use tonic::transport::Channel;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

use crate::Setting;
use crate::retention::fill;
use crate::service::{AsyncWork, Server, drive};
use crate::table::{per_second, percentiles, print, rate, ratio};

const CALLERS: usize = 32;
/// The number of other operations, which are read in turn: far more than a store keeps in memory.
const OTHERS: usize = 100_000;

pub(crate) async fn run(setting: &Setting) -> anyhow::Result<()> {
    let count = setting.scale(60_000);
    let folder = setting.folder()?;
    let sqlite = SqliteStore::open(folder.path().join("operations.db")).await?;
    let sqlite = Server::start(sqlite, 16).await?;
    let memory = Server::start(MemoryStore::new(), 16).await?;
    let others = SqliteStore::open(folder.path().join("others.db")).await?;
    let others_names = fill(
        &others,
        setting.scale(OTHERS),
        ExecutionPolicy::DEFAULT_RETAIN,
    )
    .await?;
    let others = Server::front(others);
    let name = memory.begin("now").await?;
    let operation = memory.operations.wait(&name, None).await?;
    let sqlite_name = sqlite.begin("now").await?;
    sqlite.operations.wait(&sqlite_name, None).await?;

    let mut rows = Vec::new();
    let mut limit = None;
    let bare = serve_bare(operation)?;
    let one = |name: &OperationName| Arc::from([name.as_str().to_owned()]);
    let others_names = others_names.iter().map(|name| name.as_str().to_owned());
    for (what, address, names) in [
        ("bare tonic service", bare, one(&name)),
        ("MemoryStore", memory.listen()?, one(&name)),
        (
            "SqliteStore, in memory",
            sqlite.listen()?,
            one(&sqlite_name),
        ),
        (
            "SqliteStore, in the file",
            others.listen()?,
            others_names.collect(),
        ),
    ] {
        let channel = Channel::from_shared(format!("http://{address}"))?
            .connect()
            .await?;
        let work = Get {
            client: OperationsClient::new(channel),
            names,
            next: Arc::default(),
        };
        drive(CALLERS, count / 10, work.clone()).await?;
        let (took, samples) = drive(CALLERS, count, work).await?;
        let rate = rate(count, took);
        let limit = *limit.get_or_insert(rate);
        rows.push(vec![
            what.to_owned(),
            per_second(rate),
            ratio(rate, limit),
            percentiles(samples),
        ]);
    }
    print(
        "GetOperation, 32 callers on one connection",
        &["server", "calls", "of bare", "p50 / p99"],
        &rows,
    );
    Ok(())
}

#[derive(Clone)]
struct Get {
    client: OperationsClient<Channel>,
    names: Arc<[String]>,
    next: Arc<AtomicUsize>,
}

impl AsyncWork for Get {
    async fn once(&mut self) -> anyhow::Result<()> {
        let next = self.next.fetch_add(1, Ordering::Relaxed);
        // Neighbours of those before lie on other pages.
        let name = self.names[next.wrapping_mul(7_919) % self.names.len()].clone();
        let answer = self
            .client
            .get_operation(GetOperationRequest { name })
            .await?;
        anyhow::ensure!(answer.get_ref().done, "it has ended");
        Ok(())
    }
}

struct Bare(pb::Operation);

#[tonic::async_trait]
impl Operations for Bare {
    async fn get_operation(
        &self,
        _request: Request<GetOperationRequest>,
    ) -> Result<Response<pb::Operation>, Status> {
        Ok(Response::new(self.0.clone()))
    }

    async fn list_operations(
        &self,
        _request: Request<pb::ListOperationsRequest>,
    ) -> Result<Response<pb::ListOperationsResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn delete_operation(
        &self,
        _request: Request<pb::DeleteOperationRequest>,
    ) -> Result<Response<()>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn cancel_operation(
        &self,
        _request: Request<pb::CancelOperationRequest>,
    ) -> Result<Response<()>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn wait_operation(
        &self,
        _request: Request<pb::WaitOperationRequest>,
    ) -> Result<Response<pb::Operation>, Status> {
        Err(Status::unimplemented(""))
    }
}

fn serve_bare(operation: pb::Operation) -> anyhow::Result<std::net::SocketAddr> {
    let incoming = TcpIncoming::bind("127.0.0.1:0".parse()?)
        .map_err(|error| anyhow::anyhow!("{error}"))?
        .with_nodelay(Some(true));
    let address = incoming.local_addr()?;
    let router =
        tonic::transport::Server::builder().add_service(OperationsServer::new(Bare(operation)));
    tokio::spawn(router.serve_with_incoming(incoming));
    Ok(address)
}
