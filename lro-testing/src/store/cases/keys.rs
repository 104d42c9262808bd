use std::sync::Arc;

use lro_core::store::{Change, Command, OperationOutcome, OperationState, StartError, Started};

use crate::store::build::*;
use crate::store::trial::Trial;

/// spec:126
pub(crate) async fn a_repeated_request_id_gives_the_first_operation(trial: Trial) {
    let first = trial.operation("operations/a").request_id("r", 1);
    let record = trial.started(first).await;
    trial.advance(secs(5));
    let again = trial.operation("operations/b").request_id("r", 1);
    let again = trial.start(again).await.unwrap();
    assert_eq!(
        again,
        Started {
            record,
            existing: true
        }
    );
    assert_eq!(trial.get(&name("operations/b")).await, None);
    assert_eq!(trial.list("").await, ["operations/a"]);
}

/// spec:126
pub(crate) async fn a_repetition_is_not_claimed_anew(trial: Trial) {
    let first = trial.operation("operations/a").request_id("r", 1);
    let record = trial.running_from(first).await;
    let again = trial.operation("operations/a").request_id("r", 1);
    let again = trial.start(again.born_claimed(worker(2))).await.unwrap();
    assert!(again.existing);
    assert_eq!(again.record, record, "worker 1 holds it as before");
}

/// spec:127
pub(crate) async fn another_request_under_the_same_id_is_refused(trial: Trial) {
    let first = trial.operation("operations/a").request_id("r", 1);
    trial.started(first).await;
    let other = trial.operation("operations/b").request_id("r", 2);
    let reused = StartError::RequestIdReused(name("operations/a"));
    assert_eq!(trial.start(other).await, Err(reused));
    assert_eq!(trial.get(&name("operations/b")).await, None);
}

/// spec:128
pub(crate) async fn a_request_id_counts_within_its_parent(trial: Trial) {
    for of in ["operations/a", "p/operations/a", "p/q/operations/a"] {
        let operation = trial.operation(of).request_id("r", 1);
        trial.started(operation).await;
    }
}

/// spec:128
pub(crate) async fn a_request_id_counts_within_its_method(trial: Trial) {
    let first = trial.operation("operations/a").request_id("r", 1);
    trial.started(first).await;
    let other = trial.operation("operations/b").request_id("r", 1);
    trial.started(other.method(OTHER)).await;
}

/// spec:128
pub(crate) async fn the_parts_of_a_request_key_do_not_run_together(trial: Trial) {
    for (of, method, id) in [
        ("operations/a", "/a.B/C", "b/c"),
        ("b/operations/b", "/a.B/C", "c"),
        ("operations/c", "/a.B/Cb", "/c"),
        ("operations/d", "/a.B/C", "B/C"),
        ("operations/e", "/a.B/C", ""),
        ("operations/f", "/a.B/C", "b/c "),
    ] {
        let operation = trial.operation(of).method(method).request_id(id, 1);
        trial.started(operation).await;
    }
}

/// spec:128
pub(crate) async fn concurrent_repetitions_make_one_operation(trial: Trial) {
    let trial = Arc::new(trial);
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..16 {
        let trial = trial.clone();
        let operation = trial.operation(&numbered("", n)).request_id("r", 1);
        tasks.spawn(async move { trial.start(operation).await.unwrap() });
    }
    let answers = tasks.join_all().await;
    let made: Vec<_> = answers.iter().filter(|answer| !answer.existing).collect();
    assert_eq!(made.len(), 1);
    assert!(answers.iter().all(|a| a.record.uid == made[0].record.uid));
    assert_eq!(trial.list("").await, [made[0].record.name.as_str()]);
}

/// spec:129
pub(crate) async fn a_request_id_lasts_as_long_as_its_operation(trial: Trial) {
    let first = trial.operation("operations/a").request_id("r", 1);
    let mut record = trial.running_from(first).await;
    trial.apply(&mut record, succeed(1, "r")).await.unwrap();
    let again = trial.operation("operations/b").request_id("r", 1);
    let again = trial.start(again).await.unwrap();
    assert_eq!((again.existing, &again.record), (true, &record));
    let removed = trial.apply(&mut record, Command::delete()).await.unwrap();
    assert_eq!(removed.change, Change::Removed);
    let again = trial.operation("operations/b").request_id("r", 2);
    trial.started(again).await;
}

/// spec:126
pub(crate) async fn a_hidden_operation_still_answers_for_its_request_id(trial: Trial) {
    let first = trial.operation("operations/a").request_id("r", 1);
    let mut record = trial.running_from(first).await;
    trial.apply(&mut record, Command::delete()).await.unwrap();
    assert_eq!(trial.get(&record.name).await, None, "hidden, and running");
    let again = trial.operation("operations/b").request_id("r", 1);
    let again = trial.start(again).await.unwrap();
    assert_eq!((again.existing, &again.record), (true, &record));
    let removed = trial.apply(&mut record, succeed(1, "r")).await.unwrap();
    assert_eq!(removed.change, Change::Removed);
    let again = trial.operation("operations/b").request_id("r", 1);
    trial.started(again).await;
}

