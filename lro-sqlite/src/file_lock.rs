//! One process owns a store: an operating system's lock on a file beside the database.

use std::ffi::OsString;
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use lro_core::store::{StoreError, StoreErrorKind};

/// Held as long as it lives; the system frees it when the process ends in whatever way.
#[derive(Debug)]
pub(crate) struct FileLock {
    _file: File,
}

impl FileLock {
    pub(crate) fn acquire(database: &Path) -> Result<Self, StoreError> {
        let path = beside(database);
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(|error| {
                unusable(format!(
                    "cannot write `{}`: the directory of the store must be writable: {error}",
                    path.display()
                ))
                .with_source(error)
            })?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(unusable(format!(
                "`{}` is in use by another process (or is open already in this one): one process \
                 owns an SQLite store; stop the other, or give each its own file",
                database.display()
            ))),
            Err(TryLockError::Error(error)) => Err(unusable(format!(
                "cannot lock `{}`: the store must be on a local file system: {error}",
                path.display()
            ))
            .with_source(error)),
        }
    }
}

fn beside(database: &Path) -> PathBuf {
    let mut name = OsString::from(database);
    name.push("-lock");
    name.into()
}

/// The one spelling of the database's path, so that two links to it are one lock.
pub(crate) fn canonical_path(path: &Path) -> Result<PathBuf, StoreError> {
    if path.as_os_str() == ":memory:" {
        return Err(unusable(
            "`:memory:` is not durable: use `lro_core::store::MemoryStore`, or give a path",
        ));
    }
    let Some(file_name) = path.file_name() else {
        return Err(unusable(format!(
            "`{}` does not name a file: give the path of the database",
            path.display()
        )));
    };
    match path.canonicalize() {
        Ok(path) if path.is_dir() => {
            return Err(unusable(format!(
                "`{}` is a directory: give the path of a file in it",
                path.display()
            )));
        }
        Ok(path) => return Ok(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(unreachable_path(path, error)),
    }
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    match directory.canonicalize() {
        Ok(directory) => Ok(directory.join(file_name)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(unusable(format!(
            "directory `{}` does not exist: create it first",
            directory.display()
        ))
        .with_source(error)),
        Err(error) => Err(unreachable_path(directory, error)),
    }
}

fn unreachable_path(path: &Path, error: io::Error) -> StoreError {
    unusable(format!("cannot reach `{}`: {error}", path.display())).with_source(error)
}

fn unusable(message: impl Into<String>) -> StoreError {
    StoreError::new(StoreErrorKind::Unusable, message)
}
