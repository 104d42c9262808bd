//! Connections, with their settings read back.

use std::path::Path;
use std::time::Duration;

use lro_core::store::{StoreError, StoreErrorKind};
use rusqlite::{Connection, OpenFlags};

use crate::builder::{Durability, SqliteStoreBuilder};
use crate::error::Fault;
use crate::schema;

/// How long to wait for another program's lock on the database.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// The number of pages of 4 KiB at which SQLite writes the write-ahead log back.
const WAL_PAGES_MAX: i64 = 4_096;

/// The size to which SQLite truncates the write-ahead log after a burst.
const WAL_FILE_MAX: i64 = 64 << 20;

/// Memory for pages, in KiB.
const WRITER_CACHE: i64 = 32 << 10;
const READER_CACHE: i64 = 4 << 10;

/// More than there are statements.
const STATEMENTS_MAX: usize = 64;

/// The connection that writes. Makes the file, or brings its schema up to date.
pub(crate) fn open_writer(
    options: &SqliteStoreBuilder,
    path: &Path,
) -> Result<Connection, StoreError> {
    let fault = |error| Fault::from(error).to_error(path);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(fault)?;
    prepare(&connection).map_err(fault)?;
    if connection.is_readonly("main").map_err(fault)? {
        return Err(StoreError::new(
            StoreErrorKind::Unusable,
            format!(
                "`{}` cannot be written: change its permissions, or give another path",
                path.display()
            ),
        ));
    }
    schema::check(&connection, path)?;
    configure(&connection, options, path)?;
    schema::migrate(&mut connection).map_err(|fault| fault.to_error(path))?;
    Ok(connection)
}

/// A connection that reads. Only when the writer's is open.
pub(crate) fn open_reader(path: &Path) -> Result<Connection, Fault> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    prepare(&connection)?;
    connection.pragma_update(None, "cache_size", -READER_CACHE)?;
    Ok(connection)
}

fn prepare(connection: &Connection) -> Result<(), rusqlite::Error> {
    connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    connection.busy_timeout(BUSY_TIMEOUT)
}

fn configure(
    connection: &Connection,
    options: &SqliteStoreBuilder,
    path: &Path,
) -> Result<(), StoreError> {
    let fault = |error| Fault::from(error).to_error(path);
    let set = |name: &str, value: i64| {
        connection
            .pragma_update(None, name, value)
            .map_err(|error| Fault::from(error).to_error(path))
    };
    // Until the write-ahead log is on, a commit is the removal of a journal, which only EXTRA syncs.
    // Were it not, a journal could come back when the power fails later, and undo the switch to the
    // log under transactions that were acknowledged since.
    set("synchronous", 3)?;
    // Takes effect in an empty file only, and before the journal's mode is set.
    set("auto_vacuum", 2)?;
    let mode: String = connection
        .pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))
        .map_err(fault)?;
    if !mode.eq_ignore_ascii_case("wal") {
        return Err(not_kept(path, "journal_mode", "wal", &mode));
    }
    let synchronous = match options.durability {
        Durability::Full => 2,
        Durability::Normal => 1,
    };
    // `fullfsync` is for macOS, where an ordinary sync does not reach the disk.
    let full_sync = i64::from(options.durability == Durability::Full);
    for (name, value) in [
        ("synchronous", synchronous),
        ("fullfsync", full_sync),
        ("checkpoint_fullfsync", full_sync),
        ("foreign_keys", 1),
        ("wal_autocheckpoint", WAL_PAGES_MAX),
    ] {
        set(name, value)?;
        let kept: i64 = connection
            .pragma_query_value(None, name, |row| row.get(0))
            .map_err(fault)?;
        if kept != value {
            return Err(not_kept(path, name, &value.to_string(), &kept.to_string()));
        }
    }
    set("journal_size_limit", WAL_FILE_MAX)?;
    set("cache_size", -WRITER_CACHE)?;
    Ok(())
}

fn not_kept(path: &Path, name: &str, value: &str, kept: &str) -> StoreError {
    StoreError::new(
        StoreErrorKind::Unusable,
        format!(
            "`{}`: SQLite keeps `{name}` at {kept} instead of {value}: the store must be on a \
             local file system that allows shared memory",
            path.display()
        ),
    )
}
