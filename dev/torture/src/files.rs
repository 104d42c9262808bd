//! The files of a server are tampered with while it serves: a second server comes through a hard
//! link, the database is moved or removed, the disk is full for longer than leases last.
//!
//! The clients note the answers, as in `kill`, and the audit compares the database with the notes.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::pb::exporter_client::ExporterClient;
use anyhow::{Context as _, bail, ensure};
use lro_core::pb::DeleteOperationRequest;
use lro_core::pb::operations_client::OperationsClient;
use tonic::Code;
use tonic::transport::Channel;

use crate::audit::audit;
use crate::journal::Journal;
use crate::kill::client::{Client, wait_until_done};
use crate::process::{Process, Program};
use crate::random::Random;
use crate::server::{Script, database, request};
use crate::trials::{Tally, Trial};

/// How many clients there are.
const CLIENTS: u64 = 6;

/// How long a server has to notice that its file is elsewhere, and to finish what is left.
const STEP_MAX: Duration = Duration::from_secs(60);

/// The leases of a server whose disk is full: the shortest there are.
const LEASE: Duration = Duration::from_secs(1);

/// The number of large operations that make room when they are deleted.
const LARGE: usize = 5;

/// How many operations run when the disk becomes full.
const RUNNING: usize = 20;

/// Tampers with files: one trial is one kind of it, by turns.
#[derive(Clone, Debug)]
pub struct Files {
    /// The server.
    pub program: Program,
}

#[derive(Clone, Copy, Debug)]
enum Tampering {
    HardLink,
    Move,
    Remove,
    FullDisk,
}

impl Trial for Files {
    fn name(&self) -> &'static str {
        "files"
    }

    fn flags(&self) -> String {
        String::new()
    }

    fn run(&self, seed: u64, tally: &mut Tally) -> anyhow::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let mut random = Random::new(seed);
        let tampering = [
            Tampering::HardLink,
            Tampering::Move,
            Tampering::Remove,
            Tampering::FullDisk,
        ][(seed % 4) as usize];
        match tampering {
            Tampering::FullDisk => runtime.block_on(self.full_disk(&mut random, tally)),
            _ => runtime.block_on(self.taken_away(tampering, &mut random, tally)),
        }
    }
}

