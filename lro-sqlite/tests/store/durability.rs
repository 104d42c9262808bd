use std::collections::BTreeMap;
use std::time::Duration;

use lro_core::pb::rpc::Status;
use lro_core::store::{
    Command, ExecutionPolicy, NewOperation, OnCrash, OperationOutcome, OperationStore, RequestId,
};
use lro_sqlite::{Durability, SqliteStore};

use crate::fixture::*;

fn full(name: &str) -> NewOperation {
    let mut operation = new(name);
    operation.request = payload("Request", 1 << 20);
    operation.metadata = Some(payload("Metadata", 256));
    operation.labels = BTreeMap::from([
        (String::new(), "empty key".to_owned()),
        ("ключ\0".to_owned(), String::new()),
    ]);
    operation.request_id = Some(RequestId {
        id: format!("id of {name} \u{1f980}"),
        fingerprint: std::array::from_fn(|i| i as u8),
    });
    operation.exclusive_key = Some(format!("key of {name}"));
    operation.policy = ExecutionPolicy {
        max_attempts: u32::MAX,
        on_crash: OnCrash::Abort,
        retain: Duration::MAX,
    };
    operation
}

#[tokio::test]
async fn every_field_survives_in_every_state_that_does() {
    let fixture = Fixture::new();
    let store = fixture.open().await;
    fixture.clock.advance(Duration::from_secs(1_700_000_000));

    let mut scheduled = full("operations/scheduled");
    scheduled.ready_time = Some(lro_core::Timestamp::MAX);
    start(&store, scheduled).await;

    let names =
        ["succeeded", "failed", "cancelled", "retried"].map(|n| format!("a/b/operations/{n}"));
    for name in &names {
        let mut operation = full(name);
        operation.claimed_by = Some((worker(), LEASE));
        start(&store, operation).await;
        fixture.clock.advance(Duration::from_micros(1));
        let checkpoint = Command::Checkpoint {
            fence: 1,
            lease_duration: LEASE,
            checkpoint: payload("Checkpoint", 5_000),
            metadata: Some(payload("Metadata", 3)),
        };
        update(&store, name, checkpoint).await.unwrap();
        fixture.clock.advance(Duration::from_micros(1));
    }
    let error = Status {
        code: 9,
        message: "not \u{fffd} now".to_owned(),
        details: vec![payload("Detail", 9), payload("Detail", 0)],
    };
    let finish = |outcome| Command::Finish {
        fence: 1,
        outcome,
        metadata: Some(payload("Metadata", 0)),
    };
    let retry = Command::Retry {
        fence: 1,
        error: error.clone(),
        delay: LEASE,
        metadata: None,
    };
    let response = OperationOutcome::Response(payload("Response", 100_000));
    update(&store, &names[0], finish(response)).await.unwrap();
    update(&store, &names[1], finish(OperationOutcome::Error(error)))
        .await
        .unwrap();
    update(&store, &names[2], Command::cancel()).await.unwrap();
    update(&store, &names[2], finish(OperationOutcome::Cancelled))
        .await
        .unwrap();
    update(&store, &names[3], retry).await.unwrap();

    let all = names
        .iter()
        .map(String::as_str)
        .chain(["operations/scheduled"]);
    let mut before = Vec::new();
    for name in all.clone() {
        before.push(get(&store, name).await.unwrap());
    }
    assert_eq!(before[0].request, payload("Request", 1 << 20));
    assert_eq!(before[3].checkpoint, Some(payload("Checkpoint", 5_000)));
    assert_eq!(before[4].policy.retain, Duration::MAX);
    drop(store);

    let store = fixture.open().await;
    for (name, before) in all.zip(before) {
        assert_eq!(get(&store, name).await, Some(before), "{name}");
    }
}

#[tokio::test]
async fn deleted_operations_stay_hidden_and_keep_their_names() {
    let fixture = Fixture::new();
    let store = fixture.open().await;
    start(&store, new("operations/1")).await;
    update(&store, "operations/1", Command::delete())
        .await
        .unwrap();
    drop(store);
    let store = fixture.open().await;
    assert_eq!(get(&store, "operations/1").await, None);
    assert_eq!(list(&store).await, []);
    let again = store
        .start(vec![new("operations/1")])
        .await
        .unwrap()
        .remove(0);
    assert!(again.is_err(), "{again:?}");
    let claimed = claim(&store, 9).await.operations;
    assert_eq!(claimed.len(), 1, "it still runs");
    update(&store, "operations/1", succeed(1)).await.unwrap();
    assert!(store.start(vec![new("operations/1")]).await.unwrap()[0].is_ok());
}

#[tokio::test]
async fn settings_are_what_they_are_said_to_be() {
    let fixture = Fixture::new();
    let store = SqliteStore::builder(fixture.path())
        .durability(Durability::Normal)
        .open()
        .await
        .unwrap();
    let ask = |pragma: &str| -> String {
        let sql = format!("SELECT CAST({pragma} AS TEXT) FROM pragma_{pragma}");
        fixture
            .outsider()
            .query_row(&sql, (), |row| row.get(0))
            .unwrap()
    };
    assert_eq!(ask("journal_mode"), "wal");
    assert_eq!(ask("auto_vacuum"), "2");
    assert_eq!(ask("application_id"), 0x4c52_4f53.to_string());
    assert_eq!(ask("user_version"), "8");
    drop(store);
    let log = fixture.path().with_file_name("operations.db-wal");
    assert!(!log.exists(), "the log is written back at the end");
}
