//! The exporter, with a body that does nothing, or waits.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use exporter::pb::exporter_server::ExporterServer;
use exporter::pb::{self, ExportMetadata, ExportRequest, ExportResponse, GetTableRequest, Table};
use lro_core::OperationName;
use lro_core::store::OperationStore;
use lro_gateway::Gateway;
use lro_server::serve::{self, HostedServices, ServeLimits};
use lro_server::steps::Step;
use lro_server::{OperationContext, Operations, Worker, long_running};
use tokio::sync::{Notify, oneshot};
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

/// The number of steps of bodies whose first table is `steps`.
pub(crate) const STEPS: u32 = 10;

/// The number of steps of those whose first table is `resume behind steps`, before they wait.
pub(crate) const STEPS_BEFORE: usize = 1_000;

/// The number of children of bodies whose first table is `children`.
pub(crate) const CHILDREN: usize = 1_000;

pub(crate) struct Exporter {
    operations: Operations,
    /// How often such a body was run.
    runs_of_parents: AtomicUsize,
    /// Releases bodies whose first table is `wait`.
    release: Notify,
}

#[long_running]
impl pb::exporter_server::Exporter for Exporter {
    #[long_running(response = ExportResponse, metadata = ExportMetadata)]
    async fn export(
        &self,
        request: ExportRequest,
        operation: OperationContext<ExportMetadata>,
    ) -> Result<ExportResponse, Status> {
        match request.tables.first().map_or("", String::as_str) {
            "wait" => self.release.notified().await,
            "steps" => {
                for step in 0..STEPS {
                    let name = format!("step/{step}");
                    operation.step(name, async || Ok::<u32, Status>(7)).await?;
                }
            }
            "child" => drop(self.child(&operation, "child").await?),
            "children" => {
                self.runs_of_parents.fetch_add(1, Ordering::Relaxed);
                let children =
                    (0..CHILDREN).map(|child| self.child(&operation, &format!("child/{child}")));
                operation.all(CHILDREN, children).await?;
            }
            "resume" => operation.promise::<()>("go").await?,
            "resume behind steps" => {
                for step in 0..STEPS_BEFORE {
                    let value = async || Ok::<_, Status>(vec![7_u8; 100]);
                    operation.step(format!("step/{step}"), value).await?;
                }
                operation.promise::<()>("go").await?;
            }
            _ => {}
        }
        Ok(ExportResponse {
            tables_exported: request.tables.len() as u32,
            rows: 0,
        })
    }

    async fn get_table(
        &self,
        request: Request<GetTableRequest>,
    ) -> Result<Response<Table>, Status> {
        let name = request.into_inner().name;
        Ok(Response::new(Table { name, rows: 0 }))
    }
}

impl Exporter {
    /// A child that does nothing.
    fn child<'a>(
        &'a self,
        operation: &'a OperationContext<ExportMetadata>,
        step: &str,
    ) -> Step<'a, ExportResponse> {
        operation.child(step, &self.operations, async move |_| {
            pb::exporter_server::Exporter::export(self, Request::new(request("now"))).await
        })
    }

    pub(crate) fn runs_of_parents(&self) -> usize {
        self.runs_of_parents.load(Ordering::Relaxed)
    }
}

/// The engine with the exporter on it.
pub(crate) struct Server {
    pub(crate) operations: Operations,
    pub(crate) exporter: Arc<Exporter>,
    /// Runs the bodies as long as it is there.
    _worker: Option<Worker>,
}

impl Server {
    pub(crate) async fn start(
        store: impl OperationStore,
        concurrency: usize,
    ) -> anyhow::Result<Self> {
        let mut server = Self::front(store);
        let worker = Worker::builder(&server.operations)
            .host(server.exporter.clone())
            .concurrency(concurrency)
            .start()
            .await?;
        server._worker = Some(worker);
        Ok(server)
    }

    /// A front end: runs no bodies, other processes do.
    pub(crate) fn front(store: impl OperationStore) -> Self {
        let operations = Operations::new(store);
        let exporter = Arc::new(Exporter {
            operations: operations.clone(),
            runs_of_parents: AtomicUsize::new(0),
            release: Notify::new(),
        });
        Self {
            operations,
            exporter,
            _worker: None,
        }
    }

    /// Starts an operation as a call would, without the wire.
    pub(crate) async fn begin(&self, table: &str) -> anyhow::Result<OperationName> {
        let request = Request::new(request(table));
        let started = pb::exporter_server::Exporter::export(&*self.exporter, request).await?;
        Ok(started.get_ref().name().parse()?)
    }

