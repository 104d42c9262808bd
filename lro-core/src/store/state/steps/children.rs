//! Children: operations that a step starts and waits for.

use std::collections::HashMap;

use uuid::Uuid;

use super::plan::Plan;
use crate::clock::Timestamp;
use crate::reason::Reason;
use crate::store::{
    AppliedSteps, Change, OperationRecord, Refusal, StepKey, StepKind, StepLimit, StepOutcome,
    StepRow, StepSummary, StepWrite,
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
        let plan = self.plan(writes, stored, fence, now)?;
        if plan.summary.owed > StepSummary::MAX_CHILDREN {
            return Err(Refusal::StepLimit(StepLimit::Children));
        }
        let rows = self.record(plan);
        let change = match rows.is_empty() {
            true => Change::Nothing,
            false => self.written(now),
        };
        Ok(AppliedSteps::new(change, rows))
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
        let ended = |outcome| StepWrite {
            attempt: row.attempt,
            outcome: Some(outcome),
            ..StepWrite::begun(key.clone(), row.kind)
        };
        let plan = |outcome| self.plan(vec![ended(outcome)], stored, row.fence, now);
        let planned = match plan(outcome) {
            Err(Refusal::StepLimit(limit)) => plan(StepOutcome::Error(too_large(limit, row))),
            planned => planned,
        };
        let Ok(Plan { summary, rows }) = planned else {
            return Change::Nothing.into();
        };
        self.steps = Some(Box::new(summary));
        self.wait_ended(key, now);
        AppliedSteps::new(self.written(now), rows.into_values().collect())
    }

    /// Whether a run that waits as planned knows that it does nothing but undo.
    pub(super) fn knows_to_undo(&self, plan: &Plan) -> bool {
        const OF_UNDO: &[StepKind] = &[StepKind::Undo, StepKind::Child, StepKind::SagaChild];
        plan.waits_only_for(&OF_UNDO[..1]) || self.began_to_undo() && plan.waits_only_for(OF_UNDO)
    }
}

/// The end of a child whose result exceeds a limit of its parent.
fn too_large(limit: StepLimit, row: &StepRow) -> crate::pb::rpc::Status {
    let child = row.child.as_deref().map(|child| child.name.as_str());
    let child = child.unwrap_or_default();
    let message = format!(
        "the result of `{child}` cannot be recorded: {limit}; get it with GetOperation, or return a reference"
    );
    Reason::LimitExceeded.operation_error(message, [("operation", child)])
}
