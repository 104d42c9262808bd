mod children;
mod debts;
mod losses;

use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::pack;
use crate::store::NewOperation;

fn pending() -> OperationRecord {
    let name = "operations/1".parse().unwrap();
    let new = NewOperation::new(Uuid::nil(), name, "/s/M", pack(&()));
    OperationRecord::new(new, Timestamp::EPOCH)
}

fn in_state(state: OperationState) -> OperationRecord {
    let mut record = pending();
    let mut apply = |command| record.apply(command, Timestamp::EPOCH).unwrap();
    use OperationState::*;
    if state == Pending {
        return record;
    }
    apply(claim());
    match state {
        Pending | Running => {}
        Cancelling => {
            apply(Command::cancel());
        }
        Succeeded => {
            apply(finish(1, OperationOutcome::Response(pack(&()))));
        }
        Failed => {
            apply(finish(1, OperationOutcome::Error(failure())));
        }
        Cancelled => {
            apply(finish(1, OperationOutcome::Cancelled));
        }
    }
    assert_eq!(record.state, state);
    record
}

fn claim() -> Command {
    Command::Claim {
        worker: WorkerId::from_uuid(Uuid::nil()),
        lease_duration: Duration::from_secs(30),
    }
}

fn finish(fence: u64, outcome: OperationOutcome) -> Command {
    Command::Finish {
        fence,
        outcome,
        metadata: None,
    }
}

fn failure() -> Status {
    Reason::OperationTimedOut.operation_error("slow", [])
}

fn retry(fence: u64) -> Command {
    Command::Retry {
        fence,
        error: failure(),
        delay: Duration::from_secs(1),
        metadata: None,
    }
}

fn verbs() -> Vec<(&'static str, Command)> {
    vec![
        ("claim", claim()),
        (
            "renew",
            Command::Renew {
                fence: 1,
                lease_duration: Duration::from_secs(60),
                metadata: None,
            },
        ),
        (
            "checkpoint",
            Command::Checkpoint {
                fence: 1,
                lease_duration: Duration::from_secs(60),
                checkpoint: pack(&()),
                metadata: None,
            },
        ),
        ("succeed", finish(1, OperationOutcome::Response(pack(&())))),
        ("fail", finish(1, OperationOutcome::Error(failure()))),
        ("retry", retry(1)),
        (
            "release",
            Command::Release {
                fence: 1,
                metadata: None,
            },
        ),
        ("expire", Command::Expire),
        ("expire shared", Command::ExpireShared),
        ("cancel", Command::cancel()),
        ("delete", Command::delete()),
        (
            "record",
            Command::Record {
                fence: 1,
                metadata: Some(pack(&())),
            },
        ),
        (
            "suspend",
            Command::Suspend {
                fence: 1,
                waits: Vec::new(),
                ready_by: None,
                metadata: None,
            },
        ),
        (
            "complete",
            Command::Complete {
                key: "approved".parse().unwrap(),
                outcome: crate::store::StepOutcome::Response(pack(&())),
            },
        ),
        (
            "checkpoint and forget",
            Command::CheckpointAndForget {
                fence: 1,
                epoch: 1,
                lease_duration: Duration::from_secs(30),
                checkpoint: pack(&()),
                asked: Vec::new(),
                metadata: None,
            },
        ),
        ("forget steps", Command::ForgetSteps { keys: Vec::new() }),
        ("unblock", Command::Unblock),
    ]
}

