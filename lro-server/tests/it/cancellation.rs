//! Cancellation.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use lro_core::store::{
    Command, MemoryStore, NewOperation, OperationState, OperationStore as _, Update, WorkerId,
};
use lro_core::{OperationName, pb};
use lro_server::access::OperationsRpc;
use lro_server::{Operations, StopReason, Worker};
use prost_types::Any;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tonic::{Code, Status};
use uuid::Uuid;

use crate::support;
use crate::support::faulty::Node;
use crate::support::{Exporter, exported, name, start, wait};

/// Tells when it is dropped.
struct Dropped(mpsc::UnboundedSender<&'static str>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.send("dropped").ok();
    }
}

/// spec:62 spec:68
#[tokio::test(start_paused = true)]
async fn a_running_body_is_dropped_after_its_grace() {
    let (events, mut seen) = mpsc::unbounded_channel();
    let (operations, exporter, _worker) = start(move |_, operation| {
        let events = events.clone();
        async move {
            let _dropped = Dropped(events.clone());
            events.send("started").ok();
            operation.cancelled().await;
            assert_eq!(operation.stop_reason(), Some(StopReason::Cancelled));
            events.send("told").ok();
            pending().await
        }
    })
    .await;
    let started = exporter.call(&["a"]).await.unwrap();
    assert_eq!(seen.recv().await, Some("started"));
    let cancelled_at = Instant::now();
    operations.cancel(&name(&started)).await.unwrap();
    operations.cancel(&name(&started)).await.unwrap(); // spec:65: repeated
    assert_eq!(seen.recv().await, Some("told"));
    let early = operations.get(&name(&started)).await.unwrap();
    assert!(!early.done, "not before the handler has ended");
    assert_eq!(seen.recv().await, Some("dropped"));
    assert_eq!(cancelled_at.elapsed(), Duration::from_secs(5));
    let done = wait(&operations, &started).await;
    assert_eq!(done.error().unwrap().code, Code::Cancelled as i32);
    operations.cancel(&name(&started)).await.unwrap(); // spec:64: done
}

#[tokio::test(start_paused = true)]
async fn a_body_that_stops_on_cancellation_ends_immediately() {
    let (operations, exporter, _worker) = start(async |_, operation| {
        operation.cancelled().await;
        Err(Status::cancelled("tidied up").into())
    })
    .await;
    let started = exporter.call(&["a"]).await.unwrap();
    let begun = Instant::now();
    operations.cancel(&name(&started)).await.unwrap();
    let done = wait(&operations, &started).await;
    assert_eq!(done.error().unwrap().message, "tidied up");
    assert!(begun.elapsed() < Duration::from_secs(1));
}

/// spec:63
#[tokio::test(start_paused = true)]
async fn a_body_may_complete_all_the_same() {
    let (operations, exporter, _worker) = start(async |_, operation| {
        operation.cancelled().await;
        Ok(exported(9))
    })
    .await;
    let started = exporter.call(&["a"]).await.unwrap();
    operations.cancel(&name(&started)).await.unwrap();
    let done = wait(&operations, &started).await;
    assert_eq!(done.outcome().unwrap().response().unwrap(), exported(9));
}

/// A resource whose newest wish counts: the service cancels the operation that is in the way, and
/// that one's body says why it gives up.
///
/// spec:133
#[tokio::test(start_paused = true)]
async fn a_preempted_operation_ends_with_aborted() {
    let (operations, exporter, _worker) = start(async |request, operation| {
        if request.tables[0] == "new" {
            return Ok(exported(1));
        }
        operation.cancelled().await;
        Err(Status::aborted("a newer wish came").into())
    })
    .await;
    let older = exporter.call(&["old", "exclusive_key=k"]).await.unwrap();
    let refused = exporter.call(&["new", "exclusive_key=k"]).await;
    assert_eq!(refused.unwrap_err().code(), Code::Aborted);
    operations.cancel(&name(&older)).await.unwrap();
    let older = wait(&operations, &older).await;
    let error = older.error().unwrap();
    assert_eq!(error.code, Code::Aborted as i32);
    assert_eq!(error.message, "a newer wish came");
    let newer = exporter.call(&["new", "exclusive_key=k"]).await.unwrap();
    let newer = wait(&operations, &newer).await;
    assert_eq!(newer.outcome().unwrap().response().unwrap(), exported(1));
}

/// spec:71
#[tokio::test(start_paused = true)]
async fn cancel_is_implemented_unless_it_is_switched_off() {
    for (switched_off, expected) in [(false, Code::Ok), (true, Code::Unimplemented)] {
        let builder = Operations::builder(MemoryStore::new());
        let operations = match switched_off {
            true => builder.disable(OperationsRpc::Cancel).build(),
            false => builder.build(),
        };
        let exporter = Exporter::new(&operations, async |_, _| Ok(exported(1)));
        let started = exporter.call(&["a"]).await.unwrap();
        let mut client = pb::operations_client::OperationsClient::new(operations.service());
        let name = started.name().to_owned();
        let cancelled = client
            .cancel_operation(pb::CancelOperationRequest { name })
            .await;
        assert_eq!(
            cancelled.map_or_else(|it| it.code(), |_| Code::Ok),
            expected
        );
    }
}

