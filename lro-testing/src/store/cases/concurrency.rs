use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use lro_core::OperationName;
use lro_core::store::{Command, OperationOutcome, OperationResult, OperationState, Refusal};
use tokio::task::JoinSet;

use crate::random::Random;
use crate::store::build::*;
use crate::store::trial::{Trial, names};

const OPERATIONS: usize = 200;

pub(crate) async fn each_operation_of_a_crowd_has_one_result(trial: Trial) {
    let trial = Arc::new(trial);
    let ended = Arc::new(AtomicUsize::new(0));
    let mut starters = JoinSet::new();
    for starter in 0..4 {
        let trial = trial.clone();
        starters.spawn(async move {
            for n in 0..OPERATIONS as u64 / 4 {
                let operation = trial.operation(&numbered("", starter * 1_000 + n));
                trial.start(operation).await.unwrap();
            }
        });
    }
    let mut cancellers = JoinSet::new();
    for canceller in 0..2 {
        let (trial, ended) = (trial.clone(), ended.clone());
        cancellers.spawn(async move {
            let mut random = Random::new(canceller);
            while ended.load(Ordering::SeqCst) < OPERATIONS {
                let of = numbered("", random.below(4) * 1_000 + random.below(12));
                match trial.update(&name(&of), Command::cancel()).await {
                    Ok(updated) if updated.state == OperationState::Cancelled => {}
                    Ok(_) | Err(Refusal::NotFound) => {}
                    Err(refusal) => panic!("cancel: {refusal}"),
                }
                let done = done_count(&trial).await;
                ended.fetch_max(done, Ordering::SeqCst);
                tokio::task::yield_now().await;
            }
        });
    }
    let mut workers = JoinSet::new();
    for n in 0..4 {
        let (trial, ended) = (trial.clone(), ended.clone());
        workers.spawn(async move { work(&trial, n, &ended).await });
    }
    starters.join_all().await;
    cancellers.join_all().await;
    let mut won = HashMap::new();
    for (name, response) in workers.join_all().await.into_iter().flatten() {
        let twice = won.insert(name.clone(), response);
        assert_eq!(twice, None, "{name} was finished twice");
    }
    let page = trial.page("", None, 10 * OPERATIONS).await;
    assert_eq!(page.records.len(), OPERATIONS);
    for record in page.records {
        match (record.state, won.remove(&record.name), &record.result) {
            (OperationState::Succeeded, Some(won), Some(OperationResult::Response(response))) => {
                assert_eq!(*response, any(&won), "the winner's result stands");
            }
            (OperationState::Cancelled, None, Some(OperationResult::Error(error))) => {
                assert_eq!(error.code, 1);
                assert!(record.cancel_time.is_some(), "a caller cancelled it");
            }
            other => panic!("{}: {other:?}", record.name),
        }
        assert!(record.end_time.is_some() && record.lease.is_none());
    }
    assert!(won.is_empty(), "results that are not there: {won:?}");
}

/// Claims and finishes until all have ended. Gives what it has won.
async fn work(trial: &Trial, n: u64, ended: &AtomicUsize) -> Vec<(OperationName, String)> {
    let mut random = Random::new(1_000 + n);
    let mut won = Vec::new();
    while ended.load(Ordering::SeqCst) < OPERATIONS {
        let claim = claim(worker(n), &[METHOD], 5);
        let claimed = trial.store().claim(claim).await.unwrap();
        for record in claimed.operations {
            let (name, fence) = (record.name, record.fence);
            let renewed = trial.update(&name, renew(fence, None)).await.unwrap();
            let response = format!("{n} {fence}");
            let command = match random.below(4) {
                _ if renewed.state == OperationState::Cancelling => {
                    finish(fence, OperationOutcome::Cancelled)
                }
                0 if record.attempt < 4 => retry(fence, secs(0)),
                1 => release(fence),
                _ => succeed(fence, &response),
            };
            let updated = trial.update(&name, command).await.unwrap();
            if updated.state == OperationState::Succeeded {
                won.push((name.clone(), response.clone()));
            }
            // A former holder that writes late is rejected as stale.
            let late = trial.update(&name, succeed(fence, "late")).await;
            assert_eq!(late, Err(Refusal::Stale));
        }
        tokio::task::yield_now().await;
    }
    won
}

async fn done_count(trial: &Trial) -> usize {
    let page = trial.page("", None, 10 * OPERATIONS).await;
    let done = page.records.iter().filter(|r| r.state.is_done());
    done.count()
}

