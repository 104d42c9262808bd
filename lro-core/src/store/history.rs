//! The past of an operation: its attempts, and who cancelled or deleted it.

mod attempts;
mod stored;

use crate::clock::Timestamp;
use crate::pb::rpc::Status;

use super::lease::WorkerId;

/// The past of an operation, as its record keeps it.
///
/// ```
/// use lro_core::Timestamp;
/// use lro_core::store::{Actor, Command, NewOperation, OperationRecord};
///
/// # let operation = NewOperation::new(uuid::Uuid::nil(), "operations/1".parse()?, "/s.S/M", lro_core::pack(&()));
/// let mut record = OperationRecord::new(operation, Timestamp::EPOCH);
/// let ada = Actor { principal: "ada".into(), reason: "wrong bucket".into() };
/// record.apply(Command::Cancel(ada.clone()), Timestamp::EPOCH)?;
/// assert_eq!(record.history.cancelled_by, Some(ada));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// An operation that runs once has none, so that its life costs nothing more.
/// [`OperationRecord::attempts`](super::OperationRecord::attempts) adds the attempt that is under
/// way, or that ended the operation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    /// The latest attempts that ended without a result of the body, the oldest first, at most
    /// [`MAX_ATTEMPTS`](Self::MAX_ATTEMPTS).
    pub attempts: Vec<Attempt>,
    /// The caller that cancelled the operation first; `None` if no caller has, or one without a name
    /// and a reason.
    pub cancelled_by: Option<Actor>,
    /// The caller that deleted the operation while it ran; `None` if no caller has, or one without a
    /// name and a reason.
    pub deleted_by: Option<Actor>,
}

/// One run of an operation's body, from a claim to its end.
///
/// ```
/// use lro_core::store::{Attempt, AttemptOutcome};
///
/// /// How long it took, if that is known.
/// fn seconds(attempt: &Attempt) -> Option<u64> {
///     assert_eq!(attempt.outcome == AttemptOutcome::Running, attempt.end_time.is_none());
///     Some(attempt.end_time?.since(attempt.begin_time?).as_secs())
/// }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Attempt {
    /// The fence of its claim: the number of the attempt, counted from 1, among all that there were.
    /// Unlike [`OperationRecord::attempt`](super::OperationRecord::attempt), it counts released
    /// attempts.
    pub fence: u64,
    /// The worker that ran it; `None` if a version that did not keep it wrote the record.
    pub worker: Option<WorkerId>,
    /// When it began; `None` if a version that did not keep it wrote the record.
    pub begin_time: Option<Timestamp>,
    /// When it ended; `None` while it runs.
    pub end_time: Option<Timestamp>,
    /// How it ended.
    pub outcome: AttemptOutcome,
}

/// How an [`Attempt`] ended.
///
/// ```
/// use lro_core::store::AttemptOutcome;
///
/// assert_eq!(AttemptOutcome::WorkerLost.as_str(), "WORKER_LOST");
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum AttemptOutcome {
    /// It has not ended.
    Running,
    /// With a response, which ended the operation.
    Succeeded,
    /// With an error, which ended the operation.
    Failed,
    /// With the error CANCELLED, which ended the operation.
    Cancelled,
    /// With this error, after which the operation waits for another attempt. The error has no
    /// details, and at most [`MAX_MESSAGE_LEN`](History::MAX_MESSAGE_LEN) bytes of its message.
    Retried(Status),
    /// The worker released the operation, for example because it shut down.
    Released,
    /// The worker was lost: its lease expired, or its process died.
    WorkerLost,
}

impl AttemptOutcome {
    /// The outcome in capital letters, as enum values are spelled on the wire.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::Succeeded => "SUCCEEDED",
            Self::Failed => "FAILED",
            Self::Cancelled => "CANCELLED",
            Self::Retried(_) => "RETRIED",
            Self::Released => "RELEASED",
            Self::WorkerLost => "WORKER_LOST",
        }
    }
}

/// The caller that asked for the cancellation or deletion of an operation, and why.
///
/// ```
/// use lro_core::store::Actor;
///
/// assert!(Actor::default().is_unknown());
/// let ada = Actor { principal: "ada".into(), reason: "wrong bucket".into() };
/// assert!(!ada.is_unknown());
/// ```
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Actor {
    /// The principal, as named by the server's authorizer; empty without one.
    #[prost(string, tag = "1")]
    pub principal: String,
    /// The reason that the caller gave; empty without one.
    #[prost(string, tag = "2")]
    pub reason: String,
}

impl Actor {
    /// The largest length of a reason that servers accept, in bytes.
    pub const MAX_REASON_LEN: usize = 256;

    /// Whether neither the principal nor the reason is known.
    pub fn is_unknown(&self) -> bool {
        *self == Self::default()
    }

    /// The actor, unless it is unknown.
    pub(super) fn known(self) -> Option<Self> {
        (!self.is_unknown()).then_some(self)
    }
}
