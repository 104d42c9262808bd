//! A store with many operations, written as rows, and one page of them that changes.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use exporter::pb::{ExportMetadata, ExportRequest};
use lro_core::store::{
    Command, NewOperation, OperationOutcome, OperationStore as _, Update, WorkerId,
};
use lro_core::{OperationName, pack};
use lro_sqlite::SqliteStore;
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;
use uuid::Uuid;

const METHOD: &str = "/exporter.v1.Exporter/Export";
/// The rows of a page, each of which runs. All of them change in one call of the store.
const SHOWN: u64 = 50;
const LEASE: Duration = Duration::from_secs(24 * 3_600);
const TOTAL: u32 = 1_000_000_000;

/// Copies of one finished operation, older than it. Their ids grow, as those of UUIDv7 do.
const COPY: &str = "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ?1)
    INSERT INTO operation (uid, name, create_time, {columns})
    SELECT unhex(printf('%012x70008000000000000000', n)), printf('operations/%08d', n),
        create_time - (?1 + 1 - n) * 1000, {columns} FROM n, operation";

pub(crate) struct Crowd {
    pub(crate) store: SqliteStore,
    /// The newest, with their uids, as forms of the console name them.
    shown: Vec<(OperationName, Uuid)>,
}

impl Crowd {
    pub(crate) async fn write(path: &Path, size: usize) -> anyhow::Result<Self> {
        let store = SqliteStore::open(path).await?;
        let mut done = operation()?;
        done.outcome = Some(OperationOutcome::Response(pack(&())));
        for started in store.start(vec![done]).await? {
            started?;
        }
        drop(store);
        copy(path, size - 1)?;

        let store = SqliteStore::open(path).await?;
        let worker = WorkerId::from_uuid(Uuid::from_u128(1));
        let mut running = Vec::new();
        for _ in 0..SHOWN {
            let mut new = operation()?;
            new.claimed_by = Some((worker, LEASE));
            running.push(new);
        }
        let shown = running.iter().map(|it| (it.name.clone(), it.uid)).collect();
        for started in store.start(running).await? {
            started?;
        }
        Ok(Self { store, shown })
    }

    /// The operations of the newest page, as forms name them.
    pub(crate) fn shown(&self) -> impl Iterator<Item = &OperationName> {
        self.shown.iter().map(|(name, _)| name)
    }

    /// Changes the operations of the newest page `each_second` times a second, until the result is dropped.
    pub(crate) fn change(&self, each_second: u64) -> Changing {
        let made = Arc::new(AtomicU64::new(0));
        let (store, shown, count) = (self.store.clone(), self.shown.clone(), made.clone());
        let task = tokio::spawn(async move {
            let pause = Duration::from_secs(1) * SHOWN as u32 / each_second as u32;
            let mut ticks = tokio::time::interval(pause);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
            for done in 1.. {
                ticks.tick().await;
                let updates = shown.iter().map(|(name, uid)| renewal(name, *uid, done));
                for updated in store.update(updates.collect()).await? {
                    updated?;
                }
                count.fetch_add(SHOWN, Ordering::Relaxed);
            }
            anyhow::Ok(())
        });
        Changing { made, task }
    }
}

/// The task that changes operations.
pub(crate) struct Changing {
    made: Arc<AtomicU64>,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Changing {
    pub(crate) fn made(&self) -> u64 {
        self.made.load(Ordering::Relaxed)
    }
}

impl Drop for Changing {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn operation() -> anyhow::Result<NewOperation> {
    let uid = Uuid::now_v7();
    let request = pack(&ExportRequest {
        tables: vec!["users".to_owned()],
    });
    let name = format!("operations/{uid}").parse()?;
    Ok(NewOperation::new(uid, name, METHOD, request))
}

fn renewal(name: &OperationName, uid: Uuid, done: u32) -> Update {
    let metadata = ExportMetadata {
        tables_done: done,
        tables_total: TOTAL,
    };
    let command = Command::Renew {
        fence: 1,
        lease_duration: LEASE,
        metadata: Some(pack(&metadata)),
    };
    Update::by_uid(name.clone(), uid, command)
}

fn copy(path: &Path, count: usize) -> anyhow::Result<()> {
    let file = rusqlite::Connection::open(path)?;
    let mut columns = file.prepare("SELECT name FROM pragma_table_info('operation')")?;
    let columns = columns.query_map([], |row| row.get::<_, String>(0))?;
    let columns = columns.filter(|it| !matches!(it.as_deref(), Ok("uid" | "name" | "create_time")));
    let columns = columns.collect::<Result<Vec<_>, _>>()?.join(", ");
    file.execute(
        &COPY.replace("{columns}", &columns),
        [i64::try_from(count)?],
    )?;
    Ok(())
}
