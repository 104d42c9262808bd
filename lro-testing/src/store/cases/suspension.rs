use std::time::Duration;

use lro_core::store::{
    Change, Command, OperationRecord, OperationState, Refusal, StartError, StepKind, StepOutcome,
    StepWake, StepWrite, StoreEvent,
};

use crate::store::build::*;
use crate::store::filters::{list_all, query};
use crate::store::steps::*;
use crate::store::trial::{Trial, names};

/// steps:W2 steps:W5
pub(crate) async fn a_suspended_operation_is_claimed_at_its_wake_time_and_not_before(trial: Trial) {
    if !keeps_steps(&trial).await {
        return;
    }
    let log = trial.observe();
    let mut it = Composed::running(&trial, "operations/a").await;
    let steps = vec![done("a", "1"), sleep("s", secs(60))];
    let command = Command::Suspend {
        fence: 1,
        waits: vec![key("s")],
        ready_by: None,
        metadata: Some(any("waits")),
    };
    let updated = it.update(command, steps).await.unwrap();
    assert_eq!(updated.state, OperationState::Pending);
    assert_eq!(it.record.lease, None);
    assert_eq!(it.record.metadata, Some(any("waits")));
    assert!(it.record.is_suspended());
    let wake_time = trial.now().saturating_add(secs(60));
    log.wait_for(
        "it becomes ready later",
        |event| matches!(event, StoreEvent::Ready { ready_time, .. } if *ready_time == wake_time),
    )
    .await;
    assert_eq!(it.is_not_ready().await, Some(secs(60)));
    trial.advance(secs(60) - Duration::from_micros(1));
    assert_eq!(it.is_not_ready().await, Some(Duration::from_micros(1)));
    trial.advance(Duration::from_micros(1));
    it.reclaim().await;
    assert_eq!(
        it.record.update_time, wake_time,
        "so the run knows that it is over"
    );
    let after = vec![StepWrite {
        outcome: Some(StepOutcome::Response(any(""))),
        ..sleep("s", secs(60))
    }];
    it.update(succeed(2, "r"), after).await.unwrap();
}

/// steps:W5
pub(crate) async fn a_timer_is_fixed_by_its_first_write(trial: Trial) {
    if !keeps_steps(&trial).await {
        return;
    }
    let mut it = Composed::running(&trial, "operations/a").await;
    it.update(record(1), vec![sleep("s", secs(60))])
        .await
        .unwrap();
    let wake_time = Some(trial.now().saturating_add(secs(60)));
    trial.advance(LEASE + secs(1));
    trial.expire(&mut it.record).await;
    it.reclaim().await;
    // Another deployment asks for another time.
    it.update(suspend(2, &["s"]), vec![sleep("s", secs(600))])
        .await
        .unwrap();
    assert_eq!(it.stored().await[0].wake_time, wake_time);
    assert_eq!(it.is_not_ready().await, Some(secs(60) - LEASE - secs(1)));
    // A further attempt has a pause of its own.
    let pause = |attempt, seconds| StepWrite {
        attempt,
        wake: Some(StepWake::After(secs(seconds))),
        last_error: Some(failure(14)),
        ..StepWrite::begun(key("retried"), StepKind::Step)
    };
    trial.advance(secs(60));
    it.reclaim().await;
    it.update(record(3), vec![pause(1, 5)]).await.unwrap();
    it.update(suspend(3, &["retried"]), vec![pause(2, 10)])
        .await
        .unwrap();
    assert_eq!(it.is_not_ready().await, Some(secs(10)));
    // Times that have passed.
    trial.advance(secs(10));
    it.reclaim().await;
    let past = StepWrite {
        wake: Some(StepWake::At(lro_core::Timestamp::EPOCH)),
        ..sleep("past", secs(0))
    };
    it.update(suspend(4, &["past", "retried"]), vec![past])
        .await
        .unwrap();
    it.reclaim().await;
}

/// steps:W2 steps:W6
pub(crate) async fn an_operation_without_a_timer_waits_for_a_completion(trial: Trial) {
    if !keeps_steps(&trial).await {
        return;
    }
    let log = trial.observe();
    let mut it = Composed::running(&trial, "operations/a").await;
    log.clear();
    it.update(suspend(1, &["approved"]), vec![asked("approved")])
        .await
        .unwrap();
    assert_eq!(it.record.ready_time, OperationRecord::NEVER_READY);
    trial.advance(secs(1_000_000));
    assert_eq!(it.is_not_ready().await, None);
    assert_eq!(trial.store().backlog(trial.now(), 9).await.unwrap(), []);
    let is_ready = |event: &StoreEvent| matches!(event, StoreEvent::Ready { .. });
    assert!(!log.events().iter().any(is_ready));
    let updated = it.update(complete("approved", "yes"), Vec::new()).await;
    assert_eq!(updated.unwrap().state, OperationState::Pending);
    log.wait_for("it is ready", is_ready).await;
    let row = it.stored().await.remove(0);
    assert_eq!(row.outcome, Some(StepOutcome::Response(any("yes"))));
    assert_eq!((row.end_time, row.fence), (Some(trial.now()), 0));
    it.reclaim().await;
}

