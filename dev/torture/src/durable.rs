//! steps:S8 steps:W5: the server is killed while bodies of durable steps run.
//!
//! A real process serves and is killed with SIGKILL at a random moment, over and over on the same
//! database. Its bodies note each effect, and each result that they get, in a file that no kill
//! undoes. The last process finishes what is left, and then the file has to agree with what steps
//! guarantee.

mod body;
mod ledger;

use std::path::Path;
use std::time::Duration;

use crate::pb::exporter_client::ExporterClient;
use anyhow::Context as _;
use lro_core::pb::operations_client::OperationsClient;
use lro_core::pb::{Operation, WaitOperationRequest, operation};
use tonic::transport::Channel;

pub(crate) use self::body::{LEDGER, run};
use crate::process::{Process, Program};
use crate::random::Random;
use crate::server::{Script, request};
use crate::trials::{Tally, Trial};

/// The operations that each process is asked to start.
const STARTS: u64 = 3;

/// How long the last process has to finish what is left.
const FINISH_MAX: Duration = Duration::from_secs(120);

/// Kills over and over: one trial is [`Durable::CYCLES`] of them on one database.
#[derive(Clone, Debug)]
pub struct Durable {
    /// The program that is killed.
    pub program: Program,
}

impl Durable {
    /// Kills on one database.
    pub const CYCLES: u64 = 25;

    /// One process, from its start to its violent end. Returns the names of acknowledged starts.
    async fn cycle(
        &self,
        folder: &Path,
        cycle: u64,
        random: &mut Random,
    ) -> anyhow::Result<Vec<String>> {
        let process = Process::start(&self.program, folder, &[])?;
        let channel = Channel::from_shared(process.url.clone())?.connect().await?;
        let mut client = ExporterClient::new(channel);
        let mut names = Vec::new();
        for number in 0..STARTS {
            let request = request(&format!("d{cycle}-{number}"), Script::Durable);
            names.push(client.export(request).await?.into_inner().name().to_owned());
        }
        tokio::time::sleep(Duration::from_micros(random.below(250_000))).await;
        process.kill()?;
        Ok(names)
    }

    /// The last process: finishes everything. Returns how the operations ended.
    async fn finish(&self, folder: &Path, names: &[String]) -> anyhow::Result<Vec<Operation>> {
        let process = Process::start(&self.program, folder, &["--finish"])?;
        let channel = Channel::from_shared(process.url.clone())?.connect().await?;
        let mut client = OperationsClient::new(channel);
        let mut ended = Vec::new();
        let all = async {
            for name in names {
                ended.push(wait(&mut client, name).await?);
            }
            anyhow::Ok(())
        };
        let finished = tokio::time::timeout(FINISH_MAX, all).await;
        finished.context("not everything was finished after the last start")??;
        process.kill()?;
        Ok(ended)
    }
}

async fn wait(client: &mut OperationsClient<Channel>, name: &str) -> anyhow::Result<Operation> {
    loop {
        let request = WaitOperationRequest {
            name: name.to_owned(),
            timeout: None,
        };
        let operation = client.wait_operation(request).await?.into_inner();
        if operation.done {
            return Ok(operation);
        }
    }
}

impl Trial for Durable {
    fn name(&self) -> &'static str {
        "durable"
    }

    fn flags(&self) -> String {
        String::new()
    }

    fn run(&self, seed: u64, tally: &mut Tally) -> anyhow::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let folder = tempfile::tempdir()?;
        let mut random = Random::new(seed);
        let mut names = Vec::new();
        for cycle in 0..Self::CYCLES {
            names.extend(runtime.block_on(self.cycle(folder.path(), cycle, &mut random))?);
        }
        let ended = runtime.block_on(self.finish(folder.path(), &names))?;
        for operation in &ended {
            if !matches!(operation.result, Some(operation::Result::Response(_))) {
                tally.fail(format!(
                    "{} ended with {:?}",
                    operation.name, operation.result
                ));
            }
        }
        let ids = names.iter().filter_map(|name| name.rsplit('/').next());
        let ids: Vec<_> = ids.map(str::to_owned).collect();
        let text = std::fs::read_to_string(folder.path().join(LEDGER))?;
        let audit = ledger::audit(&text, &ids);
        for fault in &audit.faults {
            tally.fail(fault.clone());
        }
        if tally.failures.is_empty() {
            tally.pass_all(Self::CYCLES);
        }
        tally.add("operations", names.len() as u64);
        tally.add("effects", audit.effects);
        tally.add("effects that a kill repeated", audit.repeated);
        tally.add("results passed again", audit.replayed);
        Ok(())
    }
}
