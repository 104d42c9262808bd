//! A page of the table is corrupt: the operations on it fail, and no others.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::io::{Seek as _, SeekFrom, Write as _};
use std::sync::Arc;

use lro_core::store::{
    ExecutionPolicy, ListQuery, NewOperation, OperationOutcome, OperationState, OperationStore,
    StoreErrorKind, StoreEvent,
};
use lro_core::{ParentPattern, pack};
use lro_postgres::PostgresStore;
use lro_testing::{EventLog, ManualClock};
use test_programs::postgres::Cluster;

use crate::fixture::*;

/// A page of the file of a table.
const PAGE: u64 = 8192;

/// Overwrites the page that holds the operation. Gives the names of all operations on it.
fn corrupt(cluster: &Cluster, name: &str) -> Vec<String> {
    // No old versions of other operations are on it, and no statement looks for free space there.
    cluster.sql("VACUUM FULL lro.operation").unwrap();
    let block = "(ctid::text::point)[0]::bigint";
    let own = format!("SELECT {block} FROM lro.operation WHERE name = '{name}'");
    let own: u64 = cluster.sql(&own).unwrap().parse().unwrap();
    let on_it = format!("SELECT name FROM lro.operation WHERE {block} = {own}");
    let on_it = cluster.sql(&on_it).unwrap();
    let path = cluster
        .sql("SELECT pg_relation_filepath('lro.operation')")
        .unwrap();
    cluster.sql("CHECKPOINT").unwrap();
    cluster.stop_fast().unwrap();
    let file = std::fs::File::options()
        .write(true)
        .open(cluster.data().join(path));
    let mut file = file.unwrap();
    file.seek(SeekFrom::Start(own * PAGE)).unwrap();
    file.write_all(&[0xa5; 4096]).unwrap();
    file.sync_all().unwrap();
    cluster.restart().unwrap();
    on_it.lines().map(str::to_owned).collect()
}

/// With a request large enough that a page holds a few.
fn large(n: usize) -> NewOperation {
    let mut operation = new(&format!("operations/{n}"));
    operation.request.value = vec![7; 1_500];
    operation
}

async fn corrupt_one(cluster: &Arc<Cluster>, name: &'static str) -> Vec<String> {
    let cluster = cluster.clone();
    blocking(move || corrupt(&cluster, name)).await
}

/// report:P5
#[tokio::test(flavor = "multi_thread")]
async fn leases_on_other_pages_expire() {
    let Some(cluster) = private_cluster().await else {
        return;
    };
    let clock = Arc::new(ManualClock::default());
    let open = || {
        let store = PostgresStore::builder(cluster.url()).notifications(false);
        store.clock(clock.clone()).open()
    };
    let store = open().await.unwrap();
    // All of a claim have one time, and differ by their uids alone.
    store.start((0..60).map(large).collect()).await.unwrap();
    assert_eq!(claim(&store, 1, 60).await.operations.len(), 60);
    drop(store);
    let lost = corrupt_one(&cluster, "operations/30").await;
    assert!((1..20).contains(&lost.len()), "{lost:?}");
    clock.advance(LEASE * 2);
    // Each node finds out by itself.
    let (store, other) = (open().await.unwrap(), open().await.unwrap());
    let mut claimed = Vec::new();
    let mut taken = async |store: &PostgresStore, limit| {
        let operations = claim(store, 2, limit).await.operations;
        claimed.extend(operations.into_iter().map(|record| record.name.to_string()));
        claimed.len()
    };
    assert_eq!(taken(&store, 10).await, 10);
    assert_eq!(taken(&other, 60).await, 60 - lost.len());
    // New ones run at once, and their leases expire.
    for name in ["operations/new", "operations/newer"] {
        clock.advance(LEASE);
        start(&other, name).await;
        let (store, other) = (claim(&store, 2, 1).await, claim(&other, 2, 1).await);
        let found = store.operations.len() + other.operations.len();
        assert!(found >= 1, "{name}");
    }
    assert!(claimed.iter().all(|name| !lost.contains(name)));
    let error = store.get(&lost[0].parse().unwrap()).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{error:?}");
}

