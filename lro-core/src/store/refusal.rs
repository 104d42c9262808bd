//! The reasons why a store rejects a command.

use std::sync::Arc;

use super::error::type_name;
use super::steps::{StepKey, StepLimit};
use crate::reason::Reason;

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
    /// The operation has ended: nothing may be recorded any more.
    #[error("the operation has ended")]
    Done,
    /// The step has finished already, with another outcome.
    #[error("step `{0}` has finished already, with another outcome")]
    StepFinished(StepKey),
    /// The step was recorded as a call of another kind.
    #[error("step `{0}` was recorded as a call of another kind")]
    StepKindDiffers(StepKey),
    /// The operation has no such step.
    #[error("the operation has no step `{0}`")]
    StepUnknown(StepKey),
    /// A worker runs the operation: its steps are forgotten only while it waits.
    #[error("the operation is running: its steps are forgotten only while it waits")]
    Running,
    /// The operation is not [blocked](super::OperationRecord::is_blocked).
    #[error("the operation is not blocked")]
    NotBlocked,
    /// The operation owes something: a saga is open, or a child has not ended, whose row would be forgotten.
    #[error("a saga is open or a child has not ended, and would be forgotten")]
    Owes,
    /// The operation only undoes what it has done, and starts no child.
    #[error("the operation was cancelled or has failed, and starts no more children")]
    Unwinding,
    /// The step has another child, or its child was removed.
    #[error("step `{0}` has another child, or its child was removed")]
    StepHasChild(StepKey),
    /// The steps exceed a limit.
    #[error("{0}")]
    StepLimit(StepLimit),
    /// The store does not have this feature: the text names both. Only stores return this, never
    /// the state machine.
    #[error("{0}")]
    Unimplemented(Arc<str>),
}

impl Refusal {
    /// The reason to give a caller whose command was refused so: the rpc's error is
    /// `reason.resource_status(refusal.to_string(), name, ..)`.
    ///
    /// ```
    /// use lro_core::Reason;
    /// use lro_core::store::Refusal;
    ///
    /// assert_eq!(Refusal::Running.reason(), Reason::OperationRunning);
    /// assert_eq!(Refusal::Running.reason().code(), tonic::Code::FailedPrecondition);
    /// ```
    pub fn reason(&self) -> Reason {
        match self {
            Self::NotFound => Reason::OperationNotFound,
            Self::Done => Reason::OperationDone,
            Self::Running => Reason::OperationRunning,
            Self::NotBlocked => Reason::OperationNotBlocked,
            Self::StepUnknown(_) => Reason::StepNotFound,
            Self::StepKindDiffers(_) => Reason::InvalidField,
            Self::StepFinished(_) => Reason::PromiseCompleted,
            Self::Owes => Reason::StepUnderWay,
            Self::StepLimit(_) => Reason::LimitExceeded,
            Self::Unimplemented(_) => Reason::Unimplemented,
            Self::Locked => Reason::StoreUnavailable,
            Self::Corrupt(_) => Reason::StoreCorrupt,
            Self::Unwinding => Reason::OperationCancelled,
            Self::Stale | Self::NotReady | Self::StepHasChild(_) => Reason::Internal,
        }
    }

    /// The refusal of an [update of steps](super::Update::uses_steps) by a store that keeps none.
    pub fn without_steps<S: ?Sized>() -> Self {
        let message = format!("{} keeps no steps: `update`", type_name::<S>());
        Self::Unimplemented(message.into())
    }
}
