//! Renewals where the store cannot write some of the operations.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests too")]

mod support;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use exporter::pb::exporter_methods::Export;
use exporter::pb::{ExportMetadata, ExportRequest};
use lro_core::{
    LongRunningMethod as _, MemoryStore, NewOperation, OperationName, OperationState,
    OperationStore as _, StoreError, StoreErrorKind, Update, pack,
};
use lro_server::{Host, MethodOptions, OperationContext, Operations, Registration, Worker};
use support::faulty::{Node, TokioClock};
use support::{Exporter, exported, name, wait_for_tables_done};
use tokio::time::Instant;
use tonic::Status;
use uuid::Uuid;

const LEASE: Duration = Duration::from_secs(30);
const OPERATIONS: u128 = 1_000;
const BAD: Uuid = Uuid::from_u128(7);

/// A service with bodies of two leases' length, any number of them at a time.
struct Many;

impl Host<Export> for Many {
    fn register(registration: &mut Registration<Self>) {
        let body = async |operation: OperationContext<ExportMetadata>| {
            tokio::time::sleep(2 * LEASE).await;
            Ok::<_, Status>(exported(operation.attempt()))
        };
        registration.method::<Export, ExportRequest, _, ExportMetadata, _, _, _>(
            MethodOptions::new(),
            move |_, _, operation| body(operation),
        );
    }
}

/// Starts as many operations as one call renews, with a worker that runs all of them.
async fn start_many(store: &MemoryStore, node: &Node) -> (Worker, Vec<OperationName>) {
    let operation = |number| {
        let name = format!("operations/{number}").parse().unwrap();
        let request = pack(&ExportRequest { tables: Vec::new() });
        NewOperation::new(Uuid::from_u128(number), name, Export::PATH, request)
    };
    let new: Vec<_> = (0..OPERATIONS).map(operation).collect();
    let names = new.iter().map(|it| it.name.clone()).collect();
    store.start(new).await.unwrap();
    let operations = Operations::new(node.clone());
    let worker = Worker::builder(&operations)
        .host(Arc::new(Many))
        .concurrency(2 * OPERATIONS as usize)
        .lease_duration(LEASE);
    (worker.start().await.unwrap(), names)
}

