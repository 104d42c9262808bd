mod until_its_body_ends;
mod waits;

use std::time::Duration;

use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::pack;
use crate::pb::rpc::Status;
use crate::reason::Reason;
use crate::store::{NewOperation, OnCrash, OperationResult, StepWake, WorkerId};

const KEYS: [&str; 5] = ["a", "b", "c", "d", "saga"];

/// The kind of the call of each key.
const KINDS: [StepKind; 5] = [
    StepKind::Promise,
    StepKind::Promise,
    StepKind::Promise,
    StepKind::Sleep,
    StepKind::Saga,
];

fn key(at: usize) -> StepKey {
    KEYS[at].parse().unwrap()
}

fn pending() -> OperationRecord {
    let name = "operations/1".parse().unwrap();
    let new = NewOperation::new(Uuid::nil(), name, "/s/M", pack(&()));
    OperationRecord::new(new, Timestamp::EPOCH)
}

fn running() -> OperationRecord {
    let mut record = pending();
    let claim = Command::Claim {
        worker: WorkerId::from_uuid(Uuid::nil()),
        lease_duration: Duration::from_secs(30),
    };
    record.apply(claim, Timestamp::EPOCH).unwrap();
    record
}

fn record_steps(record: &OperationRecord) -> Command {
    Command::Record {
        fence: record.fence,
        metadata: None,
    }
}

/// Records a step. Returns its row.
fn written(
    record: &mut OperationRecord,
    write: Vec<StepWrite>,
    stored: &HashMap<StepKey, StepRow>,
) -> StepRow {
    let command = record_steps(record);
    let answer = record.apply_with_steps(command, write, stored, Timestamp::EPOCH);
    answer.unwrap().written.remove(0)
}

fn outcome() -> impl Strategy<Value = Option<StepOutcome>> {
    prop_oneof![
        3 => Just(None),
        2 => (0_u32..2).prop_map(|n| Some(StepOutcome::Response(pack(&n)))),
        1 => Just(Some(StepOutcome::Error(Status::default()))),
        1 => Just(Some(StepOutcome::Abandoned)),
    ]
}

fn write() -> impl Strategy<Value = StepWrite> {
    let wake = prop_oneof![
        Just(None),
        (0_u64..3_000_000).prop_map(|micros| Some(StepWake::After(Duration::from_micros(micros)))),
        (-9_i64..9_000_000).prop_map(|at| Some(StepWake::At(Timestamp::from_micros(at)))),
    ];
    let parts = (0_usize..5, 0_u32..3, wake, outcome(), any::<bool>());
    parts.prop_map(|(at, attempt, wake, outcome, fails)| StepWrite {
        attempt,
        wake,
        last_error: fails.then(Status::default),
        outcome,
        ..StepWrite::begun(key(at), KINDS[at])
    })
}

/// A command of a worker, for the claim before the present one, the present one or the next.
fn by_holder() -> impl Strategy<Value = (u64, usize, Vec<usize>)> {
    (
        0_u64..3,
        0_usize..10,
        prop::collection::vec(0_usize..5, 0..3),
    )
}

fn command(fence: u64, epoch: u32, verb: usize, waits: &[usize]) -> Command {
    let metadata = None;
    match verb {
        0 | 1 => Command::Record { fence, metadata },
        2 | 3 => Command::Suspend {
            fence,
            waits: waits.iter().map(|at| key(*at)).collect(),
            ready_by: None,
            metadata,
        },
        // The present epoch again, the next one and the one after it.
        7..=9 => Command::CheckpointAndForget {
            fence,
            epoch: epoch + (verb - 7) as u32,
            lease_duration: Duration::from_secs(30),
            checkpoint: pack(&()),
            asked: waits.iter().map(|at| key(*at)).collect(),
            metadata,
        },
        4 => Command::Release { fence, metadata },
        5 => Command::Retry {
            fence,
            error: Status::default(),
            delay: Duration::ZERO,
            metadata,
        },
        _ => Command::Finish {
            fence,
            outcome: OperationOutcome::Response(pack(&())),
            metadata,
        },
    }
}

#[derive(Clone, Debug)]
enum Verb {
    Claim,
    Expire,
    ExpireShared,
    Cancel,
    Complete(usize, StepOutcome),
    Forget(Vec<usize>),
    Unblock,
    Holder(u64, usize, Vec<usize>, Vec<StepWrite>),
}