/// The drawing, as a table: every verb in every state.
#[test]
fn every_edge_of_the_drawing() {
    use OperationState::*;
    let table: [(&str, [&str; 6]); 17] = [
        // verb, from Pending, Running, Cancelling, Succeeded, Failed, Cancelled
        ("claim", ["Running", "-", "-", "-", "-", "-"]),
        ("renew", ["-", "Running", "Cancelling", "-", "-", "-"]),
        ("checkpoint", ["-", "Running", "Cancelling", "-", "-", "-"]),
        ("succeed", ["-", "Succeeded", "Succeeded", "-", "-", "-"]),
        ("fail", ["-", "Failed", "Failed", "-", "-", "-"]),
        ("retry", ["-", "Pending", "Cancelled", "-", "-", "-"]),
        ("release", ["-", "Pending", "Cancelled", "-", "-", "-"]),
        ("expire", ["-", "Pending", "Cancelled", "-", "-", "-"]),
        (
            "expire shared",
            ["-", "Pending", "Cancelled", "-", "-", "-"],
        ),
        ("cancel", ["Cancelled", "Cancelling", "=", "=", "=", "="]),
        (
            "delete",
            ["Pending", "Running", "Cancelling", "x", "x", "x"],
        ),
        ("record", ["-", "Running", "Cancelling", "-", "-", "-"]),
        ("suspend", ["-", "Pending", "Cancelled", "-", "-", "-"]),
        (
            "complete",
            ["Pending", "Running", "Cancelling", "-", "-", "-"],
        ),
        (
            "checkpoint and forget",
            ["-", "Running", "Cancelling", "-", "-", "-"],
        ),
        ("forget steps", ["=", "-", "-", "-", "-", "-"]),
        ("unblock", ["-", "-", "-", "-", "-", "-"]),
    ];
    for ((verb, command), (row, cells)) in verbs().into_iter().zip(table) {
        assert_eq!(verb, row);
        for (from, expected) in OperationState::ALL.into_iter().zip(cells) {
            let mut record = in_state(from);
            let before = record.clone();
            let seen = match record.apply(command.clone(), Timestamp::EPOCH) {
                Ok(Change::Nothing) => "=".to_owned(),
                Ok(Change::Removed) => "x".to_owned(),
                Ok(_) => format!("{:?}", record.state),
                Err(_) => "-".to_owned(),
            };
            assert_eq!(seen, expected, "{verb} from {from:?}");
            if matches!(expected, "-" | "=") {
                assert_eq!(record, before, "{verb} from {from:?} changes nothing");
            }
        }
    }
    assert!(in_state(Running).lease.is_some());
}

#[test]
fn a_stale_fence_changes_nothing() {
    let mut record = in_state(OperationState::Running);
    record.apply(Command::Expire, Timestamp::EPOCH).unwrap();
    record.apply(claim(), Timestamp::EPOCH).unwrap();
    let before = record.clone();
    let late = finish(1, OperationOutcome::Response(pack(&())));
    assert_eq!(
        record.apply(late, Timestamp::EPOCH),
        Err(Refusal::Stale),
        "the first holder comes too late"
    );
    assert_eq!(record, before);
    assert_eq!((record.attempt, record.fence), (2, 2));
}

#[test]
fn attempts_end() {
    let mut record = in_state(OperationState::Running);
    record.policy.max_attempts = 2;
    let later = Timestamp::EPOCH.saturating_add(Duration::from_secs(1));
    record.apply(retry(1), Timestamp::EPOCH).unwrap();
    assert_eq!(
        record.apply(claim(), Timestamp::EPOCH),
        Err(Refusal::NotReady),
        "it pauses first"
    );
    record.apply(claim(), later).unwrap();
    record.apply(Command::Expire, later).unwrap();
    assert_eq!(record.state, OperationState::Failed);
    let Some(OperationResult::Error(error)) = &record.result else {
        panic!("no error");
    };
    assert_eq!(error.code, Code::Aborted as i32);
}

/// spec:137
#[test]
fn abort_ends_an_interrupted_operation() {
    let mut record = in_state(OperationState::Running);
    record.policy.on_crash = OnCrash::Abort;
    record.apply(Command::Expire, Timestamp::EPOCH).unwrap();
    let Some(OperationResult::Error(error)) = &record.result else {
        panic!("no error");
    };
    assert_eq!(error.code, Code::Aborted as i32);
}

#[test]
fn a_release_does_not_count_as_an_attempt() {
    let mut record = in_state(OperationState::Running);
    let release = Command::Release {
        fence: 1,
        metadata: None,
    };
    record.apply(release, Timestamp::EPOCH).unwrap();
    assert_eq!((record.attempt, record.fence), (0, 1));
    record.apply(claim(), Timestamp::EPOCH).unwrap();
    assert_eq!((record.attempt, record.fence), (1, 2));
}

/// spec:76
#[test]
fn expiry_counts_from_the_end() {
    let mut record = in_state(OperationState::Running);
    let end = Timestamp::EPOCH.saturating_add(Duration::from_secs(1_000));
    assert_eq!(record.expire_time, None, "spec:77: never while running");
    record
        .apply(finish(1, OperationOutcome::Cancelled), end)
        .unwrap();
    let retain = record.policy.retain;
    assert_eq!(record.expire_time, Some(end.saturating_add(retain)));
}

