use lro_core::store::{
    Change, Command, Refusal, StepKind, StepLimit, StepOutcome, StepSummary, StepWrite,
};

use crate::store::build::*;
use crate::store::steps::*;
use crate::store::trial::Trial;

/// steps:P2
pub(crate) async fn a_completion_may_come_before_the_body_asks(trial: Trial) {
    if !keeps_steps(&trial).await {
        return;
    }
    let record = trial.pending("operations/a").await;
    let mut it = Composed {
        trial: &trial,
        record,
        rows: Default::default(),
    };
    let error = Command::Complete {
        key: key("denied"),
        outcome: StepOutcome::Error(failure(7)),
    };
    for command in [complete("approved", "yes"), error] {
        let updated = it.update(command, Vec::new()).await.unwrap();
        assert_eq!(updated.change, Change::Record);
    }
    it.reclaim().await;
    let rows = it.stored().await;
    assert_eq!(rows[1].outcome, Some(StepOutcome::Error(failure(7))));
    assert!(rows.iter().all(|row| row.fence == 0 && !row.sequential));
    // It does not count as a claim, an attempt or a renewal.
    let running = it.record.clone();
    it.update(complete("other", "1"), Vec::new()).await.unwrap();
    assert_eq!(it.record.lease, running.lease);
    assert_eq!(it.record.attempt, running.attempt);
}

/// steps:P1
pub(crate) async fn the_first_completion_counts(trial: Trial) {
    if !keeps_steps(&trial).await {
        return;
    }
    let mut it = Composed::running(&trial, "operations/a").await;
    it.update(record(1), vec![asked("a")]).await.unwrap();
    it.update(complete("a", "1"), Vec::new()).await.unwrap();
    trial.advance(secs(1));
    let again = it.update(complete("a", "1"), Vec::new()).await.unwrap();
    assert_eq!(again.change, Change::Nothing);
    let other = it.update(complete("a", "2"), Vec::new()).await;
    assert_eq!(other, Err(Refusal::StepFinished(key("a"))));
    let end_time = it.stored().await[0].end_time;
    assert_eq!(end_time, Some(trial.now().saturating_sub(secs(1))));
}

/// steps:P5
pub(crate) async fn a_recorded_timeout_is_final(trial: Trial) {
    if !keeps_steps(&trial).await {
        return;
    }
    let mut it = Composed::running(&trial, "operations/a").await;
    let late = |of| StepWrite {
        outcome: Some(StepOutcome::Error(failure(4))),
        ..asked(of)
    };
    it.update(record(1), vec![late("a")]).await.unwrap();
    let refused = it.update(complete("a", "1"), Vec::new()).await;
    assert_eq!(refused, Err(Refusal::StepFinished(key("a"))));
    // And the other way round.
    it.update(complete("b", "1"), Vec::new()).await.unwrap();
    let refused = it.update(record(1), vec![late("b")]).await;
    assert_eq!(refused, Err(Refusal::StepFinished(key("b"))));
}

pub(crate) async fn only_a_promise_is_completed(trial: Trial) {
    if !keeps_steps(&trial).await {
        return;
    }
    let mut it = Composed::running(&trial, "operations/a").await;
    let begun = StepWrite::begun(key("a"), StepKind::Step);
    it.update(record(1), vec![begun, sleep("s", secs(9))])
        .await
        .unwrap();
    for of in ["a", "s"] {
        let refused = it.update(complete(of, "1"), Vec::new()).await;
        assert_eq!(refused, Err(Refusal::StepKindDiffers(key(of))));
    }
    let unknown = name("operations/unknown");
    let refused = trial.update(&unknown, complete("a", "1")).await;
    assert_eq!(refused, Err(Refusal::NotFound));
}

/// steps:P2
pub(crate) async fn early_completions_are_limited(trial: Trial) {
    if !keeps_steps(&trial).await {
        return;
    }
    let mut it = Composed::running(&trial, "operations/a").await;
    let limit = |limit| Err(Refusal::StepLimit(limit));
    let large = "x".repeat(StepSummary::MAX_EARLY_LEN);
    let refused = it.update(complete("a", &large), Vec::new()).await;
    assert_eq!(refused, limit(StepLimit::EarlyLen));
    for n in 0..StepSummary::MAX_EARLY {
        let of = format!("p{n}");
        it.update(complete(&of, "1"), Vec::new()).await.unwrap();
    }
    let refused = it.update(complete("more", "1"), Vec::new()).await;
    assert_eq!(refused, limit(StepLimit::Early));
    // One that the body has asked for is none of them.
    it.update(record(1), vec![asked("more")]).await.unwrap();
    it.update(complete("more", "1"), Vec::new()).await.unwrap();
}
