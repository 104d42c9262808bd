use lro_core::store::{
    Change, Command, OperationState, Refusal, StepOutcome, StepSummary, StepWrite,
};

use crate::store::build::*;
use crate::store::steps::*;
use crate::store::trial::Trial;

/// steps:E8
pub(crate) async fn a_new_epoch_begins_without_steps(trial: Trial) {
    if !keeps_steps(&trial).await {
        return;
    }
    let mut operation = trial.operation("operations/a");
    operation.policy.max_attempts = 1;
    let mut it = Composed::of(&trial, operation).await;
    let steps = vec![done("a", "1"), asked("open")];
    it.update(record(1), steps).await.unwrap();
    trial.advance(secs(1));
    // Steps that come with it are of the epoch before.
    it.update(begin_epoch(1, 1, &[]), vec![done("late", "1")])
        .await
        .unwrap();
    assert_eq!(it.record.checkpoint, Some(any("checkpoint")));
    let lease = it.record.lease.as_ref().unwrap();
    assert_eq!(lease.expire_time, trial.now().saturating_add(LEASE));
    let summary = it.record.steps.as_deref().unwrap();
    assert_eq!(summary.epoch_time(), Some(trial.now()));
    assert_eq!((summary.epoch, summary.rows, summary.len), (1, 0, 0));
    assert_eq!(it.stored().await, []);
    assert_eq!(steps_of_epoch(&trial, &it.record, 0).await, []);
    // A key may be used again, for another kind of call.
    let again = vec![sleep("a", secs(1)), done("b", "2")];
    it.update(record(1), again).await.unwrap();
    assert_eq!(it.stored().await.len(), 2);
    // It is progress: the attempt does not count.
    trial.advance(LEASE + secs(1));
    trial.expire(&mut it.record).await;
    it.reclaim().await;
    it.update(succeed(2, "r"), vec![done("c", "3")])
        .await
        .unwrap();
    assert_eq!(it.stored().await.len(), 3);
}

/// steps:E8
pub(crate) async fn a_promise_that_came_early_is_kept_in_a_new_epoch(trial: Trial) {
    if !keeps_steps(&trial).await {
        return;
    }
    let mut it = Composed::running(&trial, "operations/a").await;
    it.update(record(1), vec![done("step", "1"), asked("begun")])
        .await
        .unwrap();
    for of in ["used", "early", "begun", "later"] {
        it.update(complete(of, of), Vec::new()).await.unwrap();
    }
    it.update(begin_epoch(1, 1, &["used", "begun"]), Vec::new())
        .await
        .unwrap();
    let kept = it.stored().await;
    let kept: Vec<_> = kept.iter().map(|row| (row.seq, row.key.as_str())).collect();
    assert_eq!(kept, [(1, "early"), (2, "later")]);
    // It still has its first value, and the others may be given again.
    let other = it.update(complete("early", "other"), Vec::new()).await;
    assert_eq!(other, Err(Refusal::StepFinished(key("early"))));
    it.update(complete("used", "again"), Vec::new())
        .await
        .unwrap();
    it.update(record(1), vec![done("step", "2")]).await.unwrap();
    it.update(begin_epoch(1, 2, &["early"]), Vec::new())
        .await
        .unwrap();
    assert_eq!(it.stored().await.len(), 2);
}

pub(crate) async fn a_repeated_new_epoch_begins_once(trial: Trial) {
    if !keeps_steps(&trial).await {
        return;
    }
    let mut it = Composed::running(&trial, "operations/a").await;
    it.update(record(1), vec![done("a", "1")]).await.unwrap();
    for epoch in [0, 2] {
        // It is the present one, or follows no other.
        let answer = it.update(begin_epoch(1, epoch, &[]), Vec::new()).await;
        let answer = answer.map(|updated| updated.change);
        match epoch {
            0 => assert_eq!(answer, Ok(Change::Lease)),
            _ => assert_eq!(answer, Err(Refusal::Stale)),
        }
        assert_eq!(it.stored().await.len(), 1);
    }
    for change in [Change::Record, Change::Lease] {
        let updated = it.update(begin_epoch(1, 1, &[]), Vec::new()).await;
        assert_eq!(updated.unwrap().change, change);
    }
    it.update(record(1), vec![done("b", "1")]).await.unwrap();
    let stale = it.update(begin_epoch(2, 2, &[]), Vec::new()).await;
    assert_eq!(stale, Err(Refusal::Stale));
    assert_eq!(it.stored().await.len(), 1);
}