/// steps:W6
pub(crate) async fn a_suspension_finds_what_was_completed_before_it(trial: Trial) {
    if !keeps_steps(&trial).await {
        return;
    }
    let mut it = Composed::running(&trial, "operations/a").await;
    it.update(complete("approved", "yes"), Vec::new())
        .await
        .unwrap();
    it.update(suspend(1, &["approved"]), vec![asked("approved")])
        .await
        .unwrap();
    assert!(!it.record.is_suspended());
    it.reclaim().await;
    let steps = vec![sleep("s", secs(600))];
    it.update(suspend(2, &["approved", "s"]), steps)
        .await
        .unwrap();
    let gathered = Some(Duration::from_millis(10));
    assert_eq!(it.is_not_ready().await, gathered);
}

/// steps:W7
pub(crate) async fn completions_that_follow_each_other_wake_once(trial: Trial) {
    if !keeps_steps(&trial).await {
        return;
    }
    let mut it = Composed::running(&trial, "operations/a").await;
    let keys: Vec<_> = (0..200).map(|n| format!("vote{n}")).collect();
    let waits: Vec<_> = keys.iter().map(|key| &**key).collect();
    let steps = waits.iter().map(|key| asked(key)).collect();
    it.update(suspend(1, &waits), steps).await.unwrap();
    let (last, others) = waits.split_last().unwrap();
    let first = trial.now();
    for vote in &others[..50] {
        it.update(complete(vote, "yes"), Vec::new()).await.unwrap();
    }
    assert_eq!(it.record.ready_time, first.saturating_add(secs(1)));
    assert_eq!(it.is_not_ready().await, Some(secs(1)));
    for vote in &others[50..] {
        it.update(complete(vote, "yes"), Vec::new()).await.unwrap();
    }
    let gathered = Some(Duration::from_millis(10));
    assert_eq!(it.is_not_ready().await, gathered);
    it.update(complete(last, "no"), Vec::new()).await.unwrap();
    it.reclaim().await;
}

pub(crate) async fn a_suspension_for_an_unknown_step_is_refused(trial: Trial) {
    if !keeps_steps(&trial).await {
        return;
    }
    let mut it = Composed::running(&trial, "operations/a").await;
    let refused = it.update(suspend(1, &["a", "b"]), vec![asked("a")]).await;
    assert_eq!(refused, Err(Refusal::StepUnknown(key("b"))));
    assert_eq!(it.record.state, OperationState::Running);
    assert_eq!(it.record.steps, None);
}

/// steps:W4
pub(crate) async fn a_suspension_is_neither_an_attempt_nor_a_loss(trial: Trial) {
    if !keeps_steps(&trial).await {
        return;
    }
    let mut operation = trial.operation("operations/a");
    operation.policy.max_attempts = 1;
    operation.policy.on_crash = lro_core::store::OnCrash::Abort;
    let mut it = Composed::of(&trial, operation).await;
    for n in 1..=5 {
        let nap = format!("nap{n}");
        it.update(suspend(n, &[&nap]), vec![sleep(&nap, secs(1))])
            .await
            .unwrap();
        assert_eq!((it.record.attempt, it.record.losses), (0, 0));
        trial.advance(secs(1));
        it.reclaim().await;
        assert_eq!((it.record.attempt, it.record.fence), (1, n + 1));
    }
    assert_eq!(it.record.history.attempts, []);
}

/// steps:E3
pub(crate) async fn a_suspended_operation_is_cancelled_at_once(trial: Trial) {
    if !keeps_steps(&trial).await {
        return;
    }
    let mut it = Composed::running(&trial, "operations/a").await;
    it.update(suspend(1, &["a"]), vec![asked("a")])
        .await
        .unwrap();
    it.update(Command::cancel(), Vec::new()).await.unwrap();
    assert_eq!(it.record.state, OperationState::Cancelled);
    assert_eq!(it.stored().await.len(), 1);
    assert_eq!(it.is_not_ready().await, None);

    let mut it = Composed::running(&trial, "operations/b").await;
    it.update(Command::cancel(), Vec::new()).await.unwrap();
    let recorded = it.update(record(1), vec![done("a", "1")]).await;
    assert_eq!(recorded.unwrap().state, OperationState::Cancelling);
    let steps = vec![sleep("s", secs(9))];
    it.update(suspend(1, &["s"]), steps).await.unwrap();
    assert_eq!(it.record.state, OperationState::Cancelled);
    assert_eq!(it.stored().await.len(), 2);
}

