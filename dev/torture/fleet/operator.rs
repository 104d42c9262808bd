//! An operator's sessions: transactions that hold rows of the table of operations.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use test_programs::postgres::Cluster;

use torture::node::SCHEMA;
use torture::random::Random;

/// The longest time for which one of the locks at random is held, in microseconds, and between two of them.
const HELD_MAX: u64 = 400_000;
const PAUSE_MAX: u64 = 200_000;

/// A session of `psql` that stays open.
#[derive(Debug)]
pub(super) struct Session {
    child: Child,
    asks: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Session {
    pub(super) fn open(cluster: &Cluster) -> anyhow::Result<Self> {
        let mut psql = cluster.psql();
        let mut child = psql.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let asks = child.stdin.take().context("psql reads nothing")?;
        let answers = child.stdout.take().context("psql says nothing")?;
        Ok(Self {
            child,
            asks,
            answers: BufReader::new(answers),
        })
    }

    /// Begins a transaction that locks these operations, and gives how many there are.
    pub(super) fn lock(&mut self, which: &str) -> anyhow::Result<u64> {
        self.ask(&format!(
            "BEGIN; SELECT count(*) FROM \
             (SELECT 1 FROM {SCHEMA}.operation WHERE {which} FOR UPDATE) AS locked;"
        ))
    }

    /// Ends the transaction.
    pub(super) fn release(&mut self) -> anyhow::Result<()> {
        self.ask("COMMIT; SELECT 0;").map(drop)
    }

    /// Statements with one row of one number.
    fn ask(&mut self, sql: &str) -> anyhow::Result<u64> {
        writeln!(self.asks, "{sql}")?;
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        let number = line.trim().parse();
        number.with_context(|| format!("the session says {line:?}"))
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // An error is that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Locks a few unfinished operations at random, over and over, until this is dropped.
#[derive(Debug)]
pub(super) struct Locks {
    stops: Arc<AtomicBool>,
    thread: Option<JoinHandle<anyhow::Result<u64>>>,
}

impl Locks {
    pub(super) fn begin(cluster: &Cluster, random: Random) -> anyhow::Result<Self> {
        let session = Session::open(cluster)?;
        let stops = Arc::new(AtomicBool::new(false));
        let thread = {
            let stops = stops.clone();
            thread::spawn(move || keep_locking(session, random, &stops))
        };
        Ok(Self {
            stops,
            thread: Some(thread),
        })
    }

    /// Gives how many operations were locked.
    pub(super) fn end(mut self) -> anyhow::Result<u64> {
        self.stops.store(true, Ordering::Relaxed);
        let thread = self.thread.take().context("it has ended")?;
        let locked = thread.join();
        locked.map_err(|_| anyhow::anyhow!("the thread of the locks panicked"))?
    }
}

impl Drop for Locks {
    fn drop(&mut self) {
        self.stops.store(true, Ordering::Relaxed);
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "an operator holds locks for a while"
)]
fn keep_locking(
    mut session: Session,
    mut random: Random,
    stops: &AtomicBool,
) -> anyhow::Result<u64> {
    let mut count = 0;
    while !stops.load(Ordering::Relaxed) {
        // In the order of uids, as the store locks them: a deadlock is another fault.
        let few = format!(
            "uid = ANY(ARRAY(SELECT uid FROM {SCHEMA}.operation WHERE end_time IS NULL \
             ORDER BY random() LIMIT {})) ORDER BY uid",
            1 + random.below(3)
        );
        count += session.lock(&few)?;
        thread::sleep(Duration::from_micros(random.below(HELD_MAX)));
        session.release()?;
        thread::sleep(Duration::from_micros(random.below(PAUSE_MAX)));
    }
    ensure!(count > 0, "no operation was ever locked at random");
    Ok(count)
}
