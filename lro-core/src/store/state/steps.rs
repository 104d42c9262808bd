//! Steps and suspension in the life of an operation.

use std::collections::HashMap;

use crate::clock::Timestamp;
use crate::store::{
    AppliedSteps, Blocked, Change, Child, Command, OperationOutcome, OperationRecord,
    OperationState, Refusal, StepKey, StepKind, StepLimit, StepOutcome, StepRow, StepSummary,
    StepWrite,
};

mod children;
mod debts;
mod forget;
mod plan;

use forget::NewEpoch;
use plan::{Plan, gather};

impl OperationRecord {
    /// The ready time of an operation that is suspended without a timer. A store keeps such
    /// operations out of its queues.
    pub const NEVER_READY: Timestamp = Timestamp::MAX;

    /// Whether it is pending and waits for steps.
    pub fn is_suspended(&self) -> bool {
        let waits = |steps: &StepSummary| !steps.waits.is_empty();
        self.state == OperationState::Pending && self.steps.as_deref().is_some_and(waits)
    }

    /// Whether it is pending and its last run ended with [`Command::Block`]. While it runs again it is
    /// not.
    pub fn is_blocked(&self) -> bool {
        let blocked = |steps: &StepSummary| steps.blocked.is_some();
        self.state == OperationState::Pending && self.steps.as_deref().is_some_and(blocked)
    }

    /// Does what the command says and records the steps that came with it, or refuses and changes
    /// nothing. Returns what the store must write in the same commit.
    ///
    /// `stored` holds the operation's rows of the present [epoch](StepSummary::epoch): at least those
    /// that [`Update::step_keys`](crate::store::Update::step_keys) names, and if
    /// [`Update::needs_given_steps`](crate::store::Update::needs_given_steps) says so all that
    /// [callers gave](StepRow::is_given).
    ///
    /// # Errors
    ///
    /// A [`Refusal`], which is an answer rather than a failure.
    pub fn apply_with_steps(
        &mut self,
        command: Command,
        writes: Vec<StepWrite>,
        stored: &HashMap<StepKey, StepRow>,
        now: Timestamp,
    ) -> Result<AppliedSteps, Refusal> {
        let is_for_steps = command.is_for_steps() || !writes.is_empty();
        let may_cancel =
            command.fence().is_some() && !matches!(command, Command::StartChild { .. });
        let mut applied = self.apply_command(command, writes, stored, now)?;
        if may_cancel {
            applied.cancels.extend(cancelled(&applied.written));
        }
        if is_for_steps && applied.change == Change::Record {
            let unswept = self.steps.as_deref_mut().map(|steps| &mut steps.unswept);
            if let Some(unswept) = unswept.filter(|unswept| **unswept > 0) {
                applied.sweeps = true;
                *unswept = unswept.saturating_sub(StepSummary::SWEPT);
            }
        }
        Ok(applied)
    }

    fn apply_command(
        &mut self,
        command: Command,
        writes: Vec<StepWrite>,
        stored: &HashMap<StepKey, StepRow>,
        now: Timestamp,
    ) -> Result<AppliedSteps, Refusal> {
        match command {
            Command::Complete { key, outcome } => self.complete(&key, outcome, stored, now),
            Command::StartChild { fence } => self.start_child(fence, writes, stored, now),
            Command::EndChild {
                key,
                child,
                outcome,
            } => Ok(self.end_child(&key, child, outcome, stored, now)),
            Command::ForgetSteps { keys } => self.forget_steps(keys, stored, now),
            Command::Unblock => self.unblock(now),
            Command::CheckpointAndForget {
                fence,
                epoch,
                lease_duration,
                checkpoint,
                asked,
                metadata,
            } => {
                let new = NewEpoch {
                    fence,
                    epoch,
                    lease_duration,
                    checkpoint,
                    asked,
                    metadata,
                };
                self.begin_epoch(new, writes, stored, now)
            }
            Command::Suspend {
                fence,
                waits,
                ready_by,
                metadata,
            } => {
                self.check_fence(fence)?;
                let mut plan = self.plan(writes, stored, fence, now)?;
                let mut ready_time = plan.suspend(&waits, stored, now)?;
                if self.is_unwinding() && !self.knows_to_undo(&plan) {
                    // The run did not know that it was cancelled.
                    plan.wait_for_nothing();
                    ready_time = now;
                }
                let ready_time = ready_time.min(ready_by.unwrap_or(ready_time));
                let rows = self.record(plan);
                self.take_metadata(metadata);
                Ok(AppliedSteps::new(self.suspend(ready_time, now), rows))
            }
            Command::Block {
                fence,
                message,
                delay,
                ready_by,
                metadata,
            } => {
                self.check_fence(fence)?;
                let plan = self.plan(writes, stored, fence, now)?;
                let rows = self.record(plan);
                self.take_metadata(metadata);
                let ready_time = now.saturating_add(delay);
                let ready_time = ready_time.min(ready_by.unwrap_or(ready_time));
                let change = self.block(message, ready_time, now);
                Ok(AppliedSteps::new(change, rows))
            }
            Command::Record { fence, metadata } => {
                self.check_fence(fence)?;
                let plan = self.plan(writes, stored, fence, now)?;
                let rows = self.record(plan);
                let changed = self.take_metadata(metadata) || !rows.is_empty();
                let change = if changed {
                    self.written(now)
                } else {
                    Change::Nothing
                };
                Ok(AppliedSteps::new(change, rows))
            }
            command if writes.is_empty() => Ok(self.apply(command, now)?.into()),
            command => {
                let fence = command.fence().ok_or(Refusal::Stale)?;
                self.check_fence(fence)?;
                let plan = self.plan(writes, stored, fence, now)?;
                let rows = self.record(plan);
                // The fence fits, so no command of a holder is refused.
                let change = match self.apply(command, now)? {
                    Change::Lease if !rows.is_empty() => self.written(now),
                    change => change,
                };
                Ok(AppliedSteps::new(change, rows))
            }
        }
    }

