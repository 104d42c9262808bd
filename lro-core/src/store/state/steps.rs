//! Steps and suspension in the life of an operation.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use super::never_ok;
use crate::clock::Timestamp;
use crate::store::{
    Blocked, Change, Command, OperationRecord, OperationState, Outcome, Refusal, StepKey, StepKind,
    StepLimit, StepOutcome, StepRow, StepSummary, StepWrite,
};

/// How long an operation with further waits stays suspended for each of them after one has ended,
/// and at most.
const GATHER_EACH: Duration = Duration::from_millis(10);
const GATHER_MAX: u32 = 100;

impl OperationRecord {
    /// The ready time of an operation that is suspended without a timer. A store keeps such
    /// operations out of its queues.
    pub const NEVER_READY: Timestamp = Timestamp::MAX;

    /// Whether it is pending and waits for steps.
    pub fn is_suspended(&self) -> bool {
        let waits = |steps: &StepSummary| !steps.waits.is_empty();
        self.state == OperationState::Pending && self.steps.as_deref().is_some_and(waits)
    }

    /// Does what the command says and records the steps that came with it, or refuses and changes
    /// nothing. Returns the change and the rows that the store must write in the same commit: new
    /// ones, and changed ones of the same key.
    ///
    /// `stored` holds the operation's rows of at least the keys that
    /// [`Update::step_keys`](crate::store::Update::step_keys) names, of the present
    /// [epoch](StepSummary::epoch).
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
    ) -> Result<(Change, Vec<StepRow>), Refusal> {
        match command {
            Command::Complete { key, outcome } => self.complete(&key, outcome, stored, now),
            Command::Suspend {
                fence,
                waits,
                metadata,
            } => {
                self.check_fence(fence)?;
                let mut plan = self.plan(writes, stored, fence, now)?;
                let ready_time = plan.suspend(&waits, stored, now)?;
                let rows = self.record(plan);
                self.take_metadata(metadata);
                Ok((self.suspend(ready_time, now), rows))
            }
            Command::Block {
                fence,
                message,
                delay,
                metadata,
            } => {
                self.check_fence(fence)?;
                let plan = self.plan(writes, stored, fence, now)?;
                let rows = self.record(plan);
                self.take_metadata(metadata);
                Ok((self.block(message, delay, now), rows))
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
                Ok((change, rows))
            }
            command if writes.is_empty() => Ok((self.apply(command, now)?, Vec::new())),
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
                Ok((change, rows))
            }
        }
    }

    /// The rows that the writes make, and the summary with them.
    fn plan(
        &self,
        writes: Vec<StepWrite>,
        stored: &HashMap<StepKey, StepRow>,
        fence: u64,
        now: Timestamp,
    ) -> Result<Plan, Refusal> {
        let mut plan = Plan {
            summary: self.steps.as_deref().cloned().unwrap_or_default(),
            rows: BTreeMap::new(),
        };
        let time = now.max(self.update_time);
        for write in writes {
            let old = plan.rows.get(&write.key).or_else(|| stored.get(&write.key));
            let row = match old {
                Some(old) => match changed(old, write, fence, time)? {
                    Some(row) => row,
                    None => continue,
                },
                None => new(write, plan.summary.seq + 1, fence, time, self.create_time),
            };
            let old_len = old.map(StepRow::encoded_len);
            plan.put(row, old_len)?;
        }
        Ok(plan)
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
        if self.state == OperationState::Cancelling {
            return self.finish(Outcome::Cancelled, now);
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
    fn block(&mut self, message: String, delay: Duration, now: Timestamp) -> Change {
        if self.state == OperationState::Cancelling {
            return self.finish(Outcome::Cancelled, now);
        }
        self.losses = 0;
        self.uncount_attempts(1);
        let steps = self.steps.get_or_insert_default();
        let count = steps.blocked.as_ref().map_or(0, |blocked| blocked.count);
        let count = count.saturating_add(1);
        steps.blocked = Some(Blocked { message, count });
        self.back_to_pending(now.saturating_add(delay), now)
    }

    /// A caller gives the value of a promise: the first one counts.
    fn complete(
        &mut self,
        key: &StepKey,
        outcome: StepOutcome,
        stored: &HashMap<StepKey, StepRow>,
        now: Timestamp,
    ) -> Result<(Change, Vec<StepRow>), Refusal> {
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
            return Ok((Change::Nothing, Vec::new()));
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
        if self.state == OperationState::Pending && summary.waits_for(key) {
            summary.waits.retain(|waits| waits != key.as_str());
            let gathered = now.saturating_add(gather(summary.waits.len()));
            self.ready_time = self.ready_time.min(gathered);
        }
        self.steps = Some(Box::new(summary));
        Ok((self.written(now), vec![row]))
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
        }
    }
}

