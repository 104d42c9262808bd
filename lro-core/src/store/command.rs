//! Commands: every change of an operation after its start.

use std::time::Duration;

use prost_types::Any;
use uuid::Uuid;

#[cfg(doc)]
use super::OperationRecord;
use super::history::Actor;
use super::lease::WorkerId;
use super::steps::{StepKey, StepOutcome};
use crate::clock::Timestamp;
use crate::pb::rpc::Status;

/// A change of an operation after its start.
///
/// ```
/// use lro_core::Timestamp;
/// use lro_core::store::{Command, NewOperation, OperationRecord};
///
/// # let operation = NewOperation::new(uuid::Uuid::nil(), "operations/1".parse()?, "/s.S/M", lro_core::pack(&()));
/// let mut record = OperationRecord::new(operation, Timestamp::EPOCH);
/// record.apply(Command::cancel(), Timestamp::EPOCH)?;
/// assert!(record.state.is_done());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Commands with a `fence` come from the worker that holds the operation. They are refused if the
/// operation was claimed again since.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// A worker takes a pending operation that is ready.
    Claim {
        /// The worker that takes it.
        worker: WorkerId,
        /// For how long.
        lease_duration: Duration,
    },
    /// The holder is alive, and may have new metadata.
    Renew {
        /// The claim it is for.
        fence: u64,
        /// How long the lease lasts from now.
        lease_duration: Duration,
        /// New metadata.
        metadata: Option<Any>,
    },
    /// Saves a checkpoint for the next attempt to resume from, and extends the lease.
    Checkpoint {
        /// The claim it is for.
        fence: u64,
        /// How long the lease lasts from now.
        lease_duration: Duration,
        /// The state to resume from.
        checkpoint: Any,
        /// New metadata.
        metadata: Option<Any>,
    },
    /// Saves a checkpoint, forgets the recorded steps and extends the lease: the body continues from
    /// the checkpoint, in a new [epoch](super::StepSummary::epoch) without rows. Counts as progress,
    /// also with the same checkpoint: attempts count anew.
    ///
    /// Refused while the operation [owes](OperationRecord::owes) something
    /// ([`Refusal::Owes`](super::Refusal::Owes)); steps of the update may pay that.
    ///
    /// Promises that callers [completed](Self::Complete) and the body has not asked for are not lost:
    /// the new epoch begins with their rows, with the numbers 1, 2, .. in their order. The
    /// [steps](super::Update::steps) of the update belong to the epoch that ends, so they are not
    /// stored; one that would be refused otherwise is refused here too.
    ///
    /// Rows of earlier epochs appear nowhere. Each command of steps removes up to
    /// [`StepSummary::SWEPT`](super::StepSummary::SWEPT) of them, and the removal of the operation the
    /// others.
    ///
    /// The same command again, with the same epoch, only extends the lease and takes the metadata. Any
    /// other epoch is [`Refusal::Stale`](super::Refusal::Stale).
    CheckpointAndForget {
        /// The claim it is for.
        fence: u64,
        /// The epoch that begins: the present one and 1.
        epoch: u32,
        /// How long the lease lasts from now.
        lease_duration: Duration,
        /// The state to resume from.
        checkpoint: Any,
        /// The promises that the body has asked for in the epoch that ends: their rows are forgotten.
        asked: Vec<StepKey>,
        /// New metadata.
        metadata: Option<Any>,
    },
    /// The body has ended. If the operation [owes](OperationRecord::owes) something, the end is its
    /// [verdict](super::StepSummary::verdict), and it is pending and ready now; with a verdict, a response
    /// ends it with that.
    Finish {
        /// The claim it is for.
        fence: u64,
        /// How.
        outcome: OperationOutcome,
        /// The last metadata.
        metadata: Option<Any>,
    },
    /// The body failed and asks for another attempt.
    Retry {
        /// The claim it is for.
        fence: u64,
        /// The result if no attempt is left.
        error: Status,
        /// How long to pause before the next attempt.
        delay: Duration,
        /// The last metadata.
        metadata: Option<Any>,
    },
    /// The holder releases it through no fault of the body: this attempt does not count.
    Release {
        /// The claim it is for.
        fence: u64,
        /// The last metadata.
        metadata: Option<Any>,
    },
    /// The body continues: only the [steps](super::Update::steps) of the update are recorded, and new
    /// metadata. Changes neither the lease nor the state. Nothing changes if the steps are recorded
    /// already.
    Record {
        /// The claim it is for.
        fence: u64,
        /// New metadata.
        metadata: Option<Any>,
    },
    /// The body waits for steps: the operation gives up its lease and is pending, in the same commit
    /// that records the [steps](super::Update::steps) of the update. This attempt does not count, is
    /// no loss, and does not appear in the [history](OperationRecord::history).
    ///
    /// The operation becomes ready at the earliest wake time of the rows that it waits for. When one
    /// of them is [completed](Self::Complete), or was finished before this commit, it becomes ready
    /// at once if no other is left, and otherwise after 10 ms for each of the others, at most 1 s, so
    /// that one run finds several. Without a wake time only a completion makes it ready
    /// ([`NEVER_READY`](OperationRecord::NEVER_READY)); without waits it is ready now.
    ///
    /// An operation whose cancellation was asked for ends as cancelled. If it
    /// [owes](OperationRecord::owes) something, it is pending, and ready now unless it waits for
    /// [undos](super::StepKind::Undo) alone, or for these and [children](super::StepKind::Child) in a run that
    /// began after the cancellation.
    Suspend {
        /// The claim it is for.
        fence: u64,
        /// The rows that it waits for: each is stored, or recorded by this update. Otherwise
        /// [`Refusal::StepUnknown`](super::Refusal::StepUnknown).
        waits: Vec<StepKey>,
        /// It becomes ready at this time at the latest, for example because its lifetime ends.
        ready_by: Option<Timestamp>,
        /// The last metadata.
        metadata: Option<Any>,
    },
    /// The body's code does not fit the recorded steps: the operation is pending until code that fits is
    /// deployed, and is tried again after the delay. This attempt does not count, and is no loss. The
    /// [summary](super::StepSummary::blocked) says why.
    ///
    /// An operation whose cancellation was asked for ends as cancelled, unless it
    /// [owes](OperationRecord::owes) something.
    Block {
        /// The claim it is for.
        fence: u64,
        /// Why.
        message: String,
        /// How long to pause before the next run.
        delay: Duration,
        /// It becomes ready at this time at the latest, for example because its lifetime ends.
        ready_by: Option<Timestamp>,
        /// The last metadata.
        metadata: Option<Any>,
    },
    /// A caller finishes a [promise](super::StepKind::Promise) of an operation that has not ended,
    /// whether the body has asked for it or not. The first outcome counts: the same one again
    /// changes nothing, another is refused ([`Refusal::StepFinished`](super::Refusal::StepFinished)).
    Complete {
        /// The promise.
        key: StepKey,
        /// Its value or error.
        outcome: StepOutcome,
    },
    /// The holder starts a child: the one [step](super::Update::steps) of the update, which has the child, is
    /// recorded, in the commit that stores the child. A store makes this command of the
    /// [`ChildOf`](super::ChildOf) of a start.
    ///
    /// Refused if the run does nothing but undo ([`Refusal::Unwinding`](super::Refusal::Unwinding)), and if the step
    /// has another child ([`Refusal::StepHasChild`](super::Refusal::StepHasChild)).
    StartChild {
        /// The claim it is for.
        fence: u64,
    },
    /// A [child](super::StepKind::Child) has ended, or was deleted before its end: its step finishes, in the commit
    /// that ends the child. A store makes this command, as
    /// [`tells_parent`](OperationRecord::tells_parent) says; it is never refused.
    ///
    /// Nothing changes if the operation has ended, or does not wait for this child. A result that exceeds the
    /// [limits](super::StepSummary) becomes an error that says so.
    EndChild {
        /// The step.
        key: StepKey,
        /// The child.
        child: Uuid,
        /// Its end.
        outcome: StepOutcome,
    },
    /// An operator removes the rows of these steps of a pending operation: its next run makes the calls
    /// again. It waits for nothing and is [blocked](OperationRecord::is_blocked) by nothing from then
    /// on, and one that has run before is ready now. The number of attempts stays. Without keys nothing
    /// changes.
    ///
    /// Refused as a whole: of a running operation ([`Refusal::Running`](super::Refusal::Running)), of
    /// one that has ended ([`Refusal::Done`](super::Refusal::Done)) or is deleted
    /// ([`Refusal::NotFound`](super::Refusal::NotFound)), and for a key without a row
    /// ([`Refusal::StepUnknown`](super::Refusal::StepUnknown)).
    ForgetSteps {
        /// Whose rows.
        keys: Vec<StepKey>,
    },
    /// An operator ends the pause of a [blocked](OperationRecord::is_blocked) operation: it is ready
    /// now, and blocked again if the code still does not fit. The number of attempts stays.
    ///
    /// Any other operation, also a running one, is refused
    /// ([`Refusal::NotBlocked`](super::Refusal::NotBlocked)), and one that has ended as
    /// [`Refusal::Done`](super::Refusal::Done).
    Unblock,
    /// The holder is lost: the lease has expired, or the process has died. It held no other
    /// operation, so the loss uses up an attempt.
    Expire,
    /// As [`Expire`](Self::Expire), but the holder was lost together with other operations: the
    /// operation becomes a [suspect](OperationRecord::losses), and the attempt does not count.
    ExpireShared,
    /// A caller wants it to stop: who, and why. Only the first one counts. A pending operation ends; one that
    /// [owes](OperationRecord::owes) something is ready now, and its next claim makes it
    /// [`Cancelling`](super::OperationState::Cancelling).
    Cancel(Actor),
    /// No caller is interested in it any more: who said so, and why.
    Delete(Actor),
}

