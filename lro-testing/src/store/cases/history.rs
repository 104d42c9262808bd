use lro_core::store::{
    Actor, AttemptOutcome, Command, History, OperationOutcome, OperationRecord, OperationState,
};

use crate::store::build::*;
use crate::store::trial::Trial;

fn actor(principal: &str, reason: &str) -> Actor {
    Actor {
        principal: principal.to_owned(),
        reason: reason.to_owned(),
    }
}

fn outcomes(record: &OperationRecord) -> Vec<&'static str> {
    let attempts = record.attempts();
    attempts.iter().map(|it| it.outcome.as_str()).collect()
}

pub(crate) async fn the_only_attempt_keeps_its_worker(trial: Trial) {
    let mut record = trial.running("operations/a").await;
    trial.advance(secs(2));
    trial.apply(&mut record, succeed(1, "r")).await.unwrap();
    let found = trial.get(&record.name).await.unwrap();
    assert_eq!(
        (found.worker, found.lease.is_none()),
        (Some(worker(1)), true)
    );
    let [attempt] = &found.attempts()[..] else {
        panic!("{:?}", found.attempts());
    };
    assert_eq!(attempt.begin_time, record.start_time);
    assert_eq!(attempt.end_time, Some(trial.now()));
    assert_eq!(attempt.outcome, AttemptOutcome::Succeeded);
    assert_eq!(found.history, History::default());
}

pub(crate) async fn every_attempt_is_kept(trial: Trial) {
    let mut record = trial.running("operations/a").await;
    trial.advance(secs(1));
    trial.apply(&mut record, retry(1, secs(0))).await.unwrap();
    trial.advance(secs(1));
    trial.reclaim(&mut record).await;
    assert_eq!(record.attempt_time, Some(trial.now()));
    trial.advance(secs(1));
    trial.apply(&mut record, release(2)).await.unwrap();
    trial.advance(secs(1));
    trial.reclaim(&mut record).await;
    trial.advance(LEASE + secs(1));
    trial.expire(&mut record).await;
    trial.reclaim(&mut record).await;
    let running = ["RETRIED", "RELEASED", "WORKER_LOST", "RUNNING"];
    assert_eq!(outcomes(&record), running);
    trial.advance(secs(1));
    // An update and the end in one batch, and an end on its own: stores may write them differently.
    trial
        .apply(&mut record, renew(4, Some(any("m"))))
        .await
        .unwrap();
    trial.apply(&mut record, succeed(4, "r")).await.unwrap();
    let found = trial.get(&record.name).await.unwrap();
    assert_eq!(outcomes(&found)[3], "SUCCEEDED");
    assert_eq!(found.history.attempts.len(), 3);
    let page = trial.page("", None, 10).await;
    assert_eq!(page.records, [record.public_part()], "lists show them");
}

pub(crate) async fn an_attempt_that_ends_the_operation_in_any_way_is_kept(trial: Trial) {
    for (n, end) in (0..).zip([retry(1, secs(0)), release(1), Command::Expire]) {
        for cancelled in [false, true] {
            let of = format!("operations/{n}{cancelled}");
            let new = trial.operation(&of);
            let new = new.with(|new| new.policy.max_attempts = 1);
            let mut record = trial.running_from(new).await;
            trial.advance(secs(1));
            if cancelled {
                trial.apply(&mut record, Command::cancel()).await.unwrap();
            }
            trial.apply(&mut record, end.clone()).await.unwrap();
            let found = trial.get(&record.name).await.unwrap();
            assert_eq!(found.attempts(), record.attempts());
            assert_eq!(found.attempts().len(), 1);
        }
    }
}

pub(crate) async fn the_last_ten_attempts_are_kept(trial: Trial) {
    let mut record = trial.running("operations/a").await;
    for fence in 1..14 {
        trial.advance(secs(1));
        trial.apply(&mut record, release(fence)).await.unwrap();
        trial.reclaim(&mut record).await;
    }
    let found = trial.get(&record.name).await.unwrap();
    let fences: Vec<_> = found.attempts().iter().map(|it| it.fence).collect();
    assert_eq!(fences, (5..=14).collect::<Vec<_>>());
}

pub(crate) async fn who_cancelled_and_why_is_kept(trial: Trial) {
    let ada = actor("users/ada", "the wrong \u{1fab3} bucket");
    let bob = actor("users/bob", "");
    for (n, mut record) in [
        trial.pending("operations/pending").await,
        trial.running("operations/running").await,
    ]
    .into_iter()
    .enumerate()
    {
        let cancel = Command::Cancel(ada.clone());
        trial.apply(&mut record, cancel).await.unwrap();
        let again = Command::Cancel(bob.clone());
        trial.apply(&mut record, again).await.unwrap();
        if n == 1 {
            let end = finish(1, OperationOutcome::Cancelled);
            trial.apply(&mut record, end).await.unwrap();
        }
        let found = trial.get(&record.name).await.unwrap();
        assert_eq!(found.state, OperationState::Cancelled);
        assert_eq!(found.history.cancelled_by.as_ref(), Some(&ada), "the first");
    }
}

pub(crate) async fn who_deleted_and_why_is_kept(trial: Trial) {
    let mut record = trial.running("operations/a").await;
    let delete = Command::Delete(actor("", "not needed"));
    trial.apply(&mut record, delete).await.unwrap();
    let found = trial.get_deleted(&record.name).await.unwrap();
    assert_eq!(found, record);
    assert_eq!(found.history.deleted_by, Some(actor("", "not needed")));
}