/// spec:136
#[test]
fn ok_as_an_error_is_internal() {
    let mut record = in_state(OperationState::Running);
    let ok = OperationOutcome::Error(Status::default());
    record.apply(finish(1, ok), Timestamp::EPOCH).unwrap();
    let Some(OperationResult::Error(error)) = &record.result else {
        panic!("no error");
    };
    assert_eq!(error.code, Code::Internal as i32);
}

#[test]
fn a_deleted_operation_goes_when_it_ends() {
    let mut record = in_state(OperationState::Running);
    record.apply(Command::delete(), Timestamp::EPOCH).unwrap();
    assert_eq!(
        record.apply(Command::delete(), Timestamp::EPOCH),
        Err(Refusal::NotFound)
    );
    let end = finish(1, OperationOutcome::Response(pack(&())));
    assert_eq!(record.apply(end, Timestamp::EPOCH), Ok(Change::Removed));
}

/// report:S3
#[test]
fn a_deleted_operation_can_be_cancelled() {
    let mut running = in_state(OperationState::Running);
    running.apply(Command::delete(), Timestamp::EPOCH).unwrap();
    let cancelled = running.apply(Command::cancel(), Timestamp::EPOCH);
    assert_eq!(cancelled, Ok(Change::Record));
    assert_eq!(running.state, OperationState::Cancelling);
    let mut waiting = pending();
    waiting.apply(Command::delete(), Timestamp::EPOCH).unwrap();
    let cancelled = waiting.apply(Command::cancel(), Timestamp::EPOCH);
    assert_eq!(cancelled, Ok(Change::Removed));
}

proptest! {
    /// Random walks: the guarantees hold for every sequence of commands.
    #[test]
    fn invariants_hold_on_random_walks(
        steps in prop::collection::vec((0_usize..11, 0_u64..4, 0_i64..3_000_000), 1..60),
        max_attempts in 1_u32..5,
        abort in any::<bool>(),
    ) {
        let mut record = pending();
        record.policy.max_attempts = max_attempts;
        record.policy.on_crash = if abort { OnCrash::Abort } else { OnCrash::Resume };
        let mut now = Timestamp::EPOCH;
        for (verb, fence, micros) in steps {
            now = now.saturating_add(Duration::from_micros(micros.unsigned_abs()));
            let mut command = verbs().swap_remove(verb).1;
            if let Command::Renew { fence: f, .. }
            | Command::Checkpoint { fence: f, .. }
            | Command::Finish { fence: f, .. }
            | Command::Retry { fence: f, .. }
            | Command::Release { fence: f, .. } = &mut command
            {
                *f = fence;
            }
            let before = record.clone();
            let answer = record.apply(command.clone(), now);
            if before.state.is_done() {
                prop_assert_eq!(&record, &before, "done is final");
            }
            if answer.is_err() || answer == Ok(Change::Nothing) {
                prop_assert_eq!(&record, &before);
            }
            prop_assert_eq!(record.state.is_done(), record.result.is_some());
            prop_assert_eq!(record.state.is_done(), record.end_time.is_some());
            prop_assert_eq!(record.state.is_done(), record.expire_time.is_some());
            prop_assert_eq!(record.state.is_running(), record.lease.is_some());
            prop_assert!(record.fence >= before.fence);
            prop_assert_eq!(record.fence > before.fence, matches!(command, Command::Claim { .. }) && answer.is_ok());
            prop_assert!(record.attempt <= max_attempts);
            prop_assert!(record.losses <= OperationRecord::MAX_LOSSES);
            prop_assert!(record.revision >= before.revision);
            prop_assert!(!record.state.is_running() || record.worker == record.lease.as_ref().map(|it| it.worker));
            prop_assert!(record.state != OperationState::Pending || (record.worker, record.attempt_time) == (None, None));
            let fences: Vec<_> = record.attempts().iter().map(|it| it.fence).collect();
            let oldest = record.fence.saturating_sub(9).max(1);
            prop_assert_eq!(fences, (oldest..=record.fence).collect::<Vec<_>>(), "no attempt is missing");
            prop_assert_eq!(record.cancel_time.is_some(), before.cancel_time.is_some() || (command == Command::cancel() && matches!(answer, Ok(Change::Record | Change::Removed))), "only cancel cancels");
            if answer == Ok(Change::Removed) {
                break;
            }
        }
    }
}