    /// Takes over what was planned.
    fn record(&mut self, plan: Plan) -> Vec<StepRow> {
        let Plan { mut summary, rows } = plan;
        if rows.values().any(StepRow::is_finished) {
            self.made_progress();
            summary.progress_attempt = self.attempt;
            summary.blocked = None;
        }
        if self.steps.is_some() || !rows.is_empty() {
            self.steps = Some(Box::new(summary));
        }
        rows.into_values().collect()
    }

    /// The body waits. It did not fail, so this attempt does not count.
    fn suspend(&mut self, ready_time: Timestamp, now: Timestamp) -> Change {
        if self.must_end() {
            return self.finish(OperationOutcome::Cancelled, now);
        }
        self.losses = 0;
        self.uncount_attempts(1);
        self.state = OperationState::Pending;
        self.lease = None;
        self.worker = None;
        self.attempt_time = None;
        self.ready_time = ready_time;
        self.written(now)
    }

    /// The code does not fit. That is a fault of the deployment, so this attempt does not count.
    fn block(&mut self, message: String, ready_time: Timestamp, now: Timestamp) -> Change {
        if self.must_end() {
            return self.finish(OperationOutcome::Cancelled, now);
        }
        self.losses = 0;
        self.uncount_attempts(1);
        let steps = self.steps.get_or_insert_default();
        let count = steps.blocked.as_ref().map_or(0, |blocked| blocked.count);
        let count = count.saturating_add(1);
        steps.blocked = Some(Blocked { message, count });
        self.back_to_pending(ready_time, now)
    }

    /// A caller gives the value of a promise: the first one counts.
    fn complete(
        &mut self,
        key: &StepKey,
        outcome: StepOutcome,
        stored: &HashMap<StepKey, StepRow>,
        now: Timestamp,
    ) -> Result<AppliedSteps, Refusal> {
        if !self.is_visible() {
            return Err(Refusal::NotFound);
        }
        if self.state.is_done() {
            return Err(Refusal::Done);
        }
        let write = StepWrite {
            sequential: false,
            outcome: Some(outcome),
            ..StepWrite::begun(key.clone(), StepKind::Promise)
        };
        let is_new = !stored.contains_key(key);
        let Plan { mut summary, rows } = self.plan(vec![write], stored, 0, now)?;
        let Some(row) = rows.into_values().next() else {
            return Ok(Change::Nothing.into());
        };
        if row.encoded_len() - key.as_str().len() > StepSummary::MAX_EARLY_LEN {
            return Err(Refusal::StepLimit(StepLimit::EarlyLen));
        }
        if is_new {
            if summary.early >= StepSummary::MAX_EARLY {
                return Err(Refusal::StepLimit(StepLimit::Early));
            }
            summary.early += 1;
        }
        self.steps = Some(Box::new(summary));
        self.wait_ended(key, now);
        Ok(AppliedSteps::new(self.written(now), vec![row]))
    }

    /// A suspended operation may have waited for this step: it becomes ready when others have had time to end.
    fn wait_ended(&mut self, key: &StepKey, now: Timestamp) {
        let pending = self.state == OperationState::Pending;
        let summary = self.steps.as_deref_mut().filter(|_| pending);
        if let Some(summary) = summary.filter(|summary| summary.waits_for(key)) {
            summary.remove_wait(key);
            let gathered = now.saturating_add(gather(summary.waits.len()));
            self.ready_time = self.ready_time.min(gathered);
        }
    }

    /// The attempts that count against `max_attempts`: those since a step last finished.
    pub(super) fn attempts_since_progress(&self) -> u32 {
        let progress = self.steps.as_deref().map_or(0, |it| it.progress_attempt);
        self.attempt.saturating_sub(progress)
    }

    /// Takes attempts back.
    pub(super) fn uncount_attempts(&mut self, count: u32) {
        self.attempt = self.attempt.saturating_sub(count);
        if let Some(steps) = &mut self.steps {
            steps.progress_attempt = steps.progress_attempt.min(self.attempt);
        }
    }

    /// It is pending for another reason than a suspension.
    pub(super) fn forget_waits(&mut self) {
        if let Some(steps) = &mut self.steps {
            steps.waits.clear();
            steps.wait_kinds.clear();
        }
    }
}

/// The children that the holder cancels, or whose steps it has finished.
fn cancelled<'r>(written: impl IntoIterator<Item = &'r StepRow>) -> Vec<Child> {
    let cancelled = written.into_iter().filter_map(|row| {
        let child = row.child.as_deref().filter(|child| !child.is_left)?;
        (child.is_cancelled || row.is_finished()).then_some(child)
    });
    cancelled.cloned().collect()
}

#[cfg(test)]
mod tests;
