use super::*;

fn pending_again(record: &mut OperationRecord, command: Command) {
    record.apply(command, Timestamp::EPOCH).unwrap();
    assert_eq!(record.state, OperationState::Pending);
    record.apply(claim(), Timestamp::EPOCH).unwrap();
}

/// report:N2
#[test]
fn an_attempt_that_is_lost_together_with_others_does_not_count() {
    let mut record = in_state(OperationState::Running);
    record.policy.max_attempts = 1;
    for losses in 1..=OperationRecord::MAX_LOSSES {
        pending_again(&mut record, Command::ExpireShared);
        assert_eq!((record.attempt, record.losses), (1, losses));
    }
    record
        .apply(Command::ExpireShared, Timestamp::EPOCH)
        .unwrap();
    assert_eq!(record.state, OperationState::Failed, "the bound holds");
}

/// report:N2
#[test]
fn progress_gives_attempts_back_and_acquits() {
    let save = |fence, saved: &str| Command::Checkpoint {
        fence,
        lease_duration: Duration::from_secs(60),
        checkpoint: pack(&saved.to_owned()),
        metadata: None,
    };
    let mut record = in_state(OperationState::Running);
    record.policy.max_attempts = 3;
    pending_again(&mut record, Command::Expire);
    pending_again(&mut record, Command::ExpireShared);
    pending_again(&mut record, Command::Expire);
    assert_eq!((record.attempt, record.losses), (3, 3));
    let fence = record.fence;
    record.apply(save(fence, "a"), Timestamp::EPOCH).unwrap();
    assert_eq!((record.attempt, record.losses), (1, 0));
    pending_again(&mut record, Command::Expire);
    let fence = record.fence;
    record.apply(save(fence, "a"), Timestamp::EPOCH).unwrap();
    assert_eq!((record.attempt, record.losses), (2, 1), "no progress");
    record.apply(retry(fence), Timestamp::EPOCH).unwrap();
    assert_eq!((record.attempt, record.losses), (2, 0), "the body returned");
}

/// report:N2
#[test]
fn progress_gives_no_attempt_back_that_the_body_asked_for() {
    let mut record = in_state(OperationState::Running);
    pending_again(&mut record, Command::Expire);
    let fence = record.fence;
    let later = Timestamp::EPOCH.saturating_add(Duration::from_secs(1));
    record.apply(retry(fence), Timestamp::EPOCH).unwrap();
    record.apply(claim(), later).unwrap();
    assert_eq!((record.attempt, record.losses), (3, 0));
    let save = Command::Checkpoint {
        fence: record.fence,
        lease_duration: Duration::from_secs(60),
        checkpoint: pack(&()),
        metadata: None,
    };
    record.apply(save, later).unwrap();
    assert_eq!(record.attempt, 3);
}

/// report:N2
#[test]
fn an_operation_that_must_not_run_twice_ends_aborted_however_it_was_lost() {
    for command in [Command::Expire, Command::ExpireShared] {
        let mut record = in_state(OperationState::Running);
        record.policy.on_crash = OnCrash::Abort;
        record.apply(command, Timestamp::EPOCH).unwrap();
        assert_eq!(record.state, OperationState::Failed);
    }
}
