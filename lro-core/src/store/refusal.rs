//! The reasons why a store rejects a command.

use std::sync::Arc;

/// The reason why a store rejected a command, which therefore had no effect.
///
/// ```
/// use std::time::Duration;
/// use lro_core::Timestamp;
/// use lro_core::store::{Command, NewOperation, OperationRecord, Refusal};
///
/// # let operation = NewOperation::new(uuid::Uuid::nil(), "operations/1".parse()?, "/s.S/M", lro_core::pack(&()));
/// let mut record = OperationRecord::new(operation, Timestamp::EPOCH);
/// let late = Command::Renew { fence: 1, lease_duration: Duration::from_secs(30), metadata: None };
/// assert_eq!(record.apply(late, Timestamp::EPOCH), Err(Refusal::Stale));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// There is no such operation, or it was deleted.
    #[error("there is no such operation")]
    NotFound,
    /// The writer does not hold the operation any more.
    #[error("the operation was claimed by another worker, or has ended")]
    Stale,
    /// It is not pending, or not yet ready.
    #[error("the operation is not ready to be claimed")]
    NotReady,
    /// Another program has locked it, for example in the store's database. The command may succeed
    /// later. Only stores return this, never the state machine.
    #[error("another program has locked the operation")]
    Locked,
    /// The stored record is corrupt: it cannot be read or written, for the given reason. Only
    /// stores return this, never the state machine.
    #[error("{0}")]
    Corrupt(Arc<str>),
}
