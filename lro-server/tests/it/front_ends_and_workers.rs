//! Front ends without a worker, workers without a front end, and their communication when neither
//! receives events.

use std::sync::Arc;
use std::time::Duration;

use lro_core::store::MemoryStore;
use lro_server::{Operations, Worker};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::support;
use crate::support::faulty::{Node, TokioClock};
use crate::support::{Exporter, exported, name};

const METHOD: &str = "/exporter.v1.Exporter/Export";

/// The event gap of a [`Node`].
const GAP: Duration = Duration::from_secs(1);

/// The operations of two nodes that share a store.
fn nodes() -> (Operations, Operations) {
    let store = Arc::new(MemoryStore::with_clock(TokioClock::new()));
    let node = || Operations::new(Node::new(&store));
    (node(), node())
}

/// spec:55
#[tokio::test(start_paused = true)]
async fn one_node_starts_and_another_runs_and_waiters_are_notified() {
    let (front_end, other) = nodes();
    let called = Exporter::new(&front_end, async |_, _| panic!("front ends run nothing"));
    let run = Exporter::new(&other, async |_, _| Ok(exported(7)));
    let _worker = Worker::builder(&other).host(run).start().await.unwrap();
    let begun = Instant::now();
    let started = called.call(&["a"]).await.unwrap();
    let done = front_end.wait(&name(&started), None).await.unwrap();
    let done = support::Typed::from(done);
    assert_eq!(done.outcome().unwrap().response().unwrap(), exported(7));
    assert!(begun.elapsed() <= 2 * GAP, "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_cancellation_reaches_another_node_within_the_gap_however_long_leases_are() {
    let (front_end, other) = nodes();
    let called = Exporter::new(&front_end, async |_, _| panic!("front ends run nothing"));
    let (events, mut seen) = mpsc::unbounded_channel();
    let run = Exporter::new(&other, move |_, operation| {
        let events = events.clone();
        async move {
            events.send(Instant::now()).ok();
            operation.cancelled().await;
            events.send(Instant::now()).ok();
            Err(tonic::Status::cancelled("as it was asked to").into())
        }
    });
    let worker = Worker::builder(&other).host(run);
    let worker = worker.lease_duration(Duration::from_secs(600));
    let _worker = worker.start().await.unwrap();
    let started = called.call(&["a"]).await.unwrap();
    seen.recv().await.unwrap();
    let cancelled = Instant::now();
    front_end.cancel(&name(&started)).await.unwrap();
    let heard = seen.recv().await.unwrap() - cancelled;
    assert!(heard <= GAP, "{heard:?}");
}

#[tokio::test(start_paused = true)]
async fn a_worker_runs_only_its_methods() {
    let (front_end, other) = nodes();
    let called = Exporter::new(&front_end, async |_, _| panic!("front ends run nothing"));
    let run = Exporter::new(&other, async |_, _| Ok(exported(1)));
    let none = Worker::builder(&other).host(run.clone());
    let none = none
        .only_methods(Vec::<String>::new())
        .start()
        .await
        .unwrap_err();
    assert!(none.to_string().contains("hosts no method"), "{none}");
    let wrong = Worker::builder(&other).host(run.clone());
    let wrong = wrong
        .only_methods([METHOD, "/a.B/C"])
        .start()
        .await
        .unwrap_err();
    assert!(wrong.to_string().contains("`/a.B/C`"), "{wrong}");
    let worker = Worker::builder(&other).host(run);
    let _worker = worker.only_methods([METHOD]).start().await.unwrap();
    let started = called.call(&["a"]).await.unwrap();
    assert!(front_end.wait(&name(&started), None).await.unwrap().done);
}

#[tokio::test(start_paused = true)]
async fn a_checkpoint_outlasts_a_store_that_is_away_for_less_than_a_lease() {
    let store = Arc::new(MemoryStore::with_clock(TokioClock::new()));
    let node = Node::new(&store);
    let operations = Operations::new(node.clone());
    let exporter = Exporter::new(&operations, move |_, operation| {
        let node = node.clone();
        async move {
            node.set_down(true);
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_secs(5)).await;
                node.set_down(false);
            });
            let saved = prost_types::Duration {
                seconds: 1,
                nanos: 0,
            };
            // Its failure would be the operation's.
            operation.checkpoint(&saved).await?;
            Ok(exported(operation.attempt()))
        }
    });
    let worker = Worker::builder(&operations).host(exporter.clone());
    let _worker = worker.start().await.unwrap();
    let started = exporter.call(&["a"]).await.unwrap();
    // A wait fails while the store is unavailable; the test waits again when it is back.
    tokio::time::sleep(Duration::from_secs(10)).await;
    let done = operations.wait(&name(&started), None).await.unwrap();
    let done = support::Typed::from(done);
    assert_eq!(done.outcome().unwrap().response().unwrap(), exported(1));
}

/// A process that stood still for longer than its lease, and then fails to save a checkpoint: the
/// body's error is no result of the operation, although no other worker has claimed it yet.
#[tokio::test(start_paused = true)]
async fn a_checkpoint_that_fails_after_the_lease_ends_no_operation() {
    let store = Arc::new(MemoryStore::with_clock(TokioClock::new()));
    let node = Node::new(&store);
    let operations = Operations::new(node.clone());
    let front_end = Operations::new(Node::new(&store));
    let exporter = Exporter::new(&operations, move |_, operation| {
        let node = node.clone();
        async move {
            if operation.fence() == 1 {
                node.set_down(true);
                tokio::time::advance(Duration::from_secs(600)).await;
                let saved = prost_types::Duration::default();
                let saved = operation.checkpoint(&saved).await;
                node.set_down(false);
                saved?;
            }
            Ok(exported(operation.attempt()))
        }
    });
    let worker = Worker::builder(&operations).host(exporter.clone());
    let _worker = worker.start().await.unwrap();
    let started = exporter.call(&["a"]).await.unwrap();
    let done = front_end.wait(&name(&started), None).await.unwrap();
    let done = support::Typed::from(done);
    assert_eq!(done.outcome().unwrap().response().unwrap(), exported(1));
}

/// A database that answered claims slowly used up the attempts of operations that no worker ran.
#[tokio::test(start_paused = true)]
async fn a_claim_that_is_answered_too_late_is_no_attempt() {
    let store = Arc::new(MemoryStore::with_clock(TokioClock::new()));
    let node = Node::new(&store);
    let front_end = Operations::new(Node::new(&store));
    let called = Exporter::new(&front_end, async |_, _| panic!("front ends run nothing"));
    let operations = Operations::new(node.clone());
    let run = Exporter::new(&operations, async |_, operation| {
        Ok(exported(operation.attempt()))
    });
    let lease = Duration::from_secs(30);
    node.delay_claim(lease - Duration::from_secs(1));
    let worker = Worker::builder(&operations).host(run).lease_duration(lease);
    let _worker = worker.start().await.unwrap();
    let started = called.call(&["a"]).await.unwrap();
    let done = front_end.wait(&name(&started), None).await.unwrap();
    let done = support::Typed::from(done);
    assert_eq!(done.outcome().unwrap().response().unwrap(), exported(1));
}
