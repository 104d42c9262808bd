//! The stream of changes, on all three stores.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use lro_core::OperationName;
use lro_core::store::{MemoryStore, OperationStore};
use lro_postgres::PostgresStore;
use lro_server::changes::{ChangeSubscription, Changed};
use lro_server::{Limits, Operations};
use lro_sqlite::SqliteStore;
use tokio::sync::Semaphore;
use tonic::Code;

use crate::support::{Context, Exporter, exported, name, start_on, wait};

/// Waits until one of the changes is of this operation, or may be.
async fn until(changes: &mut ChangeSubscription, wanted: &OperationName) {
    loop {
        match changes.next().await {
            Changed::Operations(names) if names.contains(wanted) => return,
            Changed::Operations(names) => assert!(!names.is_empty()),
            Changed::Resync => return,
            other => panic!("{other:?}"),
        }
    }
}

/// Follows an operation through its life: each step is received after it was read, and nothing is
/// missed between two reads.
async fn a_life_is_followed(store: impl OperationStore) {
    let steps = Arc::new(Semaphore::new(0));
    let body_steps = steps.clone();
    let body = move |request: exporter::pb::ExportRequest, operation: Context| {
        let steps = body_steps.clone();
        async move {
            if request.tables[0] == "other" {
                return Ok(exported(1));
            }
            for tables_done in 1..=3 {
                steps.acquire().await.unwrap().forget();
                operation.set_metadata(exporter::pb::ExportMetadata {
                    tables_done,
                    tables_total: 3,
                });
            }
            steps.acquire().await.unwrap().forget();
            Ok(exported(3))
        }
    };
    let settings = |builder: lro_server::WorkerBuilder| builder.metadata_interval(Duration::ZERO);
    let (operations, exporter, worker) = start_on(store, settings, body).await;
    let mut all = operations.changes().follow_all().unwrap();
    let started = exporter.call(&["a"]).await.unwrap();
    let followed = name(&started);
    until(&mut all, &followed).await;
    let mut one = operations.changes().follow([followed.clone()]).unwrap();
    for wanted in 1..=3 {
        steps.add_permits(1);
        loop {
            until(&mut one, &followed).await;
            let read: crate::support::Typed = operations.get(&followed).await.unwrap().into();
            let seen = read.metadata().unwrap().unwrap().tables_done;
            assert!(seen <= wanted);
            if seen == wanted {
                break;
            }
        }
    }
    // A subscriber of one operation receives nothing of another.
    let other = exporter.call(&["other"]).await.unwrap();
    wait(&operations, &other).await;
    until(&mut all, &name(&other)).await;
    steps.add_permits(1);
    loop {
        until(&mut one, &followed).await;
        if operations.get(&followed).await.unwrap().done {
            break;
        }
    }
    operations.delete(&followed).await.unwrap();
    loop {
        until(&mut one, &followed).await;
        if let Err(error) = operations.get(&followed).await {
            assert_eq!(error.code(), Code::NotFound);
            break;
        }
    }
    operations.close();
    assert_eq!(one.next().await, Changed::Closing);
    assert_eq!(all.next().await, Changed::Closing);
    worker.drain().await;
}

#[tokio::test]
async fn a_life_is_followed_in_memory() {
    a_life_is_followed(MemoryStore::new()).await;
}

#[tokio::test]
async fn a_life_is_followed_in_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path().join("operations.db")).await;
    a_life_is_followed(store.unwrap()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_life_is_followed_in_postgres() {
    let Some(cluster) = test_programs::postgres::shared_or_skip() else {
        return;
    };
    let schema = format!("changes {}", std::process::id());
    let store = PostgresStore::builder(cluster.url()).schema(schema).open();
    a_life_is_followed(store.await.unwrap()).await;
}

/// Another process changes the operation; its notice, or the store's bound on their delay, comes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_of_other_processes_are_received() {
    let Some(cluster) = test_programs::postgres::shared_or_skip() else {
        return;
    };
    let schema = format!("changes of others {}", std::process::id());
    let open = || {
        PostgresStore::builder(cluster.url())
            .schema(&*schema)
            .open()
    };
    let here = Operations::new(open().await.unwrap());
    let elsewhere = Operations::new(open().await.unwrap());
    assert!(here.changes().max_delay().is_some());
    let exporter = Exporter::new(&here, async |_, _| pending().await);
    let started = name(&exporter.call(&["a"]).await.unwrap());
    let mut changes = here.changes().follow([started.clone()]).unwrap();
    elsewhere.cancel(&started).await.unwrap();
    loop {
        until(&mut changes, &started).await;
        if here.get(&started).await.unwrap().done {
            break;
        }
    }
}

#[tokio::test]
async fn subscribers_and_names_are_limited() {
    let limits = Limits::default().max_change_subscribers(1);
    let operations = Operations::builder(MemoryStore::new())
        .limits(limits)
        .build();
    let changes = operations.changes();
    let names = |count: usize| (0..count).map(|n| format!("operations/{n}").parse().unwrap());
    let max = lro_server::changes::Changes::MAX_FOLLOWED;
    let mut only = changes.follow(names(max)).unwrap();
    let error = changes.follow_all().unwrap_err();
    assert_eq!(error.code(), Code::ResourceExhausted);
    assert!(
        error.message().contains("max_change_subscribers"),
        "{error}"
    );
    assert_eq!(
        only.set_followed(names(max + 1)).unwrap_err().code(),
        Code::ResourceExhausted
    );
    drop(only);
    changes.follow_all().unwrap();
}

#[tokio::test]
async fn followed_operations_can_be_replaced() {
    let operations = Operations::new(MemoryStore::new());
    let exporter = Exporter::new(&operations, async |_, _| pending().await);
    let mut names = Vec::new();
    for table in ["a", "b"] {
        names.push(name(&exporter.call(&[table]).await.unwrap()));
    }
    let mut changes = operations.changes().follow([names[0].clone()]).unwrap();
    changes.set_followed([names[1].clone()]).unwrap();
    operations.cancel(&names[0]).await.unwrap();
    operations.cancel(&names[1]).await.unwrap();
    assert_eq!(
        changes.next().await,
        Changed::Operations(vec![names[1].clone()])
    );
    changes.resync();
    assert_eq!(changes.next().await, Changed::Resync);
}
