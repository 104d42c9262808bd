// Properties that hold for every corruption of a stored operation; shared with the fuzz target.

use std::sync::LazyLock;
use std::time::Duration;

use lro_core::store::{
    Claim, Command, History, ListQuery, NewOperation, OperationOutcome, OperationRecord,
    OperationStore, StoreErrorKind, Suspects, Update, WorkerId,
};
use lro_core::{ParentName, Timestamp, pb};
use lro_sqlite::SqliteStore;
use prost_types::Any;
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};
use uuid::Uuid;

const NAMES: [&str; 3] = ["operations/0", "operations/1", "operations/2"];

/// The number of them that are claimed.
const CLAIMED: usize = 2;

const RESTORE: &str =
    "BEGIN; DELETE FROM operation; INSERT INTO operation SELECT * FROM whole; COMMIT";

/// An operation that has so much is not kept in memory.
const NOT_KEPT: usize = 100 << 10;

/// A file with one operation that waits, one that runs and one that has failed, and a copy of them.
struct Fixture {
    runtime: Runtime,
    store: SqliteStore,
    /// As an operator's sqlite3 shell would.
    outsider: std::sync::Mutex<Connection>,
    columns: Vec<String>,
    _directory: TempDir,
}

static FIXTURE: LazyLock<Fixture> = LazyLock::new(|| {
    let runtime = Builder::new_current_thread().build().expect("a runtime");
    let directory = tempfile::tempdir().expect("a folder");
    let path = directory.path().join("operations.db");
    let store = runtime.block_on(async {
        let store = SqliteStore::open(&path).await.expect("it opens");
        fill(&store).await;
        store
    });
    let outsider = Connection::open(&path).expect("it opens");
    let copy = "PRAGMA synchronous = OFF; CREATE TEMP TABLE whole AS SELECT * FROM operation";
    outsider.execute_batch(copy).expect("it is copied");
    let columns = {
        let row = outsider.prepare("SELECT * FROM operation").expect("SQL");
        row.column_names().map(str::to_owned).collect()
    };
    let fixture = Fixture {
        runtime,
        store,
        outsider: outsider.into(),
        columns,
        _directory: directory,
    };
    fixture.check();
    fixture
});

impl Fixture {
    /// Each row is read from the file whenever it is asked for, or else the test would see no corruption.
    fn check(&self) {
        for name in NAMES {
            let sql = format!("UPDATE operation SET labels = x'ff' WHERE name = '{name}'");
            let outsider = self.outsider.lock().expect("no test has panicked");
            outsider.execute_batch(&sql).expect("it is corrupted");
            let name = name.parse().expect("it is a name");
            let read = self.runtime.block_on(self.store.get(&name));
            let kind = read.map_err(|error| error.kind());
            assert_eq!(kind, Err(StoreErrorKind::Corrupt), "{name}");
            outsider.execute_batch(RESTORE).expect("it is restored");
        }
    }
}

async fn fill(store: &SqliteStore) {
    let new = |(n, name): (usize, &str)| {
        let name = name.parse().expect("it is a name");
        let uid = Uuid::from_u128(n as u128);
        let mut new = NewOperation::new(uid, name, "/s.S/M", Any::default());
        new.labels.insert("env".to_owned(), "prod".to_owned());
        new.metadata = Some(Any {
            // The one that waits is not kept anyway.
            value: vec![7; if n < CLAIMED { NOT_KEPT } else { 0 }],
            ..Any::default()
        });
        new
    };
    let news = NAMES.into_iter().enumerate().map(new).collect();
    store.start(news).await.expect("they start");
    let claim = Claim {
        worker: WorkerId::from_uuid(Uuid::from_u128(9)),
        methods: [("/s.S/M".to_owned(), CLAIMED)].into(),
        limit: CLAIMED,
        lease_duration: Duration::from_secs(60 * 60),
        suspects: Suspects::default(),
        expires_leases: true,
    };
    let claimed = store.claim(claim).await.expect("they are claimed");
    let [running, failed] = claimed.operations.as_slice() else {
        panic!("two are claimed");
    };
    // A record that was not in memory before a change is not kept there, and small rows are quick.
    let small = Some(Any::default());
    let renew = Command::Renew {
        fence: running.fence,
        lease_duration: Duration::from_secs(60 * 60),
        metadata: small.clone(),
    };
    let updates = [(running, renew), (failed, finish(failed, small))]
        .map(|(record, command)| Update::by_uid(record.name.clone(), record.uid, command));
    let updated = store.update(updates.into()).await.expect("they change");
    assert!(updated.iter().all(Result::is_ok), "{updated:?}");
}

