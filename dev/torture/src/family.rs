//! steps:C1 steps:C2 steps:C5 steps:C6 steps:C7 steps:U1: the server is killed while parents wait for their children.
//!
//! A real process serves and is killed with SIGKILL at a random moment, over and over on the same database. Its
//! parents start children in a saga, some children have a child of their own, and a family succeeds, fails,
//! loses a child, waits for one that does not end, or is cancelled. Bodies note what they do in a file that no kill
//! undoes. The last process finishes what is left, and then the file, the database and the answers have to agree.

mod audit;
mod body;
mod notes;
mod plot;
mod rows;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use lro_core::pb::operations_client::OperationsClient;
use lro_core::pb::{CancelOperationRequest, WaitOperationRequest};
use tonic::Code;
use tonic::transport::Channel;

pub use self::audit::{Audit, audit};
pub(crate) use self::body::Families;
use self::plot::Plot;
pub use self::rows::{Found, OF_FAMILIES, OperationColumns, OperationRow, StepRow, child};
use crate::durable::LEDGER;
use crate::pb::RaiseRequest;
use crate::pb::families_client::FamiliesClient;
use crate::process::{Process, Program};
use crate::random::Random;
use crate::server::database;
use crate::trials::{Tally, Trial};

/// The families that each process is asked to start.
const STARTS: u64 = 2;

/// How long the last process has to finish what is left.
const FINISH_MAX: Duration = Duration::from_secs(120);

/// How long a call may take while operators lock operations.
const CALL_MAX: Duration = Duration::from_secs(20);

/// Kills over and over: one trial is [`Family::CYCLES`] of them on one database.
#[derive(Clone, Debug)]
pub struct Family {
    /// The program that is killed.
    pub program: Program,
}

impl Family {
    /// Kills on one database.
    pub const CYCLES: u64 = 25;

    /// One process, from its start to its violent end.
    async fn cycle(
        &self,
        folder: &Path,
        client: &mut Client,
        random: &mut Random,
    ) -> anyhow::Result<()> {
        let process = Process::start(&self.program, folder, &[])?;
        let channel = Channel::from_shared(process.url.clone())?.connect().await?;
        for _ in 0..STARTS {
            client.start(&channel, random).await?;
        }
        tokio::time::sleep(Duration::from_micros(random.below(350_000))).await;
        client.cancel_one(&channel, random).await?;
        tokio::time::sleep(Duration::from_micros(random.below(60_000))).await;
        process.kill()
    }

    /// The last process: finishes everything.
    async fn finish(&self, folder: &Path, client: &Client) -> anyhow::Result<()> {
        let process = Process::start(&self.program, folder, &[])?;
        let channel = Channel::from_shared(process.url.clone())?.connect().await?;
        client.wait_for_all(&channel, FINISH_MAX).await?;
        process.kill()
    }
}

impl Trial for Family {
    fn name(&self) -> &'static str {
        "family"
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
        let mut client = Client::default();
        for _ in 0..Self::CYCLES {
            runtime.block_on(self.cycle(folder.path(), &mut client, &mut random))?;
        }
        runtime.block_on(self.finish(folder.path(), &client))?;
        let ledger = std::fs::read_to_string(folder.path().join(LEDGER))?;
        let found = rows::read(&database(folder.path()))?;
        report(&audit(&ledger, &found, client.names()), Self::CYCLES, tally);
        Ok(())
    }
}

/// Counts the result of an audit after that number of kills.
pub fn report(audit: &Audit, kills: u64, tally: &mut Tally) {
    for fault in &audit.faults {
        tally.fail(fault.clone());
    }
    if tally.failures.is_empty() {
        tally.pass_all(kills);
    }
    for (what, count) in &audit.counts {
        tally.add(what, *count);
    }
}

/// Starts families, and cancels some of them.
#[derive(Debug, Default)]
pub struct Client {
    count: u64,
    names: Vec<String>,
    /// The names of those that may be cancelled.
    victims: Vec<String>,
}

impl Client {
    /// The names of the families whose start was answered.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Starts a family.
    ///
    /// # Errors
    ///
    /// That of the call.
    pub async fn start(&mut self, channel: &Channel, random: &mut Random) -> anyhow::Result<()> {
        let plot = Plot::any(random);
        let request = RaiseRequest {
            id: format!("f{}", self.count),
            plot: plot.as_str().to_owned(),
        };
        self.count += 1;
        let started = FamiliesClient::new(channel.clone()).raise(request).await?;
        let name = started.into_inner().name().to_owned();
        if audit::may_be_cancelled(plot) {
            self.victims.push(name.clone());
        }
        self.names.push(name);
        Ok(())
    }

    /// Cancels one of those that may be cancelled, which may have ended.
    ///
    /// # Errors
    ///
    /// That of the call.
    pub async fn cancel_one(
        &mut self,
        channel: &Channel,
        random: &mut Random,
    ) -> anyhow::Result<()> {
        if self.victims.is_empty() || random.percent(40) {
            return Ok(());
        }
        let name = self.victims.swap_remove(random.index(self.victims.len()));
        let mut client = OperationsClient::new(channel.clone());
        let begun = Instant::now();
        loop {
            let request = CancelOperationRequest { name: name.clone() };
            match client.cancel_operation(request).await {
                Err(status) if status.code() == Code::FailedPrecondition => return Ok(()),
                // An operator may have locked it.
                Err(status) if status.code() == Code::Unavailable && begun.elapsed() < CALL_MAX => {
                }
                answer => return Ok(answer.map(drop)?),
            }
        }
    }

    /// Waits for the ends of all families.
    ///
    /// # Errors
    ///
    /// When a call fails, or it takes too long.
    pub async fn wait_for_all(&self, channel: &Channel, within: Duration) -> anyhow::Result<()> {
        let mut client = OperationsClient::new(channel.clone());
        let all = async {
            for name in &self.names {
                let request = WaitOperationRequest {
                    name: name.clone(),
                    timeout: None,
                };
                while !client
                    .wait_operation(request.clone())
                    .await?
                    .into_inner()
                    .done
                {}
            }
            anyhow::Ok(())
        };
        let finished = tokio::time::timeout(within, all).await;
        finished.context("not everything was finished after the last start")??;
        ensure!(!self.names.is_empty(), "nothing was started");
        Ok(())
    }
}
