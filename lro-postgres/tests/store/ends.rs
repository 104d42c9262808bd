//! Ends that are decided without a read, by what the process has last seen of its operation.

use std::time::Duration;

use lro_core::store::{
    Change, Command, OperationOutcome, OperationRecord, OperationState, OperationStore, Refusal,
    Update, WorkerId,
};
use lro_core::{Timestamp, pack};
use lro_postgres::PostgresStore;
use uuid::Uuid;

use crate::fixture::*;
use crate::support::Schema;

async fn running(store: &PostgresStore, name: &str) -> OperationRecord {
    let mut operation = new(name);
    operation.metadata = Some(pack(&"first".to_owned()));
    operation.labels = [("l".to_owned(), "v".to_owned())].into();
    operation.exclusive_key = Some(format!("key of {name}"));
    operation.claimed_by = Some((WorkerId::from_uuid(Uuid::from_u128(1)), LEASE));
    let mut started = store.start(vec![operation]).await.unwrap();
    started.remove(0).unwrap().record
}

/// The record after the command, at the database's time.
fn ended(mut record: OperationRecord, command: Command, time: Timestamp) -> OperationRecord {
    record.apply(command, time).unwrap();
    record
}

fn finish(outcome: OperationOutcome, metadata: Option<&str>) -> Command {
    Command::Finish {
        fence: 1,
        outcome,
        metadata: metadata.map(|text| pack(&text.to_owned())),
    }
}