#[tokio::test(start_paused = true)]
async fn one_operation_that_cannot_be_read_costs_no_other_its_lease() {
    let store = Arc::new(MemoryStore::with_clock(TokioClock::new()));
    let node = Node::lagging(&store, 0);
    let (refusing, failed) = (Arc::new(AtomicBool::new(true)), Arc::default());
    node.before_updates({
        let (refusing, failed) = (refusing.clone(), Arc::clone(&failed));
        refuse(StoreErrorKind::Corrupt, refusing, failed)
    });
    let (_worker, names) = start_many(&store, &node).await;
    tokio::time::sleep(2 * LEASE + Duration::from_secs(1)).await;
    let mut bad = None;
    for name in names {
        let record = store.get(&name).await.unwrap().unwrap();
        match record.uid == BAD {
            true => bad = Some(record),
            false => assert_eq!(
                (record.state, record.attempt),
                (OperationState::Succeeded, 1),
                "{name}"
            ),
        }
    }
    let bad = bad.unwrap();
    assert!(!bad.state.is_done() && bad.attempt > 1, "{bad:?}");
    // Down to the one, and then it is kept apart.
    let expected = [1_000, 100, 10, 1, 1, 1];
    assert_eq!(failed.lock().unwrap()[..6], expected);
    refusing.store(false, Ordering::SeqCst);
    tokio::time::sleep(4 * LEASE).await;
    let bad = store.get(&bad.name).await.unwrap().unwrap();
    assert_eq!(bad.state, OperationState::Succeeded);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_away_is_not_asked_for_parts() {
    let store = Arc::new(MemoryStore::with_clock(TokioClock::new()));
    let node = Node::lagging(&store, 0);
    let failed = Arc::default();
    let refusing = Arc::new(AtomicBool::new(true));
    node.before_updates(refuse(
        StoreErrorKind::Unavailable,
        refusing,
        Arc::clone(&failed),
    ));
    let _worker = start_many(&store, &node).await;
    tokio::time::sleep(LEASE / 2).await;
    let failed = failed.lock().unwrap();
    assert!(failed.len() > 1, "{failed:?}");
    assert!(failed.iter().all(|len| *len == 1_000), "{failed:?}");
}

/// As an operator's open transaction does.
#[tokio::test(start_paused = true)]
async fn what_another_program_has_locked_costs_no_other_its_lease() {
    let store = Arc::new(MemoryStore::with_clock(TokioClock::new()));
    let node = Node::lagging(&store, 0);
    let (_worker, names) = start_many(&store, &node).await;
    let mut locked = Vec::new();
    for name in names.iter().step_by(20) {
        let record = store.get(name).await.unwrap().unwrap();
        locked.push(record.uid);
    }
    node.locked.lock().unwrap().extend(&locked);
    tokio::time::sleep(2 * LEASE + Duration::from_secs(1)).await;
    for name in &names {
        let record = store.get(name).await.unwrap().unwrap();
        let is_locked = locked.contains(&record.uid);
        assert_eq!(record.attempt > 1, is_locked, "{name}");
    }
}

/// A renewal for nobody would keep the operation from running again for another lease.
#[tokio::test(start_paused = true)]
async fn what_is_given_up_while_others_are_tried_is_not_renewed() {
    let store = Arc::new(MemoryStore::with_clock(TokioClock::new()));
    let node = Node::lagging(&store, 0);
    let begun = Instant::now();
    // Until right after the bodies are stopped, none of them can be read.
    node.before_updates(move |_| match begun.elapsed() < LEASE * 9 / 10 {
        true => Err(StoreError::new(StoreErrorKind::Corrupt, "not now")),
        false => Ok(()),
    });
    let (_worker, names) = start_many(&store, &node).await;
    tokio::time::sleep(LEASE + Duration::from_secs(1)).await;
    for name in names {
        let record = store.get(&name).await.unwrap().unwrap();
        assert_eq!(record.attempt, 2, "{name}");
    }
}

/// Fails updates with the one in them, and notes how many these were.
fn refuse(
    kind: StoreErrorKind,
    refusing: Arc<AtomicBool>,
    failed: Arc<Mutex<Vec<usize>>>,
) -> impl Fn(&[Update]) -> Result<(), StoreError> {
    move |updates| {
        let is_there = updates.iter().any(|update| update.uid == Some(BAD));
        if !is_there || !refusing.load(Ordering::SeqCst) {
            return Ok(());
        }
        failed.lock().unwrap().push(updates.len());
        Err(StoreError::new(kind, "not this one"))
    }
}

#[tokio::test(start_paused = true)]
async fn metadata_that_could_not_be_written_is_written_later() {
    let store = Arc::new(MemoryStore::with_clock(TokioClock::new()));
    let node = Node::lagging(&store, 0);
    let operations = Operations::new(node.clone());
    let exporter = Exporter::new(&operations, async |_, operation: support::Context| {
        operation.set_metadata(ExportMetadata {
            tables_done: operation.labels().len() as u32,
            tables_total: 9,
        });
        std::future::pending().await
    });
    let failures = Mutex::new(0);
    node.before_updates(move |_| {
        let mut failures = failures.lock().unwrap();
        *failures += 1;
        match *failures {
            // Both, then each of them.
            ..=3 => Err(StoreError::new(StoreErrorKind::Corrupt, "not now")),
            _ => Ok(()),
        }
    });
    let worker = Worker::builder(&operations).host(exporter.clone());
    let _worker = worker.start().await.unwrap();
    let started = exporter.call(&["one=1"]).await.unwrap();
    let other = exporter.call(&["one=1", "two=2"]).await.unwrap();
    let written = async {
        wait_for_tables_done(&operations, &started, 1).await;
        wait_for_tables_done(&operations, &other, 2).await;
    };
    // Before the leases are to be renewed anyway.
    tokio::time::timeout(LEASE / 3, written).await.unwrap();
    let record = store.get(&name(&started)).await.unwrap().unwrap();
    assert_eq!(record.attempt, 1);
}
