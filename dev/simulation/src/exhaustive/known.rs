//! A record with its steps.

use std::collections::{BTreeMap, HashMap};

use lro_core::store::{Change, OperationRecord, OperationState, Refusal, StepKey, StepRow, Update};
use uuid::Uuid;

use super::moves::{Move, forgotten};
use super::{Bounds, Mistake, children, debts};

/// A record as a store keeps it, with its steps.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) record: OperationRecord,
    pub(super) steps: BTreeMap<StepKey, StepRow>,
}

impl Known {
    pub(super) fn new(record: OperationRecord) -> Self {
        Self {
            record,
            steps: BTreeMap::new(),
        }
    }

    /// Does what a store does for a command. Returns the child too that it cancels.
    pub(super) fn apply(
        &mut self,
        command: Move,
        update: Update,
        bounds: Bounds,
    ) -> (Result<Change, Refusal>, Option<Uuid>) {
        match self.applied(command, update, bounds) {
            Ok((change, cancels)) => (Ok(change), cancels),
            Err(refusal) => (Err(refusal), None),
        }
    }

    fn applied(
        &mut self,
        command: Move,
        mut update: Update,
        bounds: Bounds,
    ) -> Result<(Change, Option<Uuid>), Refusal> {
        // A claim comes when the operation is ready, if it ever is.
        let (ready_time, update_time) = (self.record.ready_time, self.record.update_time);
        let now = match command {
            Move::Claim if ready_time != OperationRecord::NEVER_READY => {
                ready_time.max(update_time)
            }
            _ => update_time,
        };
        children::mistake(self, &mut update, bounds.mistake);
        let found = |key: &StepKey| Some((key.clone(), self.steps.get(key)?.clone()));
        let mut stored: HashMap<_, _> = update.step_keys().filter_map(found).collect();
        match bounds.mistake {
            Some(Mistake::StepOverwritten) if matches!(command, Move::Record(..)) => stored.clear(),
            Some(Mistake::SuspendDoesNotLook) if matches!(command, Move::Word(..)) => {
                for row in stored.values_mut() {
                    (row.outcome, row.end_time) = (None, None);
                }
            }
            Some(Mistake::StepForgottenInARun)
                if matches!(command, Move::Forget(_))
                    && self.record.state.is_running()
                    && !stored.is_empty() =>
            {
                self.steps.retain(|key, _| !stored.contains_key(key));
                return Ok((Change::Record, None));
            }
            _ => {}
        }
        if update.needs_given_steps() && bounds.mistake != Some(Mistake::EarlyPromiseLost) {
            let given = self.steps.iter().filter(|(_, row)| row.is_given());
            stored.extend(given.map(|(key, row)| (key.clone(), row.clone())));
        }
        let epoch_before = self.epoch();
        let made = debts::Made::before(self, command, bounds);
        let applied = self
            .record
            .apply_with_steps(update.command, update.steps, &stored, now);
        made.after(self, command);
        let applied = applied?;
        if bounds.mistake == Some(Mistake::WakeLost) && matches!(command, Move::Complete(_)) {
            self.record.ready_time = ready_time;
        }
        if self.epoch() != epoch_before && bounds.mistake != Some(Mistake::EpochIgnored) {
            self.steps.clear();
        }
        self.steps.retain(|key, _| !applied.removed.contains(key));
        self.steps.extend(
            applied
                .written
                .into_iter()
                .map(|row| (row.key.clone(), row)),
        );
        Ok((applied.change, applied.cancels.first().map(|it| it.uid)))
    }

    fn epoch(&self) -> u32 {
        self.record.steps.as_deref().map_or(0, |steps| steps.epoch)
    }

    /// Counts the steps anew, in their order: how many were forgotten is no other state.
    pub(super) fn renumber(&mut self) {
        let mut rows: Vec<_> = self.steps.values_mut().collect();
        rows.sort_by_key(|row| row.seq);
        for (row, seq) in rows.into_iter().zip(1..) {
            row.seq = seq;
        }
        if let Some(steps) = &mut self.record.steps {
            steps.seq = self.steps.len() as u64;
        }
    }

    /// Checks what a command has done to the steps.
    pub(super) fn check(
        &self,
        before: &Self,
        command: Move,
        result: &Result<Change, Refusal>,
    ) -> Result<(), String> {
        let wrong = |what: &str| Err(format!("{command:?} {what}: {before:?} -> {self:?}"));
        if result.is_err() && self.steps != before.steps {
            return wrong("was refused and has recorded something");
        }
        if let Some(fault) = debts::fault(before, command, self) {
            return wrong(fault);
        }
        let begins = self.epoch() != before.epoch();
        for (key, row) in &before.steps {
            let may_be_lost = match command {
                Move::NewEpoch(..) => begins && !row.is_given(),
                Move::Forget(at) => !before.record.state.is_running() && *key == forgotten(at),
                _ => false,
            };
            match self.steps.get(key) {
                None if may_be_lost => {}
                None => return wrong("has lost a step"),
                Some(_) if begins && !row.is_given() => {
                    return wrong("shows a step of the epoch before");
                }
                Some(after) if row.is_finished() && row.outcome != after.outcome => {
                    return wrong("has changed a finished step");
                }
                Some(after) if row.is_finished() && !begins && row != after => {
                    return wrong("has changed a finished step");
                }
                Some(_) => {}
            }
        }
        if begins {
            return Ok(());
        }
        let is_new = |(key, row): &(&StepKey, &StepRow)| before.steps.get(*key) != Some(*row);
        let mut written = self.steps.iter().filter(is_new);
        let by = match command {
            Move::Record(_, fence) | Move::Open(fence) | Move::Word(_, fence, _) => fence.into(),
            // The end of a child is no other run's, and its start is checked with the fence.
            Move::Told(_) => return Ok(()),
            _ => 0,
        };
        if written.any(|(_, row)| row.fence != by) {
            return wrong("has recorded what another run gave");
        }
        Ok(())
    }

    /// Checks that the summary fits the steps, and that no wake-up is lost.
    pub(super) fn is_well_formed(&self) -> Result<(), String> {
        let wrong = |what: &str| Err(format!("{what}: {self:?}"));
        let Some(summary) = self.record.steps.as_deref() else {
            return match self.steps.is_empty() {
                true => Ok(()),
                false => wrong("steps without a summary"),
            };
        };
        let len: usize = self.steps.values().map(StepRow::encoded_len).sum();
        if (summary.rows as usize, summary.len) != (self.steps.len(), len as u64) {
            return wrong("the summary does not fit the steps");
        }
        if summary.owed as usize != self.steps.values().filter(|row| row.is_owed()).count() {
            return wrong("what it owes does not fit the steps");
        }
        if self.record.state != OperationState::Pending {
            return Ok(());
        }
        let is_open = |key: &String| {
            let key: Option<StepKey> = key.parse().ok();
            let row = key.and_then(|key| self.steps.get(&key));
            row.is_some_and(|row| !row.is_finished())
        };
        if !summary.waits.iter().all(is_open) {
            return wrong("it waits for what has ended");
        }
        let never = self.record.ready_time == OperationRecord::NEVER_READY;
        let asked = self.steps.values().filter(|row| row.wake_time.is_none());
        let waits_for_all = summary.waits.len() == asked.filter(|row| !row.is_finished()).count();
        match never && !(waits_for_all && self.record.is_suspended()) {
            true => wrong("it waits for nothing, and for ever"),
            false => Ok(()),
        }
    }
}
