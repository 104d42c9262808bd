//! The times of waits.

use super::*;

/// steps:W7
#[test]
fn the_time_to_gather_is_bounded() {
    let millis = [0, 1, 99, 100, 100_000].map(|left| gather(left).as_millis());
    assert_eq!(millis, [0, 10, 990, 1_000, 1_000]);
}

/// steps:S22
#[test]
fn a_write_of_an_earlier_attempt_does_not_bring_its_wake_time_back() {
    let mut record = running();
    let stored = HashMap::new();
    let attempt = |attempt, wake: Option<u64>| StepWrite {
        attempt,
        wake: wake.map(|secs| StepWake::After(Duration::from_secs(secs))),
        ..StepWrite::begun(key(0), StepKind::Step)
    };
    let written = written(&mut record, vec![attempt(2, None)], &stored);
    let stored = HashMap::from([(key(0), written)]);
    let late = vec![attempt(1, Some(5))];
    let answer = record.apply_with_steps(record_steps(&record), late, &stored, Timestamp::EPOCH);
    assert_eq!(answer, Ok(Change::Nothing.into()));
}

/// steps:W6
#[test]
fn an_operation_that_names_a_wait_twice_is_ready_when_it_ends() {
    let mut record = running();
    let waits = vec![key(1), key(1)];
    let suspend = Command::Suspend {
        fence: record.fence,
        waits,
        ready_by: None,
        metadata: None,
    };
    let begun = vec![StepWrite::begun(key(1), StepKind::Promise)];
    let suspended = record.apply_with_steps(suspend, begun, &HashMap::new(), Timestamp::EPOCH);
    let row = suspended.unwrap().written.remove(0);
    assert!(record.is_suspended() && record.ready_time == OperationRecord::NEVER_READY);
    let complete = Command::Complete {
        key: key(1),
        outcome: StepOutcome::Response(pack(&())),
    };
    let stored = HashMap::from([(key(1), row)]);
    record
        .apply_with_steps(complete, Vec::new(), &stored, Timestamp::EPOCH)
        .unwrap();
    assert!(!record.is_suspended());
    assert_eq!(record.ready_time, Timestamp::EPOCH);
}
