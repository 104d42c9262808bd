//! A store makes progress while nothing else of the application does.

use std::sync::mpsc;
use std::thread;

use lro_core::ParentName;
use lro_core::store::{Command, ListQuery, OperationRecord, OperationStore};
use lro_postgres::PostgresStore;

use crate::fixture::*;
use crate::support::Schema;

/// From a plain thread with a small runtime of its own.
fn renew_three_times(store: &PostgresStore, record: &OperationRecord) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut before = record.lease.clone().unwrap().expire_time;
        for _ in 0..3 {
            let renew = Command::Renew {
                fence: record.fence,
                lease_duration: LEASE,
                metadata: None,
            };
            update(store, record, renew).await.unwrap();
            let found = get(store, record.name.as_str()).await.unwrap();
            let renewed = found.lease.unwrap().expire_time;
            assert!(renewed > before);
            before = renewed;
        }
        // So do all other calls.
        start(store, "operations/2").await;
        assert_eq!(claim(store, 2, 1).await.operations.len(), 1);
        let list = store.list(ListQuery::new(ParentName::default(), 9)).await;
        assert_eq!(list.unwrap().records.len(), 2);
        assert_eq!(store.purge(9).await.unwrap(), 0);
        update(store, record, succeed(record.fence)).await.unwrap();
    });
}

async fn claimed(schema: &Schema) -> (PostgresStore, OperationRecord) {
    let store = schema.store().open().await.unwrap();
    start(&store, "operations/1").await;
    let record = claim(&store, 1, 1).await.operations.remove(0);
    (store, record)
}

/// report:N1
#[tokio::test]
async fn a_lease_is_renewed_while_a_runtime_of_one_thread_is_blocked() {
    let Some(schema) = Schema::new() else { return };
    let (store, record) = claimed(&schema).await;
    let renewing = thread::spawn(move || renew_three_times(&store, &record));
    // This is the runtime's thread.
    renewing.join().unwrap();
}

/// report:N1
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_is_renewed_while_all_threads_of_a_runtime_are_blocked() {
    let Some(schema) = Schema::new() else { return };
    let (store, record) = claimed(&schema).await;
    let (blocks, blocked) = mpsc::channel();
    let releases: Vec<_> = (0..2)
        .map(|_| {
            let (release, released) = mpsc::channel::<()>();
            let blocks = blocks.clone();
            tokio::spawn(async move {
                blocks.send(()).unwrap();
                // Until the sender is dropped.
                let _ = released.recv();
            });
            release
        })
        .collect();
    for _ in 0..2 {
        blocked.recv().unwrap();
    }
    let renewing = thread::spawn(move || renew_three_times(&store, &record));
    renewing.join().unwrap();
    drop(releases);
}

/// report:N1
#[tokio::test]
async fn a_store_that_is_dropped_within_a_runtime_closes_its_connections() {
    let Some(schema) = Schema::new() else { return };
    let name = format!("dropped {}", schema.name());
    let store = schema.store().application_name(&name).open().await.unwrap();
    start(&store, "operations/1").await;
    drop(store);
    let outsider = schema.outsider().await;
    until("its connections are closed", async || {
        let own = "SELECT FROM pg_stat_activity WHERE application_name = left($1, 63)";
        outsider.query(own, &[&name]).await.unwrap().is_empty()
    })
    .await;
}

/// A runtime without timers or sockets is enough.
#[test]
fn a_store_needs_nothing_of_the_runtime_that_calls_it() {
    let Some(schema) = Schema::new() else { return };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async {
        let store = schema.store().open().await.unwrap();
        start(&store, "operations/1").await;
        assert!(get(&store, "operations/1").await.is_some());
    });
}
