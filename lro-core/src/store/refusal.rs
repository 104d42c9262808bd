//! Why nothing came of a command.

use std::sync::Arc;

/// Why a command did nothing.
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
    /// Another program holds it, as with a lock of its own in the store's database. Nothing was done;
    /// later it may work. The state machine never says so, only stores.
    #[error("another program has locked the operation")]
    Locked,
    /// What is stored of it cannot be read, or not be written; this says why. Nothing was done. The
    /// state machine never says so, only stores.
    #[error("{0}")]
    Damaged(Arc<str>),
}
