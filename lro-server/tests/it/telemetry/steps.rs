//! The metrics of durable calls.

use std::sync::Arc;
use std::time::Duration;

use lro_core::store::MemoryStore;
use lro_server::Worker;
use tonic::Status;

use super::{Collected, METHOD};
use crate::support::faulty::{Node, TokioClock};
use crate::support::{Context, Exporter, exported, name, wait};

/// steps:W2 steps:S15
#[tokio::test(start_paused = true)]
async fn steps_are_counted_by_kind_and_outcome() {
    let collected = Collected::new();
    let store = Arc::new(MemoryStore::with_clock(TokioClock::new()));
    let operations = collected.operations(Node::alone(&store));
    let exporter = Exporter::new(&operations, |_, operation: Context| async move {
        operation
            .step("dump", async || Ok::<u32, Status>(7))
            .await?;
        let refuse = async || Err::<(), _>(Status::not_found("no"));
        operation.step("upload", refuse).await.unwrap_err();
        let approved: bool = operation.promise("approved").await?;
        operation.sleep("settle", Duration::from_secs(5)).await?;
        Ok(exported(u32::from(approved)))
    });
    let worker = Worker::builder(&operations).host(exporter.clone());
    let worker = worker.start().await.unwrap();
    let started = exporter.call(&["a"]).await.unwrap();
    let suspended = || {
        collected
            .read()
            .get(&format!("lro.suspended {METHOD}"))
            .copied()
    };
    while suspended() != Some(1) {
        tokio::time::advance(Duration::from_millis(100)).await;
    }
    for _ in 0..2 {
        operations
            .complete(&name(&started), "approved", &true)
            .await
            .unwrap();
    }
    wait(&operations, &started).await;
    worker.drain().await;
    collected.check(&[
        ("lro.steps response step", 1),
        ("lro.steps error step", 1),
        ("lro.steps promise response", 1),
        ("lro.steps response sleep", 1),
        ("lro.step.duration response", 1),
        ("lro.step.duration error", 1),
        ("lro.suspended METHOD", 2),
        ("lro.replay.rows METHOD", 2),
        // That of the sleep: nothing was left to wait for when the promise came.
        ("lro.wake.delay METHOD", 1),
    ]);
}