/// report:P5
///
/// The same of operations that wait to be claimed.
#[tokio::test(flavor = "multi_thread")]
async fn ready_operations_on_other_pages_are_claimed() {
    let Some(cluster) = private_cluster().await else {
        return;
    };
    let open = || {
        PostgresStore::builder(cluster.url())
            .notifications(false)
            .open()
    };
    let store = open().await.unwrap();
    store.start((0..60).map(large).collect()).await.unwrap();
    drop(store);
    let lost = corrupt_one(&cluster, "operations/5").await;
    let store = open().await.unwrap();
    let mut claimed = Vec::new();
    while claimed.len() < 60 - lost.len() {
        let operations = claim(&store, 2, 7).await.operations;
        assert!(!operations.is_empty(), "{} of 60", claimed.len());
        claimed.extend(operations);
    }
    assert!(claim(&store, 2, 7).await.operations.is_empty());
    start(&store, "operations/new").await;
    let new = claim(&store, 2, 7).await.operations;
    assert_eq!(new.len(), 1);
    assert_eq!(new[0].state, OperationState::Running);
    for record in &claimed {
        assert!(!lost.contains(&record.name.to_string()));
        update(&store, record, succeed(record.fence)).await.unwrap();
    }
}

/// The calls that have left out operations.
fn left_out(log: &EventLog) -> Vec<&'static str> {
    let events = log.events().into_iter();
    let mut calls: Vec<_> = events
        .filter_map(|event| match event {
            StoreEvent::Corrupt { call, count } if count > 0 => Some(call),
            _ => None,
        })
        .collect();
    calls.dedup();
    calls
}

/// report:P5
///
/// Lists leave out what cannot be read, page by page, and purges remove everything else.
#[tokio::test(flavor = "multi_thread")]
async fn lists_and_purges_go_around_a_corrupt_page() {
    let Some(cluster) = private_cluster().await else {
        return;
    };
    let clock = Arc::new(ManualClock::default());
    let open = || {
        let store = PostgresStore::builder(cluster.url()).notifications(false);
        store.clock(clock.clone()).open()
    };
    let store = open().await.unwrap();
    let done = |n| {
        let mut operation = large(n);
        operation.name = format!("projects/p/operations/{n}").parse().unwrap();
        operation.outcome = Some(OperationOutcome::Response(pack(&())));
        operation
    };
    store.start((0..60).map(done).collect()).await.unwrap();
    drop(store);
    let lost = corrupt_one(&cluster, "projects/p/operations/30").await;
    let (store, log) = (open().await.unwrap(), Arc::new(EventLog::new()));
    store.observe(log.clone());
    // One parent, and all of them.
    for parent in ["projects/p/operations", "projects/-/operations"] {
        log.clear();
        let parent: ParentPattern = parent.parse().unwrap();
        let mut query = ListQuery::new(parent, 7);
        let mut listed = Vec::new();
        loop {
            let page = store.list(query.clone()).await.unwrap();
            assert!(page.records.is_sorted_by_key(|record| Reverse(record.uid)));
            let names = page.records.iter().map(|record| record.name.to_string());
            listed.extend(names);
            query.after = match page.next {
                Some(next) => Some(next),
                None => break,
            };
        }
        assert_eq!(listed.len(), 60 - lost.len());
        assert!(listed.iter().all(|name| !lost.contains(name)));
        let distinct: BTreeSet<_> = listed.iter().collect();
        assert_eq!(distinct.len(), listed.len());
        assert_eq!(left_out(&log), ["list"]);
    }
    log.clear();
    clock.advance(ExecutionPolicy::DEFAULT_RETAIN * 2);
    let mut removed = 0;
    loop {
        match store.purge(25).await.unwrap() {
            0 => break,
            some => removed += some,
        }
    }
    assert_eq!(removed, 60 - lost.len());
    assert_eq!(left_out(&log), ["purge"]);
}
