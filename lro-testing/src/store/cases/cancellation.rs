use lro_core::store::{Change, Command, OperationOutcome, OperationState, Refusal};

use crate::store::build::*;
use crate::store::trial::Trial;

/// spec:69
pub(crate) async fn a_pending_operation_is_cancelled_at_once(trial: Trial) {
    let mut record = trial.pending("operations/a").await;
    trial.advance(secs(2));
    let updated = trial.apply(&mut record, Command::cancel()).await.unwrap();
    assert_eq!(updated.state, OperationState::Cancelled);
    assert_eq!(record.cancel_time, Some(trial.now()));
    assert_eq!(trial.claimed_names(9).await, [""; 0]);
}

/// spec:67
pub(crate) async fn a_running_operation_keeps_the_wish(trial: Trial) {
    let mut record = trial.running("operations/a").await;
    trial.advance(secs(2));
    let updated = trial.apply(&mut record, Command::cancel()).await.unwrap();
    assert_eq!(updated.state, OperationState::Cancelling);
    assert_eq!(record.cancel_time, Some(trial.now()));
    assert!(record.lease.is_some(), "spec:68: its body still runs");
}

/// spec:62
pub(crate) async fn the_holder_ends_a_cancelled_operation(trial: Trial) {
    let mut record = trial.running("operations/a").await;
    trial.apply(&mut record, Command::cancel()).await.unwrap();
    let end = finish(1, OperationOutcome::Cancelled);
    let updated = trial.apply(&mut record, end).await.unwrap();
    assert_eq!(updated.state, OperationState::Cancelled);
}

/// spec:63
pub(crate) async fn an_operation_may_complete_after_a_cancel(trial: Trial) {
    let mut record = trial.running("operations/a").await;
    trial.apply(&mut record, Command::cancel()).await.unwrap();
    let updated = trial.apply(&mut record, succeed(1, "r")).await.unwrap();
    assert_eq!(updated.state, OperationState::Succeeded);
}

pub(crate) async fn a_cancelling_operation_does_not_run_again(trial: Trial) {
    for (n, back) in (0..).zip([retry(1, secs(0)), release(1), Command::Expire]) {
        let mut record = trial.running(&numbered("", n)).await;
        trial.apply(&mut record, Command::cancel()).await.unwrap();
        let updated = trial.apply(&mut record, back).await.unwrap();
        assert_eq!(updated.state, OperationState::Cancelled);
    }
    assert_eq!(trial.claimed_names(9).await, [""; 0]);
}

/// spec:65
pub(crate) async fn a_repeated_cancel_changes_nothing(trial: Trial) {
    let mut record = trial.running("operations/a").await;
    trial.apply(&mut record, Command::cancel()).await.unwrap();
    trial.advance(secs(2));
    let again = trial.apply(&mut record, Command::cancel()).await.unwrap();
    assert_eq!(again.change, Change::Nothing);
    assert_eq!(again.state, OperationState::Cancelling);
}

/// spec:64
pub(crate) async fn cancelling_a_done_operation_changes_nothing(trial: Trial) {
    let mut record = trial.running("operations/a").await;
    trial.apply(&mut record, succeed(1, "r")).await.unwrap();
    trial.advance(secs(2));
    let late = trial.apply(&mut record, Command::cancel()).await.unwrap();
    assert_eq!(late.change, Change::Nothing);
    assert_eq!(record.cancel_time, None);
}

/// spec:65
pub(crate) async fn cancelling_an_unknown_operation_is_not_found(trial: Trial) {
    let unknown = name("operations/unknown");
    let answer = trial.update(&unknown, Command::cancel()).await;
    assert_eq!(answer, Err(Refusal::NotFound));
    let mut record = trial.running("operations/a").await;
    trial.apply(&mut record, succeed(1, "r")).await.unwrap();
    trial.apply(&mut record, Command::delete()).await.unwrap();
    let answer = trial.update(&record.name, Command::cancel()).await;
    assert_eq!(answer, Err(Refusal::NotFound));
}

/// report:S1
pub(crate) async fn the_backlog_counts_what_is_ready_by_method(trial: Trial) {
    let backlog = async |limit| {
        let found = trial.store().backlog(trial.now(), limit).await.unwrap();
        let counts = found.into_iter().map(|found| (found.method, found.count));
        counts.collect::<Vec<_>>()
    };
    assert_eq!(backlog(9).await, []);
    let first = trial.pending("operations/a").await;
    trial.pending("operations/b").await;
    let expected = |count| vec![(first.method.clone(), count)];
    assert_eq!(backlog(9).await, expected(2));
    assert_eq!(backlog(1).await, expected(1));
    assert_eq!(trial.claimed_names(1).await, ["operations/a"]);
    let found = trial.store().backlog(trial.now(), 9).await.unwrap();
    assert_eq!(found.len(), 1);
    assert!(found[0].count == 1 && found[0].oldest >= first.ready_time);
    let early = trial.store().backlog(lro_core::Timestamp::EPOCH, 9);
    assert_eq!(early.await.unwrap(), []);
}

/// report:S3
pub(crate) async fn a_deleted_operation_is_cancelled_by_its_name(trial: Trial) {
    let mut record = trial.running("operations/a").await;
    assert_eq!(trial.get_deleted(&record.name).await, None, "it is visible");
    trial.apply(&mut record, Command::delete()).await.unwrap();
    assert_eq!(trial.get(&record.name).await, None);
    assert_eq!(
        trial.get_deleted(&record.name).await.as_ref(),
        Some(&record)
    );
    let updated = trial.update(&record.name, Command::cancel()).await.unwrap();
    assert_eq!(
        (updated.change, updated.state),
        (Change::Record, OperationState::Cancelling)
    );
    let ended = trial
        .update(&record.name, finish(1, OperationOutcome::Cancelled))
        .await
        .unwrap();
    assert_eq!(ended.change, Change::Removed);
    assert_eq!(trial.get_deleted(&record.name).await, None);

    let mut waiting = trial.pending("operations/b").await;
    trial.apply(&mut waiting, Command::delete()).await.unwrap();
    let updated = trial
        .update(&waiting.name, Command::cancel())
        .await
        .unwrap();
    assert_eq!(updated.change, Change::Removed);
    assert_eq!(trial.claimed_names(9).await, [""; 0]);
    trial.pending("operations/b").await;
}
