//! The server that is killed and paused: an exporter whose requests say what their bodies do.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use crate::pb::exporter_server::ExporterServer;
use crate::pb::families_server::FamiliesServer;
use crate::pb::{self, ExportMetadata, ExportRequest, ExportResponse};
use anyhow::{Context as _, anyhow};
use lro_core::store::OperationStore;
use lro_server::{HandlerError, OperationContext, Operations, StartOptions, Worker, long_running};
use lro_sqlite::SqliteStore;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Status};

use crate::durable;
use crate::family::Families;
use crate::ledger::Ledger;
use crate::random::Random;

/// The database in a server's folder.
pub const DATABASE: &str = "operations.db";

/// The behaviour of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Script {
    /// Ends at once.
    Now,
    /// Saves checkpoints, and resumes from them.
    Steps,
    /// Fails for good.
    Fail,
    /// Fails the first time, and asks for another.
    Retry,
    /// Runs until it is cancelled, or the server was started with `--finish`.
    Hold,
    /// Saves checkpoints for about 1 second.
    Long,
    /// Does nothing for a while, and ends.
    Once,
    /// Makes durable calls, and notes their effects in a file.
    Durable,
}

impl Script {
    /// Those that end soon, or by being cancelled.
    pub const SHORT: [Self; 5] = [Self::Now, Self::Steps, Self::Fail, Self::Retry, Self::Hold];

    /// As the request says it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Now => "now",
            Self::Steps => "steps",
            Self::Fail => "fail",
            Self::Retry => "retry",
            Self::Hold => "hold",
            Self::Long => "long",
            Self::Once => "once",
            Self::Durable => "durable",
        }
    }
}

impl FromStr for Script {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut all = Self::SHORT
            .into_iter()
            .chain([Self::Long, Self::Once, Self::Durable]);
        all.find(|it| it.as_str() == text).ok_or(())
    }
}

/// The request that starts an operation of that id.
pub fn request(id: &str, script: Script) -> ExportRequest {
    ExportRequest {
        tables: vec![script.as_str().to_owned(), id.to_owned()],
    }
}

/// The same with a key: `request ID` or `exclusive KEY`.
pub fn keyed(id: &str, script: Script, key: Option<&str>) -> ExportRequest {
    let mut request = request(id, script);
    request.tables.extend(key.map(str::to_owned));
    request
}

/// The answer of a body that succeeds, besides its fence.
pub fn rows(id: &str) -> u64 {
    let seed = id
        .bytes()
        .fold(7, |seed: u64, byte| seed.wrapping_mul(31) + u64::from(byte));
    Random::new(seed).bits()
}

/// How a server is run.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// The folder of the database.
    #[arg(long)]
    pub data: PathBuf,
    /// How long leases last, in milliseconds.
    #[arg(long, default_value_t = 30_000)]
    pub lease: u64,
    /// Bodies that hold on end by themselves.
    #[arg(long)]
    pub finish: bool,
}

/// Opens the database and serves until the process ends. Prints `listening on <address>`, and
/// `ran <id> <attempt>` for each run of a body.
///
/// # Errors
///
/// When the database cannot be opened, or nothing can be served.
pub async fn serve(options: Options) -> anyhow::Result<()> {
    let store = SqliteStore::open(options.data.join(DATABASE)).await?;
    let lease = Duration::from_millis(options.lease);
    let ledger = Ledger::new(options.data.join(durable::LEDGER));
    let server = Server::start(store, lease, options.finish, ledger).await?;
    let incoming = TcpIncoming::bind("127.0.0.1:0".parse()?).map_err(|error| anyhow!("{error}"))?;
    let incoming = incoming.with_nodelay(Some(true));
    println!("listening on {}", incoming.local_addr()?);
    tonic::transport::Server::builder()
        .add_service(ExporterServer::from_arc(server.exporter.clone()))
        .add_service(FamiliesServer::from_arc(server.families.clone()))
        .add_service(server.operations.service())
        .serve_with_incoming(incoming)
        .await?;
    Ok(())
}

/// The engine with the exporter on it.
#[derive(Debug)]
struct Server {
    operations: Operations,
    exporter: Arc<Exporter>,
    families: Arc<Families>,
    _worker: Worker,
}

