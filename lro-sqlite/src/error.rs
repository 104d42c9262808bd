//! Converts errors of SQLite to errors of the store.

use std::path::Path;
use std::sync::Arc;

use lro_core::store::{StoreError, StoreErrorKind};
use rusqlite::{ErrorCode, ffi};

/// Why a statement failed. Cheap to copy, because one failed commit is the answer to many calls.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// SQLite failed.
    Sqlite(Arc<rusqlite::Error>),
    /// A row is corrupt.
    Row(Arc<str>),
    /// The remaining space is reserved for other calls.
    Full(Arc<str>),
    /// The file was moved or removed.
    Lost(Arc<str>),
}

impl Fault {
    pub(crate) fn row(message: impl Into<String>) -> Self {
        Self::Row(message.into().into())
    }

    /// Whether there was no room for the write.
    pub(crate) fn is_full(&self) -> bool {
        match self {
            Self::Full(_) => true,
            Self::Sqlite(error) => {
                let code = error.sqlite_error().map(|error| error.extended_code);
                // The index of the write-ahead log is a file too.
                matches!(code, Some(ffi::SQLITE_FULL | ffi::SQLITE_IOERR_SHMSIZE))
            }
            Self::Row(_) | Self::Lost(_) => false,
        }
    }

    /// Whether a page of the file is corrupt.
    pub(crate) fn is_corrupt(&self) -> bool {
        match self {
            Self::Sqlite(error) => error.sqlite_error_code() == Some(ErrorCode::DatabaseCorrupt),
            Self::Row(_) | Self::Full(_) | Self::Lost(_) => false,
        }
    }

    /// The error of a call on an open store.
    pub(crate) fn to_error(&self, path: &Path) -> StoreError {
        let path = path.display();
        match self {
            Self::Row(message) => {
                StoreError::new(StoreErrorKind::Corrupt, format!("`{path}`: {message}"))
            }
            Self::Full(message) => {
                StoreError::new(StoreErrorKind::Full, format!("`{path}`: {message}"))
            }
            Self::Lost(message) => StoreError::new(StoreErrorKind::Unusable, &**message),
            Self::Sqlite(error) => {
                let (kind, advice) = judge(error);
                StoreError::new(kind, format!("`{path}`: {advice}: {error}"))
                    .with_source(Arc::clone(error))
            }
        }
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        match error {
            rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::IntegralValueOutOfRange(..)
            | rusqlite::Error::InvalidColumnType(..)
            | rusqlite::Error::Utf8Error(..) => Self::row(format!("a row cannot be read: {error}")),
            error => Self::Sqlite(Arc::new(error)),
        }
    }
}

fn judge(error: &rusqlite::Error) -> (StoreErrorKind, &'static str) {
    use ErrorCode as Code;
    use StoreErrorKind as Kind;
    let Some(code) = error.sqlite_error_code() else {
        return (Kind::Unavailable, "the database failed");
    };
    match code {
        Code::DiskFull => (
            Kind::Full,
            "the database is full: free disk space, purge operations or raise the size limit",
        ),
        Code::TooBig => (Kind::Full, "the operation is larger than SQLite can hold"),
        Code::SystemIoFailure
            if error.sqlite_error().map(|it| it.extended_code)
                == Some(ffi::SQLITE_IOERR_SHMSIZE) =>
        {
            (Kind::Full, "the disk is full: free disk space")
        }
        Code::DatabaseCorrupt => (
            Kind::Corrupt,
            "the file is corrupt: restore it from a backup, or use sqlite3's `.recover`",
        ),
        Code::NotADatabase => (
            Kind::Unusable,
            "this is not an SQLite database: give another path",
        ),
        Code::CannotOpen => (
            Kind::Unusable,
            "it cannot be opened: check that the directory exists and can be written",
        ),
        Code::ReadOnly | Code::PermissionDenied => (
            Kind::Unusable,
            "it cannot be written: check the permissions of the file and of its directory",
        ),
        Code::DatabaseBusy | Code::DatabaseLocked | Code::FileLockingProtocolFailed => (
            Kind::Unavailable,
            "another program holds a lock on it: close that (an sqlite3 shell, a backup)",
        ),
        Code::SystemIoFailure => (Kind::Unavailable, "the disk failed"),
        Code::OutOfMemory => (Kind::Unavailable, "there is no memory"),
        _ => (Kind::Unavailable, "the database failed"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_become_kinds() {
        for (code, kind) in [
            (ffi::SQLITE_FULL, StoreErrorKind::Full),
            (ffi::SQLITE_IOERR_FSYNC, StoreErrorKind::Unavailable),
            (ffi::SQLITE_BUSY_SNAPSHOT, StoreErrorKind::Unavailable),
            (ffi::SQLITE_CORRUPT_INDEX, StoreErrorKind::Corrupt),
            (ffi::SQLITE_NOTADB, StoreErrorKind::Unusable),
            (ffi::SQLITE_READONLY_DIRECTORY, StoreErrorKind::Unusable),
            (ffi::SQLITE_CANTOPEN_ISDIR, StoreErrorKind::Unusable),
        ] {
            let fault = Fault::from(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None));
            let error = fault.to_error(Path::new("/srv/operations.db"));
            assert_eq!(error.kind(), kind, "{error}");
            assert!(error.to_string().starts_with("`/srv/operations.db`: "));
        }
    }
}