/// spec:69
#[tokio::test(start_paused = true)]
async fn a_pending_operation_is_cancelled_immediately() {
    let operations = Operations::new(MemoryStore::new());
    let exporter = Exporter::new(&operations, async |_, _| Ok(exported(1)));
    let started = exporter.call(&["a"]).await.unwrap();
    operations.cancel(&name(&started)).await.unwrap();
    let seen: support::Typed = operations.get(&name(&started)).await.unwrap().into();
    assert_eq!(seen.error().unwrap().code, Code::Cancelled as i32);
    let unknown = operations.cancel(&"operations/x".parse().unwrap()).await;
    assert_eq!(unknown.unwrap_err().code(), Code::NotFound);
}

/// Bodies that wait for their cancellation, where answers of the store come late. Heartbeats would
/// deliver it too, but not within an hour.
async fn start_lagging(store: &Arc<MemoryStore>) -> (Operations, Arc<Exporter>, Worker) {
    let operations = Operations::new(Node::lagging(store, 10));
    let exporter = Exporter::new(&operations, async |_, operation| {
        operation.cancelled().await;
        Err(Status::cancelled("heard").into())
    });
    let worker = Worker::builder(&operations).lease_duration(Duration::from_secs(6 * 60 * 60));
    let worker = worker.host(exporter.clone()).start().await.unwrap();
    (operations, exporter, worker)
}

/// Every round cancels at another moment of the start, to find a window in which the cancellation
/// is lost: for an operation that is claimed at its start, and for one that is claimed later.
#[tokio::test(start_paused = true)]
async fn a_cancellation_right_after_the_start_is_never_lost() {
    let store = Arc::new(MemoryStore::new());
    let (operations, exporter, _worker) = start_lagging(&store).await;
    for round in 0..60 {
        let begun = Instant::now();
        // Two of three find a free slot, the last one waits for one.
        let names: Vec<_> = (0..3).map(|i| format!("x{round}-{i}")).collect();
        let calls = names.iter().map(|id| {
            let (exporter, id) = (exporter.clone(), format!("operation_id={id}"));
            tokio::spawn(async move { exporter.call(&[&id]).await.unwrap() })
        });
        let calls: Vec<_> = calls.collect();
        for _ in 0..round {
            tokio::task::yield_now().await;
        }
        for id in &names {
            let name = format!("operations/{id}").parse().unwrap();
            while let Err(status) = operations.cancel(&name).await {
                assert_eq!(status.code(), Code::NotFound);
                tokio::task::yield_now().await;
            }
        }
        for (call, id) in calls.into_iter().zip(&names) {
            call.await.unwrap();
            let name = format!("operations/{id}").parse().unwrap();
            let done = operations.wait(&name, None).await.unwrap();
            assert!(done.done, "round {round}");
        }
        assert!(begun.elapsed() < Duration::from_secs(10), "round {round}");
    }
}

/// A flood of cancellations of other nodes makes a node drop some of its own.
#[tokio::test(start_paused = true)]
async fn a_cancellation_before_the_run_is_heard_among_thousands_of_others() {
    let store = Arc::new(MemoryStore::new());
    let (operations, exporter, _worker) = start_lagging(&store).await;
    let other = |number: u128| {
        let name = format!("operations/{number}").parse().unwrap();
        let uid = Uuid::from_u128(number);
        let mut new = NewOperation::new(uid, name, "/other.Service/Method", Any::default());
        new.claimed_by = Some((WorkerId::from_uuid(uid), Duration::from_secs(60)));
        new
    };
    let others: Vec<_> = (0..5_000).map(other).collect();
    let cancel = |name: &OperationName| Update::by_name(name.clone(), Command::cancel());
    let cancels: Vec<_> = others.iter().map(|other| cancel(&other.name)).collect();
    store.start(others).await.unwrap();
    let call = tokio::spawn({
        let exporter = exporter.clone();
        async move { exporter.call(&["operation_id=mine"]).await.unwrap() }
    });
    // Once it is claimed, and before its answer has come, so that it does not run yet.
    let mine: OperationName = "operations/mine".parse().unwrap();
    while store.get(&mine).await.unwrap().is_none() {
        tokio::task::yield_now().await;
    }
    let begun = Instant::now();
    let cancelled = store.update(vec![cancel(&mine)]).await.unwrap();
    let state = cancelled[0].as_ref().unwrap().state;
    assert_eq!(state, OperationState::Cancelling);
    store.update(cancels).await.unwrap();
    let started = call.await.unwrap();
    let done = wait(&operations, &started).await;
    assert_eq!(done.error().unwrap().message, "heard");
    assert!(begun.elapsed() < Duration::from_secs(1));
}
