//! Draining, checkpoints, and what the next worker finds.

use std::sync::Arc;
use std::time::Duration;

use exporter::pb::exporter_methods::Export;
use exporter::pb::{ExportMetadata, ExportRequest, ExportResponse};
use lro_core::store::{MemoryStore, NewOperation, OperationState, OperationStore as _};
use lro_core::{LongRunningMethod as _, OperationName, pack};
use lro_server::registration::{Host, MethodOptions, Registration};
use lro_server::{OnCrash, Operations, StopReason, Worker};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tonic::Status;
use uuid::Uuid;

use crate::support;
use crate::support::faulty::{Node, TokioClock};
use crate::support::{Exporter, exported, name, start_on, wait};

#[tokio::test(start_paused = true)]
async fn a_drained_body_is_released_and_resumes_from_its_checkpoint() {
    let (events, mut seen) = mpsc::unbounded_channel();
    let body = move |_, operation: support::Context| {
        let events = events.clone();
        async move {
            let from = operation.restore::<prost_types::Duration>()?;
            let metadata = operation.metadata()?.unwrap();
            events
                .send((operation.attempt(), from, metadata.tables_done))
                .ok();
            if from.is_some() {
                return Ok(exported(7));
            }
            let seconds = 42;
            operation.set_metadata(ExportMetadata {
                tables_done: 3,
                tables_total: 9,
            });
            operation
                .checkpoint(&prost_types::Duration { seconds, nanos: 0 })
                .await?;
            loop {
                if let Some(reason) = operation.stop_reason() {
                    assert_eq!(reason, StopReason::Draining);
                    return Err(Status::aborted("told to go").into());
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    };
    let operations = Operations::new(MemoryStore::new());
    let exporter = Exporter::new(&operations, body);
    let drain_timeout = Duration::from_secs(3);
    let first = Worker::builder(&operations)
        .host(exporter.clone())
        .drain_timeout(drain_timeout);
    let first = first.start().await.unwrap();
    let started = exporter.call(&["a"]).await.unwrap();
    assert_eq!(seen.recv().await, Some((1, None, 0)));
    let begun = Instant::now();
    first.drain().await;
    assert!(begun.elapsed() >= drain_timeout && begun.elapsed() < drain_timeout * 2);
    assert!(!operations.get(&name(&started)).await.unwrap().done);

    let second = Worker::builder(&operations).host(exporter.clone());
    let _second = second.start().await.unwrap();
    let done = wait(&operations, &started).await;
    assert_eq!(done.outcome().unwrap().response().unwrap(), exported(7));
    let checkpoint = prost_types::Duration {
        seconds: 42,
        nanos: 0,
    };
    // A drain is no fault of the operation: the attempt is not counted.
    assert_eq!(seen.recv().await, Some((1, Some(checkpoint), 3)));
}

#[tokio::test(start_paused = true)]
async fn a_drain_lets_bodies_come_to_their_end_and_takes_nothing_new() {
    let (operations, exporter, worker) = start_on(
        MemoryStore::new(),
        |builder| builder,
        async |_, _| {
            tokio::time::sleep(Duration::from_secs(20)).await;
            Ok(exported(1))
        },
    )
    .await;
    let running = exporter.call(&["a"]).await.unwrap();
    tokio::task::yield_now().await;
    let drain = tokio::spawn(worker.drain());
    tokio::task::yield_now().await;
    let late = exporter.call(&["b"]).await.unwrap();
    drain.await.unwrap();
    assert!(operations.get(&name(&running)).await.unwrap().done);
    assert!(!operations.get(&name(&late)).await.unwrap().done);
}

#[tokio::test(start_paused = true)]
async fn operations_that_were_there_before_the_worker_are_run() {
    let operations = Operations::new(MemoryStore::new());
    let exporter = Exporter::new(&operations, async |_, _| Ok(exported(1)));
    let started = exporter.call(&["a"]).await.unwrap();
    let worker = Worker::builder(&operations).host(exporter).start();
    let _worker = worker.await.unwrap();
    wait(&operations, &started).await;
}

#[tokio::test]
async fn a_worker_without_methods_or_with_one_twice_does_not_start() {
    let operations = Operations::new(MemoryStore::new());
    let none = Worker::builder(&operations).start().await.unwrap_err();
    assert!(none.to_string().contains(".host("), "{none}");
    let exporter = Exporter::new(&operations, async |_, _| Ok(exported(1)));
    let twice = Worker::builder(&operations)
        .host(exporter.clone())
        .host(exporter);
    let twice = twice.start().await.unwrap_err();
    assert_eq!(
        twice.to_string(),
        "the worker hosts `/exporter.v1.Exporter/Export` twice"
    );
}

/// A deployment costs no attempt, and no operation that must not be run again after a crash.
///
/// report:E2
#[tokio::test(start_paused = true)]
async fn a_drain_costs_no_attempt_whatever_a_crash_would() {
    struct Once;
    impl Host<Export> for Once {
        fn register(registration: &mut Registration<Self>) {
            let options = MethodOptions::new()
                .on_crash(OnCrash::Abort)
                .max_attempts(1);
            registration.method::<Export, ExportRequest, _, ExportMetadata, _, _, _>(
                options,
                async |_, _, operation: support::Context| {
                    let _operation = operation;
                    std::future::pending::<Result<ExportResponse, Status>>().await
                },
            );
        }
    }
    let store = Node::lagging(&Arc::new(MemoryStore::with_clock(TokioClock::new())), 0);
    let operations = Operations::new(store.clone());
    let request = pack(&ExportRequest { tables: vec![] });
    let name: OperationName = "operations/1".parse().unwrap();
    let new = NewOperation::new(Uuid::from_u128(1), name.clone(), Export::PATH, request);
    store.start(vec![new]).await.unwrap();
    for _deployment in 0..10 {
        let worker = Worker::builder(&operations).host::<Export, _>(Arc::new(Once));
        let worker = worker.start().await.unwrap();
        while !store.get(&name).await.unwrap().unwrap().state.is_running() {
            tokio::task::yield_now().await;
        }
        let begun = Instant::now();
        worker.drain().await;
        assert!(begun.elapsed() <= Duration::from_secs(25), "by default");
        let record = store.get(&name).await.unwrap().unwrap();
        assert_eq!((record.state, record.attempt), (OperationState::Pending, 0));
    }
}

/// Neither a body that blocks its thread for ever nor a blocking task keeps a program from ending.
///
/// report:N3
#[test]
fn a_program_ends_though_a_body_blocks_for_ever() {
    let (begun, has_begun) = std::sync::mpsc::channel();
    let (ended, has_ended) = std::sync::mpsc::channel();
    let (_never, block) = std::sync::mpsc::channel::<()>();
    let block = Arc::new(std::sync::Mutex::new(block));
    std::thread::spawn(move || {
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime.worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            let operations = Operations::new(MemoryStore::new());
            let exporter = Exporter::new(&operations, move |request, _| {
                let (begun, block) = (begun.clone(), block.clone());
                async move {
                    let blocking = move || {
                        begun.send(()).unwrap();
                        block.lock().unwrap().recv().ok();
                    };
                    if request.tables == ["in a poll"] {
                        blocking();
                    } else {
                        tokio::task::spawn_blocking(blocking).await.unwrap();
                    }
                    Ok(exported(1))
                }
            });
            let worker = Worker::builder(&operations)
                .host(exporter.clone())
                .drain_timeout(Duration::from_millis(100));
            let worker = worker.start().await.unwrap();
            exporter.call(&["in a poll"]).await.unwrap();
            exporter.call(&["in a task"]).await.unwrap();
            for _ in 0..2 {
                has_begun.recv().unwrap();
            }
            worker.drain().await;
        });
        runtime.shutdown_timeout(Duration::from_millis(100));
        ended.send(()).unwrap();
    });
    // The grace of the method and 5 s, on a busy machine.
    has_ended.recv_timeout(Duration::from_secs(60)).unwrap();
}
