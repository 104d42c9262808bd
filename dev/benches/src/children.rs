//! A parent and its child, against two operations of their own; and a parent of a thousand children.

use std::sync::Arc;
use std::time::{Duration, Instant};

use lro_sqlite::SqliteStore;

use crate::Setting;
use crate::service::{AsyncWork, CHILDREN, Server, drive};
use crate::table::{per_second, percentiles, print, rate, ratio};

const SUBMITTERS: [usize; 3] = [1, 8, 64];

pub(crate) async fn run(setting: &Setting) -> anyhow::Result<()> {
    pairs(setting).await?;
    many(setting).await
}

async fn pairs(setting: &Setting) -> anyhow::Result<()> {
    let mut rows = Vec::new();
    for submitters in SUBMITTERS {
        let count = setting.scale(if submitters == 1 { 500 } else { 5_000 });
        let before = two_lives(setting, submitters, count).await?;
        let (took, samples) = lives(setting, submitters, count, Family).await?;
        let after = two_lives(setting, submitters, count).await?;
        let two = f64::midpoint(before, after);
        let family = rate(count, took);
        rows.push(vec![
            submitters.to_string(),
            per_second(two),
            per_second(family),
            ratio(two, family),
            percentiles(samples),
        ]);
    }
    let title =
        "A parent with a child, against two lives one after the other (SQLite, synchronous=FULL)";
    let head = [
        "submitters",
        "two lives",
        "parent and child",
        "time of the two",
        "p50 / p99",
    ];
    print(title, &head, &rows);
    Ok(())
}

/// Pairs of lives a second.
async fn two_lives(setting: &Setting, submitters: usize, count: usize) -> anyhow::Result<f64> {
    let (took, _) = lives(setting, submitters, count, TwoLives).await?;
    Ok(rate(count, took))
}

async fn lives<W: AsyncWork>(
    setting: &Setting,
    submitters: usize,
    count: usize,
    work: impl FnOnce(Arc<Server>) -> W,
) -> anyhow::Result<(Duration, Vec<Duration>)> {
    let folder = setting.folder()?;
    let store = SqliteStore::open(folder.path().join("operations.db")).await?;
    let server = Arc::new(Server::start(store, 1_024).await?);
    drive(submitters, count, work(server)).await
}

/// A body that starts all its children at once, of a worker with few slots.
async fn many(setting: &Setting) -> anyhow::Result<()> {
    let mut rows = Vec::new();
    for slots in [16, 1_024] {
        let folder = setting.folder()?;
        let store = SqliteStore::open(folder.path().join("operations.db")).await?;
        let server = Server::start(store, slots).await?;
        let begun = Instant::now();
        for _ in 0..CHILDREN {
            server.life().await?;
        }
        let alone = begun.elapsed();
        let begun = Instant::now();
        server.life_of("children").await?;
        let took = begun.elapsed();
        rows.push(vec![
            slots.to_string(),
            format!("{:.0} ms", alone.as_secs_f64() * 1_000.0),
            format!("{:.0} ms", took.as_secs_f64() * 1_000.0),
            ratio(took.as_secs_f64(), alone.as_secs_f64()),
            server.exporter.runs_of_parents().to_string(),
        ]);
    }
    let title = format!("One parent of {CHILDREN} children (SQLite, synchronous=FULL)");
    let head = [
        "slots",
        "lives one after the other",
        "from start to done",
        "of them",
        "runs of the parent",
    ];
    print(&title, &head, &rows);
    Ok(())
}

#[derive(Clone)]
struct Family(Arc<Server>);

impl AsyncWork for Family {
    async fn once(&mut self) -> anyhow::Result<()> {
        self.0.life_of("child").await
    }
}

#[derive(Clone)]
struct TwoLives(Arc<Server>);

impl AsyncWork for TwoLives {
    async fn once(&mut self) -> anyhow::Result<()> {
        self.0.life().await?;
        self.0.life().await
    }
}
