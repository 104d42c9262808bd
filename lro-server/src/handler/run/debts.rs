//! The debts of the operation of a run, and whether the run does nothing but undo.

use lro_core::pb::rpc;
use lro_core::store::{OnCrash, OperationRecord, OperationState};

use super::{Run, StopReason};
use crate::steps::Journal;

/// The debts of an operation at the claim, and the attempts that are left.
#[derive(Default)]
pub(super) struct Debts {
    owed: u32,
    /// Whether it was cancelled while no worker ran it.
    is_cancelled: bool,
    verdict: Option<Box<rpc::Status>>,
    is_last_attempt: bool,
}

impl Debts {
    pub(super) fn of(record: &OperationRecord) -> Self {
        let steps = record.steps.as_deref();
        let progress = steps.map_or(0, |steps| steps.progress_attempt);
        let attempts = record.attempt.saturating_sub(progress);
        Self {
            owed: steps.map_or(0, |steps| steps.owed),
            is_cancelled: record.state == OperationState::Cancelling,
            verdict: steps.and_then(|steps| steps.verdict.clone().map(Box::new)),
            is_last_attempt: attempts >= record.policy.max_attempts,
        }
    }
}

impl Run {
    /// The error with which the operation ends, if that was decided before this run.
    pub(crate) fn verdict(&self) -> Option<&rpc::Status> {
        self.debts.verdict.as_deref()
    }

    /// Whether the operation was cancelled before this run was claimed.
    pub(crate) fn begins_cancelled(&self) -> bool {
        self.debts.is_cancelled
    }

    /// Whether a cancellation only tells the body, and does not end the run.
    pub(crate) fn ends_by_its_body(&self) -> bool {
        self.on_crash == OnCrash::ResumeCancelled
    }

    /// Whether the operation owed something at the claim.
    pub(crate) fn owed(&self) -> bool {
        self.debts.owed > 0
    }

    /// Whether a saga of the body is open.
    pub(crate) fn owes(&self) -> bool {
        self.journal_if_used().is_some_and(Journal::owes)
    }

    /// Whether it has started children that have not ended.
    pub(crate) fn has_children(&self) -> bool {
        self.journal_if_used().is_some_and(Journal::has_children)
    }

    /// Whether another attempt follows if the body asks for one.
    pub(crate) fn has_attempt_left(&self) -> bool {
        !self.debts.is_last_attempt || self.journal_if_used().is_some_and(Journal::has_progressed)
    }

    /// Whether its worker has stopped it for reasons that are not the operation's: another run continues.
    pub(crate) fn is_given_back(&self) -> bool {
        let reason = self.stop_reason();
        self.is_lost() || matches!(reason, Some(StopReason::Draining | StopReason::LeaseLost))
    }

    /// The body does nothing but undo from now on.
    pub(crate) fn unwind(&self, why: rpc::Status) {
        self.journal().unwind(why);
    }

    /// Whether the body does nothing but undo.
    pub(crate) fn is_unwinding(&self) -> bool {
        self.journal_if_used().is_some_and(Journal::is_unwinding)
    }
}
