use std::sync::Arc;
use std::time::Duration;

use lro_core::store::{Command, OperationRecord, OperationState, OperationStore, StoreEvent};
use lro_postgres::{PostgresStore, PostgresStoreBuilder};
use lro_testing::EventLog;

use crate::fixture::*;
use crate::support::Schema;

/// A store that hears notifications already, and what it hears.
async fn listening(schema: &Schema, application_name: &str) -> (PostgresStore, Arc<EventLog>) {
    let store = schema.store().application_name(application_name);
    let store = store.open().await.unwrap();
    let log = Arc::new(EventLog::new());
    store.observe(log.clone());
    while !store.is_listening() {
        tokio::task::yield_now().await;
    }
    (store, log)
}

/// A notification sent directly behind a start is sent before its time is known.
fn is_ready(event: &StoreEvent, record: &OperationRecord) -> bool {
    matches!(event, StoreEvent::Ready { method, ready_time }
        if *method == record.method && *ready_time <= record.ready_time)
}

#[tokio::test(flavor = "multi_thread")]
async fn other_nodes_receive_commits_of_one_node() {
    let Some(schema) = Schema::new() else { return };
    let (first, heard) = listening(&schema, "first").await;
    let (second, _) = listening(&schema, "second").await;
    let record = start(&second, "operations/1").await;
    heard
        .wait_for("it is ready", |event| is_ready(event, &record))
        .await;
    let held = claim(&first, 1, 1).await.operations.remove(0);
    update(&second, &record, Command::cancel()).await.unwrap();
    heard
        .wait_for_change(&record.name, |state, _| state == OperationState::Cancelling)
        .await;
    let (_third, also_heard) = listening(&schema, "third").await;
    update(&first, &held, succeed(1)).await.unwrap();
    also_heard
        .wait_for_change(&record.name, |state, _| state == OperationState::Succeeded)
        .await;
    update(&second, &record, Command::delete()).await.unwrap();
    heard
        .wait_for_change(&record.name, |_, deleted| deleted)
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn schemas_do_not_hear_each_other() {
    let (Some(mine), Some(others)) = (Schema::new(), Schema::new()) else {
        return;
    };
    let (store, heard) = listening(&mine, "mine").await;
    let (other, _) = listening(&others, "other").await;
    for name in ["operations/theirs", "operations/last"] {
        let record = start(&other, name).await;
        update(&other, &record, Command::cancel()).await.unwrap();
    }
    let twin = mine.store().open().await.unwrap();
    let record = start(&twin, "operations/mine").await;
    update(&twin, &record, Command::cancel()).await.unwrap();
    heard.wait_for_change(&record.name, |_, _| true).await;
    let foreign = heard
        .events()
        .into_iter()
        .find(|event| matches!(event, StoreEvent::Changed { name, .. } if *name != record.name));
    assert_eq!(foreign, None);
    assert_eq!(get(&store, "operations/theirs").await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_that_is_cut_off_comes_back() {
    let Some(schema) = Schema::new() else { return };
    let name = format!("cut {}", schema.name());
    let (store, heard) = listening(&schema, &name).await;
    let outsider = schema.outsider().await;
    for _ in 0..2 {
        heard.clear();
        let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
             WHERE application_name = left($1, 63) AND query LIKE 'LISTEN%'";
        let rows = outsider.query(cut, &[&name]).await.unwrap();
        let none_yet = rows.is_empty();
        if none_yet {
            // It has probed already: then its last statement is another one.
            let cut = cut.replace("query LIKE 'LISTEN%'", "query LIKE '%pg_notify%'");
            assert!(!outsider.query(&cut, &[&name]).await.unwrap().is_empty());
        }
        heard
            .wait_for("it looks again", |event| *event == StoreEvent::Missed)
            .await;
        // Told when the connection was lost, and once more when there is another one.
        while !store.is_listening() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let (other, _) = listening(&schema, "other").await;
        let record = start(&other, &format!("operations/{}", uuid::Uuid::now_v7())).await;
        heard
            .wait_for("it is ready", |event| is_ready(event, &record))
            .await;
    }
    assert!(store.is_listening());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_gap_is_short_where_nothing_is_heard() {
    let Some(schema) = Schema::new() else { return };
    let (listening, _) = listening(&schema, "listening").await;
    assert_eq!(
        listening.event_gap(),
        Some(PostgresStoreBuilder::DEFAULT_POLL_INTERVAL * 5)
    );
    let builder = schema.store().notifications(false);
    let polling = builder.poll_interval(Duration::from_millis(300));
    let polling = polling.open().await.unwrap();
    assert_eq!(polling.event_gap(), Some(Duration::from_millis(300)));
    // A node that does not listen still sends notifications.
    let (_third, heard) = self::listening(&schema, "third").await;
    let record = start(&polling, "operations/1").await;
    update(&polling, &record, Command::cancel()).await.unwrap();
    heard
        .wait_for_change(&record.name, |state, _| state == OperationState::Cancelled)
        .await;
}
