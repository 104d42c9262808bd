use std::time::Duration;

use lro_core::Reason;
use lro_core::store::{
    Change, Command, OnCrash, OperationOutcome, OperationResult, OperationState, Refusal, StepKind,
    StepOutcome, StepWrite, StoreEvent,
};

use crate::store::build::*;
use crate::store::steps::*;
use crate::store::trial::Trial;

/// A saga that is open, or has ended.
fn saga(outcome: Option<StepOutcome>) -> StepWrite {
    StepWrite {
        sequential: false,
        outcome,
        ..StepWrite::begun(key("saga"), StepKind::Saga)
    }
}

fn undone() -> Vec<StepWrite> {
    let undo = |of: &str, outcome| StepWrite {
        sequential: false,
        outcome: Some(outcome),
        ..StepWrite::begun(key(of), StepKind::Undo)
    };
    let error = StepOutcome::Error(failure(9));
    vec![
        undo("undo", error.clone()),
        undo("undo/a", StepOutcome::Response(any(""))),
        saga(Some(error)),
    ]
}

/// One that worker 1 runs, and whose body has opened a saga.
async fn owing<'t>(trial: &'t Trial, of: &str) -> Composed<'t> {
    let mut operation = trial.operation(of);
    operation.policy.max_attempts = 2;
    opened(Composed::of(trial, operation).await).await
}

