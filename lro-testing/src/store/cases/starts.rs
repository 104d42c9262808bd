use std::collections::HashSet;
use std::sync::Arc;

use lro_core::Timestamp;
use lro_core::store::{OnCrash, OperationState, StartError};

use crate::store::build::*;
use crate::store::trial::{Trial, names};

pub(crate) async fn a_start_keeps_every_field(trial: Trial) {
    let mut operation = trial.operation("projects/p/operations/full");
    operation.metadata = Some(any("begun"));
    operation.labels = labels([("team", "blue"), ("empty", "")]);
    operation.request_id = request_id("r-1", 7);
    operation.exclusive_key = Some("disk".to_owned());
    operation.policy.max_attempts = 3;
    operation.policy.on_crash = OnCrash::Abort;
    operation.policy.retain = secs(77);
    let record = trial.started(operation).await;
    assert_eq!((record.revision, record.attempt, record.fence), (1, 0, 0));
    assert_eq!(record.ready_time, trial.now());
}

pub(crate) async fn a_start_keeps_what_is_left_out(trial: Trial) {
    let record = trial.pending("operations/bare").await;
    assert_eq!(record.metadata, None);
    assert_eq!((record.request_id, record.exclusive_key), (None, None));
    assert!(record.labels.is_empty());
}

/// spec:34
pub(crate) async fn a_started_operation_is_readable_at_once(trial: Trial) {
    let record = trial.pending("operations/a").await;
    assert_eq!(trial.get(&record.name).await, Some(record.clone()));
    let listed = trial.page("", None, 9).await.records;
    assert_eq!(listed, [record.public_part()]);
}

pub(crate) async fn born_claimed_is_running_from_the_first_commit(trial: Trial) {
    let operation = trial.operation("operations/a").born_claimed(worker(4));
    let record = trial.started(operation).await;
    assert_eq!(record.state, OperationState::Running);
    assert_eq!((record.attempt, record.fence), (1, 1));
    let lease = record.lease.clone().unwrap();
    assert_eq!(lease.worker, worker(4));
    assert_eq!(lease.expire_time, trial.now().saturating_add(LEASE));
    assert_eq!(trial.claimed_names(9).await, [""; 0], "it has a holder");
}

pub(crate) async fn born_claimed_with_a_later_ready_time_stays_pending(trial: Trial) {
    let later = trial.now().saturating_add(secs(60));
    let mut operation = trial.operation("operations/a").born_claimed(worker(4));
    operation.ready_time = Some(later);
    let record = trial.started(operation).await;
    assert_eq!(record.state, OperationState::Pending);
    assert_eq!((record.attempt, record.fence), (0, 0));
    assert_eq!((record.ready_time, record.lease), (later, None));
}

pub(crate) async fn a_ready_time_in_the_past_is_now(trial: Trial) {
    let mut operation = trial.operation("operations/a");
    operation.ready_time = Some(Timestamp::EPOCH);
    let record = trial.started(operation).await;
    assert_eq!(record.ready_time, trial.now());
}

pub(crate) async fn a_batch_answers_each_element_in_order(trial: Trial) {
    let batch: Vec<_> = (0..100)
        .map(|n| trial.operation(&numbered("", n)))
        .collect();
    let answers = trial.start_all(batch.clone()).await;
    for (answer, operation) in answers.into_iter().zip(batch) {
        assert_eq!(answer.unwrap().record, trial.expected(operation));
    }
    assert_eq!(trial.list("").await.len(), 100);
}

pub(crate) async fn a_refused_element_does_not_disturb_its_neighbours(trial: Trial) {
    trial.pending("operations/taken").await;
    let answers = trial
        .start_all(vec![
            trial.operation("operations/first"),
            trial.operation("operations/taken"),
            trial.operation("operations/last"),
        ])
        .await;
    assert!(answers[0].is_ok() && answers[2].is_ok());
    let taken = StartError::AlreadyExists(name("operations/taken"));
    assert_eq!(answers[1], Err(taken));
    assert_eq!(
        trial.list("").await,
        ["operations/last", "operations/first", "operations/taken"]
    );
}