/// steps:E6
pub(crate) async fn a_suspended_operation_that_is_deleted_waits_unseen(trial: Trial) {
    if !keeps_steps(&trial).await {
        return;
    }
    let mut it = Composed::running(&trial, "operations/a").await;
    let steps = vec![sleep("s", secs(60)), asked("a")];
    it.update(suspend(1, &["s", "a"]), steps).await.unwrap();
    it.update(Command::delete(), Vec::new()).await.unwrap();
    let unseen = it.update(complete("a", "1"), Vec::new()).await;
    assert_eq!(unseen, Err(Refusal::NotFound));
    trial.advance(secs(60));
    it.reclaim().await;
    let end = trial.update(&it.record.name, succeed(2, "r")).await;
    assert_eq!(end.unwrap().change, Change::Removed);
    assert_eq!(it.stored().await, []);
}

/// steps:W2
pub(crate) async fn a_suspended_operation_keeps_its_name_and_keys(trial: Trial) {
    if !keeps_steps(&trial).await {
        return;
    }
    let operation = trial.operation("operations/a");
    let operation = operation.exclusive("key").request_id("id", 1);
    let mut it = Composed::of(&trial, operation).await;
    it.update(suspend(1, &["a"]), vec![asked("a")])
        .await
        .unwrap();
    let held = trial.operation("operations/b").exclusive("key");
    let held = trial.start(held).await.unwrap_err();
    assert_eq!(held, StartError::ExclusiveKeyHeld(name("operations/a")));
    let again = trial.operation("operations/c").request_id("id", 1);
    let again = trial.start(again).await.unwrap();
    assert!(again.existing);
    assert_eq!(again.record, it.record);
}

pub(crate) async fn lists_find_operations_by_what_they_wait_for(trial: Trial) {
    if !keeps_steps(&trial).await {
        return;
    }
    let mut approval = Composed::running(&trial, "operations/approval").await;
    let steps = vec![asked("approved"), sleep("reminder", secs(60))];
    approval
        .update(suspend(1, &["approved", "reminder"]), steps)
        .await
        .unwrap();
    let mut night = Composed::running(&trial, "operations/night").await;
    night
        .update(suspend(1, &["night"]), vec![sleep("night", secs(60))])
        .await
        .unwrap();
    let mut blocked = Composed::running(&trial, "operations/blocked").await;
    blocked
        .update(block(1, secs(60)), vec![done("approved", "1")])
        .await
        .unwrap();
    trial.pending("operations/pending").await;
    let check = async |filter: &str, wanted: &[&str]| {
        for limit in [50, 1] {
            let found = list_all(trial.store(), query("", filter, limit)).await;
            let mut found = names(&found);
            found.sort();
            let wanted = wanted.iter().map(|of| format!("operations/{of}"));
            assert_eq!(found, wanted.collect::<Vec<_>>(), "{filter}");
        }
    };
    check("waiting = true", &["approval", "night"]).await;
    check("waiting = false", &["blocked", "pending"]).await;
    check("blocked = true", &["blocked"]).await;
    check("waiting.step = approved", &["approval"]).await;
    check("waiting.step = \"appr*\"", &["approval"]).await;
    check("waiting.step = app", &[]).await;
    check("waiting.kind = SLEEP", &["approval", "night"]).await;
    check(
        "NOT waiting.kind = PROMISE",
        &["blocked", "night", "pending"],
    )
    .await;
    // A wait that has ended is none, nor is that of an operation that runs again.
    let given = complete("approved", "1");
    approval.update(given, Vec::new()).await.unwrap();
    check("waiting.kind = PROMISE", &[]).await;
    check("waiting.step = reminder", &["approval"]).await;
    trial.advance(secs(60));
    trial.claim(10).await;
    check("waiting = true OR blocked = true", &[]).await;
}

pub(crate) async fn claims_pass_operations_that_are_suspended(trial: Trial) {
    if !keeps_steps(&trial).await {
        return;
    }
    let mut suspended = Vec::new();
    for n in 0..100 {
        let mut it = Composed::running(&trial, &numbered("", n)).await;
        let steps = match n % 2 {
            0 => vec![sleep("wait", secs(1_000))],
            _ => vec![asked("wait")],
        };
        it.update(suspend(1, &["wait"]), steps).await.unwrap();
        suspended.push(it);
    }
    trial.advance(secs(1));
    trial.pending("operations/ready").await;
    assert_eq!(trial.claimed_names(10).await, ["operations/ready"]);
    let woken = &mut suspended[7];
    woken
        .update(complete("wait", "1"), Vec::new())
        .await
        .unwrap();
    woken.reclaim().await;
}
