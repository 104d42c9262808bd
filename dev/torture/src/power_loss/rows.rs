//! The rows of a database, read with SQL of its own, and the expected rows of records.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context as _, ensure};
use lro_core::store::{OnCrash, OperationRecord, OperationResult};
use prost::Message as _;
use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags};

use super::steps;

/// The rows of the table of operations, by uid, and those of the table of steps.
pub(crate) type Rows = BTreeMap<Vec<u8>, Arc<Row>>;

/// The columns but uid.
pub(crate) type Row = Vec<Value>;

const COLUMNS: [&str; 35] = [
    "name",
    "parent",
    "method",
    "state",
    "revision",
    "attempt",
    "fence",
    "losses",
    "max_attempts",
    "on_crash",
    "retain_seconds",
    "lease_worker",
    "lease_expire_time",
    "create_time",
    "ready_time",
    "start_time",
    "update_time",
    "cancel_time",
    "delete_time",
    "end_time",
    "expire_time",
    "request_id",
    "request_fingerprint",
    "exclusive_key",
    "metadata",
    "checkpoint",
    "result_kind",
    "result",
    "attempt_time",
    "history",
    "steps",
    "parent_step",
    "parent_operation",
    "request",
    "large",
];

/// Opens a database, checks it, and reads all of it. `None`: it has no table yet.
pub(crate) fn read(path: &str) -> anyhow::Result<Option<Rows>> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).context("it does not open")?;
    rows(&connection).context("it cannot be read")
}

fn rows(connection: &Connection) -> anyhow::Result<Option<Rows>> {
    let mut faults = Vec::new();
    connection.pragma_query(None, "integrity_check", |row| {
        faults.push(row.get::<_, String>(0)?);
        Ok(())
    })?;
    ensure!(faults == ["ok"], "integrity_check says {faults:?}");
    connection.pragma_query(None, "foreign_key_check", |_| {
        faults.push("a large request without its operation".to_owned());
        Ok(())
    })?;
    ensure!(faults.len() == 1, "{faults:?}");
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let tables = "SELECT count(*) FROM sqlite_schema WHERE sql IS NOT NULL";
    let tables: i64 = connection.query_row(tables, (), |row| row.get(0))?;
    ensure!(
        matches!(
            (version, tables),
            (0, 0) | (1, 8) | (2, 11) | (3, 12) | (4, 12) | (5, 12) | (6, 13) | (7, 14) | (8, 15)
        ),
        "schema version {version} with {tables} tables and indices: half a migration"
    );
    if tables == 0 {
        return Ok(None);
    }
    if version >= 2 {
        let strays = "SELECT count(*) FROM label WHERE uid NOT IN (SELECT uid FROM operation)";
        let strays: i64 = connection.query_row(strays, (), |row| row.get(0))?;
        ensure!(strays == 0, "{strays} labels without their operation");
    }
    // The last two are computed from tables apart.
    let mut columns = COLUMNS[..COLUMNS.len() - 2].join(", ");
    if version < 4 {
        columns = columns.replace("losses", "0 AS losses");
    }
    if version < 5 {
        columns = columns.replace("attempt_time, history", "NULL, NULL");
    }
    if version < 6 {
        columns = columns.replace("steps", "NULL");
    }
    if version < 8 {
        columns = columns.replace("parent_step, parent_operation", "NULL, NULL");
    }
    let sql = format!(
        "SELECT uid, {columns}, ifnull(request, (SELECT request FROM large_request l \
         WHERE l.uid = operation.uid)), request IS NULL FROM operation"
    );
    let mut statement = connection.prepare(&sql)?;
    let mut rows = Rows::new();
    let mut found = statement.query(())?;
    while let Some(row) = found.next()? {
        let values = (1..=COLUMNS.len()).map(|at| row.get(at));
        rows.insert(row.get(0)?, Arc::new(values.collect::<Result<_, _>>()?));
    }
    if version >= 6 {
        read_steps(connection, version, &mut rows)?;
    }
    Ok(Some(rows))
}

