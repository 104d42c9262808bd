//! guarantee:R2: the server is killed under load.
//!
//! A real process serves over TCP and is killed with SIGKILL at a random moment, over and over on
//! the same database, while clients start, get, wait for, cancel, delete and list operations and
//! note the answers. Then the last process finishes what is left, and an independent
//! reader (`audit`) compares the database with the notes. It also looks in between, at what a
//! process has just left.

pub mod client;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use tonic::transport::Channel;

use self::client::Client;
use crate::audit::audit;
use crate::journal::Journal;
use crate::process::{Process, Program};
use crate::random::Random;
use crate::server::{Script, database};
use crate::trials::{Tally, Trial};

/// How many clients there are.
const CLIENTS: u64 = 12;

/// How long the last process has to finish what is left.
const FINISH_MAX: Duration = Duration::from_secs(120);

/// A change of the database before the last audit, to show that the audit notices it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Tampering {
    /// A row is removed.
    Lose,
    /// A result is another's.
    Change,
    /// Something that has ended has not.
    Revive,
}

impl Tampering {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Lose, Self::Change, Self::Revive];

    /// The statement that does it, in either store.
    pub fn sql(self) -> &'static str {
        match self {
            Self::Lose => "DELETE FROM operation",
            Self::Change => {
                "UPDATE operation SET result = (SELECT result FROM operation other \
                 WHERE other.result <> operation.result LIMIT 1) WHERE result IS NOT NULL"
            }
            Self::Revive => {
                "UPDATE operation SET state = 0, end_time = NULL, expire_time = NULL, \
                 result_kind = NULL, result = NULL WHERE exclusive_key IS NULL"
            }
        }
    }
}

/// Kills over and over: one trial is [`Kill::CYCLES`] of them on one database.
#[derive(Clone, Debug)]
pub struct Kill {
    /// The program that is killed.
    pub program: Program,
    /// The change of the database before the last audit.
    pub tampering: Option<Tampering>,
}

impl Kill {
    /// Kills on one database.
    pub const CYCLES: u64 = 25;
}

impl Trial for Kill {
    fn name(&self) -> &'static str {
        "kill"
    }

    fn flags(&self) -> String {
        match self.tampering {
            None => String::new(),
            Some(Tampering::Lose) => " --tampering lose".to_owned(),
            Some(Tampering::Change) => " --tampering change".to_owned(),
            Some(Tampering::Revive) => " --tampering revive".to_owned(),
        }
    }

    fn run(&self, seed: u64, tally: &mut Tally) -> anyhow::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let folder = tempfile::tempdir()?;
        let journal = Arc::new(Journal::default());
        let mut random = Random::new(seed);
        for cycle in 0..Self::CYCLES {
            let killed = self.cycle(folder.path(), &journal, cycle, &mut random);
            runtime.block_on(killed)?;
            let mut faults = journal.faults();
            if random.percent(20) {
                faults.extend(audit(&database(folder.path()), &journal, false)?);
            }
            report(faults, tally);
        }
        runtime.block_on(self.finish(folder.path(), &journal))?;
        if let Some(tampering) = self.tampering {
            let connection = rusqlite::Connection::open(database(folder.path()))?;
            connection.execute(tampering.sql(), ())?;
        }
        let mut faults = audit(&database(folder.path()), &journal, true)?;
        faults.extend(journal.faults());
        for fault in faults {
            tally.fail(fault);
        }
        tally.add("acknowledged", journal.acknowledged());
        let entries = journal.entries();
        let count = |which: fn(&crate::journal::Entry) -> bool| {
            entries.values().filter(|entry| which(entry)).count() as u64
        };
        tally.add("acknowledged starts", count(|it| it.started));
        tally.add("acknowledged cancellations", count(|it| it.cancelled));
        tally.add("acknowledged deletions", count(|it| it.deleted));
        tally.add("results seen", count(|it| it.result.is_some()));
        tally.add("databases audited in the end", 1);
        Ok(())
    }
}

fn report(faults: Vec<String>, tally: &mut Tally) {
    if faults.is_empty() {
        tally.pass();
    }
    for fault in faults {
        tally.fail(fault);
    }
}

impl Kill {
    /// One process, from its start to its violent end.
    async fn cycle(
        &self,
        folder: &Path,
        journal: &Arc<Journal>,
        cycle: u64,
        random: &mut Random,
    ) -> anyhow::Result<()> {
        let process = Process::start(&self.program, folder, &[])?;
        let dying = Arc::new(AtomicBool::new(false));
        let channel = Channel::from_shared(process.url.clone())?.connect().await?;
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| {
                let client = Client {
                    name: format!("{cycle}-{number}"),
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
        tokio::time::sleep(Duration::from_micros(random.below(120_000))).await;
        dying.store(true, Ordering::SeqCst);
        process.kill()?;
        for client in clients {
            client.await?;
        }
        Ok(())
    }

    /// The last process: finishes everything, and is killed when all was seen to be done.
    async fn finish(&self, folder: &Path, journal: &Journal) -> anyhow::Result<()> {
        let process = Process::start(&self.program, folder, &["--finish"])?;
        let channel = Channel::from_shared(process.url.clone())?.connect().await?;
        let left = async {
            for (id, entry) in journal.entries() {
                client::wait_until_done(channel.clone(), &id, &entry, journal).await?;
            }
            anyhow::Ok(())
        };
        let finished = tokio::time::timeout(FINISH_MAX, left).await;
        finished.context("not everything was finished after the last start")??;
        // No client can wait for an operation that was deleted while it ran: its row is removed when it
        // finishes.
        for _ in 0..100 {
            if unfinished(&database(folder))? == 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        ensure!(
            unfinished(&database(folder))? == 0,
            "deleted operations have not ended"
        );
        process.kill()
    }
}

fn unfinished(path: &Path) -> anyhow::Result<i64> {
    let connection =
        rusqlite::Connection::open_with_flags(path, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    let sql = "SELECT count(*) FROM operation WHERE end_time IS NULL";
    Ok(connection.query_row(sql, (), |row| row.get(0))?)
}
