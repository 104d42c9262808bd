//! 100,000 calls of WaitOperation on one server: what each costs in memory, and how soon it hears.
//!
//! The servers are processes of their own, so that their memory is theirs alone.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::ValueEnum;
use lro_core::pb::operations_client::OperationsClient;
use lro_core::pb::operations_server::{Operations as OperationsRpc, OperationsServer};
use lro_core::pb::{
    self, CancelOperationRequest, GetOperationRequest, ListOperationsRequest, WaitOperationRequest,
};
use lro_core::store::{MemoryStore, NewOperation, OperationStore};
use lro_core::{OperationName, ParentName, pack};
use lro_server::{Limits, Operations};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tonic::transport::Channel;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use crate::Setting;
use crate::footprint::resident_kib;
use crate::table::{percentiles, print};

/// As many streams as a server lets one connection have.
const CALLS_PER_CONNECTION: usize = 250;

/// The longest that a call waits for what must come.
const PATIENCE: Duration = Duration::from_secs(3_600);

/// The service of a server process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Role {
    /// A tonic service whose WaitOperation waits for a signal, and does nothing else.
    Bare,
    /// google.longrunning.Operations over a MemoryStore.
    Operations,
}

pub(crate) async fn run(setting: &Setting) -> anyhow::Result<()> {
    let count = setting.scale(100_000);
    let (mut memory, mut latency) = (Vec::new(), Vec::new());
    let mut bare_each = 0.0;
    for role in [Role::Bare, Role::Operations] {
        let server = Server::start(role, count)?;
        let mut waits = server.wait_for_all(count).await?;
        let grown = server.resident_kib()?.saturating_sub(server.before);
        let each = grown as f64 / count as f64;
        if role == Role::Bare {
            bare_each = each;
        }
        memory.push(vec![
            format!("{role:?}"),
            count.to_string(),
            format!("{} MiB", grown / 1024),
            format!("{each:.2} KiB"),
            format!("{:+.2} KiB", each - bare_each),
        ]);
        let (calls, woken) = server.measure(&mut waits, 1_000.min(count)).await?;
        latency.push(vec![
            format!("{role:?}"),
            percentiles(calls),
            percentiles(woken),
        ]);
        for wait in waits.into_iter().flatten() {
            wait.abort();
        }
    }
    print(
        "Memory of a server for each call of WaitOperation that is held",
        &["server", "calls", "in all", "each", "over bare"],
        &memory,
    );
    print(
        "With all of them waiting (p50 / p99)",
        &[
            "server",
            "a call of GetOperation",
            "from CancelOperation to the end of the wait (2 round trips)",
        ],
        &latency,
    );
    Ok(())
}

/// A server process; killed when it is dropped.
struct Server {
    child: Child,
    url: String,
    /// Its memory before the first wait.
    before: u64,
}

impl Server {
    fn start(role: Role, operations: usize) -> anyhow::Result<Self> {
        let role = role.to_possible_value();
        let role = role.as_ref().map_or("", |value| value.get_name());
        let mut child = crate::this_program()?
            .args([
                "--serve-waits",
                role,
                "--operations",
                &operations.to_string(),
            ])
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        if let Some(stdout) = child.stdout.take() {
            BufReader::new(stdout).read_line(&mut line)?;
        }
        let before = resident_kib(Some(child.id()))?;
        Ok(Self {
            child,
            url: format!("http://{}", line.trim()),
            before,
        })
    }

    fn resident_kib(&self) -> anyhow::Result<u64> {
        resident_kib(Some(self.child.id()))
    }

    async fn connect(&self) -> anyhow::Result<OperationsClient<Channel>> {
        let channel = Channel::from_shared(self.url.clone())?.connect().await?;
        Ok(OperationsClient::new(channel))
    }

    /// One call for each operation, each of them held by the server by now.
    async fn wait_for_all(&self, count: usize) -> anyhow::Result<Vec<Option<Wait>>> {
        let mut waits = Vec::with_capacity(count);
        while waits.len() < count {
            let mut client = self.connect().await?;
            for at in waits.len()..count.min(waits.len() + CALLS_PER_CONNECTION) {
                let mut client = client.clone();
                waits.push(Some(tokio::spawn(async move {
                    let request = WaitOperationRequest {
                        name: name(at),
                        timeout: None,
                    };
                    let operation = client.wait_operation(request).await?.into_inner();
                    anyhow::ensure!(operation.done, "the wait was cut short");
                    Ok(Instant::now())
                })));
            }
            // Sent behind them on the connection: when it is answered, they are with the server.
            let name = name(0);
            client.get_operation(GetOperationRequest { name }).await?;
        }
        Ok(waits)
    }

