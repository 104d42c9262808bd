//! Claims and ends of another method beside suspended operations.

use std::time::{Duration, Instant};

use lro_core::pack;
use lro_core::store::{Command, OperationOutcome, OperationStore as _, Update};
use lro_sqlite::SqliteStore;

use super::crowd::{Crowd, claim, start};
use super::middle;
use crate::Setting;
use crate::table::{per_second, print, rate, ratio};

const OTHER: &str = "/exporter.v1.Exporter/Other";
const ROUNDS: usize = 7;
/// The operations of one call.
const BATCH: usize = 64;

pub(super) async fn run(setting: &Setting, crowds: &[Crowd]) -> anyhow::Result<()> {
    let count = setting.scale(20_000) / BATCH * BATCH;
    let mut stores = Vec::new();
    for crowd in crowds {
        stores.push(SqliteStore::open(&crowd.path).await?);
    }
    let mut rates = vec![Vec::new(); crowds.len()];
    for round in 0..=ROUNDS {
        for (store, rates) in stores.iter().zip(&mut rates) {
            let took = lives(store, count).await?;
            // The first round reads the file.
            if round > 0 {
                rates.push(rate(count, took));
            }
        }
    }
    let rates: Vec<_> = rates.into_iter().map(middle).collect();
    let rows = crowds.iter().zip(&rates).map(|(crowd, rate)| {
        vec![
            crowd.what.to_owned(),
            crowd.count.to_string(),
            per_second(*rate),
            ratio(rates[0], *rate),
        ]
    });
    print(
        "Claims and ends of another method beside suspended operations, 64 in a call (SQLite, synchronous=FULL)",
        &[
            "they wait",
            "operations",
            "claimed and ended",
            "time, of none",
        ],
        &rows.collect::<Vec<_>>(),
    );
    Ok(())
}

/// Claims and ends this number of operations, which are started before.
async fn lives(store: &SqliteStore, count: usize) -> anyhow::Result<Duration> {
    start(store, OTHER, count).await?;
    let begun = Instant::now();
    for _ in 0..count / BATCH {
        let claimed = store.claim(claim(OTHER, BATCH)).await?.operations;
        anyhow::ensure!(claimed.len() == BATCH, "all of them are ready");
        let ends = claimed.into_iter().map(|record| {
            let command = Command::Finish {
                fence: record.fence,
                outcome: OperationOutcome::Response(pack(&())),
                metadata: None,
            };
            Update::by_uid(record.name, record.uid, command)
        });
        for ended in store.update(ends.collect()).await? {
            ended?;
        }
    }
    Ok(begun.elapsed())
}
