//! The activities of durable calls, and the journal's answers to them.

use lro_core::Timestamp;
use lro_core::store::{StepKey, StepRow};
use tonic::Status;

use super::wait::Wait;

/// The number of a call within its run.
pub(super) type CallId = u64;

/// The number of a saga within its run, from 1.
pub(super) type SagaNumber = u64;

/// The activity of a call under way.
pub(super) enum Activity {
    /// It was not polled yet.
    None,
    /// It runs a closure, or writes its row.
    Work,
    /// It waits.
    Wait(Box<Wait>),
}

/// The reason why a run cannot continue.
#[derive(Clone, Debug)]
pub(super) enum Halt {
    /// The code does not fit the rows that earlier runs have recorded.
    Blocked(Status),
    /// The worker drains, and the body is about to begin a closure.
    Draining,
    /// A saga undoes, and another run must learn the names of its children first.
    Again,
}

/// A call that was just made.
pub(super) struct Made {
    pub(super) id: CallId,
    pub(super) key: Result<StepKey, Status>,
    pub(super) is_sequential: bool,
    /// The time of the latest row that the body had passed.
    pub(super) at: Timestamp,
}

/// The answer to a call whose turn has come.
pub(super) enum Found {
    Row(Box<StepRow>),
    New,
    /// It is new, or has not finished, and nothing begins here any more: the run only undoes, or the block of the
    /// saga is only replayed.
    Closed(Option<Box<StepRow>>),
    /// The run does not continue, and neither does the call.
    Halted,
    /// The run has ended without the call.
    Ended,
}
