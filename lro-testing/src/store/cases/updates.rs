use std::sync::Arc;

use lro_core::pb;
use lro_core::store::{
    Change, Command, OperationOutcome, OperationResult, OperationState, Refusal, Update,
};

use crate::store::build::*;
use crate::store::trial::Trial;

pub(crate) async fn a_checkpoint_is_kept_until_the_end(trial: Trial) {
    let mut record = trial.running("operations/a").await;
    for page in ["1", "2", ""] {
        trial.advance(secs(1));
        trial
            .apply(&mut record, checkpoint(1, any(page)))
            .await
            .unwrap();
        assert_eq!(record.checkpoint, Some(any(page)));
    }
    trial.apply(&mut record, succeed(1, "r")).await.unwrap();
    assert_eq!(record.checkpoint, None);
}

pub(crate) async fn a_checkpoint_may_bring_metadata(trial: Trial) {
    let mut record = trial.running("operations/a").await;
    let command = Command::Checkpoint {
        fence: 1,
        lease_duration: LEASE,
        checkpoint: any("page 1"),
        metadata: Some(any("one page")),
    };
    trial.apply(&mut record, command).await.unwrap();
    assert_eq!(record.metadata, Some(any("one page")));
}

pub(crate) async fn a_checkpoint_outlives_a_retry(trial: Trial) {
    let mut record = trial.running("operations/a").await;
    trial
        .apply(&mut record, checkpoint(1, any("page 1")))
        .await
        .unwrap();
    trial.apply(&mut record, retry(1, secs(0))).await.unwrap();
    trial.reclaim(&mut record).await;
    assert_eq!(record.checkpoint, Some(any("page 1")));
}

pub(crate) async fn a_response_ends_it(trial: Trial) {
    let mut record = trial.running("operations/a").await;
    trial.advance(secs(3));
    let updated = trial.apply(&mut record, succeed(1, "42")).await.unwrap();
    assert_eq!(updated.state, OperationState::Succeeded);
    assert_eq!(record.result, Some(OperationResult::Response(any("42"))));
    assert_eq!(record.end_time, Some(trial.now()));
    assert_eq!(record.lease, None);
}

/// spec:27
pub(crate) async fn an_error_keeps_its_details_to_the_byte(trial: Trial) {
    let mut record = trial.running("operations/a").await;
    let error = failure(8);
    let end = finish(1, OperationOutcome::Error(error.clone()));
    trial.apply(&mut record, end).await.unwrap();
    assert_eq!(record.state, OperationState::Failed);
    assert_eq!(record.result, Some(OperationResult::Error(error)));
}

/// spec:26
pub(crate) async fn a_code_is_never_ok_and_may_be_unknown(trial: Trial) {
    for (n, code) in (0..).zip([0, 2, 16, 17, -1, i32::MAX, i32::MIN]) {
        let mut record = trial.running(&numbered("", n)).await;
        let end = finish(1, OperationOutcome::Error(failure(code)));
        trial.apply(&mut record, end).await.unwrap();
        assert_eq!(record.state, OperationState::Failed);
        let Some(OperationResult::Error(error)) = &record.result else {
            panic!("no error");
        };
        let kept = if code == 0 { 13 } else { code };
        assert_eq!(error.code, kept);
    }
}

pub(crate) async fn an_error_with_the_code_cancelled_is_a_cancellation(trial: Trial) {
    let mut record = trial.running("operations/a").await;
    let end = finish(1, OperationOutcome::Error(failure(1)));
    trial.apply(&mut record, end).await.unwrap();
    assert_eq!(record.state, OperationState::Cancelled);
}

pub(crate) async fn an_empty_error_keeps_being_one(trial: Trial) {
    let mut record = trial.running("operations/a").await;
    let error = pb::rpc::Status {
        code: 2,
        ..Default::default()
    };
    let end = finish(1, OperationOutcome::Error(error.clone()));
    trial.apply(&mut record, end).await.unwrap();
    assert_eq!(record.result, Some(OperationResult::Error(error)));
}

/// spec:30
pub(crate) async fn metadata_is_kept_after_the_end(trial: Trial) {
    let mut operation = trial.operation("operations/a");
    operation.metadata = Some(any("begun"));
    let mut record = trial.running_from(operation).await;
    trial.apply(&mut record, succeed(1, "r")).await.unwrap();
    assert_eq!(record.metadata, Some(any("begun")));
}