pub(crate) async fn long_epochs_are_removed_in_parts(trial: Trial) {
    if !keeps_steps(&trial).await {
        return;
    }
    let count = 2 * StepSummary::SWEPT + 100;
    let mut it = Composed::running(&trial, "operations/a").await;
    let steps = (0..count).map(|n| done(&format!("s{n}"), "1")).collect();
    it.update(record(1), steps).await.unwrap();
    it.update(begin_epoch(1, 1, &[]), Vec::new()).await.unwrap();
    let unswept = |it: &Composed<'_>| it.record.steps.as_deref().unwrap().unswept;
    assert_eq!(unswept(&it), StepSummary::SWEPT + 100);
    it.update(record(1), vec![done("s0", "2")]).await.unwrap();
    it.update(complete("p", "1"), Vec::new()).await.unwrap();
    assert_eq!(unswept(&it), 0);
    assert_eq!(steps_of_epoch(&trial, &it.record, 0).await, []);
    // The removal of an operation takes all.
    let steps = (0..count).map(|n| done(&format!("t{n}"), "1")).collect();
    it.update(record(1), steps).await.unwrap();
    it.update(begin_epoch(1, 2, &[]), Vec::new()).await.unwrap();
    it.update(succeed(1, "r"), Vec::new()).await.unwrap();
    let removed = trial.update(&it.record.name, Command::delete()).await;
    assert_eq!(removed.unwrap().change, Change::Removed);
    for epoch in 0..3 {
        assert_eq!(steps_of_epoch(&trial, &it.record, epoch).await, []);
    }
}

pub(crate) async fn a_forgotten_step_runs_again(trial: Trial) {
    if !keeps_steps(&trial).await {
        return;
    }
    let log = trial.observe();
    let mut it = Composed::running(&trial, "operations/a").await;
    let steps = vec![done("a", "1"), done("b", "1"), done("c", "1")];
    it.update(block(1, secs(600)), steps).await.unwrap();
    assert!(it.record.is_blocked());
    let attempt = it.record.attempt;
    let updated = it.update(forget(&["b", "a", "b"]), Vec::new()).await;
    assert_eq!(updated.unwrap().change, Change::Record);
    assert!(!it.record.is_blocked());
    assert_eq!(it.record.attempt, attempt);
    let is_ready = |event: &_| matches!(event, lro_core::store::StoreEvent::Ready { ready_time, .. } if *ready_time == trial.now());
    log.wait_for("it is ready", is_ready).await;
    it.reclaim().await;
    // It is a new row, behind the others.
    it.update(record(2), vec![done("a", "2")]).await.unwrap();
    let rows = it.stored().await;
    let rows: Vec<_> = rows.iter().map(|row| (row.seq, row.key.as_str())).collect();
    assert_eq!(rows, [(3, "c"), (4, "a")]);
}

pub(crate) async fn steps_are_forgotten_while_the_operation_waits(trial: Trial) {
    if !keeps_steps(&trial).await {
        return;
    }
    let mut it = Composed::running(&trial, "operations/a").await;
    it.update(record(1), vec![done("a", "1"), asked("p"), asked("q")])
        .await
        .unwrap();
    let running = it.update(forget(&["a"]), Vec::new()).await;
    assert_eq!(running, Err(Refusal::Running));
    it.update(suspend(1, &["p", "q"]), Vec::new())
        .await
        .unwrap();
    let unknown = it.update(forget(&["a", "z"]), Vec::new()).await;
    assert_eq!(unknown, Err(Refusal::StepUnknown(key("z"))));
    let none = it.update(forget(&[]), Vec::new()).await;
    assert_eq!(none.unwrap().change, Change::Nothing);
    assert_eq!(it.is_not_ready().await, None);
    // The next run asks for it again.
    it.update(forget(&["p"]), Vec::new()).await.unwrap();
    assert!(!it.record.is_suspended());
    it.update(complete("p", "1"), Vec::new()).await.unwrap();
    it.reclaim().await;
    assert_eq!(it.stored().await.len(), 3);
    it.update(succeed(2, "r"), Vec::new()).await.unwrap();
    let done = it.update(forget(&["a"]), Vec::new()).await;
    assert_eq!(done, Err(Refusal::Done));
    let removed = trial.update(&it.record.name, Command::delete()).await;
    assert_eq!(removed.unwrap().change, Change::Removed);
    let unknown = trial.update(&it.record.name, forget(&["a"])).await;
    assert_eq!(unknown, Err(Refusal::NotFound));
}