/// Reads the steps, each of which belongs to an operation.
fn read_steps(connection: &Connection, version: i64, rows: &mut Rows) -> anyhow::Result<()> {
    let mut columns = steps::COLUMNS.join(", ");
    if version < 8 {
        columns = columns.replace("child", "NULL");
    }
    let mut statement = connection.prepare(&format!("SELECT uid, epoch, {columns} FROM step"))?;
    let mut found = statement.query(())?;
    while let Some(row) = found.next()? {
        let uid: Vec<u8> = row.get(0)?;
        let key: String = row.get(2)?;
        ensure!(rows.contains_key(&uid), "the step {key} has no operation");
        let values = (2..2 + steps::COLUMNS.len()).map(|at| row.get(at));
        let values = values.collect::<Result<_, _>>()?;
        rows.insert(steps::row_key(&uid, row.get(1)?, &key), Arc::new(values));
    }
    Ok(())
}

/// The expected row of a record.
pub(crate) fn row(record: &OperationRecord) -> Row {
    let text = |text: &str| Value::Text(text.to_owned());
    let number = |number: u64| Value::Integer(number.cast_signed());
    let time =
        |time: Option<lro_core::Timestamp>| optional(time, |it| Value::Integer(it.as_micros()));
    let any = |any: &Option<prost_types::Any>| {
        optional(any.as_ref(), |it| Value::Blob(it.encode_to_vec()))
    };
    let request = record.request.encode_to_vec();
    let large = request.len() > LARGE_REQUEST_MIN;
    let (kind, result) = match &record.result {
        None => (Value::Null, Value::Null),
        Some(OperationResult::Response(any)) => (number(0), Value::Blob(any.encode_to_vec())),
        Some(OperationResult::Error(error)) => (number(1), Value::Blob(error.encode_to_vec())),
    };
    let lease = record.lease.as_ref();
    let request_id = record.request_id.as_ref();
    let parent = record.parent_step.as_deref();
    vec![
        text(record.name.as_str()),
        text(record.name.parent()),
        text(&record.method),
        number(u64::from(record.state.as_number())),
        number(record.revision),
        number(u64::from(record.attempt)),
        number(record.fence),
        number(u64::from(record.losses)),
        number(u64::from(record.policy.max_attempts)),
        number(u64::from(record.policy.on_crash == OnCrash::Abort)),
        number(record.policy.retain.as_secs()),
        optional(record.worker, |it| {
            Value::Blob(it.as_uuid().into_bytes().to_vec())
        }),
        time(lease.map(|it| it.expire_time)),
        time(Some(record.create_time)),
        time(Some(record.ready_time)),
        time(record.start_time),
        time(Some(record.update_time)),
        time(record.cancel_time),
        time(record.delete_time),
        time(record.end_time),
        time(record.expire_time),
        optional(request_id, |it| text(&it.id)),
        optional(request_id, |it| Value::Blob(it.fingerprint.to_vec())),
        optional(record.exclusive_key.as_deref(), text),
        any(&record.metadata),
        any(&record.checkpoint),
        kind,
        result,
        time(record.attempt_time),
        optional(record.history.encode(), Value::Blob),
        optional(record.steps.as_deref(), |it| {
            Value::Blob(it.encode_to_vec())
        }),
        optional(parent, |it| Value::Blob(it.encode())),
        optional(parent, |it| text(it.operation.as_str())),
        Value::Blob(request),
        number(u64::from(large)),
    ]
}

/// The keys of steps are longer.
const OPERATION_KEY_LEN: usize = 16;

/// Requests longer than this are stored apart.
const LARGE_REQUEST_MIN: usize = 512;

fn optional<T>(value: Option<T>, to: impl FnOnce(T) -> Value) -> Value {
    value.map_or(Value::Null, to)
}

/// Where two tables differ first, in words.
pub(crate) fn difference(found: &Rows, expected: &Rows) -> String {
    for (uid, row) in expected {
        let name = &row[0];
        let Some(other) = found.get(uid) else {
            return format!("{name:?} is missing");
        };
        let columns: &[&str] = match uid.len() {
            OPERATION_KEY_LEN => &COLUMNS,
            _ => &steps::COLUMNS,
        };
        for ((column, is), ought) in columns.iter().zip(&**other).zip(&**row) {
            if is != ought {
                return format!("{name:?}: {column} is {is:?} instead of {ought:?}");
            }
        }
    }
    let more = found.iter().find(|(uid, _)| !expected.contains_key(*uid));
    more.map_or("nothing".to_owned(), |(_, row)| {
        format!("{:?} should be removed", row[0])
    })
}
