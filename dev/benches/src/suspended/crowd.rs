//! Files with many suspended operations.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lro_core::pack;
use lro_core::store::{
    Claim, Command, NewOperation, OperationStore as _, StepKind, StepWake, StepWrite, Suspects,
    Update, WorkerId,
};
use lro_sqlite::SqliteStore;
use uuid::Uuid;

use crate::Setting;

pub(crate) const METHOD: &str = "/exporter.v1.Exporter/Export";

const LEASE: Duration = Duration::from_secs(3_600);

/// Copies of the one suspended operation, and of its step.
const COPY: &str = "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ?1)
    INSERT INTO {table} ({columns}, {others})
    SELECT {values}, {others} FROM n, {table}";

pub(crate) struct Crowd {
    pub(crate) what: &'static str,
    pub(crate) count: usize,
    pub(crate) path: PathBuf,
    _folder: tempfile::TempDir,
}

impl Crowd {
    /// Operations that wait for a number of seconds, or on a promise.
    pub(crate) async fn write(
        setting: &Setting,
        what: &'static str,
        count: usize,
        seconds: Option<u64>,
    ) -> anyhow::Result<Self> {
        let folder = setting.folder()?;
        let path = folder.path().join("operations.db");
        let store = SqliteStore::open(&path).await?;
        if count > 0 {
            let wake = seconds.map(|seconds| StepWake::After(Duration::from_secs(seconds)));
            suspend(&store, vec![(claimed()?, wake)]).await?;
        }
        drop(store);
        if count > 0 {
            copy(&path, count - 1)?;
        }
        Ok(Self {
            what,
            count,
            path,
            _folder: folder,
        })
    }
}

/// An operation that a worker has.
pub(crate) fn claimed() -> anyhow::Result<NewOperation> {
    let mut operation = pending(METHOD)?;
    operation.claimed_by = Some((worker(), LEASE));
    Ok(operation)
}

pub(crate) fn pending(method: &str) -> anyhow::Result<NewOperation> {
    let uid = Uuid::now_v7();
    let name = format!("operations/{uid}").parse()?;
    Ok(NewOperation::new(uid, name, method, pack(&"x".repeat(200))))
}

/// Starts this number of operations of a method, a part in each call.
pub(crate) async fn start(store: &SqliteStore, method: &str, count: usize) -> anyhow::Result<()> {
    const PART: usize = 500;
    for from in (0..count).step_by(PART) {
        let part = (from..count.min(from + PART)).map(|_| pending(method));
        for started in store.start(part.collect::<Result<_, _>>()?).await? {
            started?;
        }
    }
    Ok(())
}

/// Starts operations, and suspends them on a timer or a promise.
pub(crate) async fn suspend(
    store: &SqliteStore,
    operations: Vec<(NewOperation, Option<StepWake>)>,
) -> anyhow::Result<()> {
    let updates = operations.iter().map(|(operation, wake)| {
        let kind = wake.map_or(StepKind::Promise, |_| StepKind::Sleep);
        let key: lro_core::store::StepKey = "wait".parse()?;
        let step = StepWrite {
            wake: *wake,
            ..StepWrite::begun(key.clone(), kind)
        };
        let command = Command::Suspend {
            fence: 1,
            waits: vec![key],
            ready_by: None,
            metadata: None,
        };
        let update = Update::by_uid(operation.name.clone(), operation.uid, command);
        anyhow::Ok(update.with_steps(vec![step]))
    });
    let updates = updates.collect::<Result<Vec<_>, _>>()?;
    let operations = operations.into_iter().map(|(operation, _)| operation);
    for started in store.start(operations.collect()).await? {
        started?;
    }
    for updated in store.update(updates).await? {
        updated?;
    }
    Ok(())
}

pub(crate) fn claim(method: &str, limit: usize) -> Claim {
    Claim {
        worker: worker(),
        methods: BTreeMap::from([(method.to_owned(), limit)]),
        limit,
        lease_duration: LEASE,
        suspects: Suspects::default(),
        expires_leases: true,
    }
}

fn worker() -> WorkerId {
    WorkerId::from_uuid(Uuid::from_u128(1))
}

fn copy(path: &Path, count: usize) -> anyhow::Result<()> {
    let file = rusqlite::Connection::open(path)?;
    file.execute_batch("PRAGMA synchronous = OFF; BEGIN")?;
    let uid = "unhex(printf('%012x70008000000000000000', n))";
    for (table, columns, values) in [
        ("step", vec!["uid"], uid.to_owned()),
        (
            "operation",
            vec!["uid", "name"],
            format!("{uid}, printf('operations/%08d', n)"),
        ),
    ] {
        let mut others = file.prepare("SELECT name FROM pragma_table_info(?1)")?;
        let others = others.query_map([table], |row| row.get::<_, String>(0))?;
        let others = others.collect::<Result<Vec<_>, _>>()?;
        let others = others.into_iter().filter(|it| !columns.contains(&&**it));
        let others = others.collect::<Vec<_>>().join(", ");
        let sql = COPY.replace("{table}", table).replace("{others}", &others);
        let sql = sql.replace("{columns}", &columns.join(", "));
        let sql = sql.replace("{values}", &values);
        file.execute(&sql, [i64::try_from(count)?])?;
    }
    file.execute_batch("COMMIT; PRAGMA wal_checkpoint(TRUNCATE)")?;
    Ok(())
}