/// spec:130
pub(crate) async fn a_refused_start_does_not_consume_its_request_id(trial: Trial) {
    trial.pending("operations/a").await;
    let refused = trial.operation("operations/a").request_id("r", 1);
    trial.start(refused).await.unwrap_err();
    let other = trial.operation("operations/b").request_id("r", 2);
    trial.started(other).await;
}

pub(crate) async fn a_repetition_comes_before_a_name_that_is_taken(trial: Trial) {
    let first = trial.operation("operations/a").request_id("r", 1);
    trial.started(first.exclusive("k")).await;
    trial.pending("operations/b").await;
    let again = trial.operation("operations/b").request_id("r", 1);
    assert!(trial.start(again.exclusive("k")).await.unwrap().existing);
    let both = trial.operation("operations/b").exclusive("k");
    let taken = StartError::AlreadyExists(name("operations/b"));
    assert_eq!(trial.start(both).await, Err(taken));
}

/// spec:132
pub(crate) async fn an_exclusive_key_is_held_while_unfinished(trial: Trial) {
    let first = trial.operation("operations/a").exclusive("k");
    let mut record = trial.started(first).await;
    let held = Err(StartError::ExclusiveKeyHeld(record.name.clone()));
    let second = || {
        trial
            .operation("p/operations/b")
            .exclusive("k")
            .method(OTHER)
    };
    assert_eq!(trial.start(second()).await, held, "pending");
    trial.reclaim(&mut record).await;
    assert_eq!(trial.start(second()).await, held, "running");
    trial.apply(&mut record, retry(1, secs(9))).await.unwrap();
    assert_eq!(trial.start(second()).await, held, "pausing");
    assert_eq!(trial.get(&name("p/operations/b")).await, None);
    let other = trial.operation("operations/c").exclusive("K");
    trial.started(other).await;
}

pub(crate) async fn an_exclusive_key_is_free_after_every_end(trial: Trial) {
    let ends = [
        succeed(1, "r"),
        finish(1, OperationOutcome::Error(failure(5))),
        finish(1, OperationOutcome::Cancelled),
    ];
    for (n, end) in (0..).zip(ends) {
        let operation = trial.operation(&numbered("", n)).exclusive("k");
        let mut record = trial.running_from(operation).await;
        trial.apply(&mut record, end).await.unwrap();
    }
    let pending = trial.operation("operations/p").exclusive("k");
    let mut pending = trial.started(pending).await;
    trial.apply(&mut pending, Command::cancel()).await.unwrap();
    assert_eq!(pending.state, OperationState::Cancelled);
    let last = trial.operation("operations/z").exclusive("k");
    trial.started(last).await;
}

pub(crate) async fn an_exclusive_key_is_held_by_a_deleted_operation_that_runs(trial: Trial) {
    let first = trial.operation("operations/a").exclusive("k");
    let mut record = trial.running_from(first).await;
    trial.apply(&mut record, Command::delete()).await.unwrap();
    let second = || trial.operation("operations/b").exclusive("k");
    let held = StartError::ExclusiveKeyHeld(record.name.clone());
    assert_eq!(trial.start(second()).await, Err(held));
    trial.apply(&mut record, succeed(1, "r")).await.unwrap();
    trial.started(second()).await;
}

pub(crate) async fn removing_a_done_holder_leaves_the_key_to_the_next(trial: Trial) {
    let first = trial.operation("operations/a").exclusive("k");
    let mut first = trial.running_from(first).await;
    trial.apply(&mut first, succeed(1, "r")).await.unwrap();
    let second = trial.operation("operations/b").exclusive("k");
    let second = trial.started(second).await;
    trial.apply(&mut first, Command::delete()).await.unwrap();
    let third = trial.operation("operations/c").exclusive("k");
    let held = StartError::ExclusiveKeyHeld(second.name);
    assert_eq!(trial.start(third).await, Err(held));
}

pub(crate) async fn concurrent_starts_of_one_exclusive_key_make_one(trial: Trial) {
    let trial = Arc::new(trial);
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..16 {
        let trial = trial.clone();
        let operation = trial.operation(&numbered("", n)).exclusive("k");
        tasks.spawn(async move { trial.start(operation).await });
    }
    let answers = tasks.join_all().await;
    let made: Vec<_> = answers.iter().flatten().collect();
    assert_eq!(made.len(), 1);
    let held = Err(StartError::ExclusiveKeyHeld(made[0].record.name.clone()));
    assert_eq!(answers.iter().filter(|a| **a == held).count(), 15);
}