/// A value that came early is given again, and the operation does not begin before its time.
pub(crate) async fn a_forgotten_promise_may_be_given_again(trial: Trial) {
    if !keeps_steps(&trial).await {
        return;
    }
    let mut operation = trial.operation("operations/a");
    operation.ready_time = Some(trial.now().saturating_add(secs(60)));
    let mut it = Composed {
        trial: &trial,
        record: trial.started(operation).await,
        rows: Default::default(),
    };
    for value in ["no", "yes"] {
        it.update(complete("p", value), Vec::new()).await.unwrap();
        assert_eq!(it.record.steps.as_deref().unwrap().early, 1);
        if value == "no" {
            it.update(forget(&["p"]), Vec::new()).await.unwrap();
            assert_eq!(it.stored().await, []);
        }
    }
    assert_eq!(it.is_not_ready().await, Some(secs(60)));
    trial.advance(secs(60));
    it.reclaim().await;
    let outcome = it.stored().await[0].outcome.clone();
    assert_eq!(outcome, Some(StepOutcome::Response(any("yes"))));
}

/// steps:S15
pub(crate) async fn an_operation_is_unblocked(trial: Trial) {
    if !keeps_steps(&trial).await {
        return;
    }
    let mut it = Composed::running(&trial, "operations/a").await;
    let refused = Err(Refusal::NotBlocked);
    assert_eq!(it.update(Command::Unblock, Vec::new()).await, refused);
    it.update(block(1, secs(600)), vec![done("a", "1")])
        .await
        .unwrap();
    let (attempt, state) = (it.record.attempt, it.record.state);
    assert_eq!(it.is_not_ready().await, Some(secs(600)));
    it.update(Command::Unblock, Vec::new()).await.unwrap();
    assert_eq!((it.record.attempt, it.record.state), (attempt, state));
    assert_eq!(it.update(Command::Unblock, Vec::new()).await, refused);
    it.reclaim().await;
    it.update(succeed(2, "r"), Vec::new()).await.unwrap();
    let done = it.update(Command::Unblock, Vec::new()).await;
    assert_eq!(done, Err(Refusal::Done));
    let unknown = trial
        .update(&name("operations/unknown"), Command::Unblock)
        .await;
    assert_eq!(unknown, Err(Refusal::NotFound));
}

/// steps:W4
pub(crate) async fn a_wait_ends_when_the_lifetime_does(trial: Trial) {
    if !keeps_steps(&trial).await {
        return;
    }
    let mut it = Composed::running(&trial, "operations/a").await;
    let ready_by = Some(trial.now().saturating_add(secs(60)));
    let waits = |fence, waits: Vec<_>| Command::Suspend {
        fence,
        waits,
        ready_by,
        metadata: None,
    };
    // Without a timer, with a later one, with an earlier one.
    it.update(waits(1, vec![key("p")]), vec![asked("p")])
        .await
        .unwrap();
    assert_eq!(it.is_not_ready().await, Some(secs(60)));
    it.update(complete("p", "1"), Vec::new()).await.unwrap();
    it.reclaim().await;
    let steps = vec![sleep("long", secs(600)), sleep("short", secs(20))];
    it.update(waits(2, vec![key("long"), key("short")]), steps)
        .await
        .unwrap();
    assert_eq!(it.is_not_ready().await, Some(secs(20)));
    trial.advance(secs(20));
    it.reclaim().await;
    let blocked = Command::Block {
        fence: 3,
        message: "it does not fit".to_owned(),
        delay: secs(600),
        ready_by,
        metadata: None,
    };
    let over = vec![StepWrite {
        outcome: Some(StepOutcome::Response(any(""))),
        ..sleep("short", secs(20))
    }];
    it.update(blocked, over).await.unwrap();
    assert_eq!(it.is_not_ready().await, Some(secs(40)));
    trial.advance(secs(40));
    it.reclaim().await;
    assert_eq!(it.record.state, OperationState::Running);
}
