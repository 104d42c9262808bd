//! The run of a body behind a thousand steps, against a bare read of their rows.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lro_core::OperationName;
use lro_core::store::OperationStore as _;
use lro_sqlite::SqliteStore;
use uuid::Uuid;

use super::{middle, millis};
use crate::Setting;
use crate::service::{STEPS_BEFORE, Server};
use crate::table::{percentiles, print, ratio};

const ROWS: &str = "SELECT key, seq, kind, attempt, fence, sequential, begin_time, end_time, wake_time, \
     value_kind, value FROM step WHERE uid = ?1 AND epoch = 0 ORDER BY seq";

pub(super) async fn run(setting: &Setting) -> anyhow::Result<()> {
    let folder = setting.folder()?;
    let path = folder.path().join("operations.db");
    let store = SqliteStore::open(&path).await?;
    let server = Arc::new(Server::start(store.clone(), 1_024).await?);
    let count = setting.scale(200);
    let mut rows = Vec::new();
    let mut without = 0.0;
    for (table, steps) in [("resume", 0), ("resume behind steps", STEPS_BEFORE)] {
        let suspended = suspended(&server, &store, count, table).await?;
        let bare = bare(&path, &suspended, steps)?;
        let mut samples = Vec::new();
        for (name, _) in &suspended {
            let begun = Instant::now();
            server.operations.complete(name, "go", &()).await?;
            let done = server.operations.wait(name, None).await?;
            samples.push(begun.elapsed());
            anyhow::ensure!(done.done, "{name} has not ended");
        }
        let resumed = middle(samples.iter().copied().map(millis).collect());
        let mut row = vec![steps.to_string(), percentiles(samples)];
        if steps == 0 {
            without = resumed;
            row.extend(["", "", ""].map(str::to_owned));
        } else {
            row.push(format!("{:.2} ms", resumed - without));
            row.push(format!("{bare:.2} ms"));
            row.push(ratio(resumed - without, bare));
        }
        rows.push(row);
    }
    print(
        "From the value of a promise to the end of the body that waited for it, alone (SQLite, synchronous=FULL)",
        &[
            "steps of 100 bytes before",
            "p50 / p99",
            "more than without steps (p50)",
            "their rows, read bare (p50)",
            "of the bare read",
        ],
        &rows,
    );
    Ok(())
}

/// Operations that wait for a promise.
async fn suspended(
    server: &Arc<Server>,
    store: &SqliteStore,
    count: usize,
    table: &str,
) -> anyhow::Result<Vec<(OperationName, Uuid)>> {
    let mut operations = Vec::new();
    for _ in 0..count {
        operations.push(server.begin(table).await?);
    }
    let mut suspended = Vec::new();
    for name in operations {
        loop {
            match store.get(&name).await? {
                Some(record) if record.is_suspended() => {
                    suspended.push((name, record.uid));
                    break;
                }
                _ => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    }
    Ok(suspended)
}

/// The median time, in milliseconds, to read the rows of one operation.
fn bare(path: &Path, operations: &[(OperationName, Uuid)], steps: usize) -> anyhow::Result<f64> {
    let file = rusqlite::Connection::open(path)?;
    let mut samples = Vec::new();
    for (_, uid) in operations {
        let begun = Instant::now();
        let mut statement = file.prepare_cached(ROWS)?;
        let rows = statement.query_map([uid.as_bytes()], |row| {
            let key: String = row.get(0)?;
            Ok((
                key,
                row.get::<_, i64>(1)?,
                row.get::<_, Option<Vec<u8>>>(10)?,
            ))
        })?;
        let rows = rows.collect::<Result<Vec<_>, _>>()?;
        samples.push(millis(begun.elapsed()));
        // One is the promise.
        anyhow::ensure!(rows.len() == steps + 1, "{} rows", rows.len());
    }
    Ok(middle(samples))
}
