//! The independent reader: compares the database of a server that is dead with a journal. It uses
//! SQLite and SQL of its own, nothing of the store's. The rows may come from another database too.

use std::collections::BTreeMap;
use std::path::Path;

use crate::pb::ExportResponse;
use anyhow::{Context as _, ensure};
use lro_core::pb::rpc::Status;
use prost::Message as _;
use prost_types::Any;
use rusqlite::{Connection, OpenFlags};

use crate::journal::{Entry, Journal, Seen};
use crate::server::{Script, keyed, rows};

const ABORTED: i32 = 10;
const CANCELLED: i32 = 1;
const FAILED_PRECONDITION: i32 = 9;

/// A row of the table.
#[derive(Debug)]
pub struct Found {
    /// How often it was claimed.
    pub fence: u32,
    /// A cancellation was requested.
    pub cancel_asked: bool,
    /// It was deleted while it ran.
    pub hidden: bool,
    /// It has finished.
    pub ended: bool,
    /// Its result, if it has one.
    pub result: Option<Seen>,
    /// The request that started it.
    pub request: Vec<u8>,
}

/// Checks a database against a journal; returns the faults. `ended`: all operations must have finished.
///
/// # Errors
///
/// When the database cannot be read, or is corrupt.
pub fn audit(path: &Path, journal: &Journal, ended: bool) -> anyhow::Result<Vec<String>> {
    let found = read(path).context("the database cannot be read")?;
    Ok(compare(&found, journal, ended))
}

/// Compares the rows of a database, by name, with a journal; gives what is wrong.
pub fn compare(found: &BTreeMap<String, Found>, journal: &Journal, ended: bool) -> Vec<String> {
    let mut faults = Vec::new();
    let entries = journal.entries();
    for (id, entry) in &entries {
        let row = found.get(&format!("operations/{id}"));
        if let Err(error) = judge(id, entry, row, ended) {
            faults.push(format!("{id}: {error}"));
        }
    }
    let strangers = found.keys().filter(|name| {
        let id = name.strip_prefix("operations/").unwrap_or(name);
        !entries.contains_key(id)
    });
    faults.extend(strangers.map(|name| format!("{name} was never started")));
    faults
}

fn judge(id: &str, entry: &Entry, row: Option<&Found>, ended: bool) -> anyhow::Result<()> {
    let Some(row) = row else {
        ensure!(
            !entry.started || entry.deleting,
            "was acknowledged and is lost"
        );
        return Ok(());
    };
    let sent = lro_core::pack(&keyed(id, entry.script, entry.key.as_deref())).encode_to_vec();
    ensure!(row.request == sent, "has another request");
    ensure!(
        !entry.deleted || (row.hidden && !row.ended),
        "was deleted and is there"
    );
    ensure!(
        !row.hidden || entry.deleting,
        "is hidden, and no client deleted it"
    );
    ensure!(
        !entry.cancelled || row.cancel_asked || row.ended,
        "has forgotten that it was cancelled"
    );
    ensure!(row.ended == row.result.is_some(), "is half done");
    if let Some(seen) = &entry.result {
        ensure!(
            row.result.as_ref() == Some(seen),
            "was done, and has changed"
        );
    }
    ensure!(row.ended || !ended, "has not been finished");
    match &row.result {
        Some((0, response)) => check_response(id, entry, row, response),
        Some((_, error)) => check_error(entry, row, error),
        None => Ok(()),
    }
}

fn check_response(id: &str, entry: &Entry, row: &Found, bytes: &[u8]) -> anyhow::Result<()> {
    let response: ExportResponse = lro_core::unpack(&Any::decode(bytes)?)?;
    ensure!(response.rows == rows(id), "has another's response");
    ensure!(
        response.tables_exported == row.fence,
        "the body of claim {} has written the end of claim {}",
        response.tables_exported,
        row.fence
    );
    ensure!(
        entry.script != Script::Fail,
        "has succeeded, which it cannot"
    );
    let lost = entry.script == Script::Hold && entry.cancelled;
    ensure!(
        !lost,
        "was cancelled before it could end, and has succeeded"
    );
    Ok(())
}

fn check_error(entry: &Entry, row: &Found, bytes: &[u8]) -> anyhow::Result<()> {
    let error = Status::decode(bytes)?;
    let expected = match error.code {
        CANCELLED => row.cancel_asked,
        FAILED_PRECONDITION => entry.script == Script::Fail,
        ABORTED => false,
        _ => false,
    };
    ensure!(expected, "has failed with {error:?}");
    Ok(())
}

fn read(path: &Path) -> anyhow::Result<BTreeMap<String, Found>> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    let verdict: String =
        connection.pragma_query_value(None, "integrity_check", |row| row.get(0))?;
    ensure!(verdict == "ok", "integrity_check says {verdict}");
    let sql = "SELECT name, fence, cancel_time IS NOT NULL, delete_time IS NOT NULL, \
               end_time IS NOT NULL, result_kind, result, request FROM operation";
    let mut statement = connection.prepare(sql)?;
    let rows = statement.query_map((), |row| {
        let kind: Option<i64> = row.get(5)?;
        let bytes: Option<Vec<u8>> = row.get(6)?;
        let found = Found {
            fence: row.get(1)?,
            cancel_asked: row.get(2)?,
            hidden: row.get(3)?,
            ended: row.get(4)?,
            result: kind.zip(bytes),
            request: row.get(7)?,
        };
        Ok((row.get(0)?, found))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
