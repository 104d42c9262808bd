//! A file as the first version of the store has left it: the next life begins with its migration.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use rusqlite::Connection;

use super::DATABASE;
use super::disk::{Disk, Image};
use super::vfs::Mount;

const FIRST_VERSION: &str = include_str!("../../../../lro-sqlite/src/migrations/1_operation.sql");
const APPLICATION_ID: i32 = 0x4c52_4f53;

/// The same operations in a file of version 1. An image without a store stays as it is.
pub(crate) fn aged(folder: &Path, image: &Image) -> anyhow::Result<Image> {
    let folder = folder.to_str().context("a folder whose name is text")?;
    let (path, old) = (format!("{folder}/{DATABASE}"), format!("{folder}/old.db"));
    let disk = Arc::new(Disk::holding(image.clone()));
    let _mount = Mount::new(folder, disk.clone());
    let connection = Connection::open(&path)?;
    let is_empty = "SELECT count(*) = 0 FROM sqlite_schema";
    if connection.query_row(is_empty, (), |row| row.get(0))? {
        return Ok(image.clone());
    }
    drop(connection);

    let connection = Connection::open(&old)?;
    connection.query_row("PRAGMA journal_mode = wal", (), |_| Ok(()))?;
    connection.execute_batch(FIRST_VERSION)?;
    connection.pragma_update(None, "application_id", APPLICATION_ID)?;
    connection.pragma_update(None, "user_version", 1)?;
    connection.execute("ATTACH ?1 AS new", [&path])?;
    for table in ["operation", "large_request"] {
        let sql = "SELECT group_concat(name) FROM pragma_table_info(?1)";
        let columns: String = connection.query_row(sql, [table], |row| row.get(0))?;
        let copy = format!("INSERT INTO {table} ({columns}) SELECT {columns} FROM new.{table}");
        connection.execute(&copy, ())?;
    }
    connection.execute("DETACH new", ())?;
    drop(connection);
    let bytes = disk.image().remove(&old).context("no file was made")?;
    Ok(Image::from([(path, bytes)]))
}