fn finish(record: &OperationRecord, metadata: Option<Any>) -> Command {
    Command::Finish {
        fence: record.fence,
        outcome: OperationOutcome::Error(pb::rpc::Status {
            code: 5,
            ..Default::default()
        }),
        metadata,
    }
}

/// Writes what the bytes say into columns of one operation's row, and reads.
///
/// # Panics
///
/// When a reader does, or gives a record that is none, or has another error than that it is corrupt.
pub(crate) fn ask(bytes: &[u8]) {
    let Some((row, mut bytes)) = bytes.split_first() else {
        return;
    };
    let fixture = &*FIXTURE;
    let name = NAMES[usize::from(*row) % NAMES.len()];
    let outsider = fixture.outsider.lock().expect("no test has panicked");
    while let Some((column, value, rest)) = cell(bytes) {
        let column = &fixture.columns[column % fixture.columns.len()];
        let sql = format!("UPDATE operation SET {column} = ? WHERE name = '{name}'");
        // The table refuses some values.
        let mut update = outsider.prepare_cached(&sql).expect("SQL");
        let _ = update.execute(params_from_iter([value]));
        bytes = rest;
    }
    fixture.runtime.block_on(read(&fixture.store));
    outsider.execute_batch(RESTORE).expect("it is restored");
}

/// A column, what to write into it, and the bytes behind.
fn cell(bytes: &[u8]) -> Option<(usize, Value, &[u8])> {
    let (&[column, kind], rest) = bytes.split_first_chunk()?;
    let (value, rest) = match kind % 4 {
        0 => (Value::Null, rest),
        1 => {
            let (number, rest) = rest.split_first_chunk()?;
            (Value::Integer(i64::from_le_bytes(*number)), rest)
        }
        kind => {
            let (len, rest) = rest.split_first()?;
            let (bytes, rest) = rest
                .split_at_checked(usize::from(*len))
                .unwrap_or((rest, &[]));
            let text = || String::from_utf8_lossy(bytes).into_owned();
            match kind {
                2 => (Value::Text(text()), rest),
                _ => (Value::Blob(bytes.to_owned()), rest),
            }
        }
    };
    Some((usize::from(column), value, rest))
}

async fn read(store: &SqliteStore) {
    let mut whole = 0;
    for name in NAMES {
        let name = name.parse().expect("it is a name");
        match store.get(&name).await {
            Ok(Some(record)) => {
                assert_eq!(record.name, name);
                whole += 1;
                look(&record);
            }
            // Its name is another one now, or it is deleted.
            Ok(None) => {}
            Err(error) => assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{error}"),
        }
    }
    assert!(whole >= NAMES.len() - 1, "one row is corrupt, and no other");
    match store.list(ListQuery::new(ParentName::default(), 9)).await {
        Ok(page) => {
            let whole = page.records.len();
            assert!(whole >= NAMES.len() - 1, "one row is corrupt, and no other");
            page.records.iter().for_each(look);
        }
        Err(error) => assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{error}"),
    }
}

/// The handling of a record that was read.
fn look(record: &OperationRecord) {
    assert!(record.is_whole());
    let operation = record.to_operation();
    assert_eq!(operation.done, record.state.is_done());
    let _ = format!("{record:?}");
    assert!(record.attempts().len() <= History::MAX_ATTEMPTS);
    let fence = record.fence;
    let lease_duration = Duration::MAX;
    for command in [
        Command::Claim {
            worker: WorkerId::from_uuid(Uuid::from_u128(8)),
            lease_duration,
        },
        Command::Renew {
            fence,
            lease_duration,
            metadata: None,
        },
        Command::Retry {
            fence,
            error: pb::rpc::Status::default(),
            delay: Duration::MAX,
            metadata: None,
        },
        Command::Release {
            fence,
            metadata: None,
        },
        finish(record, None),
        Command::Expire,
        Command::cancel(),
        Command::delete(),
    ] {
        for now in [i64::MIN, 0, i64::MAX] {
            let mut record = record.clone();
            if record
                .apply(command.clone(), Timestamp::from_micros(now))
                .is_ok()
            {
                assert!(record.is_whole(), "{command:?}");
            }
        }
    }
}
