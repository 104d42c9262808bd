//! Operations that owe something, and mistakes about them.

use lro_core::Reason;
use lro_core::pb::rpc::Status;
use lro_core::store::{OperationRecord, OperationResult, OperationState};

use super::known::Known;
use super::moves::{KEPT, Move};
use super::{Bounds, Mistake};

/// A mistake that is made of one command: what is hidden from it, and comes back after it.
pub(super) struct Made {
    mistake: Option<Mistake>,
    owed: u32,
    verdict: Option<Status>,
}

impl Made {
    pub(super) fn before(known: &mut Known, command: Move, bounds: Bounds) -> Self {
        let pending = known.record.state == OperationState::Pending;
        let mut made = Self {
            mistake: bounds.mistake,
            owed: 0,
            verdict: None,
        };
        let Some(steps) = &mut known.record.steps else {
            return made;
        };
        match (bounds.mistake, command) {
            (Some(Mistake::CancelEndsWhatOwes), Move::Cancel) if pending => {
                made.owed = std::mem::take(&mut steps.owed);
            }
            (Some(Mistake::UnwindingSucceeds), Move::Word(_, _, KEPT)) => {
                made.verdict = steps.verdict.take();
            }
            _ => {}
        }
        made
    }

    pub(super) fn after(self, known: &mut Known, command: Move) {
        let record = &mut known.record;
        if let (Some(Mistake::CancellationForgotten), Move::Claim) = (self.mistake, command)
            && record.state == OperationState::Cancelling
        {
            record.state = OperationState::Running;
        }
        let Some(steps) = &mut record.steps else {
            return;
        };
        match (self.mistake, command) {
            (Some(Mistake::VerdictForgotten), Move::Claim) => steps.verdict = None,
            (Some(Mistake::DebtNotCounted), Move::Open(_)) => steps.owed = 0,
            _ => {}
        }
        steps.owed += self.owed;
        steps.verdict = self.verdict.or(steps.verdict.take());
    }
}

/// The fault of a command that has changed the debts of an operation in a way that must not be.
pub(super) fn fault(before: &Known, command: Move, after: &Known) -> Option<&'static str> {
    let (before, after) = (&before.record, &after.record);
    let verdict = |record: &OperationRecord| record.steps.as_deref()?.verdict.clone();
    let ends = !before.state.is_done() && after.state.is_done();
    let is_told = |error: &Status| Reason::UndoIncomplete.is_told_by(error);
    let says_so = matches!(&after.result, Some(OperationResult::Error(error)) if is_told(error));
    if ends && after.owes() && !(before.is_condemned() && says_so) {
        return Some("has ended what owes something");
    }
    if ends && after.is_condemned() && after.state == OperationState::Succeeded {
        return Some("has made a success of a verdict");
    }
    if before.is_condemned() && verdict(after) != verdict(before) {
        return Some("has forgotten the verdict");
    }
    if matches!(command, Move::Claim)
        && after.cancel_time.is_some()
        && after.state == OperationState::Running
    {
        return Some("has forgotten a cancellation");
    }
    let left = before.state == OperationState::Cancelling
        && after.state != OperationState::Cancelling
        && !after.state.is_done();
    let waits = after.state == OperationState::Pending
        && after.owes()
        && after.cancel_time == before.cancel_time;
    (left && !waits).then_some("has forgotten a cancellation")
}

/// Whether an operation that no worker holds any more ends, or is ready to be claimed and to undo what it
/// owes.
pub(super) fn can_end(record: &OperationRecord) -> bool {
    let is_ready = record.state == OperationState::Pending
        && record.ready_time != OperationRecord::NEVER_READY;
    record.state.is_done() || record.owes() && is_ready
}
