//! Ten thousand timers that are due within one second, against as many operations that are ready.

use std::sync::Arc;
use std::time::{Duration, Instant};

use lro_core::store::{OperationStore as _, StepWake};
use lro_core::{Clock as _, Timestamp};
use lro_sqlite::SqliteStore;

use super::crowd::{METHOD, claim, claimed, start, suspend};
use super::middle;
use crate::Setting;
use crate::clock::SetClock;
use crate::table::{per_second, print, rate, ratio};

const START: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);
const ROUNDS: usize = 5;
/// The operations of one claim, as workers ask for them at most.
const CLAIM: usize = 256;
const BATCH: usize = 500;

pub(super) async fn run(setting: &Setting) -> anyhow::Result<()> {
    let count = setting.scale(10_000);
    let mut rates = [Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        rates[0].push(rate(count, of_ready(setting, count).await?));
        rates[1].push(rate(count, of_timers(setting, count).await?));
    }
    let [ready, timers] = rates.map(middle);
    let row = vec![
        count.to_string(),
        per_second(ready),
        per_second(timers),
        ratio(timers, ready),
    ];
    print(
        "Claims of operations whose timers end within one second, 256 in a call (SQLite, synchronous=FULL)",
        &["operations", "without timers", "with timers", "ratio"],
        &[row],
    );
    Ok(())
}

async fn of_ready(setting: &Setting, count: usize) -> anyhow::Result<Duration> {
    let (folder, clock) = (setting.folder()?, Arc::new(SetClock::at(START)));
    let builder = SqliteStore::builder(folder.path().join("operations.db"));
    let store = builder.clock(clock).open().await?;
    start(&store, METHOD, count).await?;
    claim_all(&store, count).await
}

async fn of_timers(setting: &Setting, count: usize) -> anyhow::Result<Duration> {
    let (folder, clock) = (setting.folder()?, Arc::new(SetClock::at(START)));
    let builder = SqliteStore::builder(folder.path().join("operations.db"));
    let store = builder.clock(clock.clone()).open().await?;
    let (minute, night) = (Duration::from_secs(60), Duration::from_secs(8 * 3_600));
    let first = clock.now().saturating_add(night);
    for batch in 0..count / BATCH {
        let timers = (0..BATCH).map(|at| {
            let after = Duration::from_secs(1) * (batch * BATCH + at) as u32 / count as u32;
            let wake = StepWake::At(first.saturating_add(after));
            anyhow::Ok((claimed()?, Some(wake)))
        });
        suspend(&store, timers.collect::<Result<_, _>>()?).await?;
    }
    // The store reads them as time passes.
    for left in (0..60).rev() {
        clock.set(first.saturating_sub(minute * left));
        let claimed = store.claim(claim(METHOD, 0)).await?;
        anyhow::ensure!(left == 0 || claimed.next_in <= Some(minute * left));
    }
    clock.set(first.saturating_add(Duration::from_secs(1)));
    claim_all(&store, count).await
}

async fn claim_all(store: &SqliteStore, count: usize) -> anyhow::Result<Duration> {
    let begun = Instant::now();
    let mut left = count;
    while left > 0 {
        let claimed = store.claim(claim(METHOD, CLAIM)).await?.operations.len();
        anyhow::ensure!(claimed > 0, "{left} are not ready");
        left -= claimed;
    }
    Ok(begun.elapsed())
}