fn verb() -> impl Strategy<Value = Verb> {
    let holder = (by_holder(), prop::collection::vec(write(), 0..4));
    prop_oneof![
        4 => Just(Verb::Claim),
        1 => Just(Verb::Expire),
        1 => Just(Verb::ExpireShared),
        1 => (0_u8..20).prop_map(|n| if n == 0 { Verb::Cancel } else { Verb::Claim }),
        2 => (0_usize..4, outcome()).prop_map(|(at, outcome)| {
            Verb::Complete(at, outcome.unwrap_or(StepOutcome::Abandoned))
        }),
        1 => prop::collection::vec(0_usize..5, 0..3).prop_map(Verb::Forget),
        1 => Just(Verb::Unblock),
        9 => holder.prop_map(|((back, verb, waits), writes)| Verb::Holder(back, verb, waits, writes)),
    ]
}

impl Verb {
    fn to_command(&self, fence: u64, epoch: u32) -> (Command, Vec<StepWrite>) {
        let command = match self {
            Self::Claim => Command::Claim {
                worker: WorkerId::from_uuid(Uuid::nil()),
                lease_duration: Duration::from_secs(30),
            },
            Self::Expire => Command::Expire,
            Self::ExpireShared => Command::ExpireShared,
            Self::Cancel => Command::cancel(),
            Self::Complete(at, outcome) => Command::Complete {
                key: key(*at),
                outcome: outcome.clone(),
            },
            Self::Forget(keys) => Command::ForgetSteps {
                keys: keys.iter().map(|at| key(*at)).collect(),
            },
            Self::Unblock => Command::Unblock,
            Self::Holder(2, verb, waits, writes) => {
                return (command(fence + 1, epoch, *verb, waits), writes.clone());
            }
            // A stale holder is rare.
            Self::Holder(back, verb, waits, writes) => {
                let fence = fence.saturating_sub(back * u64::from(*verb == 0));
                return (command(fence, epoch, *verb, waits), writes.clone());
            }
        };
        (command, Vec::new())
    }
}

/// Checks a record and its rows.
fn check(record: &OperationRecord, rows: &HashMap<StepKey, StepRow>) -> Result<(), TestCaseError> {
    prop_assert!(record.is_whole(), "{record:?}");
    prop_assert!(rows.values().all(StepRow::is_whole));
    prop_assert!(record.steps.is_some() || rows.is_empty());
    let Some(summary) = record.steps.as_deref() else {
        return Ok(());
    };
    prop_assert_eq!(summary.rows as usize, rows.len());
    let owed = rows.values().filter(|row| row.is_owed()).count();
    prop_assert_eq!(summary.owed as usize, owed);
    let len: usize = rows.values().map(StepRow::encoded_len).sum();
    prop_assert_eq!(summary.len, len as u64);
    let mut places: Vec<_> = rows.values().map(|row| row.seq).collect();
    places.sort_unstable();
    places.dedup();
    prop_assert_eq!(places.len(), rows.len());
    prop_assert!(places.last().is_none_or(|last| *last <= summary.seq));
    prop_assert!(record.attempts_since_progress() <= record.policy.max_attempts);
    if record.state != OperationState::Pending {
        return Ok(());
    }
    prop_assert_eq!((&record.lease, record.worker), (&None, None));
    // No wake-up is lost: what it waits for has not ended, and every timer among it wakes it.
    for waits in &summary.waits {
        let row = &rows[&waits.parse::<StepKey>().unwrap()];
        prop_assert!(!row.is_finished());
        prop_assert!(row.wake_time.is_none_or(|time| record.ready_time <= time));
    }
    prop_assert!(record.is_suspended() || record.ready_time < OperationRecord::NEVER_READY);
    Ok(())
}

/// Checks what a command has made of an operation that owes something, or has a verdict.
fn check_debts(
    before: &OperationRecord,
    command: &Command,
    after: &OperationRecord,
) -> Result<(), TestCaseError> {
    let verdict = |it: &OperationRecord| it.steps.as_deref().and_then(|it| it.verdict.clone());
    if let Some(verdict_before) = verdict(before) {
        prop_assert_eq!(verdict(after), Some(verdict_before), "a verdict stays");
        prop_assert!(
            after.state != OperationState::Succeeded,
            "and is no success"
        );
    }
    if !before.state.is_done() && after.state.is_done() && after.owes() {
        prop_assert!(before.is_condemned(), "a run has tried to undo");
        let Some(OperationResult::Error(error)) = &after.result else {
            return Err(TestCaseError::fail(
                "an operation that owes something succeeds",
            ));
        };
        prop_assert!(Reason::UndoIncomplete.is_told_by(error), "{:?}", error);
    }
    if matches!(command, Command::Claim { .. }) {
        let expected = match after.cancel_time {
            Some(_) => OperationState::Cancelling,
            None => OperationState::Running,
        };
        prop_assert_eq!(after.state, expected);
    }
    if before.state == OperationState::Cancelling && after.state == OperationState::Pending {
        let may_run_again = after.owes() || after.ends_by_its_body();
        prop_assert!(may_run_again && after.cancel_time == before.cancel_time);
    }
    if after.ends_by_its_body() && !before.state.is_done() && after.state.is_done() {
        prop_assert!(
            before.state.is_running(),
            "no cancellation ends it without its body"
        );
    }
    Ok(())
}

