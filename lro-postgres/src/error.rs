//! Faults between this process and the database.

use std::time::Duration;

use deadpool_postgres::{PoolError, TimeoutType};
use lro_core::store::{StoreError, StoreErrorKind};
use tokio_postgres::error::SqlState;

/// Why a step failed.
#[derive(Debug)]
pub(crate) enum Fault {
    /// PostgreSQL, or the connection to it.
    Postgres(tokio_postgres::Error),
    /// The server takes no writes: it is a standby, or its operator has made it read-only.
    ReadOnly {
        error: tokio_postgres::Error,
        /// Whether the connection was given up, so that another one may lead to another server.
        renewed: bool,
    },
    /// It is not known whether a COMMIT was done.
    Commit(tokio_postgres::Error),
    /// The pool could not give a connection.
    Pool(PoolError),
    /// No answer within this time.
    Timeout(Duration),
    /// While the store was opened, no answer to this within this time.
    Silence(&'static str, Duration),
    /// A corrupt row.
    Row(String),
    /// Stands for a page that cannot be read.
    #[cfg(test)]
    Unreadable,
}

/// The recovery for a failed step that has certainly changed nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Remedy {
    /// Nothing that the store can do.
    None,
    /// To repeat it: another transaction was in its way.
    Repeat,
    /// To repeat it on another connection.
    Reconnect,
    /// To repeat it without prepared statements, which a pooler has lost.
    Unprepare,
}

impl Fault {
    pub(crate) fn row(message: impl Into<String>) -> Self {
        Self::Row(message.into())
    }

    pub(crate) fn remedy(&self) -> Remedy {
        match self {
            Self::ReadOnly { renewed: true, .. } => Remedy::Reconnect,
            Self::Postgres(error) => remedy(error),
            Self::ReadOnly { renewed: false, .. }
            | Self::Commit(_)
            | Self::Pool(_)
            | Self::Timeout(_)
            | Self::Silence(..)
            | Self::Row(_) => Remedy::None,
            #[cfg(test)]
            Self::Unreadable => Remedy::None,
        }
    }

    /// Whether the transaction may have committed.
    pub(crate) fn may_have_committed(&self) -> bool {
        matches!(self, Self::Commit(_) | Self::Timeout(_))
    }

    /// Whether a lock was not to be had in time: of a row, or of a table.
    pub(crate) fn is_locked(&self) -> bool {
        self.state() == Some(&SqlState::LOCK_NOT_AVAILABLE)
    }

    /// Whether a unique index has refused a row.
    pub(crate) fn is_duplicate(&self) -> bool {
        self.state() == Some(&SqlState::UNIQUE_VIOLATION)
    }

    /// Whether one element of a group may be what is wrong, rather than the database.
    pub(crate) fn is_of_one_element(&self) -> bool {
        match self {
            Self::Row(_) => true,
            Self::Postgres(_) => self
                .state()
                .is_some_and(|state| is_of_values(state) || may_be_damage(state)),
            #[cfg(test)]
            Self::Unreadable => true,
            Self::ReadOnly { .. }
            | Self::Commit(_)
            | Self::Pool(_)
            | Self::Timeout(_)
            | Self::Silence(..) => false,
        }
    }

    /// Whether a corrupt page may be behind it.
    pub(crate) fn may_be_damage(&self) -> bool {
        match self {
            Self::Postgres(_) => self.state().is_some_and(may_be_damage),
            #[cfg(test)]
            Self::Unreadable => true,
            _ => false,
        }
    }

    /// Whether an element that fails by itself with this would fail on any connection, at any time.
    pub(crate) fn is_lasting(&self) -> bool {
        let state = self.state();
        matches!(self, Self::Row(_))
            || state.is_some_and(|state| is_of_values(state) || is_damage(state))
    }

    fn state(&self) -> Option<&SqlState> {
        match self {
            Self::Postgres(error) => error.code(),
            _ => None,
        }
    }

    /// The error kind of a failed call. Everything that an operator can repair is retryable: a
    /// finished operation's result must not be dropped because a privilege was revoked for a minute.
    fn kind(&self) -> StoreErrorKind {
        match self {
            Self::Row(_) => StoreErrorKind::Corrupt,
            #[cfg(test)]
            Self::Unreadable => StoreErrorKind::Corrupt,
            Self::Postgres(error) | Self::Pool(PoolError::Backend(error)) => match error.code() {
                Some(state) if *state == SqlState::DISK_FULL => StoreErrorKind::Full,
                Some(state) if is_damage(state) => StoreErrorKind::Corrupt,
                Some(state) if is_of_values(state) => StoreErrorKind::Unusable,
                _ => StoreErrorKind::Unavailable,
            },
            Self::ReadOnly { .. }
            | Self::Commit(_)
            | Self::Pool(_)
            | Self::Timeout(_)
            | Self::Silence(..) => StoreErrorKind::Unavailable,
        }
    }

    /// The error kind of a failed `open`: a server that rejects the user also rejects the next
    /// attempt.
    fn opening_kind(&self) -> StoreErrorKind {
        let (Self::Postgres(error) | Self::Pool(PoolError::Backend(error))) = self else {
            return self.kind();
        };
        let class = error.code().and_then(|state| state.code().get(..2));
        match class {
            // Connections, states of transactions (a standby), conflicts, resources, locks,
            // shutdown, the system.
            None | Some("08" | "25" | "40" | "53" | "55" | "57" | "58" | "XX") => self.kind(),
            Some(_) => StoreErrorKind::Unusable,
        }
    }

