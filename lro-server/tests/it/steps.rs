//! Durable calls of bodies: what is recorded, what a later run gets again, and when an operation is
//! suspended.

mod blocking;
mod changed_code;
mod children;
mod current_step;
mod declared;
mod epochs;
mod names;
mod promises;
mod recording;
mod retries;
mod saga_faults;
mod saga_misuse;
mod saga_order;
mod saga_runs;
mod sagas;
mod side_by_side;
mod suspension;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use lro_core::store::{
    MemoryStore, OperationRecord, OperationStore as _, StepQuery, StepRow, StoreEvent,
    StoreObserver,
};
use lro_core::{OperationName, pack};
use lro_server::Operations;
use tokio::sync::watch;

use crate::support::faulty::{Node, TokioClock};
use crate::support::{Typed, name};

/// A store whose clock follows tokio's, and a node that is alone on it.
fn store() -> (Arc<MemoryStore>, Node) {
    let store = Arc::new(MemoryStore::with_clock(TokioClock::new()));
    let node = Node::alone(&store);
    (store, node)
}

/// The same store, which other processes could use: a run that cannot renew its lease stops.
fn shared_store() -> (Arc<MemoryStore>, Node) {
    let (store, _) = store();
    let node = Node::lagging(&store, 0);
    (store, node)
}

async fn record(store: &MemoryStore, name: &OperationName) -> OperationRecord {
    store.get(name).await.unwrap().unwrap()
}

/// Counts the changes of a store.
struct Changes(watch::Sender<u64>);

impl StoreObserver for Changes {
    fn on_event(&self, _: &StoreEvent) {
        self.0.send_modify(|count| *count += 1);
    }
}

/// Returns the record once it is as wanted.
async fn record_when(
    store: &MemoryStore,
    name: &OperationName,
    is_wanted: impl Fn(&OperationRecord) -> bool,
) -> OperationRecord {
    let changes = watch::Sender::new(0);
    let mut changed = changes.subscribe();
    store.observe(Arc::new(Changes(changes)));
    loop {
        let record = record(store, name).await;
        if is_wanted(&record) {
            return record;
        }
        changed.changed().await.unwrap();
    }
}

/// Returns the record once the operation is suspended.
async fn suspended(store: &MemoryStore, name: &OperationName) -> OperationRecord {
    record_when(store, name, OperationRecord::is_suspended).await
}

/// Waits for the end, however far off it is.
async fn wait(operations: &Operations, operation: &Typed) -> Typed {
    loop {
        let waited = operations.wait(&name(operation), None).await.unwrap();
        if waited.done {
            return waited.into();
        }
    }
}

/// The recorded rows of an operation.
async fn rows(store: &MemoryStore, name: &OperationName) -> Vec<StepRow> {
    let uid = record(store, name).await.uid;
    store.steps(StepQuery::all(uid, 0)).await.unwrap()
}

fn keys(rows: &[StepRow]) -> Vec<&str> {
    rows.iter().map(|row| row.key.as_str()).collect()
}

const HOUR: Duration = Duration::from_secs(3_600);

/// The events of all runs of a body, in their order.
#[derive(Clone, Default)]
struct Trail {
    events: Arc<Mutex<Vec<String>>>,
    count: watch::Sender<usize>,
}

impl Trail {
    fn add(&self, event: impl Into<String>) {
        let mut events = self.events.lock().unwrap();
        events.push(event.into());
        self.count.send_replace(events.len());
    }

    fn events(&self) -> Vec<String> {
        self.events.lock().unwrap().clone()
    }

    fn count_of(&self, event: &str) -> usize {
        self.events().iter().filter(|it| *it == event).count()
    }

    /// Returns when this has happened.
    async fn happened(&self, event: &str) {
        let mut counted = self.count.subscribe();
        let has_happened = |_: &usize| self.count_of(event) > 0;
        counted.wait_for(has_happened).await.unwrap();
    }

    /// Returns when this many events have happened.
    async fn reached(&self, count: usize) {
        let mut counted = self.count.subscribe();
        counted.wait_for(|it| *it >= count).await.unwrap();
    }
}

/// The response of a recorded row.
fn is_response<T>(row: &StepRow, value: &T) -> bool
where
    T: prost::Message + prost::Name + 'static,
{
    use lro_core::store::StepOutcome;
    row.outcome == Some(StepOutcome::Response(pack(value)))
}