    /// A whole life without the wire.
    pub(crate) async fn life(&self) -> anyhow::Result<()> {
        self.life_of("now").await
    }

    /// The same of a body that does what the table says.
    pub(crate) async fn life_of(&self, table: &str) -> anyhow::Result<()> {
        let name = self.begin(table).await?;
        let done = self.operations.wait(&name, None).await?;
        anyhow::ensure!(done.done, "{name} has not ended");
        Ok(())
    }

    pub(crate) fn release(&self) {
        self.exporter.release.notify_waiters();
    }

    /// Serves it on a free port until the process ends.
    pub(crate) fn listen(&self) -> anyhow::Result<SocketAddr> {
        let incoming = TcpIncoming::bind("127.0.0.1:0".parse()?)
            .map_err(|error| anyhow::anyhow!("{error}"))?
            .with_nodelay(Some(true));
        let address = incoming.local_addr()?;
        let router = tonic::transport::Server::builder()
            .add_service(ExporterServer::from_arc(self.exporter.clone()))
            .add_service(self.operations.service());
        tokio::spawn(router.serve_with_incoming(incoming));
        Ok(address)
    }
}

impl Server {
    /// Serves gRPC and HTTP/JSON on a free port until the process ends, and hands out the services
    /// that the HTTP service calls.
    pub(crate) async fn listen_with_http(
        &self,
        gateway: fn(&HostedServices) -> Result<Gateway, lro_gateway::BuildError>,
        hosted: Arc<Mutex<Option<HostedServices>>>,
    ) -> anyhow::Result<SocketAddr> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (made, is_made) = oneshot::channel();
        let limits = ServeLimits::default().max_connections_per_ip(usize::MAX);
        let server = serve::Server::builder(&self.operations)
            .add_service(ExporterServer::from_arc(self.exporter.clone()))
            .file_descriptor_set(pb::FILE_DESCRIPTOR_SET)
            .limits(limits)
            .http(move |services| {
                if let Ok(mut hosted) = hosted.lock() {
                    *hosted = Some(services.clone());
                }
                // The bench may have ended.
                let _ = made.send(());
                gateway(services)
            });
        tokio::spawn(server.serve(listener, std::future::pending()));
        is_made.await?;
        Ok(address)
    }
}

pub(crate) fn request(table: &str) -> ExportRequest {
    ExportRequest {
        tables: vec![table.to_owned(), "x".repeat(200)],
    }
}

/// Runs `work` `count` times on several tasks at once; returns the total duration and that of each
/// run.
pub(crate) async fn drive<W>(
    submitters: usize,
    count: usize,
    work: W,
) -> anyhow::Result<(std::time::Duration, Vec<std::time::Duration>)>
where
    W: AsyncWork,
{
    let begun = std::time::Instant::now();
    let tasks: Vec<_> = (0..submitters)
        .map(|submitter| {
            let mut work = work.clone();
            let share = count / submitters + usize::from(submitter < count % submitters);
            tokio::spawn(async move {
                let mut samples = Vec::with_capacity(share);
                for _ in 0..share {
                    let begun = std::time::Instant::now();
                    work.once().await?;
                    samples.push(begun.elapsed());
                }
                anyhow::Ok(samples)
            })
        })
        .collect();
    let mut samples = Vec::with_capacity(count);
    for task in tasks {
        samples.extend(task.await??);
    }
    Ok((begun.elapsed(), samples))
}

/// The same for some time.
pub(crate) async fn drive_for<W>(
    submitters: usize,
    span: std::time::Duration,
    work: W,
) -> anyhow::Result<(std::time::Duration, Vec<std::time::Duration>)>
where
    W: AsyncWork,
{
    let begun = std::time::Instant::now();
    let tasks: Vec<_> = (0..submitters)
        .map(|_| {
            let mut work = work.clone();
            tokio::spawn(async move {
                let mut samples = Vec::new();
                while begun.elapsed() < span {
                    let begun = std::time::Instant::now();
                    work.once().await?;
                    samples.push(begun.elapsed());
                }
                anyhow::Ok(samples)
            })
        })
        .collect();
    let mut samples = Vec::new();
    for task in tasks {
        samples.extend(task.await??);
    }
    Ok((begun.elapsed(), samples))
}

/// A whole life without the wire.
#[derive(Clone)]
pub(crate) struct InProcess(pub(crate) Arc<Server>);

impl AsyncWork for InProcess {
    async fn once(&mut self) -> anyhow::Result<()> {
        self.0.life().await
    }
}

/// The work that a submitter repeats.
pub(crate) trait AsyncWork: Clone + Send + 'static {
    fn once(&mut self) -> impl Future<Output = anyhow::Result<()>> + Send;
}