impl Command {
    /// The claim that the command is for; `None` if it is no holder's.
    pub fn fence(&self) -> Option<u64> {
        match self {
            Self::Renew { fence, .. }
            | Self::Checkpoint { fence, .. }
            | Self::Finish { fence, .. }
            | Self::Retry { fence, .. }
            | Self::Release { fence, .. }
            | Self::Record { fence, .. }
            | Self::Suspend { fence, .. }
            | Self::StartChild { fence }
            | Self::CheckpointAndForget { fence, .. }
            | Self::Block { fence, .. } => Some(*fence),
            Self::Claim { .. }
            | Self::Complete { .. }
            | Self::EndChild { .. }
            | Self::ForgetSteps { .. }
            | Self::Unblock
            | Self::Expire
            | Self::ExpireShared
            | Self::Cancel(_)
            | Self::Delete(_) => None,
        }
    }

    /// A cancellation by a caller without a name.
    pub fn cancel() -> Self {
        Self::Cancel(Actor::default())
    }

    /// Whether it concerns steps, so that a store without steps rejects it.
    pub fn is_for_steps(&self) -> bool {
        matches!(
            self,
            Self::Record { .. }
                | Self::Suspend { .. }
                | Self::Block { .. }
                | Self::Complete { .. }
                | Self::StartChild { .. }
                | Self::EndChild { .. }
                | Self::CheckpointAndForget { .. }
                | Self::ForgetSteps { .. }
                | Self::Unblock
        )
    }