impl Files {
    /// Everything that was acknowledged, until the server noticed that its file was taken away, is there
    /// when the file is back.
    async fn taken_away(
        &self,
        tampering: Tampering,
        random: &mut Random,
        tally: &mut Tally,
    ) -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let journal = Arc::new(Journal::default());
        let process = Process::start(&self.program, folder.path(), &[])?;
        let channel = Channel::from_shared(process.url.clone())?.connect().await?;
        let dying = Arc::new(AtomicBool::new(false));
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| {
                let client = Client {
                    name: number.to_string(),
                    channel: channel.clone(),
                    journal: journal.clone(),
                    dying: dying.clone(),
                    expected: |_| true,
                    scripts: &Script::SHORT,
                    pause: Duration::ZERO,
                    random: Random::new(random.bits()),
                };
                tokio::spawn(client.run())
            })
            .collect();
        tokio::time::sleep(Duration::from_millis(50 + random.below(300))).await;
        let path = database(folder.path());
        let other = tempfile::tempdir_in(folder.path())?;
        let link = database(other.path());
        // Calls may fail as soon as the server has noticed.
        dying.store(!matches!(tampering, Tampering::HardLink), Ordering::SeqCst);
        match tampering {
            Tampering::Move => std::fs::rename(&path, &link)?,
            Tampering::HardLink | Tampering::Remove | Tampering::FullDisk => {
                std::fs::hard_link(&path, &link)?;
            }
        }
        // Whatever was done to the first path, the file is owned.
        ensure!(
            Process::start(&self.program, other.path(), &[]).is_err(),
            "a second server owns the database too ({tampering:?})"
        );
        if matches!(tampering, Tampering::Remove) {
            std::fs::remove_file(&path)?;
        }
        if !matches!(tampering, Tampering::HardLink) {
            tokio::time::timeout(STEP_MAX, until_unusable(channel.clone()))
                .await
                .context("the server does not notice that its database is elsewhere")?;
        }
        dying.store(true, Ordering::SeqCst);
        process.kill()?;
        for client in clients {
            client.await?;
        }
        if !matches!(tampering, Tampering::HardLink) {
            std::fs::rename(&link, &path)?;
        }
        let mut faults = journal.faults();
        faults.extend(audit(&path, &journal, false)?);
        let process = Process::start(&self.program, folder.path(), &["--finish"])?;
        let channel = Channel::from_shared(process.url.clone())?.connect().await?;
        for (id, entry) in journal.entries() {
            let done = wait_until_done(channel.clone(), &id, &entry, &journal);
            tokio::time::timeout(STEP_MAX, done)
                .await
                .with_context(|| format!("{id} is not finished"))??;
        }
        process.kill()?;
        faults.extend(audit(&path, &journal, false)?);
        faults.extend(journal.faults());
        if faults.is_empty() {
            tally.pass();
        }
        for fault in faults {
            tally.fail(format!("{tampering:?}: {fault}"));
        }
        tally.add("acknowledged", journal.acknowledged());
        Ok(())
    }

    /// Bodies that finish while there is no room run once, and keep their results; what makes room
    /// is served meanwhile.
    async fn full_disk(&self, random: &mut Random, tally: &mut Tally) -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let lease = LEASE.as_millis().to_string();
        let Some((mut process, disk)) =
            Process::start_on_small_disk(&self.program, folder.path(), &["--lease", &lease])?
        else {
            tally.add("skipped, as mounting is not allowed", 1);
            tally.pass();
            return Ok(());
        };
        let channel = Channel::from_shared(process.url.clone())?.connect().await?;
        let mut exporter = ExporterClient::new(channel.clone());
        let mut operations = OperationsClient::new(channel.clone());
        for number in 0..RUNNING {
            let id = format!("running-{number}");
            exporter.export(request(&id, Script::Once)).await?;
        }
        let large = |number: usize| {
            let mut request = request(&format!("large-{number}"), Script::Now);
            request.tables.push("x".repeat(200_000));
            request
        };
        for number in 0..LARGE {
            exporter.export(large(number)).await?;
        }
        let ballast = disk.join("ballast");
        fill(&ballast)?;
        // Free pages of the database may take some more.
        let mut started = LARGE;
        let refused = loop {
            match exporter.export(large(started)).await {
                Ok(_) => started += 1,
                Err(status) => break status,
            }
            fill(&ballast)?;
        };
        ensure!(refused.code() == Code::ResourceExhausted, "{refused}");
        tokio::time::sleep(3 * LEASE + Duration::from_millis(random.below(500))).await;
        for number in 0..started {
            let name = format!("operations/large-{number}");
            operations
                .delete_operation(DeleteOperationRequest { name })
                .await
                .context("a full disk refuses a deletion")?;
        }
        std::fs::remove_file(&ballast)?;
        for number in 0..RUNNING {
            let name = format!("operations/running-{number}");
            let done = until_done(&mut operations, &name);
            let done = tokio::time::timeout(STEP_MAX, done).await;
            done.with_context(|| format!("{name} is not finished"))??;
        }
        exporter.export(request("after", Script::Now)).await?;
        let mut runs = 0;
        while let Some(run) = process.next_run(Duration::from_millis(100)) {
            runs += usize::from(run.id.starts_with("running-"));
        }
        ensure!(
            runs == RUNNING,
            "{RUNNING} operations were run {runs} times"
        );
        process.kill()?;
        tally.pass();
        tally.add("deletions while the disk was full", started as u64);
        Ok(())
    }
}

/// Takes up all the room there is.
fn fill(ballast: &Path) -> anyhow::Result<()> {
    let mut file = std::fs::File::options()
        .create(true)
        .append(true)
        .open(ballast)?;
    for len in [1 << 16, 1 << 12] {
        while file.write_all(&vec![1; len]).is_ok() {}
    }
    Ok(())
}

async fn until_unusable(channel: Channel) {
    let mut operations = OperationsClient::new(channel);
    loop {
        let name = "operations/absent".to_owned();
        let get = lro_core::pb::GetOperationRequest { name };
        match operations.get_operation(get).await {
            Err(status) if status.code() == Code::NotFound => {}
            Err(_) => return,
            Ok(_) => return,
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn until_done(operations: &mut OperationsClient<Channel>, name: &str) -> anyhow::Result<()> {
    loop {
        let request = lro_core::pb::WaitOperationRequest {
            name: name.to_owned(),
            timeout: None,
        };
        let operation = operations.wait_operation(request).await?.into_inner();
        if !operation.done {
            continue;
        }
        let result = operation.result;
        let Some(lro_core::pb::operation::Result::Response(_)) = result else {
            bail!("{name} has ended with {result:?}");
        };
        return Ok(());
    }
}

/// The folder as a process in another mount namespace sees it.
pub(crate) fn seen_by(pid: u32, folder: &Path) -> PathBuf {
    let root = PathBuf::from(format!("/proc/{pid}/root"));
    root.join(folder.strip_prefix("/").unwrap_or(folder))
}
