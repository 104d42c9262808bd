use std::time::Duration;

use lro_core::store::{Command, OnCrash, OperationResult, OperationState, OperationStore, Refusal};

use crate::fixture::*;

#[tokio::test]
async fn running_operations_are_requeued_immediately() {
    let fixture = Fixture::new();
    let store = fixture.open().await;
    let mut abort = new("operations/abort");
    abort.policy.on_crash = OnCrash::Abort;
    let mut last = new("operations/last");
    last.policy.max_attempts = 1;
    let resume = new("operations/resume");
    for operation in [
        abort,
        last,
        resume,
        new("operations/cancel"),
        new("operations/delete"),
    ] {
        start(&store, operation).await;
    }
    assert_eq!(claim(&store, 9).await.operations.len(), 5);
    update(&store, "operations/cancel", Command::cancel())
        .await
        .unwrap();
    update(&store, "operations/delete", Command::delete())
        .await
        .unwrap();
    let mut scheduled = new("operations/scheduled");
    scheduled.ready_time = Some(lro_core::Timestamp::from_micros(1_000_000));
    start(&store, scheduled).await;
    drop(store);

    let store = fixture.open().await;
    for (name, state) in [
        ("operations/abort", OperationState::Failed),
        // Lost together with others, so that its last attempt does not count.
        ("operations/last", OperationState::Pending),
        ("operations/resume", OperationState::Pending),
        ("operations/cancel", OperationState::Cancelled),
    ] {
        assert_eq!(get(&store, name).await.unwrap().state, state, "{name}");
    }
    let failed = get(&store, "operations/abort").await.unwrap();
    let Some(OperationResult::Error(error)) = failed.result else {
        panic!("no error");
    };
    assert_eq!(error.code, 10, "ABORTED");

    let stale = update(&store, "operations/resume", succeed(1)).await;
    assert_eq!(stale, Err(Refusal::Stale), "the old holder comes too late");
    let claimed = claim(&store, 9).await;
    let mut names: Vec<_> = claimed.operations.iter().map(|r| r.name.as_str()).collect();
    names.sort_unstable();
    let resumed = ["operations/delete", "operations/last", "operations/resume"];
    assert_eq!(names, resumed);
    for record in &claimed.operations {
        assert_eq!((record.attempt, record.losses, record.fence), (1, 1, 2));
    }
    assert_eq!(
        claimed.next_in,
        Some(Duration::from_secs(1)),
        "the schedule is back"
    );
    assert_eq!(claimed.operations[0].request, payload("request", 40));
}

#[tokio::test]
async fn many_are_taken_back_in_few_commits() {
    let fixture = Fixture::new();
    let store = fixture.open().await;
    let operations = (0..1_500).map(|i| {
        let mut operation = new(&format!("operations/{i}"));
        operation.claimed_by = Some((worker(), LEASE));
        operation
    });
    store.start(operations.collect()).await.unwrap();
    assert_eq!(store.commits(), 1);
    drop(store);
    let store = fixture.open().await;
    let claimed = claim(&store, 2_000).await.operations;
    assert_eq!(claimed.len(), 1_500);
    assert!(claimed.iter().all(|record| record.attempt == 1));
}

#[tokio::test]
async fn leases_that_are_over_are_taken_back_by_a_claim() {
    let fixture = Fixture::new();
    let store = fixture.open().await;
    start(&store, new("operations/1")).await;
    let claimed = claim(&store, 1).await;
    assert_eq!(claimed.next_in, Some(LEASE));
    fixture.clock.advance(LEASE);
    let renew = Command::Renew {
        fence: 1,
        lease_duration: LEASE,
        metadata: None,
    };
    update(&store, "operations/1", renew).await.unwrap();
    fixture.clock.advance(LEASE);
    assert_eq!(claim(&store, 1).await.operations, [], "it was renewed");
    fixture.clock.advance(Duration::from_micros(1));
    let again = claim(&store, 1).await.operations;
    assert_eq!((again[0].attempt, again[0].fence), (2, 2));
}
