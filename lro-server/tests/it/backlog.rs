//! Ready operations that no worker claims, and workers that stop without a drain, are logged.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lro_core::store::MemoryStore;
use lro_server::{Operations, Worker};
use tracing::subscriber::DefaultGuard;

use crate::support::faulty::{Node, TokioClock};
use crate::support::{Exporter, exported};

/// The log of this thread, and of the tasks and threads that it starts.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn capture() -> (Self, DefaultGuard) {
        let log = Self::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .finish();
        (log, tracing::subscriber::set_default(subscriber))
    }

    fn lines_with(&self, text: &str) -> Vec<String> {
        let log = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        let lines = log.lines().filter(|line| line.contains(text));
        lines.map(str::to_owned).collect()
    }
}

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
