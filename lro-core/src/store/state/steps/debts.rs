//! Debts: the effects that an operation must undo before it ends.

use super::super::outcome::error;
use crate::clock::Timestamp;
use crate::pb::rpc::Status;
use crate::reason::Reason;
use crate::store::history::AttemptOutcome;
use crate::store::{Change, OnCrash, OperationOutcome, OperationRecord, OperationState};

impl OperationRecord {
    /// Whether it owes something: [debts](crate::store::StepKind::is_debt) of its body are not paid, for example
    /// a saga is open. It does not end before that, unless the attempts to undo are used up.
    pub fn owes(&self) -> bool {
        self.owed() > 0
    }

    /// Whether it has a [verdict](crate::store::StepSummary::verdict): its runs only undo, and it ends with
    /// that error.
    pub fn is_condemned(&self) -> bool {
        self.steps
            .as_deref()
            .is_some_and(|steps| steps.verdict.is_some())
    }

    /// Whether a cancellation does not end it, but only tells its body.
    pub(in super::super) fn ends_by_its_body(&self) -> bool {
        self.policy.on_crash == OnCrash::ResumeCancelled
    }

    /// Whether its run is to do nothing but to undo.
    pub(in super::super) fn is_unwinding(&self) -> bool {
        self.state == OperationState::Cancelling && !self.ends_by_its_body() || self.is_condemned()
    }

    /// Whether its run has done nothing but undo since it began: a run that is cancelled later fails for other
    /// reasons, perhaps without knowing of the cancellation.
    pub(in super::super) fn began_to_undo(&self) -> bool {
        let begin_time = self.attempt_time.or(self.start_time);
        self.is_condemned() || self.cancel_time.is_some_and(|it| Some(it) < begin_time)
    }

    fn owed(&self) -> u32 {
        self.steps.as_deref().map_or(0, |steps| steps.owed)
    }

    /// Whether it ends when its run ends, however that is: nothing is left to undo.
    pub(in super::super) fn must_end(&self) -> bool {
        self.is_unwinding() && !self.owes()
    }

    /// The outcome of a run that fails with this error because no attempt is left. One that only undoes leaves
    /// the end as it was decided.
    pub(in super::super) fn unless_unwinding(&self, error: Status) -> OperationOutcome {
        match self.is_unwinding() {
            true => OperationOutcome::Cancelled,
            false => OperationOutcome::Error(error),
        }
    }

    /// The outcome with which the operation ends now. If it owes something and no run has tried to undo that, the
    /// error with which it ends later.
    pub(in super::super) fn settle(
        &self,
        outcome: OperationOutcome,
    ) -> Result<OperationOutcome, Status> {
        let steps = self.steps.as_deref();
        let Some(verdict) = steps.and_then(|steps| steps.verdict.as_ref()) else {
            return match self.owes() {
                true => Err(error(outcome)),
                false => Ok(outcome),
            };
        };
        let mut status = match outcome {
            OperationOutcome::Error(status) => status,
            OperationOutcome::Response(_) | OperationOutcome::Cancelled => verdict.clone(),
        };
        if self.owes() && !Reason::UndoIncomplete.is_told_by(&status) {
            let open = self.owed().to_string();
            status
                .details
                .push(Reason::UndoIncomplete.detail([("open", &*open)]));
        }
        Ok(OperationOutcome::Error(status))
    }

    /// The operation runs again to undo what it owes, and ends with this error then. Attempts count anew.
    pub(in super::super) fn condemn(&mut self, verdict: Status, now: Timestamp) -> Change {
        // Otherwise the attempt has ended with the loss of its worker.
        if self.worker.is_some() {
            self.end_attempt(AttemptOutcome::retried(&verdict), now);
            self.losses = 0;
        }
        let steps = self.steps.get_or_insert_default();
        steps.progress_attempt = self.attempt;
        steps.blocked = None;
        steps.verdict = Some(verdict);
        self.back_to_pending(now, now)
    }
}
