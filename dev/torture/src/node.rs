//! A node, as a process: a front end that hosts no worker, or a worker that serves no rpc.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::family::Families;
use crate::ledger::Ledger;
use crate::pb::exporter_server::ExporterServer;
use crate::pb::families_server::FamiliesServer;
use anyhow::anyhow;
use lro_core::OperationName;
use lro_core::store::{
    Claim, Claimed, Command, ListQuery, NewOperation, OperationRecord, OperationStore, Page,
    Refusal, StartError, Started, StepQuery, StepRow, StoreError, StoreObserver, Update, Updated,
};
use lro_postgres::PostgresStore;
use lro_server::{Operations, Worker};
use tonic::transport::server::TcpIncoming;

use crate::server::{Exporter, run_until_alone};

/// The schema that all nodes share.
pub const SCHEMA: &str = "torture";

/// How long a statement may take: short, so that a silent connection is given up soon.
const STATEMENT_MAX: Duration = Duration::from_secs(1);

/// How a node is run.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// The database, as a URL.
    #[arg(long)]
    pub database: String,
    /// A worker, not a front end.
    #[arg(long)]
    pub work: bool,
    /// How long leases last, in milliseconds.
    #[arg(long, default_value_t = 1_000)]
    pub lease: u64,
    /// How often to poll, in milliseconds.
    #[arg(long, default_value_t = 500)]
    pub poll: u64,
    /// Polls only.
    #[arg(long)]
    pub no_notifications: bool,
    /// Bodies that hold on end by themselves.
    #[arg(long)]
    pub finish: bool,
    /// The file of the notes of families.
    #[arg(long)]
    pub ledger: Option<PathBuf>,
    /// The only method of which a worker runs operations.
    #[arg(long)]
    pub method: Option<String>,
}

/// Runs until standard input ends. Prints `listening on <address>` or `working`, `ran <id> <attempt>`
/// for each run of a body, and `ended <id> accepted` or `refused` for each answer to its end.
///
/// # Errors
///
/// When the database cannot be used, or nothing can be served.
pub fn run(options: Options) -> anyhow::Result<()> {
    run_until_alone(live(options))
}

async fn live(options: Options) -> anyhow::Result<()> {
    // Silent unless RUST_LOG asks: nodes that lose their database have a lot to say.
    let filter = tracing_subscriber::EnvFilter::try_from_default_env();
    tracing_subscriber::fmt()
        .with_env_filter(filter.unwrap_or_else(|_| "off".into()))
        .with_writer(std::io::stderr)
        .init();
    let operations = Operations::new(Telling(open(&options).await?));
    let exporter = Arc::new(Exporter {
        operations: operations.clone(),
        finish: options.finish,
        ledger: Ledger::default(),
    });
    let ledger = options.ledger.map(Ledger::new).unwrap_or_default();
    let families = Arc::new(Families::new(&operations, ledger));
    if options.work {
        let mut worker = Worker::builder(&operations)
            .host(exporter)
            .host(families)
            .concurrency(1_000)
            .lease_duration(Duration::from_millis(options.lease));
        if let Some(method) = options.method {
            worker = worker.only_methods([method]);
        }
        let worker = worker.start().await?;
        println!("working");
        std::future::pending::<()>().await;
        drop(worker);
        return Ok(());
    }
    let incoming = TcpIncoming::bind("127.0.0.1:0".parse()?).map_err(|error| anyhow!("{error}"))?;
    let incoming = incoming.with_nodelay(Some(true));
    println!("listening on {}", incoming.local_addr()?);
    tonic::transport::Server::builder()
        .add_service(ExporterServer::from_arc(exporter))
        .add_service(FamiliesServer::from_arc(families))
        .add_service(operations.service())
        .serve_with_incoming(incoming)
        .await?;
    Ok(())
}

/// A server that starts, or that is cut off, is not there yet.
async fn open(options: &Options) -> Result<PostgresStore, StoreError> {
    loop {
        let opened = PostgresStore::builder(&options.database)
            .schema(SCHEMA)
            .pool_size(4)
            .statement_timeout(STATEMENT_MAX)
            .connect_timeout(STATEMENT_MAX)
            .poll_interval(Duration::from_millis(options.poll))
            .notifications(!options.no_notifications)
            .open()
            .await;
        match opened {
            Err(error) if error.is_retryable() => {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            opened => return opened,
        }
    }
}

/// Tells what became of the ends that its node has written.
struct Telling(PostgresStore);

impl fmt::Debug for Telling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[tonic::async_trait]
impl OperationStore for Telling {
    async fn start(
        &self,
        operations: Vec<NewOperation>,
    ) -> Result<Vec<Result<Started, StartError>>, StoreError> {
        self.0.start(operations).await
    }

    async fn claim(&self, claim: Claim) -> Result<Claimed, StoreError> {
        self.0.claim(claim).await
    }

    async fn update(
        &self,
        updates: Vec<Update>,
    ) -> Result<Vec<Result<Updated, Refusal>>, StoreError> {
        let finished: Vec<_> = updates
            .iter()
            .map(|it| matches!(it.command, Command::Finish { .. }).then(|| it.name.clone()))
            .collect();
        let answers = self.0.update(updates).await?;
        for (name, answer) in finished.iter().zip(&answers) {
            if let Some(name) = name {
                let verdict = if answer.is_ok() {
                    "accepted"
                } else {
                    "refused"
                };
                println!("ended {} {verdict}", name.operation_id());
            }
        }
        Ok(answers)
    }

    async fn get(&self, name: &OperationName) -> Result<Option<OperationRecord>, StoreError> {
        self.0.get(name).await
    }

    async fn steps(&self, query: StepQuery) -> Result<Vec<StepRow>, StoreError> {
        self.0.steps(query).await
    }

    fn keeps_steps(&self) -> bool {
        self.0.keeps_steps()
    }

    async fn list(&self, query: ListQuery) -> Result<Page, StoreError> {
        self.0.list(query).await
    }

    async fn purge(&self, limit: usize) -> Result<usize, StoreError> {
        self.0.purge(limit).await
    }

    async fn page_token_key(&self) -> Result<[u8; 32], StoreError> {
        self.0.page_token_key().await
    }

    fn observe(&self, observer: Arc<dyn StoreObserver>) {
        self.0.observe(observer);
    }

    fn event_gap(&self) -> Option<Duration> {
        self.0.event_gap()
    }
}