    /// How long single calls take, and how long it is from a cancellation to the answer of who
    /// waits for the operation, one at a time.
    async fn measure(
        &self,
        waits: &mut [Option<Wait>],
        count: usize,
    ) -> anyhow::Result<(Vec<Duration>, Vec<Duration>)> {
        let mut client = self.connect().await?;
        let (mut calls, mut woken) = (Vec::new(), Vec::new());
        for sample in 0..count {
            let at = sample * waits.len() / count;
            let begun = Instant::now();
            let name = name(at);
            client
                .get_operation(GetOperationRequest { name: name.clone() })
                .await?;
            calls.push(begun.elapsed());
            let begun = Instant::now();
            client
                .cancel_operation(CancelOperationRequest { name })
                .await?;
            if let Some(wait) = waits[at].take() {
                woken.push(wait.await??.duration_since(begun));
            }
        }
        Ok((calls, woken))
    }
}

type Wait = JoinHandle<anyhow::Result<Instant>>;

impl Drop for Server {
    fn drop(&mut self) {
        // An error is that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn name(at: usize) -> String {
    format!("operations/{at}")
}

/// Runs a server process until it is killed.
pub(crate) async fn serve(role: Role, operations: usize) -> anyhow::Result<()> {
    let incoming = TcpIncoming::bind("127.0.0.1:0".parse()?)
        .map_err(|error| anyhow::anyhow!("{error}"))?
        .with_nodelay(Some(true));
    let address = incoming.local_addr()?;
    let mut server = tonic::transport::Server::builder();
    let router = match role {
        Role::Bare => {
            let signals = (0..operations).map(|_| Arc::default()).collect();
            server.add_service(OperationsServer::new(Bare { signals }))
        }
        Role::Operations => {
            let store = MemoryStore::new();
            for at in 0..operations {
                let name = OperationName::new(&ParentName::default(), &at.to_string())?;
                let new = NewOperation::new(Uuid::now_v7(), name, "/s.Service/Method", pack(&()));
                store.start(vec![new]).await?.remove(0)?;
            }
            let limits = Limits::default().max_wait(PATIENCE);
            let operations = Operations::builder(store).limits(limits).build();
            server.add_service(operations.service())
        }
    };
    println!("{address}");
    router.serve_with_incoming(incoming).await?;
    Ok(())
}

/// The least that a server with waits can do.
struct Bare {
    signals: Vec<Arc<Notify>>,
}

impl Bare {
    fn signal(&self, name: &str) -> Result<&Arc<Notify>, Status> {
        let at = name
            .rsplit('/')
            .next()
            .and_then(|at| at.parse::<usize>().ok());
        let signal = at.and_then(|at| self.signals.get(at));
        signal.ok_or_else(|| Status::not_found("no such operation"))
    }
}

#[tonic::async_trait]
impl OperationsRpc for Bare {
    async fn get_operation(
        &self,
        request: Request<GetOperationRequest>,
    ) -> Result<Response<pb::Operation>, Status> {
        let name = request.into_inner().name;
        let operation = pb::Operation {
            name,
            ..Default::default()
        };
        Ok(Response::new(operation))
    }

    async fn wait_operation(
        &self,
        request: Request<WaitOperationRequest>,
    ) -> Result<Response<pb::Operation>, Status> {
        let name = request.into_inner().name;
        self.signal(&name)?.notified().await;
        let done = true;
        let operation = pb::Operation {
            name,
            done,
            ..Default::default()
        };
        Ok(Response::new(operation))
    }

    async fn cancel_operation(
        &self,
        request: Request<CancelOperationRequest>,
    ) -> Result<Response<()>, Status> {
        self.signal(&request.get_ref().name)?.notify_one();
        Ok(Response::new(()))
    }

    async fn list_operations(
        &self,
        _request: Request<ListOperationsRequest>,
    ) -> Result<Response<pb::ListOperationsResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn delete_operation(
        &self,
        _request: Request<pb::DeleteOperationRequest>,
    ) -> Result<Response<()>, Status> {
        Err(Status::unimplemented(""))
    }
}
