//! guarantee:R7, the worker: one stands still for longer than its leases last, another takes its operations
//! over, and then the first one continues.
//!
//! Both are in this process, each on a runtime of its own over one store; the first one's runtime
//! is blocked, bodies, heartbeat and self-fencing alike, as SIGSTOP would. Its bodies end while it
//! stands still, so that their ends are the first thing it writes afterwards.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use crate::pb;
use crate::pb::{ExportMetadata, ExportRequest, ExportResponse};
use anyhow::{Context as _, ensure};
use lro_core::store::{OperationResult, OperationStore as _};
use lro_core::{OperationName, SystemClock};
use lro_server::{OperationContext, Operations, Worker, long_running};
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tonic::{Request, Status};

use crate::random::Random;
use crate::server::{Script, request};
use crate::shared_store::{Ends, SharedStore};
use crate::trials::{Tally, Trial};

const LEASE: Duration = Duration::from_secs(1);
const OPERATIONS: usize = 10;
const STEP_MAX: Duration = Duration::from_secs(60);

/// A worker stands still: one trial is one pause while [`Takeover::OPERATIONS`] bodies run, by
/// turns in memory and on SQLite.
#[derive(Clone, Copy, Debug, Default)]
pub struct Takeover;

impl Takeover {
    /// Bodies that run in a pause.
    pub const OPERATIONS: usize = OPERATIONS;
}

impl Trial for Takeover {
    fn name(&self) -> &'static str {
        "takeover"
    }

    fn flags(&self) -> String {
        String::new()
    }

    fn run(&self, seed: u64, tally: &mut Tally) -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let refused = pause(
            folder.path(),
            &mut Random::new(seed),
            seed.is_multiple_of(2),
        )?;
        tally.pass();
        tally.add("ends refused", refused);
        Ok(())
    }
}

fn pause(folder: &Path, random: &mut Random, sqlite: bool) -> anyhow::Result<u64> {
    let mut second = Side::new(2)?;
    let opened = SharedStore::open(sqlite, folder, Arc::new(SystemClock));
    let store = second.runtime.block_on(opened)?;
    let mut first = Side::new(1)?;
    first.start(&store)?;
    let mut names = Vec::new();
    for number in 0..OPERATIONS {
        names.push(first.begin(&number.to_string())?);
    }
    first.all_run()?;

    let thaw = first.freeze()?;
    // Ready to end from now on, if only they were run.
    first.release();
    second.start(&store)?;
    second.all_run()?;
    // The late ends find operations that have ended, or that the other one still runs.
    let early = random.percent(50);
    if early {
        second.release();
        second.all_done(&names)?;
    }
    thaw.send(())?;
    first.drain()?;
    second.release();
    second.all_done(&names)?;
    second.drain()?;

    let mut refused = 0;
    for name in &names {
        let record = second.runtime.block_on(store.get(name))?;
        let record = record.with_context(|| format!("{name} is lost"))?;
        let Some(OperationResult::Response(response)) = &record.result else {
            anyhow::bail!("{name} has ended with {:?}", record.result);
        };
        let response: ExportResponse = lro_core::unpack(response)?;
        ensure!(
            response.rows == 2,
            "{name} has the end of a worker that had lost it"
        );
        ensure!(
            record.fence == 2 && response.tables_exported == 2,
            "{name} was claimed {} times, and finished by claim {}",
            record.fence,
            response.tables_exported
        );
        let Ends {
            accepted,
            refused: late,
        } = store.ends(name);
        ensure!(
            accepted == 1,
            "the end of {name} was accepted {accepted} times"
        );
        refused += late;
    }
    Ok(refused)
}

/// One of the two workers, and what it lives on.
struct Side {
    number: u64,
    runtime: Runtime,
    running: Option<(Arc<Exporter>, Worker)>,
    release: watch::Sender<bool>,
    told: Sender<()>,
    runs: Receiver<()>,
}

impl Side {
    fn new(number: u64) -> anyhow::Result<Self> {
        let (told, runs) = channel();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()?;
        Ok(Self {
            number,
            runtime,
            running: None,
            release: watch::Sender::new(false),
            told,
            runs,
        })
    }

    fn start(&mut self, store: &SharedStore) -> anyhow::Result<()> {
        let operations = Operations::new(store.clone());
        let exporter = Arc::new(Exporter {
            operations: operations.clone(),
            number: self.number,
            release: self.release.subscribe(),
            told: self.told.clone(),
        });
        let worker = Worker::builder(&operations)
            .host(exporter.clone())
            .lease_duration(LEASE)
            // Leases are renewed beside the runtime: only a stall gives them up.
            .max_runtime_stall(LEASE);
        let worker = self.runtime.block_on(worker.start())?;
        self.running = Some((exporter, worker));
        Ok(())
    }

    fn begin(&self, id: &str) -> anyhow::Result<OperationName> {
        let (exporter, _) = self.running.as_ref().context("it has not started")?;
        let request = Request::new(request(id, Script::Hold));
        let call = pb::exporter_server::Exporter::export(&**exporter, request);
        let started = self.runtime.block_on(call)?;
        Ok(started.get_ref().name().parse()?)
    }

    fn all_run(&self) -> anyhow::Result<()> {
        for _ in 0..OPERATIONS {
            let run = self.runs.recv_timeout(STEP_MAX);
            run.with_context(|| format!("worker {} does not run them", self.number))?;
        }
        Ok(())
    }

    fn release(&self) {
        self.release.send_replace(true);
    }

    /// Returns when its runtime stands still: until something is sent there.
    fn freeze(&self) -> anyhow::Result<Sender<()>> {
        let (thaw, thawed) = channel();
        let (freezing, frozen) = channel();
        self.runtime.spawn(async move {
            // An error: the other side has ended, and there is nothing to hold up.
            let _ = freezing.send(());
            let _ = thawed.recv();
        });
        frozen.recv_timeout(STEP_MAX)?;
        Ok(thaw)
    }

    fn all_done(&self, names: &[OperationName]) -> anyhow::Result<()> {
        let (exporter, _) = self.running.as_ref().context("it has not started")?;
        self.runtime.block_on(async {
            for name in names {
                let done = exporter.operations.wait(name, Some(STEP_MAX)).await?;
                ensure!(done.done, "{name} does not end");
            }
            Ok(())
        })
    }

    fn drain(&mut self) -> anyhow::Result<()> {
        let (_, worker) = self.running.take().context("it has not started")?;
        self.runtime
            .block_on(async { tokio::time::timeout(STEP_MAX, worker.drain()).await })?;
        Ok(())
    }
}

struct Exporter {
    operations: Operations,
    number: u64,
    release: watch::Receiver<bool>,
    told: Sender<()>,
}

#[long_running]
impl pb::exporter_server::Exporter for Exporter {
    #[long_running(response = ExportResponse, metadata = ExportMetadata)]
    async fn export(
        &self,
        _request: ExportRequest,
        operation: OperationContext<ExportMetadata>,
    ) -> Result<ExportResponse, Status> {
        // No receiver: the trial is over.
        let _ = self.told.send(());
        let mut release = self.release.clone();
        let _ = release.wait_for(|released| *released).await;
        Ok(ExportResponse {
            tables_exported: u32::try_from(operation.fence()).unwrap_or(u32::MAX),
            rows: self.number,
        })
    }
}