proptest! {
    /// Random walks with steps, suspensions and completions.
    #[test]
    fn invariants_hold_on_random_walks_with_steps(
        verbs in prop::collection::vec((verb(), 0_u64..2_000_000), 1..60),
        max_attempts in 1_u32..4,
        on_crash in prop::sample::select(&[OnCrash::Resume, OnCrash::Abort, OnCrash::ResumeCancelled]),
    ) {
        let mut record = pending();
        record.policy.max_attempts = max_attempts;
        record.policy.on_crash = on_crash;
        let mut rows = HashMap::new();
        let mut now = Timestamp::EPOCH;
        for (verb, micros) in verbs {
            now = now.saturating_add(Duration::from_micros(micros));
            let epoch = |record: &OperationRecord| record.steps.as_deref().map_or(0, |it| it.epoch);
            let (command, writes) = verb.to_command(record.fence, epoch(&record));
            let before = record.clone();
            let answer = record.apply_with_steps(command.clone(), writes.clone(), &rows, now);
            let Ok(AppliedSteps { change, written, removed, sweeps, .. }) = answer else {
                prop_assert_eq!(&record, &before, "a refusal changes nothing");
                continue;
            };
            let begins = epoch(&record) != epoch(&before);
            let mut kept = Vec::new();
            if let (true, Command::CheckpointAndForget { asked, .. }) = (begins, &command) {
                prop_assert!(sweeps || before.steps.as_deref().is_none_or(|it| it.rows == 0));
                let given = rows.drain().map(|(_, row): (StepKey, StepRow)| row);
                kept.extend(given.filter(|row| row.is_given() && !asked.contains(&row.key)));
                prop_assert_eq!(kept.len(), written.len(), "what came early is kept");
            }
            for key in &removed {
                prop_assert_eq!(command.fence(), None, "only an operator removes steps");
                prop_assert!(rows.remove(key).is_some());
                prop_assert!(!record.is_blocked() && !record.is_suspended());
            }
            if change == Change::Nothing {
                prop_assert_eq!(&record, &before);
                prop_assert!(written.is_empty() && removed.is_empty());
            }
            prop_assert!(written.is_empty() || change == Change::Record);
            for row in written {
                if begins {
                    let old = kept.iter().find(|old| old.key == row.key).cloned();
                    prop_assert_eq!(old.map(|old| StepRow { seq: row.seq, ..old }), Some(row.clone()));
                    rows.insert(row.key.clone(), row);
                    continue;
                }
                if let Some(old) = rows.get(&row.key) {
                    let old: &StepRow = old;
                    prop_assert!(!old.is_finished(), "a finished row never changes");
                    prop_assert_eq!((old.seq, old.kind, old.begin_time), (row.seq, row.kind, row.begin_time));
                    prop_assert!(old.wake_time.is_none() || old.wake_time == row.wake_time || old.attempt < row.attempt);
                }
                if row.is_finished() {
                    prop_assert_eq!(row.end_time, Some(record.update_time));
                }
                let by = command.fence().unwrap_or(0);
                prop_assert_eq!(row.fence, by);
                rows.insert(row.key.clone(), row);
            }
            check(&record, &rows)?;
            check_debts(&before, &command, &record)?;
            if matches!(command, Command::Suspend { .. }) && !record.state.is_done() {
                prop_assert!(record.attempt < before.attempt, "a suspension is no attempt");
            }
            // The same again changes nothing more, or its sender holds the operation no longer.
            let mut again = record.clone();
            match (again.apply_with_steps(command.clone(), writes, &rows, now), command) {
                (Ok(applied), Command::Record { .. } | Command::Complete { .. }) => {
                    prop_assert!(applied.written.is_empty(), "a repetition writes no step");
                    prop_assert_eq!(&again, &record);
                }
                (answer, Command::CheckpointAndForget { .. }) => {
                    prop_assert_eq!(answer, Ok(Change::Lease.into()));
                    prop_assert_eq!(&again, &record);
                }
                (Err(refusal), Command::Suspend { .. } | Command::Finish { .. }) => {
                    prop_assert_eq!(refusal, Refusal::Stale);
                }
                (answer, Command::Record { .. } | Command::Complete { .. } | Command::Suspend { .. } | Command::Finish { .. }) => {
                    prop_assert!(false, "a repetition is answered {answer:?}");
                }
                _ => {}
            }
        }
    }
}
