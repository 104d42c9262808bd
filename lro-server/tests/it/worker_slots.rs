//! Workers without a free slot, and the notifications that bodies receive.

use std::sync::Arc;
use std::time::Duration;

use exporter::pb::ExportRequest;
use lro_core::store::{Claim, MemoryStore, NewOperation, OperationStore as _, Suspects, WorkerId};
use lro_core::{OperationName, pack, pb};
use lro_server::{Operations, Worker};
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::support::faulty::{Node, TokioClock};
use crate::support::{Exporter, exported, name};

const METHOD: &str = "/exporter.v1.Exporter/Export";
const LEASE: Duration = Duration::from_secs(30);

fn shared_store() -> Arc<MemoryStore> {
    Arc::new(MemoryStore::with_clock(TokioClock::new()))
}

/// An operation held by a lost worker.
async fn orphan(store: &MemoryStore, number: u128) -> OperationName {
    let name: OperationName = format!("operations/{number}").parse().unwrap();
    let request = pack(&ExportRequest { tables: Vec::new() });
    let mut new = NewOperation::new(Uuid::from_u128(number), name.clone(), METHOD, request);
    new.claimed_by = Some((WorkerId::from_uuid(Uuid::from_u128(7)), LEASE));
    let started = store.start(vec![new]).await.unwrap().remove(0).unwrap();
    assert!(started.record.state.is_running());
    name
}

#[tokio::test(start_paused = true)]
async fn a_worker_without_a_free_slot_still_ends_what_was_cancelled_and_lost() {
    let store = shared_store();
    let operations = Operations::new(Node::new(&store));
    let (began, mut begun) = mpsc::unbounded_channel();
    let exporter = Exporter::new(&operations, move |_, _| {
        began.send(()).ok();
        std::future::pending()
    });
    let _worker = Worker::builder(&operations)
        .host(exporter.clone())
        .concurrency(1)
        .lease_duration(LEASE)
        .start()
        .await
        .unwrap();
    exporter.call(&["occupies the slot"]).await.unwrap();
    begun.recv().await.unwrap();
    let (cancelled, waiting) = (orphan(&store, 1).await, orphan(&store, 2).await);
    operations.cancel(&cancelled).await.unwrap();
    let ended = operations.wait(&cancelled, Some(3 * LEASE)).await.unwrap();
    assert!(ended.done, "the end of a pending operation needs no slot");
    let Some(pb::operation::Result::Error(error)) = ended.result else {
        panic!("{ended:?}");
    };
    assert_eq!(error.code, tonic::Code::Cancelled as i32);
    // The other one is ready for a worker with a free slot.
    let claim = Claim {
        worker: WorkerId::from_uuid(Uuid::from_u128(8)),
        methods: [(METHOD.to_owned(), 9)].into(),
        limit: 9,
        lease_duration: LEASE,
        suspects: Suspects::default(),
        expires_leases: true,
    };
    let record = store.get(&waiting).await.unwrap().unwrap();
    assert_eq!(
        record.state,
        lro_core::store::OperationState::Pending,
        "{:?}",
        record.lease
    );
    let claimed = store.claim(claim).await.unwrap();
    assert_eq!(claimed.operations[0].name, waiting);
}

#[tokio::test(start_paused = true)]
async fn a_checkpoint_reveals_a_cancellation_whose_event_was_lost() {
    let store = shared_store();
    let other = Operations::new(Node::new(&store));
    let operations = Operations::new(Node::new(&store));
    let (began, mut begun) = mpsc::unbounded_channel();
    let (told, mut seen) = mpsc::unbounded_channel();
    let go = Arc::new(tokio::sync::Notify::new());
    let exporter = Exporter::new(&operations, {
        let go = go.clone();
        move |_, operation| {
            let (began, told, go) = (began.clone(), told.clone(), go.clone());
            async move {
                began.send(()).ok();
                go.notified().await;
                let before = operation.is_cancelled();
                operation.checkpoint(&exported(1)).await?;
                told.send((before, operation.is_cancelled())).ok();
                Ok(exported(1))
            }
        }
    });
    let _worker = Worker::builder(&operations)
        .host(exporter.clone())
        .start()
        .await
        .unwrap();
    let started = exporter.call(&["a"]).await.unwrap();
    begun.recv().await.unwrap();
    other.cancel(&name(&started)).await.unwrap();
    go.notify_one();
    assert_eq!(seen.recv().await.unwrap(), (false, true));
}