    /// A deletion by a caller without a name.
    pub fn delete() -> Self {
        Self::Delete(Actor::default())
    }
}

/// How a body ended.
///
/// ```
/// use lro_core::store::{Command, OperationOutcome};
///
/// let finish = Command::Finish {
///     fence: 1,
///     outcome: OperationOutcome::Response(lro_core::pack(&())),
///     metadata: None,
/// };
/// assert!(matches!(finish, Command::Finish { outcome: OperationOutcome::Response(_), .. }));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub enum OperationOutcome {
    /// With a response.
    Response(Any),
    /// With an error. A code of 0 (OK) is made INTERNAL.
    Error(Status),
    /// It was cancelled.
    Cancelled,
}

/// The effect of a command.
///
/// ```
/// use lro_core::Timestamp;
/// use lro_core::store::{Change, Command, NewOperation, OperationRecord};
///
/// # let operation = NewOperation::new(uuid::Uuid::nil(), "operations/1".parse()?, "/s.S/M", lro_core::pack(&()));
/// let mut record = OperationRecord::new(operation, Timestamp::EPOCH);
/// assert_eq!(record.apply(Command::cancel(), Timestamp::EPOCH), Ok(Change::Record));
/// assert_eq!(record.apply(Command::cancel(), Timestamp::EPOCH), Ok(Change::Nothing));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Change {
    /// Nothing: it was so already.
    Nothing,
    /// Only the lease; callers see no difference.
    Lease,
    /// The record; callers see it.
    Record,
    /// The store must remove the record.
    Removed,
}