pub(crate) async fn the_elements_of_a_batch_see_those_before(trial: Trial) {
    let answers = trial
        .start_all(vec![
            trial.operation("operations/a").request_id("r", 1),
            trial.operation("operations/a"),
            trial.operation("operations/b").request_id("r", 1),
            trial.operation("operations/c").exclusive("k"),
            trial.operation("operations/d").exclusive("k"),
        ])
        .await;
    let a = name("operations/a");
    assert!(!answers[0].as_ref().unwrap().existing);
    assert_eq!(answers[1], Err(StartError::AlreadyExists(a.clone())));
    let repeated = answers[2].as_ref().unwrap();
    assert!(repeated.existing);
    assert_eq!(repeated.record.name, a);
    assert!(answers[3].is_ok());
    let held = StartError::ExclusiveKeyHeld(name("operations/c"));
    assert_eq!(answers[4], Err(held));
}

pub(crate) async fn an_empty_batch_is_nothing(trial: Trial) {
    assert!(trial.start_all(Vec::new()).await.is_empty());
    assert!(trial.update_all(Vec::new()).await.is_empty());
    assert_eq!(trial.list("").await, [""; 0]);
}

pub(crate) async fn a_name_is_taken_until_its_operation_is_removed(trial: Trial) {
    let mut record = trial.running("operations/a").await;
    let taken = Err(StartError::AlreadyExists(record.name.clone()));
    assert_eq!(trial.start(trial.operation("operations/a")).await, taken);
    trial.apply(&mut record, succeed(1, "r")).await.unwrap();
    assert_eq!(trial.start(trial.operation("operations/a")).await, taken);
    assert_eq!(trial.get(&record.name).await, Some(record));
}

pub(crate) async fn a_uid_that_is_taken_is_refused(trial: Trial) {
    let first = trial.operation("operations/a");
    let mut second = trial.operation("operations/b");
    second.uid = first.uid;
    let record = trial.started(first).await;
    let taken = Err(StartError::AlreadyExists(record.name.clone()));
    assert_eq!(trial.start(second.clone()).await, taken);
    assert_eq!(trial.get(&record.name).await, Some(record));
    assert_eq!(trial.get(&second.name).await, None);
}

pub(crate) async fn names_are_compared_byte_for_byte(trial: Trial) {
    for id in ["a", "A", "ä", "a\u{308}", "a%", "a_", "aa", "a'", "a\""] {
        trial.pending(&format!("operations/{id}")).await;
    }
    assert_eq!(trial.get(&name("operations/Ä")).await, None);
    assert_eq!(trial.list("").await.len(), 9);
}

pub(crate) async fn concurrent_starts_of_one_name_make_one(trial: Trial) {
    let trial = Arc::new(trial);
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let trial = trial.clone();
        tasks.spawn(async move { trial.start(trial.operation("operations/a")).await });
    }
    let answers = tasks.join_all().await;
    let made: Vec<_> = answers.iter().flatten().collect();
    assert_eq!(made.len(), 1);
    let taken = Err(StartError::AlreadyExists(name("operations/a")));
    assert_eq!(answers.iter().filter(|a| **a == taken).count(), 15);
    let kept = trial.get(&name("operations/a")).await.unwrap();
    assert_eq!(kept, made[0].record);
}

pub(crate) async fn concurrent_starts_of_many_names_all_stand(trial: Trial) {
    let trial = Arc::new(trial);
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..8 {
        let trial = trial.clone();
        tasks.spawn(async move {
            for n in 0..25 {
                let operation = trial.operation(&numbered("", task * 25 + n));
                trial.start(operation).await.unwrap();
            }
        });
    }
    tasks.join_all().await;
    let page = trial.page("", None, 1_000).await;
    let distinct: HashSet<_> = names(&page.records).into_iter().collect();
    assert_eq!(distinct.len(), 200);
    assert!(page.records.is_sorted_by(|a, b| a.uid > b.uid));
}
