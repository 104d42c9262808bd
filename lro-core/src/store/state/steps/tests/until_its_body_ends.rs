//! Operations that a cancellation does not end.

use super::*;

/// steps:C9
#[test]
fn a_cancellation_only_tells_an_operation_that_its_body_ends() {
    let cancelled = |record: &OperationRecord| record.cancel_time.is_some();
    let mut record = pending();
    record.policy.on_crash = OnCrash::ResumeCancelled;
    record.policy.max_attempts = u32::MAX;
    let now = |seconds| Timestamp::EPOCH.saturating_add(Duration::from_secs(seconds));
    record.apply(Command::cancel(), now(1)).unwrap();
    assert!(record.state == OperationState::Pending && cancelled(&record));
    assert_eq!(record.apply(Command::cancel(), now(2)), Ok(Change::Nothing));

    let claim = Command::Claim {
        worker: WorkerId::from_uuid(Uuid::nil()),
        lease_duration: Duration::from_secs(30),
    };
    for again in 0..2 {
        record.apply(claim.clone(), now(3)).unwrap();
        assert_eq!(record.state, OperationState::Cancelling);
        let back = match again {
            0 => Command::Expire,
            _ => Command::Release {
                fence: record.fence,
                metadata: None,
            },
        };
        record.apply(back, now(3)).unwrap();
        assert_eq!(record.losses, 0, "it is no suspect");
        assert!(record.state == OperationState::Pending && cancelled(&record));
    }
    record.apply(claim.clone(), now(4)).unwrap();
    let suspend = Command::Suspend {
        fence: record.fence,
        waits: vec![key(0)],
        ready_by: None,
        metadata: None,
    };
    let begun = vec![StepWrite::begun(key(0), StepKind::Promise)];
    let suspended = record.apply_with_steps(suspend, begun, &HashMap::new(), now(4));
    assert!(suspended.is_ok() && record.is_suspended());
    assert_eq!(record.apply(Command::cancel(), now(5)), Ok(Change::Nothing));
    assert!(
        record.is_suspended(),
        "it knows of the cancellation already"
    );
}
