use lro_core::store::{
    Change, OperationOutcome, OperationState, Refusal, StepKind, StepLimit, StepOutcome, StepQuery,
    StepSummary, StepWake, StepWrite,
};
use prost_types::Any;

use crate::store::build::*;
use crate::store::steps::*;
use crate::store::trial::Trial;

/// steps:S4 steps:S7
pub(crate) async fn a_recorded_step_is_read_back_byte_for_byte(trial: Trial) {
    if !keeps_steps(&trial).await {
        return;
    }
    let mut it = Composed::running(&trial, "operations/a").await;
    trial.advance(secs(60) - LEASE);
    let outcome = |of, outcome| StepWrite {
        outcome: Some(outcome),
        ..done(of, "")
    };
    let odd = Any {
        type_url: "x".to_owned(),
        value: (0..=255).collect(),
    };
    let writes = vec![
        outcome("response", StepOutcome::Response(odd.clone())),
        outcome("empty", StepOutcome::Response(Any::default())),
        outcome("error", StepOutcome::Error(failure(5))),
        outcome("loser", StepOutcome::Abandoned),
        StepWrite {
            attempt: 3,
            sequential: false,
            begun_ago: secs(7),
            wake: Some(StepWake::At(trial.now().saturating_add(secs(9)))),
            last_error: Some(failure(14)),
            ..StepWrite::begun(key("scope/retried#2"), StepKind::Step)
        },
        sleep("night", secs(3_600)),
        asked("approved"),
    ];
    let updated = it.update(record(1), writes).await.unwrap();
    assert_eq!(updated.update_time, trial.now());
    let rows = it.stored().await;
    assert_eq!(rows[0].outcome, Some(StepOutcome::Response(odd)));
    assert_eq!(rows[2].outcome, Some(StepOutcome::Error(failure(5))));
    assert_eq!(rows[0].end_time, Some(trial.now()));
    let retried = &rows[4];
    assert_eq!(retried.last_error, Some(failure(14)));
    assert_eq!(retried.begin_time, trial.now().saturating_sub(secs(7)));
    assert_eq!((retried.attempt, retried.sequential), (3, false));
    let woken = trial.now().saturating_add(secs(3_600));
    assert_eq!(rows[5].wake_time, Some(woken));
    let summary = it.record.steps.as_deref().unwrap();
    assert_eq!((summary.rows, summary.seq), (7, 7));
}

pub(crate) async fn steps_are_read_in_the_order_of_their_first_writes(trial: Trial) {
    if !keeps_steps(&trial).await {
        return;
    }
    let mut it = Composed::running(&trial, "operations/a").await;
    let begun = StepWrite::begun(key("z"), StepKind::Step);
    it.update(record(1), vec![begun, done("m", "12345")])
        .await
        .unwrap();
    it.update(record(1), vec![done("a", "12345"), done("z", "12345")])
        .await
        .unwrap();
    let all = it.stored().await;
    let keys: Vec<_> = all.iter().map(|row| row.key.as_str()).collect();
    assert_eq!(keys, ["z", "m", "a"]);
    let query = StepQuery::all(it.record.uid, 0);
    let page = async |query| trial.store().steps(query).await.unwrap();
    assert_eq!(page(StepQuery { limit: 2, ..query }).await, all[..2]);
    let rest = StepQuery {
        after_seq: all[1].seq,
        ..query
    };
    assert_eq!(page(rest).await, all[2..]);
    let two = all[0].encoded_len() + all[1].encoded_len();
    for (max_bytes, count) in [(0, 1), (two - 1, 1), (two, 2)] {
        let bounded = StepQuery { max_bytes, ..query };
        assert_eq!(page(bounded).await, all[..count]);
    }
    for nothing in [
        StepQuery { epoch: 1, ..query },
        StepQuery { limit: 0, ..query },
        StepQuery {
            after_seq: u64::MAX,
            ..query
        },
        StepQuery::all(uid(999), 0),
    ] {
        assert_eq!(page(nothing).await, []);
    }
}

/// steps:S8
pub(crate) async fn a_finished_step_never_changes(trial: Trial) {
    if !keeps_steps(&trial).await {
        return;
    }
    let mut it = Composed::running(&trial, "operations/a").await;
    it.update(record(1), vec![done("a", "1"), sleep("s", secs(5))])
        .await
        .unwrap();
    let before = it.stored().await;
    trial.advance(secs(1));
    let begun = StepWrite::begun(key("a"), StepKind::Step);
    for repeated in [done("a", "1"), begun, sleep("s", secs(9))] {
        let updated = it.update(record(1), vec![repeated]).await.unwrap();
        assert_eq!(updated.change, Change::Nothing);
    }
    let other = it.update(record(1), vec![done("a", "2")]).await;
    assert_eq!(other, Err(Refusal::StepFinished(key("a"))));
    let other = it.update(record(1), vec![sleep("a", secs(1))]).await;
    assert_eq!(other, Err(Refusal::StepKindDiffers(key("a"))));
    assert_eq!(it.stored().await, before);
}

