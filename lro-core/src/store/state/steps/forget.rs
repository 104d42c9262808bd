//! Steps that are forgotten: by the body, which begins a new epoch, or by an operator.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use prost_types::Any;

use super::cancelled;
use crate::clock::Timestamp;
use crate::store::{
    AppliedSteps, Change, OperationRecord, OperationState, Refusal, StepKey, StepRow, StepSummary,
    StepWrite,
};

/// The parts of a [`Command::CheckpointAndForget`](crate::store::Command::CheckpointAndForget).
pub(super) struct NewEpoch {
    pub(super) fence: u64,
    pub(super) epoch: u32,
    pub(super) lease_duration: Duration,
    pub(super) checkpoint: Any,
    pub(super) asked: Vec<StepKey>,
    pub(super) metadata: Option<Any>,
}

impl OperationRecord {
    /// Saves the checkpoint, and begins the epoch with what callers gave and the body has not asked
    /// for.
    pub(super) fn begin_epoch(
        &mut self,
        new: NewEpoch,
        writes: Vec<StepWrite>,
        stored: &HashMap<StepKey, StepRow>,
        now: Timestamp,
    ) -> Result<AppliedSteps, Refusal> {
        self.check_fence(new.fence)?;
        let present = self.steps.as_deref().map_or(0, |steps| steps.epoch);
        if present == new.epoch {
            // A repetition: the steps that come with it belong to the epoch before.
            self.extend_lease(new.lease_duration, now);
            return Ok(match self.take_metadata(new.metadata) {
                true => self.written(now).into(),
                false => Change::Lease.into(),
            });
        }
        if present.checked_add(1) != Some(new.epoch) {
            return Err(Refusal::Stale);
        }
        // Refused where they would be refused in any other update; stored they need not be.
        let ended = self.plan(writes, stored, new.fence, now)?;
        let (before, cancels) = (ended.summary, cancelled(ended.rows.values()));
        if before.owed > 0 {
            return Err(Refusal::Owes);
        }
        self.extend_lease(new.lease_duration, now);
        self.checkpoint = Some(new.checkpoint);
        self.take_metadata(new.metadata);
        self.made_progress();
        let change = self.written(now);
        let is_kept = |row: &&StepRow| row.is_given() && !new.asked.contains(&row.key);
        let mut kept: Vec<StepRow> = stored.values().filter(is_kept).cloned().collect();
        kept.sort_by_key(|row| row.seq);
        for (row, seq) in kept.iter_mut().zip(1..) {
            row.seq = seq;
        }
        let count = u32::try_from(kept.len()).unwrap_or(u32::MAX);
        self.steps = Some(Box::new(StepSummary {
            epoch: new.epoch,
            epoch_micros: self.update_time.as_micros(),
            seq: count.into(),
            rows: count,
            len: kept.iter().map(|row| row.encoded_len() as u64).sum(),
            early: count,
            progress_attempt: self.attempt,
            unswept: before.unswept.saturating_add(before.rows),
            verdict: before.verdict,
            forgotten_children: before.forgotten_children,
            ..StepSummary::default()
        }));
        Ok(AppliedSteps {
            cancels,
            ..AppliedSteps::new(change, kept)
        })
    }

    /// An operator removes rows of a pending operation, whose next run makes the calls again. Children that have
    /// not ended are cancelled, unless they are left: the next run starts others.
    pub(super) fn forget_steps(
        &mut self,
        keys: Vec<StepKey>,
        stored: &HashMap<StepKey, StepRow>,
        now: Timestamp,
    ) -> Result<AppliedSteps, Refusal> {
        self.check_waiting()?;
        let keys: BTreeSet<StepKey> = keys.into_iter().collect();
        let mut summary = self.steps.as_deref().cloned().unwrap_or_default();
        let mut cancels = Vec::new();
        for key in &keys {
            let row = stored.get(key);
            let row = row.ok_or_else(|| Refusal::StepUnknown(key.clone()))?;
            let len = row.encoded_len() as u64;
            summary.rows = summary.rows.saturating_sub(1);
            let of_saga = row.kind.is_of_saga().into();
            summary.saga_rows = summary.saga_rows.saturating_sub(of_saga);
            summary.len = summary.len.saturating_sub(len);
            summary.owed = summary.owed.saturating_sub(row.is_owed().into());
            if row.is_early() {
                summary.early = summary.early.saturating_sub(1);
            }
            summary.forgotten_undoable |= row.kind.is_undoable();
            if let Some(child) = row.child.as_deref() {
                summary.forgotten_children = summary.forgotten_children.saturating_add(1);
                let is_dropped = !row.is_finished() && !child.is_left;
                cancels.extend(is_dropped.then(|| child.clone()));
            }
        }
        if keys.is_empty() {
            return Ok(Change::Nothing.into());
        }
        self.steps = Some(Box::new(summary));
        Ok(AppliedSteps {
            removed: keys.into_iter().collect(),
            cancels,
            ..self.run_again(now).into()
        })
    }

    /// An operator lets a blocked operation run before its pause has ended.
    pub(super) fn unblock(&mut self, now: Timestamp) -> Result<AppliedSteps, Refusal> {
        match self.check_waiting() {
            Err(Refusal::Running) => Err(Refusal::NotBlocked),
            Ok(()) if !self.is_blocked() => Err(Refusal::NotBlocked),
            checked => checked.map(|()| self.run_again(now).into()),
        }
    }

    /// Whether it is visible and pending.
    fn check_waiting(&self) -> Result<(), Refusal> {
        match self.state {
            _ if !self.is_visible() => Err(Refusal::NotFound),
            OperationState::Pending => Ok(()),
            state if state.is_done() => Err(Refusal::Done),
            _ => Err(Refusal::Running),
        }
    }

    /// Makes an operation that has run before ready now.
    pub(in super::super) fn run_again(&mut self, now: Timestamp) -> Change {
        self.forget_waits();
        if let Some(steps) = &mut self.steps {
            steps.blocked = None;
        }
        if self.fence > 0 {
            self.ready_time = self.ready_time.min(now);
        }
        self.written(now)
    }
}
