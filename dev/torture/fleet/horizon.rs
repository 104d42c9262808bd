//! A reader that keeps an old snapshot: nothing that has died since can be vacuumed, and claims are
//! not to walk through it.
//!
//! Operations are started, claimed and ended in small groups, once on a fresh database, and once more
//! after thousands of others have ended while a transaction stays open. The cost of an operation is
//! the number of blocks that its life touches: a busy machine changes times, but not that number.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use lro_core::pack;
use lro_core::store::{
    Claim, Command, NewOperation, OperationOutcome, OperationRecord, OperationStore as _, Suspects,
    Update, WorkerId,
};
use lro_postgres::PostgresStore;
use test_programs::postgres::Cluster;
use uuid::Uuid;

use super::world::blocking;
use torture::node::SCHEMA;
use torture::trials::{Tally, Trial};

const METHOD: &str = "/torture.Horizon/Run";

/// How many groups are measured, and how large they are.
const GROUPS: usize = 200;
const GROUP: usize = 5;

/// How many operations end in between.
const ENDED: usize = 10_000;
const ENDED_AT_ONCE: usize = 250;

/// How many times as many blocks an operation may touch then. About twice as many are right: claims
/// walk through what has died in the last half second, which is the more the faster operations end. A
/// claim that walks through two seconds touches six times as many, and one that also walks through the
/// leases that have died within the time of a lease more than ten times as many.
const RATIO_MAX: f64 = 4.0;

/// The queue under an old snapshot.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Horizon;

impl Trial for Horizon {
    fn name(&self) -> &'static str {
        "horizon"
    }

    fn flags(&self) -> String {
        String::new()
    }

    fn run(&self, _seed: u64, tally: &mut Tally) -> anyhow::Result<()> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()?;
        runtime.block_on(run(tally))
    }
}

async fn run(tally: &mut Tally) -> anyhow::Result<()> {
    let cluster = blocking(Cluster::start)?;
    let queue = Queue {
        cluster: &cluster,
        count: AtomicU64::new(1),
    };
    // The schema, and the first pages of everything.
    queue.live(1, GROUP, |_| {}).await?;
    let before = "claims on a fresh database";
    let fresh = queue.live(GROUPS, GROUP, |time| tally.measure(before, time));
    let fresh = fresh.await?;
    let mut reader = blocking(|| Reader::open(&cluster))?;
    queue
        .live(ENDED / ENDED_AT_ONCE, ENDED_AT_ONCE, |_| {})
        .await?;
    let after = "claims under an old snapshot";
    let pinned = queue.live(GROUPS, GROUP, |time| tally.measure(after, time));
    let pinned = pinned.await?;
    blocking(|| reader.close())?;
    let ratio = pinned / fresh;
    println!(
        "blocks per operation: {fresh:.0} on a fresh database, {pinned:.0} with {ENDED} that have \
         ended under an old snapshot, ratio {ratio:.2}"
    );
    tally.check(
        (ratio <= RATIO_MAX)
            .then_some(())
            .with_context(|| format!("an operation touches {ratio:.1} times as many blocks")),
    );
    Ok(())
}

struct Queue<'c> {
    cluster: &'c Cluster,
    count: AtomicU64,
}

impl Queue<'_> {
    /// Groups of operations from their start to their end; gives the blocks that one has touched.
    async fn live(
        &self,
        groups: usize,
        group: usize,
        mut claimed_in: impl FnMut(Duration),
    ) -> anyhow::Result<f64> {
        let before = self.blocks().await.unwrap_or_default();
        let store = PostgresStore::builder(self.cluster.url()).schema(SCHEMA);
        let store = store.notifications(false).open().await?;
        let worker = WorkerId::from_uuid(Uuid::new_v4());
        for _ in 0..groups {
            let news = (0..group).map(|_| {
                // In the order of their starts, as those of a server are.
                let uid = Uuid::from_u128(self.count.fetch_add(1, Ordering::Relaxed).into());
                let name = format!("operations/{uid}").parse()?;
                Ok(NewOperation::new(uid, name, METHOD, pack(&())))
            });
            let news: Result<Vec<_>, lro_core::InvalidName> = news.collect();
            for started in store.start(news?).await? {
                started?;
            }
            let mut left = group;
            while left > 0 {
                let claim = Claim {
                    worker,
                    methods: BTreeMap::from([(METHOD.to_owned(), group)]),
                    limit: left,
                    lease_duration: Duration::from_secs(60),
                    suspects: Suspects::default(),
                    expires_leases: true,
                };
                let begun = Instant::now();
                let claimed = store.claim(claim).await?;
                claimed_in(begun.elapsed());
                left -= claimed.operations.len();
                let ends = claimed.operations.iter().map(end).collect();
                for ended in store.update(ends).await? {
                    ended.map_err(|refusal| anyhow::anyhow!("{refusal}"))?;
                }
            }
        }
        drop(store);
        let touched = self.blocks().await? - before;
        Ok(touched / (groups * group) as f64)
    }

    /// Blocks of the table and its indexes that were touched, when all have told who touched any:
    /// they do when they end.
    async fn blocks(&self) -> anyhow::Result<f64> {
        let others = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'lro'";
        while blocking(|| self.cluster.sql(others))? != "0" {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let blocks = format!(
            "SELECT coalesce(sum(heap_blks_read + heap_blks_hit + coalesce(idx_blks_read, 0) \
             + coalesce(idx_blks_hit, 0)), 0) FROM pg_statio_all_tables \
             WHERE schemaname = '{SCHEMA}'"
        );
        Ok(blocking(|| self.cluster.sql(&blocks))?.parse()?)
    }
}

fn end(record: &OperationRecord) -> Update {
    let finish = Command::Finish {
        fence: record.fence,
        outcome: OperationOutcome::Response(pack(&())),
        metadata: None,
    };
    Update::by_uid(record.name.clone(), record.uid, finish)
}

/// An open transaction with the snapshot of its beginning.
struct Reader {
    child: Child,
    asks: ChildStdin,
    answers: BufReader<ChildStdout>,
    count: String,
}

impl Reader {
    fn open(cluster: &Cluster) -> anyhow::Result<Self> {
        let mut psql = cluster.psql();
        let mut child = psql.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let asks = child.stdin.take().context("psql reads nothing")?;
        let answers = child.stdout.take().context("psql says nothing")?;
        let mut reader = Self {
            child,
            asks,
            answers: BufReader::new(answers),
            count: String::new(),
        };
        writeln!(reader.asks, "BEGIN ISOLATION LEVEL REPEATABLE READ;")?;
        reader.count = reader.count()?;
        Ok(reader)
    }

    /// Proves that it still sees what it saw.
    fn close(&mut self) -> anyhow::Result<()> {
        let count = self.count()?;
        ensure!(count == self.count, "the snapshot was lost: {count}");
        Ok(())
    }

    fn count(&mut self) -> anyhow::Result<String> {
        writeln!(self.asks, "SELECT count(*) FROM {SCHEMA}.operation;")?;
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        ensure!(!line.trim().is_empty(), "the reader has ended");
        Ok(line)
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        // An error is that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
