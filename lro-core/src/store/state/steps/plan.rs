//! Rows that an update writes, and what becomes of the summary.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use super::super::outcome::never_ok;
use crate::clock::Timestamp;
use crate::store::{
    Child, OperationRecord, Refusal, StepKey, StepKind, StepLimit, StepOutcome, StepRow,
    StepSummary, StepWrite,
};

/// How long an operation with further waits stays suspended for each of them after one has ended,
/// and at most.
const GATHER_EACH: Duration = Duration::from_millis(10);
const GATHER_MAX: u32 = 100;

impl OperationRecord {
    /// The rows that the writes make, and the summary with them.
    pub(super) fn plan(
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
            if write.is_unreached {
                if old.is_some() {
                    plan.summary.add_unreached(&write.key);
                }
                continue;
            }
            let row = match old {
                Some(old) => match changed(old, write, fence, time)? {
                    Some(row) => row,
                    None => continue,
                },
                None => new(write, plan.summary.seq + 1, fence, time, self.create_time),
            };
            let old = old.map(|old| (old.encoded_len(), old.is_owed()));
            plan.put(row, old)?;
        }
        Ok(plan)
    }
}

/// Rows to be written, and the summary with them.
pub(super) struct Plan {
    pub(super) summary: StepSummary,
    pub(super) rows: BTreeMap<StepKey, StepRow>,
}

impl Plan {
    /// Adds a row: a new one, or one that replaces a row of this length, which may have been owed.
    fn put(&mut self, row: StepRow, old: Option<(usize, bool)>) -> Result<(), Refusal> {
        let (old_len, was_owed) = old.unzip();
        let len = row.encoded_len();
        if len - row.key.as_str().len() > StepSummary::MAX_VALUE_LEN {
            return Err(Refusal::StepLimit(StepLimit::ValueLen));
        }
        if old_len.is_none() {
            if self.summary.rows >= StepSummary::MAX_ROWS && !row.kind.has_no_limit() {
                return Err(Refusal::StepLimit(StepLimit::Rows));
            }
            self.summary.rows += 1;
            self.summary.saga_rows += u32::from(row.kind.is_of_saga());
            self.summary.seq = row.seq;
        }
        match (was_owed.unwrap_or(false), row.is_owed()) {
            (false, true) => self.summary.owed += 1,
            (true, false) => self.summary.owed = self.summary.owed.saturating_sub(1),
            (false, false) | (true, true) => {}
        }
        let before = self.summary.len.saturating_sub(old_len.unwrap_or(0) as u64);
        self.summary.len = before.saturating_add(len as u64);
        let has_no_limit = row.kind.has_no_limit() || row.is_failed_child();
        if self.summary.len > StepSummary::MAX_LEN && !has_no_limit {
            return Err(Refusal::StepLimit(StepLimit::Len));
        }
        self.rows.insert(row.key.clone(), row);
        Ok(())
    }

    /// Keeps the waits that have not ended. Returns when the operation becomes ready.
    pub(super) fn suspend(
        &mut self,
        waits: &[StepKey],
        stored: &HashMap<StepKey, StepRow>,
        now: Timestamp,
    ) -> Result<Timestamp, Refusal> {
        let mut ready_time = OperationRecord::NEVER_READY;
        let (mut left, mut kinds) = (Vec::new(), Vec::new());
        let waits: BTreeSet<&StepKey> = waits.iter().collect();
        for key in &waits {
            let row = self.rows.get(*key).or_else(|| stored.get(*key));
            let row = row.ok_or_else(|| Refusal::StepUnknown((*key).clone()))?;
            if !row.is_finished() {
                ready_time = ready_time.min(row.wake_time.unwrap_or(ready_time));
                left.push(key.as_str().to_owned());
                kinds.push(row.kind.as_number().into());
            }
        }
        if left.is_empty() || left.len() < waits.len() {
            ready_time = ready_time.min(now.saturating_add(gather(left.len())));
        }
        self.summary.waits = left;
        self.summary.wait_kinds = kinds;
        self.summary.blocked = None;
        Ok(ready_time)
    }
}

impl Plan {
    /// Whether each wait is of one of these kinds.
    pub(super) fn waits_only_for(&self, kinds: &[StepKind]) -> bool {
        let kinds = || kinds.iter().map(|kind| u32::from(kind.as_number()));
        let mut waits = self.summary.wait_kinds.iter();
        waits.all(|wait| kinds().any(|kind| kind == *wait))
    }

    pub(super) fn wait_for_nothing(&mut self) {
        self.summary.waits.clear();
        self.summary.wait_kinds.clear();
    }
}

/// How long further waits are gathered, when one of them has ended and `left` have not.
pub(super) fn gather(left: usize) -> Duration {
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
        child: write.child,
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
    let is_other = |child: &Child| old.child.as_deref().is_some_and(|old| old.uid != child.uid);
    if write.child.as_deref().is_some_and(is_other) {
        return Err(Refusal::StepHasChild(write.key));
    }
    if old.is_finished() {
        // The end of a call that the body has dropped may have come first.
        let is_dropped = matches!(outcome, None | Some(StepOutcome::Abandoned));
        return match is_dropped || outcome == old.outcome {
            true => Ok(None),
            false => Err(Refusal::StepFinished(write.key)),
        };
    }
    let wake_time = write.wake.map(|wake| wake.time(time));
    let is_cancelled = |child: Option<&Child>| child.is_some_and(|child| child.is_cancelled);
    let cancels = is_cancelled(write.child.as_deref()) && !is_cancelled(old.child.as_deref());
    let (wake_time, last_error) = match write.attempt.cmp(&old.attempt) {
        // It waits for the end of the cancellation from now on.
        _ if cancels => (wake_time, None),
        Ordering::Greater => (
            wake_time,
            write.last_error.or_else(|| old.last_error.clone()),
        ),
        Ordering::Equal => (
            old.wake_time.or(wake_time),
            write.last_error.or_else(|| old.last_error.clone()),
        ),
        Ordering::Less => (old.wake_time, old.last_error.clone()),
    };
    let row = StepRow {
        key: write.key,
        attempt: old.attempt.max(write.attempt),
        fence,
        end_time: outcome.is_some().then_some(time),
        wake_time,
        last_error: last_error.filter(|_| outcome.is_none()),
        outcome,
        child: match cancels {
            true => write.child,
            false => old.child.clone().or(write.child),
        },
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