pub(crate) async fn the_end_may_bring_the_last_metadata(trial: Trial) {
    let mut record = trial.running("operations/a").await;
    let end = Command::Finish {
        fence: 1,
        outcome: OperationOutcome::Response(any("r")),
        metadata: Some(any("100 %")),
    };
    trial.apply(&mut record, end).await.unwrap();
    assert_eq!(record.metadata, Some(any("100 %")));
}

/// spec:25
pub(crate) async fn done_is_final(trial: Trial) {
    let ends = [
        succeed(1, "r"),
        finish(1, OperationOutcome::Error(failure(5))),
        finish(1, OperationOutcome::Cancelled),
    ];
    for (n, end) in (0..).zip(ends) {
        let mut record = trial.running(&numbered("", n)).await;
        trial.apply(&mut record, end).await.unwrap();
        let done = record.clone();
        trial.advance(secs(60));
        for command in [
            succeed(1, "another"),
            finish(1, OperationOutcome::Error(failure(13))),
            finish(1, OperationOutcome::Cancelled),
            finish(2, OperationOutcome::Cancelled),
            renew(1, Some(any("late"))),
            checkpoint(1, any("late")),
            retry(1, secs(0)),
            release(1),
            Command::Expire,
        ] {
            let refused = trial.apply(&mut record, command).await;
            assert_eq!(refused, Err(Refusal::Stale));
        }
        let cancelled = trial.apply(&mut record, Command::cancel()).await.unwrap();
        assert_eq!(cancelled.change, Change::Nothing);
        assert_eq!(trial.claimed_names(9).await, [""; 0]);
        assert_eq!(trial.get(&record.name).await, Some(done));
    }
}

pub(crate) async fn a_stale_fence_cannot_finish(trial: Trial) {
    let mut record = trial.running("operations/a").await;
    trial.apply(&mut record, release(1)).await.unwrap();
    trial.reclaim(&mut record).await;
    let first = trial.apply(&mut record, succeed(1, "first")).await;
    assert_eq!(first, Err(Refusal::Stale));
    trial
        .apply(&mut record, succeed(2, "second"))
        .await
        .unwrap();
}

pub(crate) async fn concurrent_finishes_have_one_winner(trial: Trial) {
    let record = trial.running("operations/a").await;
    let trial = Arc::new(trial);
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..16 {
        let (trial, name) = (trial.clone(), record.name.clone());
        tasks.spawn(async move {
            let answer = trial.update(&name, succeed(1, &n.to_string())).await;
            answer.is_ok().then_some(n)
        });
    }
    let winners: Vec<_> = tasks.join_all().await.into_iter().flatten().collect();
    let [winner] = winners[..] else {
        panic!("winners: {winners:?}");
    };
    let kept = trial.get(&record.name).await.unwrap();
    let response = any(&winner.to_string());
    assert_eq!(kept.result, Some(OperationResult::Response(response)));
}

pub(crate) async fn a_retry_pauses_and_counts(trial: Trial) {
    let mut record = trial.running("operations/a").await;
    let again = Command::Retry {
        fence: 1,
        error: failure(14),
        delay: secs(10),
        metadata: Some(any("once more")),
    };
    let updated = trial.apply(&mut record, again).await.unwrap();
    assert_eq!(updated.state, OperationState::Pending);
    assert_eq!((record.result.clone(), record.lease.clone()), (None, None));
    trial.advance(secs(9));
    assert_eq!(trial.claimed_names(9).await, [""; 0], "it pauses");
    trial.advance(secs(1));
    trial.reclaim(&mut record).await;
    assert_eq!((record.attempt, record.fence), (2, 2));
    assert_eq!(record.metadata, Some(any("once more")));
}

pub(crate) async fn the_last_retry_fails_with_its_error(trial: Trial) {
    let mut operation = trial.operation("operations/a");
    operation.policy.max_attempts = 2;
    let mut record = trial.running_from(operation).await;
    trial.apply(&mut record, retry(1, secs(0))).await.unwrap();
    trial.reclaim(&mut record).await;
    let last = trial.apply(&mut record, retry(2, secs(0))).await.unwrap();
    assert_eq!(last.state, OperationState::Failed);
    assert_eq!(record.result, Some(OperationResult::Error(failure(14))));
}