fn outcomes() -> [Command; 4] {
    let status = lro_core::pb::rpc::Status {
        code: 5,
        message: "no".to_owned(),
        details: Vec::new(),
    };
    [
        finish(OperationOutcome::Response(pack(&())), None),
        finish(OperationOutcome::Response(pack(&())), Some("last")),
        finish(OperationOutcome::Error(status), Some("first")),
        finish(OperationOutcome::Cancelled, None),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn they_are_what_the_state_machine_makes_of_them() {
    let Some(schema) = Schema::new() else { return };
    let store = schema.store().open().await.unwrap();
    let mut records = Vec::new();
    let mut updates = Vec::new();
    for (n, command) in outcomes().into_iter().enumerate() {
        let record = running(&store, &format!("operations/{n}")).await;
        updates.push(Update::by_uid(
            record.name.clone(),
            record.uid,
            command.clone(),
        ));
        records.push((record, command));
    }
    let answers = store.update(updates).await.unwrap();
    for ((record, command), answer) in records.into_iter().zip(answers) {
        let found = get(&store, record.name.as_str()).await.unwrap();
        let time = found.end_time.unwrap();
        assert!(time > record.update_time && time.since(record.update_time) < LEASE);
        let answer = answer.unwrap();
        assert_eq!(
            (answer.change, answer.state, answer.revision),
            (Change::Record, found.state, record.revision + 1)
        );
        assert_eq!(found, ended(record, command, time));
    }
}

/// The worker that claimed a corrupt row can still finish it, because finishing reads nothing.
#[tokio::test(flavor = "multi_thread")]
async fn they_are_written_without_a_read() {
    let Some(schema) = Schema::new() else { return };
    let store = schema.store().open().await.unwrap();
    let mut updates = Vec::new();
    for (n, command) in outcomes().into_iter().enumerate() {
        let record = running(&store, &format!("operations/{n}")).await;
        updates.push(Update::by_uid(record.name.clone(), record.uid, command));
    }
    let other = running(&store, "operations/other").await;
    let renew = Command::Renew {
        fence: 1,
        lease_duration: LEASE,
        metadata: None,
    };
    // Whatever goes with them.
    updates.push(Update::by_uid(other.name.clone(), other.uid, renew));
    let outsider = schema.outsider().await;
    let damage = "UPDATE operation SET labels = '\\xff' WHERE name <> 'operations/other'";
    assert_eq!(outsider.execute(damage, &[]).await.unwrap(), 4);
    let answers = store.update(updates).await.unwrap();
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    let ended = "SELECT FROM operation WHERE end_time IS NOT NULL";
    assert_eq!(outsider.query(ended, &[]).await.unwrap().len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn times_without_end_are_the_latest_time() {
    let Some(schema) = Schema::new() else { return };
    let store = schema.store().open().await.unwrap();
    let mut operation = new("operations/1");
    operation.policy.retain = Duration::MAX;
    operation.claimed_by = Some((WorkerId::from_uuid(Uuid::from_u128(1)), Duration::MAX));
    let started = store.start(vec![operation]).await.unwrap().remove(0);
    let record = started.unwrap().record;
    let lease = record.lease.clone().unwrap();
    assert_eq!(lease.expire_time, Timestamp::MAX);
    assert_eq!(get(&store, "operations/1").await.as_ref(), Some(&record));
    update(&store, &record, succeed(1)).await.unwrap();
    let found = get(&store, "operations/1").await.unwrap();
    assert_eq!(found.expire_time, Some(Timestamp::MAX));
    let time = found.end_time.unwrap();
    assert_eq!(found, ended(record, succeed(1), time));
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_changes_of_others_count() {
    let Some(schema) = Schema::new() else { return };
    let open = || schema.store().notifications(false).open();
    let (store, other) = (open().await.unwrap(), open().await.unwrap());
    let by_name = |record: &OperationRecord, command| {
        let update = Update::by_name(record.name.clone(), command);
        async { other.update(vec![update]).await.unwrap().remove(0).unwrap() }
    };
    let cancelled = running(&store, "operations/cancelled").await;
    by_name(&cancelled, Command::cancel()).await;
    let answer = update(&store, &cancelled, succeed(1)).await.unwrap();
    assert_eq!(
        (answer.state, answer.revision),
        (OperationState::Succeeded, cancelled.revision + 2)
    );
    let found = get(&other, "operations/cancelled").await.unwrap();
    assert!(found.cancel_time.is_some() && found.end_time >= found.cancel_time);

    let deleted = running(&store, "operations/deleted").await;
    by_name(&deleted, Command::delete()).await;
    let answer = update(&store, &deleted, succeed(1)).await.unwrap();
    assert_eq!(answer.change, Change::Removed);
    assert_eq!(
        schema
            .outsider()
            .await
            .query("SELECT FROM operation", &[])
            .await
            .unwrap()
            .len(),
        1
    );

    let lost = running(&store, "operations/lost").await;
    by_name(&lost, Command::Expire).await;
    assert_eq!(update(&store, &lost, succeed(1)).await, Err(Refusal::Stale));
    assert_eq!(claim(&other, 2, 1).await.operations.len(), 1);
    assert_eq!(update(&store, &lost, succeed(1)).await, Err(Refusal::Stale));
    update(&other, &lost, succeed(2)).await.unwrap();
    assert_eq!(update(&other, &lost, succeed(2)).await, Err(Refusal::Stale));
}

#[tokio::test(flavor = "multi_thread")]
async fn own_writes_are_known() {
    let Some(schema) = Schema::new() else { return };
    let store = schema.store().open().await.unwrap();
    let record = running(&store, "operations/1").await;
    let checkpoint = Command::Checkpoint {
        fence: 1,
        lease_duration: LEASE,
        checkpoint: pack(&"half".to_owned()),
        metadata: Some(pack(&"second".to_owned())),
    };
    update(&store, &record, checkpoint).await.unwrap();
    let renew = Command::Renew {
        fence: 1,
        lease_duration: LEASE,
        metadata: None,
    };
    update(&store, &record, renew).await.unwrap();
    let before = get(&store, "operations/1").await.unwrap();
    assert_eq!(before.revision, record.revision + 1);
    let command = finish(OperationOutcome::Response(pack(&())), None);
    update(&store, &record, command.clone()).await.unwrap();
    let found = get(&store, "operations/1").await.unwrap();
    let time = found.end_time.unwrap();
    assert_eq!(found, ended(before, command.clone(), time));
    assert_eq!(update(&store, &record, command).await, Err(Refusal::Stale));
    // Its key is free again.
    let mut next = new("operations/2");
    next.exclusive_key = Some("key of operations/1".to_owned());
    store.start(vec![next]).await.unwrap().remove(0).unwrap();
}