pub(crate) async fn a_refused_step_leaves_the_command_and_the_other_steps_undone(trial: Trial) {
    if !keeps_steps(&trial).await {
        return;
    }
    let mut it = Composed::running(&trial, "operations/a").await;
    it.update(record(1), vec![done("a", "1")]).await.unwrap();
    let steps = vec![done("b", "1"), done("a", "2"), done("c", "1")];
    let refused = Err(Refusal::StepFinished(key("a")));
    for command in [
        record(1),
        succeed(1, "r"),
        release(1),
        suspend(1, &["b"]),
        checkpoint(1, any("c")),
    ] {
        assert_eq!(it.update(command, steps.clone()).await, refused);
    }
    assert_eq!(it.record.state, OperationState::Running);
    assert_eq!(it.stored().await.len(), 1);
}

/// steps:S9
pub(crate) async fn a_holder_that_lost_its_lease_records_nothing(trial: Trial) {
    if !keeps_steps(&trial).await {
        return;
    }
    let mut it = Composed::running(&trial, "operations/a").await;
    it.update(record(1), vec![done("a", "1")]).await.unwrap();
    trial.advance(LEASE + secs(1));
    trial.expire(&mut it.record).await;
    let stale = Err(Refusal::Stale);
    assert_eq!(it.update(record(1), vec![done("b", "1")]).await, stale);
    it.reclaim().await;
    for command in [record(1), suspend(1, &["a"]), succeed(1, "r")] {
        assert_eq!(it.update(command, vec![done("b", "1")]).await, stale);
    }
    let by = it.update(record(2), vec![done("b", "2")]).await.unwrap();
    assert_eq!(by.change, Change::Record);
    let fences: Vec<_> = it.stored().await.iter().map(|row| row.fence).collect();
    assert_eq!(fences, [1, 2], "each row names the run that wrote it");
}

/// steps:E7
pub(crate) async fn the_end_brings_the_last_steps_and_keeps_all(trial: Trial) {
    if !keeps_steps(&trial).await {
        return;
    }
    let mut it = Composed::running(&trial, "operations/a").await;
    it.update(record(1), vec![done("a", "1")]).await.unwrap();
    let end = it.update(succeed(1, "r"), vec![done("b", "1")]).await;
    assert_eq!(end.unwrap().state, OperationState::Succeeded);
    assert_eq!(it.stored().await.len(), 2);
    let late = it.update(record(1), vec![done("c", "1")]).await;
    assert_eq!(late, Err(Refusal::Stale));
    let late = it.update(complete("c", "1"), Vec::new()).await;
    assert_eq!(late, Err(Refusal::Done));
}

pub(crate) async fn every_command_of_a_holder_may_bring_steps(trial: Trial) {
    if !keeps_steps(&trial).await {
        return;
    }
    let mut it = Composed::running(&trial, "operations/a").await;
    let commands = [
        |fence| renew(fence, None),
        |fence| renew(fence, Some(any("metadata"))),
        |fence| checkpoint(fence, any("saved")),
        |fence| retry(fence, secs(0)),
        release,
        |fence| suspend(fence, &[]),
        |fence| finish(fence, OperationOutcome::Error(failure(3))),
    ];
    for (n, command) in (0..).zip(commands) {
        trial.advance(secs(1));
        if it.record.state == OperationState::Pending {
            it.reclaim().await;
        }
        let step = done(&format!("step{n}"), "1");
        let updated = it.update(command(it.record.fence), vec![step]).await;
        assert_eq!(updated.unwrap().change, Change::Record);
        assert_eq!(it.stored().await.len(), n + 1);
    }
    assert_eq!(it.record.state, OperationState::Failed);
}

pub(crate) async fn steps_of_an_operation_are_its_own(trial: Trial) {
    if !keeps_steps(&trial).await {
        return;
    }
    let mut first = Composed::running(&trial, "operations/a").await;
    let mut second = Composed::running(&trial, "operations/b").await;
    let third = Composed::running(&trial, "operations/c").await;
    for (it, response) in [(&mut first, "1"), (&mut second, "2")] {
        it.update(record(1), vec![done("a", response)])
            .await
            .unwrap();
    }
    for it in [&first, &second, &third] {
        it.check().await;
    }
    assert_eq!(third.record.steps, None);
}