pub(crate) async fn a_release_counts_no_attempt(trial: Trial) {
    let mut operation = trial.operation("operations/a");
    operation.policy.max_attempts = 1;
    let mut record = trial.running_from(operation).await;
    for fence in 1..=3 {
        let updated = trial.apply(&mut record, release(fence)).await.unwrap();
        assert_eq!(updated.state, OperationState::Pending);
        assert_eq!(record.attempt, 0);
        trial.reclaim(&mut record).await;
        assert_eq!((record.attempt, record.fence), (1, fence + 1));
    }
    trial.apply(&mut record, succeed(4, "r")).await.unwrap();
}

pub(crate) async fn expire_turns_back_a_lease_that_is_not_over(trial: Trial) {
    let mut record = trial.running("operations/a").await;
    trial.apply(&mut record, Command::Expire).await.unwrap();
    assert_eq!(record.state, OperationState::Pending);
    let again = trial.apply(&mut record, Command::Expire).await;
    assert_eq!(again, Err(Refusal::Stale));
}

pub(crate) async fn commands_in_a_batch_apply_in_order(trial: Trial) {
    let mut record = trial.running("operations/a").await;
    let commands = [
        checkpoint(1, any("1")),
        renew(1, Some(any("m"))),
        Command::cancel(),
        renew(9, None),
        succeed(1, "r"),
        succeed(1, "again"),
        Command::cancel(),
    ];
    let updates: Vec<_> = commands
        .into_iter()
        .map(|command| Update::by_name(record.name.clone(), command))
        .collect();
    let answers = trial.update_all(updates.clone()).await;
    for (update, answer) in updates.into_iter().zip(answers) {
        let expected = record.apply(update.command, trial.now());
        if let Ok(updated) = &answer {
            assert!(updated.revision <= record.revision);
        }
        assert_eq!(answer.map(|updated| updated.change), expected);
    }
    assert_eq!(trial.get(&record.name).await, Some(record));
}

pub(crate) async fn a_refused_command_does_not_disturb_its_neighbours(trial: Trial) {
    let a = trial.running("operations/a").await;
    let b = trial.running("operations/b").await;
    let unknown = name("operations/unknown");
    let update = |name: &lro_core::OperationName, command| Update::by_name(name.clone(), command);
    let answers = trial
        .update_all(vec![
            update(&a.name, succeed(1, "a")),
            update(&unknown, succeed(1, "u")),
            update(&a.name, succeed(1, "late")),
            update(&b.name, succeed(1, "b")),
        ])
        .await;
    assert_eq!(
        answers[0].as_ref().unwrap().state,
        OperationState::Succeeded
    );
    assert_eq!(answers[1], Err(Refusal::NotFound));
    assert_eq!(answers[2], Err(Refusal::Stale));
    assert_eq!(
        answers[3].as_ref().unwrap().state,
        OperationState::Succeeded
    );
    for (record, response) in [(a, "a"), (b, "b")] {
        let kept = trial.get(&record.name).await.unwrap();
        assert_eq!(kept.result, Some(OperationResult::Response(any(response))));
    }
}

pub(crate) async fn every_command_for_an_unknown_name_is_not_found(trial: Trial) {
    let unknown = name("operations/unknown");
    for command in [
        Command::Claim {
            worker: worker(1),
            lease_duration: LEASE,
        },
        renew(1, None),
        checkpoint(1, any("")),
        succeed(1, ""),
        retry(1, secs(0)),
        release(1),
        Command::Expire,
        Command::cancel(),
        Command::delete(),
    ] {
        let answer = trial.update(&unknown, command.clone()).await;
        assert_eq!(answer, Err(Refusal::NotFound), "{command:?}");
    }
    assert_eq!(trial.get(&unknown).await, None);
}

pub(crate) async fn the_time_of_the_last_write_never_goes_back(trial: Trial) {
    let mut record = trial.running("operations/a").await;
    let first = record.update_time;
    trial.clock.set(lro_core::Timestamp::from_micros(5));
    let news = renew(1, Some(any("m")));
    trial.apply(&mut record, news).await.unwrap();
    assert_eq!(record.update_time, first);
    trial.apply(&mut record, succeed(1, "r")).await.unwrap();
    assert_eq!(record.update_time, first);
}