pub(crate) async fn cancel_and_finish_at_once_leave_one_end(trial: Trial) {
    let trial = Arc::new(trial);
    for n in 0..40 {
        let record = trial.running(&numbered("", n)).await;
        let commands = [
            Command::cancel(),
            succeed(1, "r"),
            finish(1, OperationOutcome::Cancelled),
            release(1),
        ];
        let mut tasks = JoinSet::new();
        for command in commands {
            let (trial, name) = (trial.clone(), record.name.clone());
            tasks.spawn(async move { trial.update(&name, command).await });
        }
        let answers = tasks.join_all().await;
        let held = answers.iter().filter(|a| **a == Err(Refusal::Stale));
        assert_eq!(held.count(), 2, "one of three writers won: {answers:?}");
        let kept = trial.get(&record.name).await.unwrap();
        assert_eq!(kept.state.is_done(), kept.result.is_some());
        assert_eq!(kept.lease, None);
    }
}

pub(crate) async fn starts_and_deletes_of_one_name_stay_consistent(trial: Trial) {
    let trial = Arc::new(trial);
    let mut tasks = JoinSet::new();
    for _ in 0..8 {
        let trial = trial.clone();
        tasks.spawn(async move {
            let mut removed = 0;
            for _ in 0..25 {
                let operation = trial.operation("operations/a").exclusive("k");
                let made = trial.start(operation.request_id("r", 1)).await.unwrap();
                let name = made.record.name;
                // Anyone may have been faster with any of these.
                let _ = trial.update(&name, Command::cancel()).await;
                removed += usize::from(trial.update(&name, Command::delete()).await.is_ok());
            }
            removed
        });
    }
    let removed: usize = tasks.join_all().await.into_iter().sum();
    assert!(removed > 0);
    let left = trial.get(&name("operations/a")).await;
    assert_eq!(trial.list("").await.len(), usize::from(left.is_some()));
    if let Some(left) = left {
        let _ = trial.update(&left.name, Command::cancel()).await;
        trial.update(&left.name, Command::delete()).await.unwrap();
    }
    // A delete may have met a new operation that was still pending: it runs unseen.
    for record in trial.claim(9).await.operations {
        let _ = trial.update(&record.name, succeed(record.fence, "r")).await;
    }
    let last = trial.operation("operations/a").exclusive("k");
    trial.started(last.request_id("r", 2)).await;
}

pub(crate) async fn readers_see_whole_records_while_they_are_written(trial: Trial) {
    let record = trial.running("operations/a").await;
    let trial = Arc::new(trial);
    let mut readers = JoinSet::new();
    for _ in 0..3 {
        let (trial, name) = (trial.clone(), record.name.clone());
        readers.spawn(async move {
            let mut revision = 0;
            loop {
                let seen = trial.get(&name).await.unwrap();
                assert!(seen.revision >= revision, "it went back");
                revision = seen.revision;
                if seen.state.is_done() {
                    return;
                }
                // Both were written by one command.
                let metadata = seen.metadata.map(|any| any.value);
                let checkpoint = seen.checkpoint.map(|any| any.value);
                assert_eq!(metadata, checkpoint);
                tokio::task::yield_now().await;
            }
        });
    }
    for n in 0..200 {
        let both = Some(any(&n.to_string()));
        let command = Command::Checkpoint {
            fence: 1,
            lease_duration: LEASE,
            checkpoint: both.clone().unwrap(),
            metadata: both,
        };
        trial.update(&record.name, command).await.unwrap();
    }
    trial.update(&record.name, succeed(1, "r")).await.unwrap();
    readers.join_all().await;
    assert_eq!(names(&trial.page("", None, 9).await.records).len(), 1);
}

pub(crate) async fn a_call_that_is_dropped_is_done_or_not_done(trial: Trial) {
    for n in 0..20 {
        let of = |half| trial.operation(&format!("{}{half}", numbered("", n)));
        let call = trial.store().start(vec![of('a'), of('b')]);
        // Polled once, then dropped.
        tokio::select! {
            biased;
            _ = call => {}
            () = std::future::ready(()) => {}
        }
    }
    // Most are decided by the time of this answer, and a page shows one moment.
    trial.pending("operations/last").await;
    let seen = trial.list("").await;
    for n in 0..20 {
        let half = |half| seen.contains(&format!("{}{half}", numbered("", n)));
        assert_eq!(half('a'), half('b'), "the batch of {n} is half done");
    }
}
