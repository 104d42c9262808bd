//! Children: operations that a step starts and waits for.

use std::collections::HashMap;

use uuid::Uuid;

use super::plan::Plan;
use crate::clock::Timestamp;
use crate::reason::Reason;
use crate::store::{
    AppliedSteps, Change, Child, OperationRecord, Refusal, StepKey, StepKind, StepLimit,
    StepOutcome, StepRow, StepSummary, StepWrite,
};

impl OperationRecord {
    /// The holder starts a child.
    pub(super) fn start_child(
        &mut self,
        fence: u64,
        writes: Vec<StepWrite>,
        stored: &HashMap<StepKey, StepRow>,
        now: Timestamp,
    ) -> Result<AppliedSteps, Refusal> {
        self.check_fence(fence)?;
        if self.is_unwinding() {
            return Err(Refusal::Unwinding);
        }
        let key = writes.first().map(|write| write.key.clone());
        let plan = self.plan_of_child(writes, stored, fence, now)?;
        if let (true, Some(key)) = (plan.rows.is_empty(), key) {
            // It is recorded already, and the store has not found it: it was removed.
            return Err(Refusal::StepHasChild(key));
        }
        if plan.summary.owed > StepSummary::MAX_CHILDREN {
            return Err(Refusal::StepLimit(StepLimit::Children));
        }
        let rows = self.record(plan);
        Ok(AppliedSteps::new(self.written(now), rows))
    }

    /// A child has ended: the step that waits for it finishes.
    pub(super) fn end_child(
        &mut self,
        key: &StepKey,
        child: Uuid,
        outcome: StepOutcome,
        stored: &HashMap<StepKey, StepRow>,
        now: Timestamp,
    ) -> AppliedSteps {
        let waits = |row: &&StepRow| {
            let is_same = row.child.as_deref().is_some_and(|it| it.uid == child);
            is_same && !row.is_finished()
        };
        let row = stored.get(key).filter(waits);
        let Some(row) = row.filter(|_| !self.state.is_done()) else {
            return Change::Nothing.into();
        };
        let ended = StepWrite {
            attempt: row.attempt,
            outcome: Some(outcome),
            child: row.child.clone(),
            ..StepWrite::begun(key.clone(), row.kind)
        };
        let planned = self.plan_of_child(vec![ended], stored, row.fence, now);
        let Ok(Plan { summary, rows }) = planned else {
            return Change::Nothing.into();
        };
        self.steps = Some(Box::new(summary));
        self.wait_ended(key, now);
        AppliedSteps::new(self.written(now), rows.into_values().collect())
    }

    /// The plan of the write of a child. A result that is too large for the step is an error of it.
    fn plan_of_child(
        &self,
        writes: Vec<StepWrite>,
        stored: &HashMap<StepKey, StepRow>,
        fence: u64,
        now: Timestamp,
    ) -> Result<Plan, Refusal> {
        let ended = writes.iter().filter(|write| write.outcome.is_some());
        let mut failed: Vec<_> = ended.map(without_outcome).collect();
        match self.plan(writes, stored, fence, now) {
            Err(Refusal::StepLimit(limit)) if !failed.is_empty() => {
                for write in &mut failed {
                    let error = too_large(limit, write.child.as_deref());
                    write.outcome = Some(StepOutcome::Error(error));
                }
                self.plan(failed, stored, fence, now)
            }
            planned => planned,
        }
    }

    /// Whether a run that waits as planned knows that it does nothing but undo.
    pub(super) fn knows_to_undo(&self, plan: &Plan) -> bool {
        const OF_UNDO: &[StepKind] = &[StepKind::Undo, StepKind::Child, StepKind::SagaChild];
        plan.waits_only_for(&OF_UNDO[..1]) || self.began_to_undo() && plan.waits_only_for(OF_UNDO)
    }
}

fn without_outcome(write: &StepWrite) -> StepWrite {
    StepWrite {
        key: write.key.clone(),
        child: write.child.clone(),
        outcome: None,
        last_error: None,
        ..*write
    }
}

/// The end of a child whose result exceeds a limit of its parent.
fn too_large(limit: StepLimit, child: Option<&Child>) -> crate::pb::rpc::Status {
    let child = child.map(|child| child.name.as_str());
    let child = child.unwrap_or_default();
    let message = format!(
        "the result of `{child}` cannot be recorded: {limit}; get it with GetOperation, or return a reference"
    );
    Reason::LimitExceeded.operation_error(message, [("operation", child)])
}
