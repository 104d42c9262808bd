//! Renewals, where the store is slow or cannot write some of the operations.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use exporter::pb::exporter_methods::Export;
use exporter::pb::{ExportMetadata, ExportRequest};
use lro_core::store::{
    MemoryStore, NewOperation, OnCrash, OperationState, OperationStore as _, Refusal, StoreError,
    StoreErrorKind,
};
use lro_core::{LongRunningMethod as _, OperationName, pack};
use lro_server::registration::{Host, MethodOptions, Registration};
use lro_server::{OperationContext, Operations, Worker};
use tonic::Status;
use uuid::Uuid;

use crate::support;
use crate::support::faulty::{Node, TokioClock};
use crate::support::{Exporter, exported, name, wait_for_tables_done};

const LEASE: Duration = Duration::from_secs(30);

/// As many as one call renews.
const RENEWED_AT_ONCE: usize = 1_000;

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

/// Starts operations, with a worker that runs all of them.
async fn start_many(
    store: &MemoryStore,
    node: &Node,
    count: usize,
    on_crash: OnCrash,
) -> (Worker, Vec<OperationName>) {
    let operation = |number| {
        let name = format!("operations/{number}").parse().unwrap();
        let request = pack(&ExportRequest { tables: Vec::new() });
        let uid = Uuid::from_u128(number as u128);
        let mut new = NewOperation::new(uid, name, Export::PATH, request);
        new.policy.on_crash = on_crash;
        new
    };
    let new: Vec<_> = (0..count).map(operation).collect();
    let names = new.iter().map(|it| it.name.clone()).collect();
    store.start(new).await.unwrap();
    let operations = Operations::new(node.clone());
    let worker = Worker::builder(&operations)
        .host(Arc::new(Many))
        .concurrency(2 * count)
        .lease_duration(LEASE);
    (worker.start().await.unwrap(), names)
}

/// As an operator's open transaction locks them, or a stray command damages them.
#[tokio::test(start_paused = true)]
async fn an_unwritable_operation_costs_no_other_its_lease() {
    let store = Arc::new(MemoryStore::with_clock(TokioClock::new()));
    let node = Node::lagging(&store, 0);
    let (_worker, names) = start_many(&store, &node, RENEWED_AT_ONCE, OnCrash::Resume).await;
    let corrupt = Refusal::Corrupt("it has no state".into());
    let mut refused = Vec::new();
    for (name, refusal) in names
        .iter()
        .step_by(20)
        .zip([Refusal::Locked, corrupt].iter().cycle())
    {
        let record = store.get(name).await.unwrap().unwrap();
        node.refused
            .lock()
            .unwrap()
            .insert(record.uid, refusal.clone());
        refused.push(record.uid);
    }
    tokio::time::sleep(2 * LEASE + Duration::from_secs(1)).await;
    for name in &names {
        let record = store.get(name).await.unwrap().unwrap();
        match refused.contains(&record.uid) {
            true => assert!(!record.state.is_done() && record.fence > 1, "{record:?}"),
            false => assert_eq!(
                (record.state, record.attempt),
                (OperationState::Succeeded, 1),
                "{name}"
            ),
        }
    }
    node.refused.lock().unwrap().clear();
    // Operations that were lost twice run one after the other for a while.
    tokio::time::sleep(30 * LEASE).await;
    for name in &names {
        let record = store.get(name).await.unwrap().unwrap();
        assert_eq!(record.state, OperationState::Succeeded, "{name}");
    }
}

/// A renewal without a running body would keep the operation from running again for another lease.
#[tokio::test(start_paused = true)]
async fn an_operation_given_up_during_renewals_is_not_renewed() {
    let store = Arc::new(MemoryStore::with_clock(TokioClock::new()));
    let node = Node::lagging(&store, 0);
    // These are not released when the store is away.
    let count = RENEWED_AT_ONCE + 1;
    let (_worker, names) = start_many(&store, &node, count, OnCrash::Abort).await;
    // From a third of the lease on, when they are renewed, until right after the bodies are stopped.
    node.delay_update(LEASE * 6 / 10);
    tokio::time::sleep(LEASE + Duration::from_secs(1)).await;
    let mut lost = 0;
    for name in names {
        let record = store.get(&name).await.unwrap().unwrap();
        lost += usize::from(record.state == OperationState::Failed);
    }
    // The last one, which the first call had no room for.
    assert_eq!(lost, 1);
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
            ..=2 => Err(StoreError::new(StoreErrorKind::Unavailable, "not now")),
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
    // Before the leases are due for renewal.
    tokio::time::timeout(LEASE / 3, written).await.unwrap();
    let record = store.get(&name(&started)).await.unwrap().unwrap();
    assert_eq!(record.attempt, 1);
}

#[tokio::test(start_paused = true)]
async fn an_unwritable_operation_is_not_retried_immediately() {
    let store = Arc::new(MemoryStore::with_clock(TokioClock::new()));
    let node = Node::lagging(&store, 0);
    let operations = Operations::new(node.clone());
    let exporter = Exporter::new(&operations, async |_, operation: support::Context| {
        operation.set_metadata(ExportMetadata {
            tables_done: 1,
            tables_total: 9,
        });
        std::future::pending().await
    });
    let calls = Arc::new(Mutex::new(0));
    node.before_updates({
        let (calls, refused) = (calls.clone(), node.refused.clone());
        move |updates| {
            *calls.lock().unwrap() += 1;
            let corrupt = Refusal::Corrupt("it has no state".into());
            let all = updates
                .iter()
                .filter_map(|it| Some((it.uid?, corrupt.clone())));
            refused.lock().unwrap().extend(all);
            Ok(())
        }
    });
    let worker = Worker::builder(&operations).host(exporter.clone());
    let _worker = worker.lease_duration(LEASE).start().await.unwrap();
    exporter.call(&["one=1"]).await.unwrap();
    tokio::time::sleep(LEASE * 8 / 10).await;
    // After 50 ms, 100 ms and so on, at last every 5 s: not as often as metadata is written.
    let calls = *calls.lock().unwrap();
    assert!((8..16).contains(&calls), "{calls}");
}
