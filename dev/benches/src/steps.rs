//! Bodies of durable steps, against a loop that writes the same rows.

use std::sync::Arc;

use lro_sqlite::SqliteStore;

use crate::Setting;
use crate::raw::{self, Raw};
use crate::service::{AsyncWork, STEPS, Server, drive};
use crate::table::{per_second, percentiles, print, rate, ratio};

const SUBMITTERS: [usize; 3] = [1, 8, 64];

pub(crate) async fn run(setting: &Setting) -> anyhow::Result<()> {
    let mut rows = Vec::new();
    for submitters in SUBMITTERS {
        let count = setting.scale(if submitters == 1 { 500 } else { 5_000 });
        let before = same_rows(setting, submitters, count).await?;
        let folder = setting.folder()?;
        let store = SqliteStore::open(folder.path().join("operations.db")).await?;
        let server = Arc::new(Server::start(store, 1_024).await?);
        let (took, samples) = drive(submitters, count, Steps(server.clone())).await?;
        let steps = rate(count, took) * f64::from(STEPS);
        let after = same_rows(setting, submitters, count).await?;
        let same = f64::midpoint(before, after);
        rows.push(vec![
            submitters.to_string(),
            per_second(same),
            per_second(steps),
            ratio(steps, same),
            percentiles(samples),
        ]);
    }
    let title = format!("Steps a second, lives of {STEPS} steps (SQLite, synchronous=FULL)");
    let head = [
        "bodies",
        "same rows",
        "in process",
        "of same",
        "a life, p50 / p99",
    ];
    print(&title, &head, &rows);
    Ok(())
}

/// Steps a second of the loop.
async fn same_rows(setting: &Setting, submitters: usize, count: usize) -> anyhow::Result<f64> {
    let folder = setting.folder()?;
    let path = folder.path().join("raw.db");
    let took = raw::lives_of_steps(Raw::Same, &path, submitters, count, STEPS).await?;
    Ok(rate(count, took) * f64::from(STEPS))
}

#[derive(Clone)]
struct Steps(Arc<Server>);

impl AsyncWork for Steps {
    async fn once(&mut self) -> anyhow::Result<()> {
        self.0.life_of("steps").await
    }
}