    pub(crate) fn to_opening_error(&self) -> StoreError {
        StoreError::new(self.opening_kind(), self.message())
    }

    pub(crate) fn to_error(&self) -> StoreError {
        StoreError::new(self.kind(), self.message())
    }

    fn message(&self) -> String {
        match self {
            Self::Row(message) => message.clone(),
            #[cfg(test)]
            Self::Unreadable => "a page cannot be read".to_owned(),
            Self::Timeout(time) => format!("PostgreSQL did not answer within {time:?}"),
            Self::Silence(what, time) => {
                format!("PostgreSQL was asked for {what} and did not answer within {time:?}")
            }
            Self::Commit(error) => {
                format!(
                    "it is not known whether PostgreSQL has committed: {}",
                    text(error)
                )
            }
            Self::ReadOnly { error, .. } => {
                format!(
                    "the PostgreSQL server is read-only (a standby, or default_transaction_read_only \
                     is on): {}",
                    text(error)
                )
            }
            Self::Postgres(error) | Self::Pool(PoolError::Backend(error)) => {
                format!("PostgreSQL: {}", text(error))
            }
            Self::Pool(PoolError::Timeout(TimeoutType::Wait)) => {
                "no connection to PostgreSQL was free in time".to_owned()
            }
            Self::Pool(PoolError::Timeout(_)) => {
                "PostgreSQL was asked for a connection and did not answer in time".to_owned()
            }
            Self::Pool(error) => format!("no connection to PostgreSQL: {error}"),
        }
    }
}

impl From<tokio_postgres::Error> for Fault {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Postgres(error)
    }
}

impl From<PoolError> for Fault {
    fn from(error: PoolError) -> Self {
        Self::Pool(error)
    }
}

/// The server's message with its code, or the fault of the connection.
fn text(error: &tokio_postgres::Error) -> String {
    if let Some(server) = error.as_db_error() {
        return format!("{} ({})", server.message(), server.code().code());
    }
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

/// Whether a page of a table or of an index is corrupt.
fn is_damage(state: &SqlState) -> bool {
    [SqlState::DATA_CORRUPTED, SqlState::INDEX_CORRUPTED].contains(state)
}

/// Whether corruption can cause this error too: an internal error, or a file or block that cannot
/// be read. A disk that fails for a moment causes the same errors.
fn may_be_damage(state: &SqlState) -> bool {
    let others = [
        SqlState::INTERNAL_ERROR,
        SqlState::IO_ERROR,
        SqlState::UNDEFINED_FILE,
    ];
    is_damage(state) || others.contains(state)
}

/// Whether the values of a statement are what is wrong, or a rule of the operator's that they break:
/// cardinality, data, constraints, triggers, functions, views, limits, errors that PL/pgSQL raises.
fn is_of_values(state: &SqlState) -> bool {
    let class = state.code().get(..2).unwrap_or_default();
    matches!(
        class,
        "21" | "22" | "23" | "27" | "38" | "39" | "44" | "54" | "P0"
    )
}

pub(crate) fn is_read_only(error: &tokio_postgres::Error) -> bool {
    error.code() == Some(&SqlState::READ_ONLY_SQL_TRANSACTION)
}

/// Whether a plan that the connection keeps is of a table as it was before an ALTER. The code is that
/// of everything that PostgreSQL does not support; no statement of the store is such a thing.
pub(crate) fn is_stale_plan(error: &tokio_postgres::Error) -> bool {
    error.code() == Some(&SqlState::FEATURE_NOT_SUPPORTED)
}

/// Whether a connection works as before after a statement has failed with this. One that reports
/// something else is closed: a new one costs little, and may not have what is wrong with it.
pub(crate) fn spares_connection(error: &tokio_postgres::Error) -> bool {
    error.code().is_some_and(|state| {
        let class = state.code().get(..2).unwrap_or_default();
        is_of_values(state)
            || is_damage(state)
            || matches!(class, "40" | "53" | "55")
            || *state == SqlState::QUERY_CANCELED
    })
}

fn remedy(error: &tokio_postgres::Error) -> Remedy {
    let Some(state) = error.code() else {
        return if error.is_closed() {
            Remedy::Reconnect
        } else {
            Remedy::None
        };
    };
    let lost = [
        SqlState::INVALID_SQL_STATEMENT_NAME,
        SqlState::DUPLICATE_PSTATEMENT,
    ];
    let conflicts = [
        SqlState::T_R_SERIALIZATION_FAILURE,
        SqlState::T_R_DEADLOCK_DETECTED,
    ];
    if conflicts.contains(state) {
        Remedy::Repeat
    } else if lost.contains(state) {
        Remedy::Unprepare
    } else if is_stale_plan(error)
        || *state == SqlState::IN_FAILED_SQL_TRANSACTION
        || ["08", "57P"]
            .iter()
            .any(|class| state.code().starts_with(class))
    {
        Remedy::Reconnect
    } else {
        Remedy::None
    }
}
