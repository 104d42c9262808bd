//! The rows of families, as an independent reader finds them.

use std::path::Path;

use anyhow::Context as _;
use lro_core::store::{Child, ParentStep};
use prost::Message as _;
use prost_types::Any;
use rusqlite::{Connection, OpenFlags};

use crate::journal::Seen;
use crate::pb::{GrowRequest, RaiseRequest};

/// The tables of a database, of one kind or the other.
#[derive(Debug, Default)]
pub struct Found {
    /// The operations of families.
    pub operations: Vec<OperationRow>,
    /// The steps of all operations.
    pub steps: Vec<StepRow>,
}

/// A row of the table of operations.
#[derive(Clone, Debug)]
pub struct OperationRow {
    /// Its identity.
    pub uid: Vec<u8>,
    /// Its name.
    pub name: String,
    /// Its id among the notes.
    pub id: String,
    /// The plot of its request.
    pub plot: String,
    /// When it has ended, in microseconds.
    pub end_time: Option<i64>,
    /// How it has ended.
    pub result: Option<Seen>,
    /// The step that has started it.
    pub parent: Option<ParentStep>,
}

/// A row of the table of steps.
#[derive(Clone, Debug)]
pub struct StepRow {
    /// The operation.
    pub uid: Vec<u8>,
    /// Its key.
    pub key: String,
    /// When it has finished, in microseconds.
    pub end_time: Option<i64>,
    /// Its response or error.
    pub value: Option<Seen>,
    /// The operation that it has started.
    pub child: Option<Child>,
}

/// The columns of the table of operations, as they are stored.
#[derive(Debug)]
pub struct OperationColumns {
    /// The identity.
    pub uid: Vec<u8>,
    /// The name.
    pub name: String,
    /// The encoded request.
    pub request: Vec<u8>,
    /// The time of the end.
    pub end_time: Option<i64>,
    /// The kind of the result, and its bytes.
    pub result: Option<Seen>,
    /// The encoded step of the parent.
    pub parent: Option<Vec<u8>>,
}

impl OperationColumns {
    /// The row.
    ///
    /// # Errors
    ///
    /// When a column cannot be decoded.
    pub fn decode(self) -> anyhow::Result<OperationRow> {
        let request = Any::decode(&*self.request)?;
        let (id, plot) = match request.type_url.ends_with("RaiseRequest") {
            true => {
                let request: RaiseRequest = lro_core::unpack(&request)?;
                (request.id, request.plot)
            }
            false => {
                let request: GrowRequest = lro_core::unpack(&request)?;
                (request.id, request.plot)
            }
        };
        let parent = self.parent.as_deref();
        let parent = parent.map(|bytes| ParentStep::decode(bytes).context("no step of a parent"));
        Ok(OperationRow {
            uid: self.uid,
            name: self.name,
            id,
            plot,
            end_time: self.end_time,
            result: self.result,
            parent: parent.transpose()?,
        })
    }
}

/// Decodes the child of a step.
///
/// # Errors
///
/// When the bytes are none.
pub fn child(bytes: Option<&[u8]>) -> anyhow::Result<Option<Child>> {
    let child = bytes.map(|bytes| Child::decode(bytes).context("no child"));
    child.transpose()
}

/// The condition of the operations of families, in either store.
pub const OF_FAMILIES: &str = "method LIKE '/torture.v1.Families/%'";

/// Those of the database in a file.
pub(super) fn read(path: &Path) -> anyhow::Result<Found> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let operations = format!(
        "SELECT uid, name, ifnull(request, (SELECT request FROM large_request l \
         WHERE l.uid = operation.uid)), end_time, result_kind, result, parent_step \
         FROM operation WHERE {OF_FAMILIES}"
    );
    let mut statement = connection.prepare(&operations)?;
    let rows = statement.query_map((), |row| {
        let kind: Option<i64> = row.get(4)?;
        let result = kind.map(|kind| row.get(5).map(|bytes| (kind, bytes)));
        Ok(OperationColumns {
            uid: row.get(0)?,
            name: row.get(1)?,
            request: row.get(2)?,
            end_time: row.get(3)?,
            result: result.transpose()?,
            parent: row.get(6)?,
        })
    })?;
    let operations = rows.map(|row| row?.decode()).collect::<Result<_, _>>()?;
    let steps = "SELECT uid, key, end_time, value_kind, value, child FROM step";
    let mut statement = connection.prepare(steps)?;
    let mut rows = statement.query(())?;
    let mut steps = Vec::new();
    while let Some(row) = rows.next()? {
        let kind: Option<i64> = row.get(3)?;
        let value: Option<Vec<u8>> = row.get(4)?;
        let bytes: Option<Vec<u8>> = row.get(5)?;
        steps.push(StepRow {
            uid: row.get(0)?,
            key: row.get(1)?,
            end_time: row.get(2)?,
            value: kind.zip(value),
            child: child(bytes.as_deref())?,
        });
    }
    Ok(Found { operations, steps })
}
