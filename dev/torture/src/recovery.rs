//! guarantee:R17: how long interrupted operations wait for their next run.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crate::pb::exporter_client::ExporterClient;
use anyhow::Context as _;
use tonic::transport::Channel;

use crate::process::{Process, Program};
use crate::server::{Script, request};
use crate::trials::{Tally, Trial};

/// How many operations run when the server is killed.
const RUNNING: usize = 10;

/// How long to wait for a run at most.
const RUN_MAX: Duration = Duration::from_secs(60);

/// The server is killed while bodies run, and started again: one trial is one kill.
#[derive(Clone, Debug)]
pub struct Recovery {
    /// The program that is killed.
    pub program: Program,
}

impl Recovery {
    /// How long after the server listens the interrupted bodies have to run again.
    pub const AIM: Duration = Duration::from_secs(1);
    /// From the server's listening on.
    pub const LISTENING: &str = "listening to running again";
    /// How a failure begins where all bodies ran again, and one of them later than the aim.
    pub const LATE: &str = "a body waited for ";
    /// From the death of the process on, the start of the next one included.
    pub const KILLED: &str = "killed to running again";
}

impl Trial for Recovery {
    fn name(&self) -> &'static str {
        "recovery"
    }

    fn flags(&self) -> String {
        String::new()
    }

    fn run(&self, _seed: u64, tally: &mut Tally) -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let mut process = Process::start(&self.program, folder.path(), &[])?;
        let ids: BTreeSet<_> = (0..RUNNING)
            .map(|number| format!("hold-{number}"))
            .collect();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(start(&process.url, &ids))?;
        all_run(&mut process, ids.clone(), |_| {})?;
        process.kill()?;
        let killed = Instant::now();
        let mut process = Process::start(&self.program, folder.path(), &[])?;
        let listening = process.listening;
        tally.measure("spawned to listening", listening - process.spawned);
        let mut latest = Duration::ZERO;
        all_run(&mut process, ids, |at| {
            // Bodies need not wait for the socket.
            let after = at.saturating_duration_since(listening);
            latest = latest.max(after);
            tally.measure(Self::LISTENING, after);
            tally.measure(Self::KILLED, at - killed);
        })?;
        match latest <= Self::AIM {
            true => tally.pass(),
            false => tally.fail(format!("{}{latest:?}", Self::LATE)),
        }
        Ok(())
    }
}

async fn start(url: &str, ids: &BTreeSet<String>) -> anyhow::Result<()> {
    let channel = Channel::from_shared(url.to_owned())?.connect().await?;
    let mut client = ExporterClient::new(channel);
    for id in ids {
        client.export(request(id, Script::Hold)).await?;
    }
    Ok(())
}

/// Returns when each of these has run.
fn all_run(
    process: &mut Process,
    mut ids: BTreeSet<String>,
    mut note: impl FnMut(Instant),
) -> anyhow::Result<()> {
    while !ids.is_empty() {
        let run = process.next_run(RUN_MAX);
        let run = run.with_context(|| format!("these do not run: {ids:?}"))?;
        if ids.remove(&run.id) {
            note(run.at);
        }
    }
    Ok(())
}