/// steps:E6
pub(crate) async fn steps_go_with_their_operation(trial: Trial) {
    if !keeps_steps(&trial).await {
        return;
    }
    let mut purged = trial.operation("operations/purged");
    purged.policy.retain = secs(10);
    let mut purged = Composed::of(&trial, purged).await;
    let mut deleted = Composed::running(&trial, "operations/deleted").await;
    let mut hidden = Composed::running(&trial, "operations/hidden").await;
    for it in [&mut purged, &mut deleted, &mut hidden] {
        let steps = vec![done("a", "1"), done("b", &"x".repeat(5_000))];
        it.update(record(1), steps).await.unwrap();
    }
    let command = lro_core::store::Command::delete();
    hidden.update(command.clone(), Vec::new()).await.unwrap();
    for it in [&mut purged, &mut deleted] {
        it.update(succeed(1, "r"), Vec::new()).await.unwrap();
    }
    for (it, last) in [(&deleted, command), (&hidden, succeed(1, "r"))] {
        let updated = trial.update(&it.record.name, last).await.unwrap();
        assert_eq!(updated.change, Change::Removed);
    }
    trial.advance(secs(11));
    assert_eq!(trial.purge(9).await, 1);
    for it in [&purged, &deleted, &hidden] {
        assert_eq!(it.stored().await, [], "{}", it.record.name);
    }
}

/// steps:E2
pub(crate) async fn a_lost_worker_leaves_the_steps_to_the_next(trial: Trial) {
    if !keeps_steps(&trial).await {
        return;
    }
    let mut it = Composed::running(&trial, "operations/a").await;
    let steps = vec![done("a", "1"), sleep("s", secs(100))];
    it.update(record(1), steps).await.unwrap();
    trial.advance(LEASE + secs(1));
    trial.expire(&mut it.record).await;
    it.check().await;
    assert_eq!(
        it.record.ready_time,
        trial.now(),
        "a lost run waits for nothing"
    );
    it.reclaim().await;
    let rest = vec![done("b", "1")];
    it.update(succeed(2, "r"), rest).await.unwrap();
    assert_eq!(it.stored().await.len(), 3);
}

/// steps:E1
pub(crate) async fn attempts_are_counted_from_the_last_step_that_finished(trial: Trial) {
    if !keeps_steps(&trial).await {
        return;
    }
    let mut operation = trial.operation("operations/a");
    operation.policy.max_attempts = 2;
    let mut it = Composed::of(&trial, operation).await;
    // Each run records a step, and dies.
    for n in 0..5 {
        let step = done(&format!("step{n}"), "1");
        it.update(record(it.record.fence), vec![step])
            .await
            .unwrap();
        trial.advance(LEASE + secs(1));
        trial.expire(&mut it.record).await;
        assert_eq!(it.record.state, OperationState::Pending);
        it.reclaim().await;
    }
    // A step that has only begun is no progress.
    let begun = StepWrite::begun(key("poison"), StepKind::Step);
    it.update(record(it.record.fence), vec![begun])
        .await
        .unwrap();
    trial.advance(LEASE + secs(1));
    trial.expire(&mut it.record).await;
    assert_eq!(it.record.state, OperationState::Pending);
    it.reclaim().await;
    trial.advance(LEASE + secs(1));
    trial.expire(&mut it.record).await;
    assert_eq!(it.record.state, OperationState::Failed);
    it.check().await;
}

/// steps:L1
pub(crate) async fn the_number_of_steps_is_limited(trial: Trial) {
    if !keeps_steps(&trial).await {
        return;
    }
    let mut it = Composed::running(&trial, "operations/a").await;
    let many = (0..StepSummary::MAX_ROWS).map(|n| done(&format!("step{n}"), "1"));
    it.update(record(1), many.collect()).await.unwrap();
    let limit = Err(Refusal::StepLimit(StepLimit::Rows));
    assert_eq!(it.update(record(1), vec![done("more", "1")]).await, limit);
    // Stored steps may still be repeated, and the operation may end.
    let again = it.update(record(1), vec![done("step0", "1")]).await;
    assert_eq!(again.unwrap().change, Change::Nothing);
    it.update(succeed(1, "r"), Vec::new()).await.unwrap();
}

/// steps:L2 steps:L3
pub(crate) async fn the_size_of_steps_is_limited(trial: Trial) {
    if !keeps_steps(&trial).await {
        return;
    }
    let mut it = Composed::running(&trial, "operations/a").await;
    let large = "x".repeat(1 << 20);
    let larger = "x".repeat(StepSummary::MAX_VALUE_LEN);
    let limit = |limit| Err(Refusal::StepLimit(limit));
    let refused = it.update(record(1), vec![done("a", &larger)]).await;
    assert_eq!(refused, limit(StepLimit::ValueLen));
    let steps = (0..15).map(|n| done(&format!("step{n}"), &large));
    it.update(record(1), steps.collect()).await.unwrap();
    let refused = it.update(record(1), vec![done("last", &large)]).await;
    assert_eq!(refused, limit(StepLimit::Len));
    it.update(record(1), vec![done("last", "x")]).await.unwrap();
}