async fn opened(mut it: Composed<'_>) -> Composed<'_> {
    let made = StepWrite {
        kind: StepKind::SagaStep,
        ..done("a", "1")
    };
    it.update(record(1), vec![saga(None), made]).await.unwrap();
    assert!(it.record.owes());
    it
}

/// The error with which it has ended.
fn error(it: &Composed<'_>) -> lro_core::pb::rpc::Status {
    match &it.record.result {
        Some(OperationResult::Error(error)) => error.clone(),
        result => panic!("{result:?}"),
    }
}

fn is_incomplete(it: &Composed<'_>) -> bool {
    Reason::UndoIncomplete.is_told_by(&error(it))
}

/// steps:E3
pub(crate) async fn an_operation_that_owes_is_cancelled_by_its_next_run(trial: Trial) {
    if !keeps_steps(&trial).await {
        return;
    }
    let log = trial.observe();
    let mut it = owing(&trial, "operations/a").await;
    it.update(suspend(1, &["approved"]), vec![asked("approved")])
        .await
        .unwrap();
    log.clear();
    let cancelled = it.update(Command::cancel(), Vec::new()).await.unwrap();
    assert_eq!(cancelled.state, OperationState::Pending);
    assert_eq!(it.record.cancel_time, Some(trial.now()));
    assert!(!it.record.is_suspended());
    let is_ready = |event: &StoreEvent| matches!(event, StoreEvent::Ready { .. });
    log.wait_for("it is ready", is_ready).await;
    trial.advance(secs(1));
    let again = it.update(Command::cancel(), Vec::new()).await.unwrap();
    assert_eq!(again.change, Change::Nothing);
    it.reclaim().await;
    assert_eq!(it.record.state, OperationState::Cancelling);
    let end = finish(2, OperationOutcome::Cancelled);
    it.update(end, undone()).await.unwrap();
    assert_eq!(it.record.state, OperationState::Cancelled);
    assert!(!is_incomplete(&it));
    assert_eq!(it.is_not_ready().await, None);
}

/// steps:E4
pub(crate) async fn a_cancelled_operation_that_owes_goes_back_without_an_end(trial: Trial) {
    if !keeps_steps(&trial).await {
        return;
    }
    let mut it = owing(&trial, "operations/a").await;
    it.update(Command::cancel(), Vec::new()).await.unwrap();
    let cancelled = it.record.cancel_time;
    for (fence, command) in (1..).zip([
        retry(1, Duration::ZERO),
        release(2),
        suspend(3, &[]),
        block(4, Duration::ZERO),
    ]) {
        assert_eq!(command.fence(), Some(fence));
        // The body makes progress, so that no attempt is used up.
        let step = done(&format!("undo/{fence}"), "1");
        it.update(command, vec![step]).await.unwrap();
        assert_eq!(it.record.state, OperationState::Pending);
        assert_eq!(it.record.cancel_time, cancelled);
        it.reclaim().await;
        assert_eq!(it.record.state, OperationState::Cancelling);
    }
    trial.advance(LEASE + secs(1));
    trial.expire(&mut it.record).await;
    it.reclaim().await;
    assert_eq!(it.record.state, OperationState::Cancelling);
    it.update(
        succeed(6, "r"),
        vec![saga(Some(StepOutcome::Response(any(""))))],
    )
    .await
    .unwrap();
    assert_eq!(
        it.record.state,
        OperationState::Succeeded,
        "as of any body that was cancelled too late"
    );
}

/// steps:E4
pub(crate) async fn an_end_that_comes_too_early_is_the_verdict(trial: Trial) {
    if !keeps_steps(&trial).await {
        return;
    }
    for (of, outcome, state) in [
        (
            "failed",
            OperationOutcome::Error(failure(9)),
            OperationState::Failed,
        ),
        (
            "cancelled",
            OperationOutcome::Cancelled,
            OperationState::Cancelled,
        ),
        (
            "responded",
            OperationOutcome::Response(any("r")),
            OperationState::Failed,
        ),
    ] {
        let mut it = owing(&trial, &format!("operations/{of}")).await;
        it.update(finish(1, outcome), Vec::new()).await.unwrap();
        assert_eq!(it.record.state, OperationState::Pending);
        let verdict = it.record.steps.as_deref().unwrap().verdict.clone();
        it.reclaim().await;
        assert_eq!(it.record.state, OperationState::Running);
        it.update(succeed(2, "r"), undone()).await.unwrap();
        assert_eq!(it.record.state, state);
        assert_eq!(Some(error(&it)), verdict, "no success any more");
    }
}

/// steps:E4 steps:E5
pub(crate) async fn undoing_has_attempts_of_its_own(trial: Trial) {
    if !keeps_steps(&trial).await {
        return;
    }
    let mut it = owing(&trial, "operations/a").await;
    let mut condemned = Vec::new();
    while it.record.state == OperationState::Running {
        condemned.push(it.record.is_condemned());
        trial.advance(LEASE + secs(1));
        trial.expire(&mut it.record).await;
        if it.record.state == OperationState::Pending {
            it.reclaim().await;
        }
    }
    // The first attempt does not count: a step has finished in it.
    assert_eq!(condemned, [false, false, false, true, true]);
    assert_eq!(it.record.state, OperationState::Failed);
    assert!(Reason::AttemptsExhausted.is_told_by(&error(&it)));
    assert!(is_incomplete(&it));
    it.check().await;
}

/// steps:E4
pub(crate) async fn an_operation_that_must_not_run_twice_undoes_nevertheless(trial: Trial) {
    if !keeps_steps(&trial).await {
        return;
    }
    let mut operation = trial.operation("operations/a");
    operation.policy.on_crash = OnCrash::Abort;
    let mut it = opened(Composed::of(&trial, operation).await).await;
    for _ in 0..2 {
        trial.advance(LEASE + secs(1));
        trial.expire(&mut it.record).await;
        assert_eq!(it.record.state, OperationState::Pending);
        it.reclaim().await;
    }
    // Nothing is owed any more; the worker is lost before it can say more.
    it.update(record(3), undone()).await.unwrap();
    trial.advance(LEASE + secs(1));
    trial.expire(&mut it.record).await;
    assert_eq!(it.record.state, OperationState::Failed);
    assert!(Reason::OperationInterrupted.is_told_by(&error(&it)));
    assert!(!is_incomplete(&it));
}

/// steps:E8
pub(crate) async fn a_new_epoch_is_refused_while_a_saga_is_open(trial: Trial) {
    if !keeps_steps(&trial).await {
        return;
    }
    let mut it = owing(&trial, "operations/a").await;
    let refused = it.update(begin_epoch(1, 1, &[]), Vec::new()).await;
    assert_eq!(refused, Err(Refusal::Owes));
    it.update(begin_epoch(1, 1, &[]), undone()).await.unwrap();
    assert!(!it.record.owes());
    assert_eq!(it.stored().await, []);
    it.update(succeed(1, "r"), Vec::new()).await.unwrap();
}

/// steps:E3
pub(crate) async fn a_run_that_waits_without_knowing_of_its_cancellation_runs_again(trial: Trial) {
    if !keeps_steps(&trial).await {
        return;
    }
    let mut it = owing(&trial, "operations/a").await;
    it.update(Command::cancel(), Vec::new()).await.unwrap();
    it.update(suspend(1, &["night"]), vec![sleep("night", secs(600))])
        .await
        .unwrap();
    assert!(!it.record.is_suspended());
    it.reclaim().await;
    let pause = StepWrite {
        kind: StepKind::Undo,
        ..sleep("undo/a", secs(60))
    };
    it.update(suspend(2, &["undo/a"]), vec![pause])
        .await
        .unwrap();
    assert!(it.record.is_suspended());
    assert_eq!(it.is_not_ready().await, Some(secs(60)));
    trial.advance(secs(60));
    it.reclaim().await;
    // This run knew of it when it began, so its pause is one between attempts to undo.
    it.update(retry(3, secs(600)), Vec::new()).await.unwrap();
    assert_eq!(it.is_not_ready().await, Some(secs(600)));
    trial.advance(secs(600));
    it.reclaim().await;
    assert_eq!(it.record.state, OperationState::Cancelling);
    let mut late = owing(&trial, "operations/b").await;
    late.update(Command::cancel(), Vec::new()).await.unwrap();
    late.update(retry(1, secs(600)), Vec::new()).await.unwrap();
    late.reclaim().await;
    assert_eq!(late.record.state, OperationState::Cancelling);
}

pub(crate) async fn a_debt_that_an_operator_forgets_is_paid(trial: Trial) {
    if !keeps_steps(&trial).await {
        return;
    }
    let mut it = owing(&trial, "operations/a").await;
    it.update(block(1, secs(600)), Vec::new()).await.unwrap();
    it.update(Command::cancel(), Vec::new()).await.unwrap();
    it.update(forget(&["saga"]), Vec::new()).await.unwrap();
    assert_eq!(it.record.state, OperationState::Pending);
    it.update(Command::cancel(), Vec::new()).await.unwrap();
    assert_eq!(it.record.state, OperationState::Cancelled);
    assert_eq!(it.stored().await.len(), 1);
}

/// steps:E6
pub(crate) async fn a_deleted_operation_undoes_unseen(trial: Trial) {
    if !keeps_steps(&trial).await {
        return;
    }
    let mut it = owing(&trial, "operations/a").await;
    it.update(Command::delete(), Vec::new()).await.unwrap();
    it.update(finish(1, OperationOutcome::Cancelled), Vec::new())
        .await
        .unwrap();
    it.reclaim().await;
    assert!(it.record.is_condemned());
    let end = it.update(record(2), undone()).await.unwrap();
    assert_eq!(end.state, OperationState::Running);
    let end = trial.update(&it.record.name, release(2)).await;
    assert_eq!(end.unwrap().change, Change::Removed);
    assert_eq!(it.stored().await, []);
}

/// steps:E3
pub(crate) async fn one_claim_takes_cancelled_operations_and_others(trial: Trial) {
    if !keeps_steps(&trial).await {
        return;
    }
    let mut cancelled = owing(&trial, "operations/cancelled").await;
    cancelled.update(release(1), Vec::new()).await.unwrap();
    cancelled
        .update(Command::cancel(), Vec::new())
        .await
        .unwrap();
    let mut other = owing(&trial, "operations/other").await;
    other.update(release(1), Vec::new()).await.unwrap();
    trial.pending("operations/plain").await;
    let claimed = trial.claim(10).await.operations;
    let mut claimed: Vec<_> = claimed
        .iter()
        .map(|record| (record.name.as_str(), record.state))
        .collect();
    claimed.sort_unstable_by_key(|(name, _)| *name);
    assert_eq!(
        claimed,
        [
            ("operations/cancelled", OperationState::Cancelling),
            ("operations/other", OperationState::Running),
            ("operations/plain", OperationState::Running),
        ]
    );
    let stored = trial.get(&cancelled.record.name).await.unwrap();
    assert_eq!(stored.state, OperationState::Cancelling);
}
