//! What can go wrong between this process and the database.

use std::time::Duration;

use deadpool_postgres::{PoolError, TimeoutType};
use lro_core::store::{StoreError, StoreErrorKind};
use tokio_postgres::error::SqlState;

/// Why a step failed.
#[derive(Debug)]
pub(crate) enum Fault {
    /// PostgreSQL, or the connection to it.
    Postgres(tokio_postgres::Error),
    /// It is not known whether a COMMIT was done.
    Commit(tokio_postgres::Error),
    /// No connection was to be had.
    Pool(PoolError),
    /// No answer within this time.
    Timeout(Duration),
    /// While the store was opened, no answer to this within this time.
    Silence(&'static str, Duration),
    /// What is stored cannot be understood.
    Row(String),
}

impl Fault {
    pub(crate) fn row(message: impl Into<String>) -> Self {
        Self::Row(message.into())
    }

    /// Whether the same step, done again at once, may work: another transaction was in the way.
    pub(crate) fn is_conflict(&self) -> bool {
        let conflicts = [
            &SqlState::T_R_SERIALIZATION_FAILURE,
            &SqlState::T_R_DEADLOCK_DETECTED,
        ];
        self.state().is_some_and(|state| conflicts.contains(&state))
    }

    /// Whether what was to be written may have been.
    pub(crate) fn may_have_committed(&self) -> bool {
        matches!(self, Self::Commit(_) | Self::Timeout(_))
    }

    /// Whether a statement was prepared on another connection than it was used on: a pooler stands
    /// in between.
    pub(crate) fn is_foreign_statement(&self) -> bool {
        let foreign = [
            &SqlState::INVALID_SQL_STATEMENT_NAME,
            &SqlState::DUPLICATE_PSTATEMENT,
        ];
        self.state().is_some_and(|state| foreign.contains(&state))
    }

    /// Whether a lock was not to be had in time: of a row, or of a table.
    pub(crate) fn is_locked(&self) -> bool {
        self.state() == Some(&SqlState::LOCK_NOT_AVAILABLE)
    }

    /// Whether one element of a group may be what is wrong, rather than the database.
    pub(crate) fn is_of_one_element(&self) -> bool {
        match self {
            Self::Row(_) => true,
            Self::Postgres(_) => self.state().is_some_and(|state| {
                let class = state.code().get(..2).unwrap_or_default();
                matches!(class, "21" | "22" | "23" | "54") || is_damage(state)
            }),
            Self::Commit(_) | Self::Pool(_) | Self::Timeout(_) | Self::Silence(..) => false,
        }
    }

    fn state(&self) -> Option<&SqlState> {
        match self {
            Self::Postgres(error) => error.code(),
            _ => None,
        }
    }

    fn kind(&self) -> StoreErrorKind {
        match self {
            Self::Row(_) => StoreErrorKind::Corrupt,
            Self::Commit(_) | Self::Timeout(_) | Self::Silence(..) => StoreErrorKind::Unavailable,
            Self::Pool(PoolError::Backend(error)) | Self::Postgres(error) => kind(error),
            Self::Pool(_) => StoreErrorKind::Unavailable,
        }
    }

    pub(crate) fn to_error(&self) -> StoreError {
        let kind = self.kind();
        let message = match self {
            Self::Row(message) => message.clone(),
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
        };
        StoreError::new(kind, message)
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

/// What the server said, with its code, or what happened to the connection.
fn text(error: &tokio_postgres::Error) -> String {
    if let Some(server) = error.as_db_error() {
        return format!("{} ({})", server.message(), server.code().code());
    }
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

/// Whether a page of a table or of an index cannot be read.
fn is_damage(state: &SqlState) -> bool {
    [SqlState::DATA_CORRUPTED, SqlState::INDEX_CORRUPTED].contains(state)
}

fn kind(error: &tokio_postgres::Error) -> StoreErrorKind {
    let Some(state) = error.code() else {
        // The connection, or what came over it.
        return StoreErrorKind::Unavailable;
    };
    let code = state.code();
    match code.get(..2).unwrap_or_default() {
        _ if *state == SqlState::DISK_FULL => StoreErrorKind::Full,
        _ if is_damage(state) => StoreErrorKind::Corrupt,
        // Connections, states of transactions (a standby), conflicts, resources, locks, shutdown,
        // the system.
        "08" | "25" | "40" | "53" | "55" | "57" | "58" | "XX" => StoreErrorKind::Unavailable,
        _ => StoreErrorKind::Unusable,
    }
}
