//! Ready operations that no worker claims, and workers that stop without a drain, are logged.

use std::sync::Arc;
use std::time::Duration;

use lro_core::store::MemoryStore;
use lro_server::{Operations, Worker};

use crate::support::faulty::{Node, TokioClock};
use crate::support::log::Log;
use crate::support::{Exporter, exported};

/// report:S1 report:S2
#[tokio::test(start_paused = true)]
async fn operations_that_no_worker_claims_are_logged_with_their_method() {
    let (log, _guard) = Log::capture();
    let clock = TokioClock::new();
    let store = Arc::new(MemoryStore::with_clock(clock.clone()));
    let operations = Operations::builder(Node::lagging(&store, 0))
        .clock(clock)
        .build();
    let exporter = Exporter::new(&operations, async |_, _| Ok(exported(1)));
    exporter.call(&["a"]).await.unwrap();
    tokio::time::sleep(Duration::from_secs(60)).await;
    let lines = log.lines_with("no worker claims ready operations");
    let [line] = &lines[..] else {
        panic!("{lines:?}");
    };
    assert!(line.contains("/exporter.v1.Exporter/Export"), "{line}");
    assert!(
        line.contains("count=1") && line.contains("start a `Worker`"),
        "{line}"
    );
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(
        log.lines_with("no worker claims").len(),
        3,
        "every 5 minutes"
    );
}

/// report:S1
#[tokio::test(start_paused = true)]
async fn a_worker_says_when_it_starts_and_when_it_is_dropped_undrained() {
    let (log, _guard) = Log::capture();
    let operations = Operations::new(MemoryStore::new());
    let exporter = Exporter::new(&operations, async |_, _| Ok(exported(1)));
    let worker = Worker::builder(&operations).host(exporter.clone());
    let _ = worker.concurrency(7).start().await.unwrap();
    let lines = log.lines_with("worker started");
    assert!(
        lines[0].contains("Export") && lines[0].contains("slots=7"),
        "{lines:?}"
    );
    assert_eq!(log.lines_with("worker dropped without `drain`").len(), 1);
    let worker = Worker::builder(&operations).host(exporter);
    worker.start().await.unwrap().drain().await;
    assert_eq!(log.lines_with("worker dropped without `drain`").len(), 1);
}
