//! guarantee:R7, the process: the server stands still for longer than its leases last, and continues.
//!
//! Bodies that save checkpoints are stopped with SIGSTOP at a random moment, all leases run out,
//! and SIGCONT lets the process continue in the middle of its work. Each operation has to end
//! exactly once, with the result of the attempt that the store says held it at its end.

use std::sync::Arc;
use std::time::Duration;

use crate::pb::exporter_client::ExporterClient;
use anyhow::Context as _;
use lro_core::pb;
use lro_core::pb::operations_client::OperationsClient;
use tonic::transport::Channel;

use crate::audit::audit;
use crate::journal::Journal;
use crate::process::{Process, Program};
use crate::random::Random;
use crate::server::{Script, database, request};
use crate::trials::{Tally, Trial};

/// The shortest there is.
const LEASE: Duration = Duration::from_secs(1);

/// How many operations run during a pause.
const RUNNING: usize = 4;

/// How long they have to end after it.
const END_MAX: Duration = Duration::from_secs(20);

/// The server is paused: one trial is [`Pause::PAUSES`] pauses of one process.
#[derive(Clone, Debug)]
pub struct Pause {
    /// The program that is paused.
    pub program: Program,
}

impl Pause {
    /// Pauses of one process.
    pub const PAUSES: usize = 5;
}

impl Trial for Pause {
    fn name(&self) -> &'static str {
        "pause"
    }

    fn flags(&self) -> String {
        String::new()
    }

    fn run(&self, seed: u64, tally: &mut Tally) -> anyhow::Result<()> {
        let mut random = Random::new(seed);
        let folder = tempfile::tempdir()?;
        let journal = Arc::new(Journal::default());
        let lease = LEASE.as_millis().to_string();
        let process = Process::start(&self.program, folder.path(), &["--lease", &lease])?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        for number in 0..Self::PAUSES {
            let paused = pause(&process, &journal, number, &mut random);
            let outcome = runtime.block_on(paused);
            let faults = journal.faults();
            match outcome {
                Ok(again) if faults.is_empty() => {
                    tally.pass();
                    tally.add("operations", RUNNING as u64);
                    tally.add("operations that ran again", again);
                }
                Ok(_) => faults.into_iter().for_each(|fault| tally.fail(fault)),
                Err(error) => {
                    tally.fail(format!("{error:#}"));
                    // The server is of no use any more.
                    return Ok(());
                }
            }
        }
        process.kill()?;
        for fault in audit(&database(folder.path()), &journal, true)? {
            tally.fail(fault);
        }
        Ok(())
    }
}

/// One pause; gives how many operations needed another attempt.
async fn pause(
    process: &Process,
    journal: &Journal,
    number: usize,
    random: &mut Random,
) -> anyhow::Result<u64> {
    let channel = Channel::from_shared(process.url.clone())?.connect().await?;
    let mut exporter = ExporterClient::new(channel.clone());
    let ids: Vec<_> = (0..RUNNING).map(|it| format!("{number}-{it}")).collect();
    for id in &ids {
        journal.starting(id, Script::Long);
        exporter.export(request(id, Script::Long)).await?;
        journal.acknowledge(id, |entry| entry.started = true);
    }
    tokio::time::sleep(Duration::from_micros(random.below(900_000))).await;
    process.pause()?;
    let longer = Duration::from_micros(50_000 + random.below(500_000));
    tokio::time::sleep(LEASE + longer).await;
    process.go_on()?;
    let mut again = 0;
    let mut operations = OperationsClient::new(channel);
    for id in &ids {
        let ended = tokio::time::timeout(END_MAX, end(&mut operations, id, journal)).await;
        let operation = ended.with_context(|| format!("{id} does not end"))??;
        again += u64::from(claims(&operation) > 1);
    }
    // Once more, when every late write has had its chance.
    for id in &ids {
        end(&mut operations, id, journal).await?;
    }
    Ok(again)
}

async fn end(
    operations: &mut OperationsClient<Channel>,
    id: &str,
    journal: &Journal,
) -> anyhow::Result<pb::Operation> {
    let before = journal
        .entry(id)
        .context("an operation that was not started")?;
    loop {
        let request = pb::WaitOperationRequest {
            name: format!("operations/{id}"),
            timeout: None,
        };
        let operation = operations.wait_operation(request).await?.into_inner();
        journal.seen(id, &operation, &before);
        if operation.done {
            return Ok(operation);
        }
    }
}

/// How often the operation was claimed, as the body that finished it says.
fn claims(operation: &pb::Operation) -> u32 {
    let Some(pb::operation::Result::Response(response)) = &operation.result else {
        return 0;
    };
    let response: Result<crate::pb::ExportResponse, _> = lro_core::unpack(response);
    response.map_or(0, |it| it.tables_exported)
}