impl Server {
    async fn start(
        store: impl OperationStore,
        lease: Duration,
        finish: bool,
        ledger: Ledger,
    ) -> anyhow::Result<Self> {
        let operations = Operations::new(store);
        let families = Arc::new(Families::new(&operations, ledger.clone()));
        let exporter = Arc::new(Exporter {
            operations: operations.clone(),
            finish,
            ledger,
        });
        let worker = Worker::builder(&operations)
            .host(exporter.clone())
            .host(families.clone())
            .concurrency(1_000)
            .lease_duration(lease)
            .start()
            .await?;
        Ok(Self {
            operations,
            exporter,
            families,
            _worker: worker,
        })
    }
}

#[derive(Debug)]
pub(crate) struct Exporter {
    pub(crate) operations: Operations,
    /// Bodies that hold on end by themselves.
    pub(crate) finish: bool,
    /// Where durable bodies note their effects.
    pub(crate) ledger: Ledger,
}

#[long_running]
impl pb::exporter_server::Exporter for Exporter {
    #[long_running(
        response = ExportResponse,
        metadata = ExportMetadata,
        prepare = Self::prepare,
        max_attempts = 1_000_000
    )]
    async fn export(
        &self,
        request: ExportRequest,
        operation: OperationContext<ExportMetadata>,
    ) -> Result<ExportResponse, HandlerError> {
        let [script, id, ..] = &*request.tables else {
            return Err(Status::internal("prepare has let a wrong request through").into());
        };
        let attempt = operation.attempt();
        println!("ran {id} {attempt}");
        let script = script.parse().map_err(|()| Status::internal("no script"))?;
        match script {
            Script::Now => {}
            Script::Steps => steps(&operation, 3, Duration::from_millis(5)).await?,
            Script::Once => tokio::time::sleep(Duration::from_millis(600)).await,
            Script::Long => steps(&operation, 20, Duration::from_millis(50)).await?,
            Script::Durable => durable::run(&self.ledger, id, &operation).await?,
            Script::Fail => return Err(Status::failed_precondition(id.clone()).into()),
            Script::Retry if attempt == 1 => {
                let again = HandlerError::retry(Status::unavailable(id.clone()));
                return Err(again.after(Duration::from_millis(20)));
            }
            Script::Retry => {}
            Script::Hold if self.finish => {}
            Script::Hold => {
                operation.cancelled().await;
                return Err(Status::cancelled("as it was asked to").into());
            }
        }
        Ok(ExportResponse {
            // Which claim the body belongs to: no two runs have the same.
            tables_exported: u32::try_from(operation.fence()).unwrap_or(u32::MAX),
            rows: rows(id),
        })
    }
}

impl Exporter {
    async fn prepare(
        &self,
        request: &Request<ExportRequest>,
    ) -> Result<StartOptions<ExportMetadata>, Status> {
        let [script, id, key @ ..] = &*request.get_ref().tables else {
            return Err(Status::invalid_argument("give a script and an id"));
        };
        if Script::from_str(script).is_err() {
            return Err(Status::invalid_argument("there is no such script"));
        }
        let options = StartOptions::new().operation_id(id);
        Ok(match key.first().and_then(|key| key.split_once(' ')) {
            Some(("request", id)) => options.request_id(id),
            Some(("exclusive", key)) => options.exclusive_key(key),
            _ => options,
        })
    }
}

/// Resumes from the last step that was saved.
async fn steps(
    operation: &OperationContext<ExportMetadata>,
    count: u32,
    pause: Duration,
) -> Result<(), HandlerError> {
    let done: Option<ExportMetadata> = operation.restore()?;
    let done = done.map_or(0, |it| it.tables_done);
    for step in done + 1..=count {
        tokio::time::sleep(pause).await;
        let progress = ExportMetadata {
            tables_done: step,
            tables_total: count,
        };
        operation.set_metadata(progress);
        operation.checkpoint(&progress).await?;
    }
    Ok(())
}

/// Serves on a runtime of its own, until its standard input ends.
///
/// # Errors
///
/// Those of [`serve`].
pub fn run(options: Options) -> anyhow::Result<()> {
    run_until_alone(serve(options)).context("cannot serve")
}

/// Runs a process's work until its standard input ends.
pub(crate) fn run_until_alone(
    work: impl Future<Output = anyhow::Result<()>>,
) -> anyhow::Result<()> {
    std::thread::spawn(|| {
        // The process that started it has ended, perhaps by a kill: no other would end it.
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        std::process::exit(0);
    });
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(work)
}

/// The database below a folder.
pub fn database(data: &Path) -> PathBuf {
    data.join(DATABASE)
}
