//! Stores that fail, workers that are cut off, and what is left when they come back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use lro_core::store::{Command, MemoryStore, OperationStore as _, StoreError, StoreErrorKind};
use lro_server::{Operations, StopReason, Worker};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::support;
use crate::support::faulty::{Node, TokioClock};
use crate::support::{Exporter, exported, name};

const LEASE: Duration = Duration::from_secs(30);

fn shared_store() -> Arc<MemoryStore> {
    Arc::new(MemoryStore::with_clock(TokioClock::new()))
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_is_cut_off_stops_its_bodies_before_their_lease_ends() {
    let store = shared_store();
    let (cut, whole) = (Node::new(&store), Node::new(&store));
    let (events, mut seen) = mpsc::unbounded_channel();

    let first = Operations::new(cut.clone());
    let exporter = Exporter::new(&first, {
        let events = events.clone();
        move |_, operation| {
            let events = events.clone();
            async move {
                events.send(("first began", Instant::now())).ok();
                // It would end after the second has begun, if it were let.
                tokio::time::sleep(2 * LEASE).await;
                events.send(("first ended", Instant::now())).ok();
                Ok(exported(operation.attempt()))
            }
        }
    });
    let _first_worker = Worker::builder(&first)
        .host(exporter.clone())
        .start()
        .await
        .unwrap();
    let started = exporter.call(&["a"]).await.unwrap();
    assert_eq!(seen.recv().await.unwrap().0, "first began");
    // Two heartbeats are due while it is connected; then it hears and says nothing any more.
    tokio::time::sleep(LEASE).await;
    cut.set_down(true);

    let second = Operations::new(whole);
    let exporter = Exporter::new(&second, move |_, operation| {
        let events = events.clone();
        async move {
            events.send(("second began", Instant::now())).ok();
            Ok(exported(operation.attempt()))
        }
    });
    let _second_worker = Worker::builder(&second)
        .host(exporter)
        .start()
        .await
        .unwrap();
    let (event, at) = seen.recv().await.unwrap();
    assert_eq!(
        event, "second began",
        "the first was stopped, the lease ran out"
    );
    let done = second.wait(&name(&started), None).await.unwrap();
    let done = support::Typed::from(done);
    assert_eq!(done.outcome().unwrap().response().unwrap(), exported(2));
    cut.set_down(false);
    tokio::time::sleep(3 * LEASE).await;
    assert!(seen.try_recv().is_err(), "the first never ended");
    assert!(at.elapsed() > LEASE);
}

#[tokio::test(start_paused = true)]
async fn a_body_learns_that_its_lease_is_lost() {
    let store = shared_store();
    let node = Node::new(&store);
    let (events, mut seen) = mpsc::unbounded_channel();
    let operations = Operations::new(node.clone());
    let exporter = Exporter::new(&operations, move |_, operation| {
        let events = events.clone();
        async move {
            events.send(None).ok();
            // As a blocking thread would: it outlives the future.
            tokio::spawn(async move {
                while operation.stop_reason().is_none() {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                events.send(operation.stop_reason()).ok();
            });
            std::future::pending().await
        }
    });
    let worker = Worker::builder(&operations)
        .host(exporter.clone())
        .lease_duration(LEASE);
    let _worker = worker.start().await.unwrap();
    exporter.call(&["a"]).await.unwrap();
    assert_eq!(seen.recv().await, Some(None));
    node.set_down(true);
    let begun = Instant::now();
    assert_eq!(seen.recv().await, Some(Some(StopReason::LeaseLost)));
    assert!(begun.elapsed() < LEASE, "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn an_end_is_written_when_the_store_is_back() {
    let store = shared_store();
    let node = Node::new(&store);
    let operations = Operations::new(node.clone());
    let cut = node.clone();
    let exporter = Exporter::new(&operations, move |_, _| {
        cut.set_down(true);
        async { Ok(exported(1)) }
    });
    let _worker = Worker::builder(&operations)
        .host(exporter.clone())
        .start()
        .await
        .unwrap();
    let started = exporter.call(&["a"]).await.unwrap();
    tokio::time::sleep(LEASE / 2).await;
    let record = store.get(&name(&started)).await.unwrap().unwrap();
    assert!(!record.state.is_done());
    node.set_down(false);
    let done = operations.wait(&name(&started), None).await.unwrap();
    assert!(done.done);
    let record = store.get(&name(&started)).await.unwrap().unwrap();
    assert_eq!(record.attempt, 1, "late, but the lease was still its own");
}

/// report:E3
#[tokio::test(start_paused = true)]
async fn a_store_that_is_full_for_longer_than_a_lease_loses_no_outcome() {
    let store = shared_store();
    let node = Node::alone(&store);
    let operations = Operations::new(node.clone());
    let (events, mut seen) = mpsc::unbounded_channel();
    let exporter = Exporter::new(&operations, move |request, operation| {
        let events = events.clone();
        async move {
            events.send(request.tables[0].clone()).ok();
            if request.tables[0] == "long" {
                // Until long after the store has room again.
                tokio::time::sleep(6 * LEASE).await;
            }
            operation
                .checkpoint(&prost_types::Duration::default())
                .await?;
            Ok(exported(operation.attempt()))
        }
    });
    node.before_updates(|_| Err(StoreError::new(StoreErrorKind::Full, "there is no room")));
    let worker = Worker::builder(&operations).lease_duration(LEASE);
    let worker = worker.host(exporter.clone()).start().await.unwrap();
    let short = exporter.call(&["short"]).await.unwrap();
    let long = exporter.call(&["long"]).await.unwrap();
    for _ in 0..2 {
        seen.recv().await.unwrap();
    }
    tokio::time::sleep(4 * LEASE).await;
    node.before_updates(|_| Ok(()));
    for started in [short, long] {
        let done = support::wait(&operations, &started).await;
        assert_eq!(done.outcome().unwrap().response().unwrap(), exported(1));
    }
    assert!(seen.try_recv().is_err(), "each body ran once");
    worker.drain().await;
}

/// A worker that is dropped holds nothing: its operations run again.
///
/// report:E3
#[tokio::test(start_paused = true)]
async fn an_exclusive_store_expires_the_leases_of_a_lost_worker() {
    let store = shared_store();
    let node = Node::alone(&store);
    let operations = Operations::new(node.clone());
    let exporter = Exporter::new(&operations, async |_, operation| {
        if operation.attempt() == 1 {
            std::future::pending::<()>().await;
        }
        Ok(exported(operation.attempt()))
    });
    node.before_updates(|_| Err(StoreError::new(StoreErrorKind::Unusable, "it was moved")));
    let lost = Worker::builder(&operations).lease_duration(LEASE);
    let lost = lost.host(exporter.clone()).start().await.unwrap();
    let started = exporter.call(&["a"]).await.unwrap();
    drop(lost);
    tokio::time::sleep(LEASE).await;
    node.before_updates(|_| Ok(()));
    let worker = Worker::builder(&operations).lease_duration(LEASE);
    let worker = worker.host(exporter).start().await.unwrap();
    let done = support::wait(&operations, &started).await;
    assert_eq!(done.outcome().unwrap().response().unwrap(), exported(2));
    worker.drain().await;
}

/// Otherwise the worker would renew a lease without a body as long as the process lives.
#[tokio::test(start_paused = true)]
async fn a_run_whose_task_panics_is_run_again() {
    let node = Node::lagging(&shared_store(), 0);
    let operations = Operations::new(node.clone());
    let exporter = Exporter::new(&operations, async |_, operation| {
        Ok(exported(operation.attempt()))
    });
    let panics = AtomicBool::new(true);
    node.before_updates(move |updates| {
        let ends = |command| matches!(command, &Command::Finish { .. });
        if ends(&updates[0].command) && panics.swap(false, Ordering::SeqCst) {
            panic!("a mistake of the store's");
        }
        Ok(())
    });
    let worker = Worker::builder(&operations).lease_duration(LEASE);
    let worker = worker.host(exporter.clone()).start().await.unwrap();
    let started = exporter.call(&["a"]).await.unwrap();
    let done = support::wait(&operations, &started).await;
    assert_eq!(done.outcome().unwrap().response().unwrap(), exported(2));
    worker.drain().await;
}

#[tokio::test(start_paused = true)]
async fn a_healthy_long_body_is_never_run_twice() {
    let store = shared_store();
    let nodes = [Node::new(&store), Node::new(&store)];
    let mut operations = Vec::new();
    let mut workers = Vec::new();
    let mut exporters = Vec::new();
    for node in nodes {
        let node_operations = Operations::new(node);
        let exporter = Exporter::new(&node_operations, async |_, operation| {
            tokio::time::sleep(100 * LEASE / 2).await;
            Ok(exported(operation.attempt()))
        });
        let worker = Worker::builder(&node_operations).host(exporter.clone());
        workers.push(worker.start().await.unwrap());
        exporters.push(exporter);
        operations.push(node_operations);
    }
    let started = exporters[0].call(&["a"]).await.unwrap();
    let done = loop {
        let seen = operations[1].wait(&name(&started), None).await.unwrap();
        if seen.done {
            break support::Typed::from(seen);
        }
    };
    assert_eq!(done.outcome().unwrap().response().unwrap(), exported(1));
}

#[tokio::test(start_paused = true)]
async fn a_cancellation_reaches_a_worker_that_hears_no_events() {
    let store = shared_store();
    let (here, there) = (Node::new(&store), Node::new(&store));
    let operations = Operations::new(there);
    let exporter = Exporter::new(&operations, async |_, operation| {
        operation.cancelled().await;
        Ok(exported(5))
    });
    let _worker = Worker::builder(&operations)
        .host(exporter.clone())
        .start()
        .await
        .unwrap();
    let started = exporter.call(&["a"]).await.unwrap();
    let begun = Instant::now();
    let here = Operations::new(here);
    here.cancel(&name(&started)).await.unwrap();
    let done = here.wait(&name(&started), None).await.unwrap();
    assert!(
        done.done && begun.elapsed() <= LEASE / 2,
        "{:?}",
        begun.elapsed()
    );
}

/// spec:76 spec:77
#[tokio::test(start_paused = true)]
async fn finished_operations_are_removed_when_they_expire() {
    let store = shared_store();
    let operations = Operations::new(Node::lagging(&store, 0));
    let (release, _) = tokio::sync::broadcast::channel::<()>(1);
    let releaser = release.clone();
    let exporter = Exporter::new(&operations, move |request, _| {
        let mut released = releaser.subscribe();
        async move {
            if request.tables[0] == "long" {
                released.recv().await.ok();
            }
            Ok(exported(1))
        }
    });
    let worker = Worker::builder(&operations).host(exporter.clone());
    let _worker = worker.start().await.unwrap();
    let short = exporter.call(&["short"]).await.unwrap();
    let long = exporter.call(&["long"]).await.unwrap();
    support::wait(&operations, &short).await;
    // The method's `retain` is one minute, its purge runs once a minute.
    tokio::time::sleep(Duration::from_secs(10 * 60)).await;
    assert!(store.get(&name(&short)).await.unwrap().is_none());
    assert!(store.get(&name(&long)).await.unwrap().is_some());
    release.send(()).unwrap();
    support::wait(&operations, &long).await;
    tokio::time::sleep(Duration::from_secs(3 * 60)).await;
    assert!(store.get(&name(&long)).await.unwrap().is_none());
}

/// Two workers of one process, one of which goes away without a word: no event tells the other.
#[tokio::test(start_paused = true)]
async fn a_lease_without_renewals_is_taken_over_within_another_lease() {
    let store = shared_store();
    let (lost, whole) = (Node::new(&store), Node::lagging(&store, 0));
    let first = Operations::new(lost.clone());
    let exporter = Exporter::new(&first, async |_, _| std::future::pending().await);
    let worker = Worker::builder(&first)
        .lease_duration(LEASE)
        .host(exporter.clone());
    let _first_worker = worker.start().await.unwrap();
    let second = Operations::new(whole);
    let other = Exporter::new(&second, async |_, operation| {
        Ok(exported(operation.attempt()))
    });
    let worker = Worker::builder(&second).lease_duration(LEASE).host(other);
    let _second_worker = worker.start().await.unwrap();
    let begun = Instant::now();
    let started = exporter.call(&["a"]).await.unwrap();
    lost.set_down(true);
    let done = loop {
        let seen = second.wait(&name(&started), None).await.unwrap();
        if seen.done {
            break support::Typed::from(seen);
        }
    };
    assert_eq!(done.outcome().unwrap().response().unwrap(), exported(2));
    assert!(begun.elapsed() <= LEASE * 2, "{:?}", begun.elapsed());
}

/// Whichever of the two the run sees first, the operation ends, and as cancelled.
#[tokio::test(start_paused = true)]
async fn a_cancellation_in_the_moment_the_lease_ends_ends_the_operation() {
    let store = shared_store();
    let node = Node::lagging(&store, 0);
    let operations = Operations::new(node.clone());
    let exporter = Exporter::new(&operations, async |_, _| std::future::pending().await);
    let worker = Worker::builder(&operations)
        .lease_duration(LEASE)
        .host(exporter.clone());
    let _worker = worker.start().await.unwrap();
    for round in 0..20 {
        let started = exporter.call(&["a"]).await.unwrap();
        tokio::task::yield_now().await;
        // Told to stop, and before it has its turn the time is over.
        operations.cancel(&name(&started)).await.unwrap();
        tokio::time::advance(LEASE).await;
        let begun = Instant::now();
        let done = loop {
            let seen = operations.wait(&name(&started), None).await.unwrap();
            if seen.done {
                break support::Typed::from(seen);
            }
            assert!(begun.elapsed() < 4 * LEASE, "round {round} never ends");
        };
        assert_eq!(done.error().unwrap().code, tonic::Code::Cancelled as i32);
    }
}