/// Rows to be written, and the summary with them.
struct Plan {
    summary: StepSummary,
    rows: BTreeMap<StepKey, StepRow>,
}

impl Plan {
    /// Adds a row: a new one, or one that replaces a row of this length.
    fn put(&mut self, row: StepRow, old_len: Option<usize>) -> Result<(), Refusal> {
        let len = row.encoded_len();
        if len - row.key.as_str().len() > StepSummary::MAX_VALUE_LEN {
            return Err(Refusal::StepLimit(StepLimit::ValueLen));
        }
        if old_len.is_none() {
            if self.summary.rows >= StepSummary::MAX_ROWS {
                return Err(Refusal::StepLimit(StepLimit::Rows));
            }
            self.summary.rows += 1;
            self.summary.seq = row.seq;
        }
        let before = self.summary.len.saturating_sub(old_len.unwrap_or(0) as u64);
        self.summary.len = before.saturating_add(len as u64);
        if self.summary.len > StepSummary::MAX_LEN {
            return Err(Refusal::StepLimit(StepLimit::Len));
        }
        self.rows.insert(row.key.clone(), row);
        Ok(())
    }

    /// Keeps the waits that have not ended. Returns when the operation becomes ready.
    fn suspend(
        &mut self,
        waits: &[StepKey],
        stored: &HashMap<StepKey, StepRow>,
        now: Timestamp,
    ) -> Result<Timestamp, Refusal> {
        let mut ready_time = OperationRecord::NEVER_READY;
        let mut left = Vec::new();
        for key in waits {
            let row = self.rows.get(key).or_else(|| stored.get(key));
            let row = row.ok_or_else(|| Refusal::StepUnknown(key.clone()))?;
            if !row.is_finished() {
                ready_time = ready_time.min(row.wake_time.unwrap_or(ready_time));
                left.push(key.as_str().to_owned());
            }
        }
        if left.is_empty() || left.len() < waits.len() {
            ready_time = ready_time.min(now.saturating_add(gather(left.len())));
        }
        self.summary.waits = left;
        self.summary.blocked = None;
        Ok(ready_time)
    }
}

/// How long further waits are gathered, when one of them has ended and `left` have not.
fn gather(left: usize) -> Duration {
    GATHER_EACH * u32::try_from(left).unwrap_or(GATHER_MAX).min(GATHER_MAX)
}

fn new(write: StepWrite, seq: u64, fence: u64, time: Timestamp, create_time: Timestamp) -> StepRow {
    let outcome = write.outcome.map(normal);
    StepRow {
        key: write.key,
        seq,
        kind: write.kind,
        attempt: write.attempt,
        fence,
        sequential: write.sequential,
        begin_time: time.saturating_sub(write.begun_ago).max(create_time),
        end_time: outcome.is_some().then_some(time),
        wake_time: write.wake.map(|wake| wake.time(time)),
        last_error: write.last_error.filter(|_| outcome.is_none()),
        outcome,
    }
}

/// The row with the write, `None` if that changes nothing.
fn changed(
    old: &StepRow,
    write: StepWrite,
    fence: u64,
    time: Timestamp,
) -> Result<Option<StepRow>, Refusal> {
    if old.kind != write.kind {
        return Err(Refusal::StepKindDiffers(write.key));
    }
    let outcome = write.outcome.map(normal);
    if old.is_finished() {
        return match outcome.is_none() || outcome == old.outcome {
            true => Ok(None),
            false => Err(Refusal::StepFinished(write.key)),
        };
    }
    let wake_time = match old.wake_time {
        Some(wake_time) if write.attempt <= old.attempt => Some(wake_time),
        _ => write.wake.map(|wake| wake.time(time)),
    };
    let last_error = write.last_error.or_else(|| old.last_error.clone());
    let row = StepRow {
        key: write.key,
        attempt: old.attempt.max(write.attempt),
        fence,
        end_time: outcome.is_some().then_some(time),
        wake_time,
        last_error: last_error.filter(|_| outcome.is_none()),
        outcome,
        ..*old
    };
    // A repetition by the same run, or by a later one that knows no more.
    let is_same = row
        == StepRow {
            fence,
            ..old.clone()
        };
    Ok((!is_same).then_some(row))
}

/// An error is never OK.
fn normal(outcome: StepOutcome) -> StepOutcome {
    match outcome {
        StepOutcome::Error(status) => StepOutcome::Error(never_ok(status)),
        outcome => outcome,
    }
}

#[cfg(test)]
mod tests;
