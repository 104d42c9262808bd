//! Removal of a million expired operations: how fast, and what starts feel of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use lro_core::store::{NewOperation, OperationOutcome, OperationStore};
use lro_core::{OperationName, pack};
use lro_sqlite::SqliteStore;
use uuid::Uuid;

use crate::Setting;
use crate::service::{AsyncWork, drive_for, request};
use crate::table::{per_second, percentiles, print, rate};

const SUBMITTERS: usize = 8;
/// As workers do it.
const BATCH: usize = 500;

pub(crate) async fn run(setting: &Setting) -> anyhow::Result<()> {
    let folder = setting.folder()?;
    let store = SqliteStore::open(folder.path().join("operations.db")).await?;
    let count = setting.scale(1_000_000);
    fill(&store, count, Duration::ZERO).await?;

    let mut starts = Vec::new();
    let mut measure = async |what: &str| {
        let starting = Starting(store.clone());
        let (took, samples) = drive_for(SUBMITTERS, 2 * setting.span(), starting).await?;
        let longest = samples.iter().max().copied().unwrap_or_default();
        starts.push(vec![
            what.to_owned(),
            per_second(rate(samples.len(), took)),
            percentiles(samples),
            format!("{:.1} ms", longest.as_secs_f64() * 1e3),
        ]);
        anyhow::Ok(())
    };
    measure("nothing is removed").await?;
    let enough = Arc::new(AtomicBool::new(false));
    let removing = tokio::spawn(remove(store.clone(), count, enough.clone()));
    measure("with removal").await?;
    enough.store(true, Ordering::Relaxed);
    let meanwhile = removing.await??;
    measure("nothing is removed").await?;

    let left = count - meanwhile.removed();
    let never = Arc::new(AtomicBool::new(false));
    let alone = remove(store.clone(), left, never).await?;
    anyhow::ensure!(alone.removed() == left, "all were removed");
    anyhow::ensure!(store.purge(BATCH).await? == 0, "and nothing else");
    let tenth = alone.0.len() / 10;
    let (first, last) = (&alone.0[..tenth], &alone.0[alone.0.len() - tenth..]);
    let batches = [
        ("beside starts", &meanwhile.0[..]),
        ("alone, the first tenth", first),
        ("alone, the last tenth", last),
        ("alone, all of it", &alone.0[..]),
    ];
    let batches: Vec<_> = batches
        .into_iter()
        .map(|(what, calls)| {
            let removed: usize = calls.iter().map(|(removed, _)| removed).sum();
            let times: Vec<_> = calls.iter().map(|(_, took)| *took).collect();
            vec![
                what.to_owned(),
                removed.to_string(),
                per_second(rate(removed, times.iter().sum())),
                percentiles(times),
            ]
        })
        .collect();
    print(
        &format!("Starts by {SUBMITTERS} submitters among {count} expired operations (SQLite)"),
        &["meanwhile", "starts", "p50 / p99", "longest"],
        &starts,
    );
    print(
        &format!("Removal, in calls of at most {BATCH} (SQLite)"),
        &["when", "operations", "removed", "a call, p50 / p99"],
        &batches,
    );
    Ok(())
}

/// How many each call has removed, and how long it took.
struct Removed(Vec<(usize, Duration)>);

impl Removed {
    fn removed(&self) -> usize {
        self.0.iter().map(|(removed, _)| removed).sum()
    }
}

/// Removes what has expired, without pauses, as a worker does while there is more.
async fn remove(
    store: SqliteStore,
    count: usize,
    enough: Arc<AtomicBool>,
) -> anyhow::Result<Removed> {
    let mut removed = Removed(Vec::new());
    while !enough.load(Ordering::Relaxed) && removed.removed() < count {
        let begun = Instant::now();
        let batch = store.purge(BATCH).await?;
        anyhow::ensure!(batch > 0, "there are more");
        removed.0.push((batch, begun.elapsed()));
    }
    Ok(removed)
}

/// Operations that have ended, and are kept for so long.
pub(crate) async fn fill(
    store: &SqliteStore,
    count: usize,
    retain: Duration,
) -> anyhow::Result<Vec<OperationName>> {
    let mut names = Vec::with_capacity(count);
    let mut left = count;
    while left > 0 {
        let batch = left.min(BATCH);
        left -= batch;
        let batch = (0..batch).map(|_| {
            let mut operation = new()?;
            operation.outcome = Some(OperationOutcome::Response(pack(&())));
            operation.policy.retain = retain;
            anyhow::Ok(operation)
        });
        for started in store.start(batch.collect::<Result<_, _>>()?).await? {
            names.push(started?.record.name);
        }
    }
    Ok(names)
}

fn new() -> anyhow::Result<NewOperation> {
    let uid = Uuid::now_v7();
    let name = format!("operations/{uid}").parse()?;
    let request = pack(&request("now"));
    Ok(NewOperation::new(
        uid,
        name,
        "/bench.Service/Method",
        request,
    ))
}

/// Starts operations that no worker runs.
#[derive(Clone)]
struct Starting(SqliteStore);

impl AsyncWork for Starting {
    async fn once(&mut self) -> anyhow::Result<()> {
        self.0.start(vec![new()?]).await?.remove(0)?;
        Ok(())
    }
}
