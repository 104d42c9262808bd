//! GetOperation against a bare tonic service that returns the same message from memory.

use lro_core::MemoryStore;
use lro_core::pb::operations_client::OperationsClient;
use lro_core::pb::operations_server::{Operations, OperationsServer};
use lro_core::pb::{self, GetOperationRequest};
use lro_sqlite::SqliteStore;
use tonic::transport::Channel;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

use crate::Setting;
use crate::service::{AsyncWork, Server, drive};
use crate::table::{per_second, percentiles, print, rate, ratio};

const CALLERS: usize = 32;

pub(crate) async fn run(setting: &Setting) -> anyhow::Result<()> {
    let count = setting.scale(60_000);
    let folder = setting.folder()?;
    let sqlite = SqliteStore::open(folder.path().join("operations.db")).await?;
    let sqlite = Server::start(sqlite, 16).await?;
    let memory = Server::start(MemoryStore::new(), 16).await?;
    let name = memory.begin("now").await?;
    let operation = memory.operations.wait(&name, None).await?;
    let sqlite_name = sqlite.begin("now").await?;
    sqlite.operations.wait(&sqlite_name, None).await?;

    let mut rows = Vec::new();
    let mut limit = None;
    let bare = serve_bare(operation)?;
    for (what, address, name) in [
        ("bare tonic service", bare, name.as_str()),
        ("MemoryStore", memory.listen()?, name.as_str()),
        ("SqliteStore", sqlite.listen()?, sqlite_name.as_str()),
    ] {
        let channel = Channel::from_shared(format!("http://{address}"))?
            .connect()
            .await?;
        let work = Get {
            client: OperationsClient::new(channel),
            name: name.to_owned(),
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
    name: String,
}

impl AsyncWork for Get {
    async fn once(&mut self) -> anyhow::Result<()> {
        let name = self.name.clone();
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
