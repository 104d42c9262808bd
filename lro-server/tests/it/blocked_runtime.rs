//! Bodies that block every thread of their runtime.
//!
//! Each test's own thread stands outside that runtime, with a runtime and a worker of its own.

#[cfg(all(feature = "serve", feature = "otel"))]
mod stalled;

use std::sync::{Arc, Condvar, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use exporter::pb::exporter_methods::Export;
use exporter::pb::{ExportMetadata, ExportRequest, ExportResponse};
use lro_core::store::{MemoryStore, NewOperation, OperationRecord, OperationStore};
use lro_core::{LongRunningMethod as _, Operation, OperationName, pack};
use lro_postgres::PostgresStore;
use lro_server::registration::{Host, MethodOptions, Registration};
use lro_server::{OperationContext, Operations, Worker};
use lro_sqlite::SqliteStore;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tonic::Status;
use uuid::Uuid;

use crate::support::exported;
use crate::support::faulty::Node;
use crate::support::log::Log;

/// The shortest there is.
const LEASE: Duration = Duration::from_secs(1);

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Bodies that block or sleep, as their request says, until they are released.
#[derive(Clone)]
struct Service {
    /// The number of its worker: 1 blocks, and 2 takes over.
    worker: u32,
    begun: mpsc::Sender<(String, u32)>,
    released: Arc<Released>,
}

/// A signal for threads and for tasks.
struct Released {
    flag: Mutex<bool>,
    set: Condvar,
    tasks: watch::Sender<bool>,
}

impl Released {
    fn set(&self) {
        *self.flag.lock().unwrap() = true;
        self.set.notify_all();
        self.tasks.send_replace(true);
    }

    fn block(&self) {
        let flag = self.flag.lock().unwrap();
        drop(self.set.wait_while(flag, |set| !*set).unwrap());
    }

    async fn sleep(&self) {
        self.tasks.subscribe().wait_for(|set| *set).await.unwrap();
    }
}

impl Service {
    async fn run(
        self: Arc<Self>,
        request: ExportRequest,
        _: OperationContext<ExportMetadata>,
    ) -> Result<ExportResponse, Status> {
        let begun = (request.tables.concat(), self.worker);
        self.begun.send(begun).unwrap();
        // The second worker would block the threads outside.
        if request.tables == ["block"] && self.worker == 1 {
            self.released.block();
        }
        self.released.sleep().await;
        Ok(exported(self.worker))
    }
}

impl Host<Export> for Service {
    fn register(registration: &mut Registration<Self>) {
        registration.method::<Export, ExportRequest, _, ExportMetadata, _, _, _>(
            MethodOptions::new(),
            Self::run,
        );
    }
}

/// A runtime whose threads are blocked, and what there is outside of it.
struct Scene<S> {
    store: S,
    /// Those of the worker inside.
    operations: Operations,
    /// The one of the test's thread.
    outside: Runtime,
    inside: Option<thread::JoinHandle<()>>,
    leave: watch::Sender<bool>,
    begun: mpsc::Receiver<(String, u32)>,
    service: Arc<Service>,
    started: u128,
}

impl<S: OperationStore + Clone> Scene<S> {
    /// A worker on the runtime that `inside` builds.
    fn new(
        inside: Runtime,
        store: impl Future<Output = S>,
        max_runtime_stall: Duration,
        log: &Log,
        operations: impl FnOnce(S) -> Operations,
    ) -> Self {
        let mut outside = Builder::new_multi_thread();
        let outside = outside.worker_threads(1).enable_all().build().unwrap();
        let store = outside.block_on(store);
        let operations = operations(store.clone());
        let (sender, begun) = mpsc::channel();
        let released = Released {
            flag: Mutex::new(false),
            set: Condvar::new(),
            tasks: watch::Sender::new(false),
        };
        let service = Arc::new(Service {
            worker: 1,
            begun: sender,
            released: Arc::new(released),
        });
        let leave = watch::Sender::new(false);
        let (ready, is_ready) = mpsc::channel();
        let inside = thread::spawn({
            let (operations, service) = (operations.clone(), service.clone());
            let (log, mut left) = (log.clone(), leave.subscribe());
            move || {
                let _log = log.follow();
                inside.block_on(async move {
                    let worker = worker(&operations, service, max_runtime_stall).await;
                    drop(operations);
                    ready.send(()).unwrap();
                    left.wait_for(|left| *left).await.unwrap();
                    worker.drain().await;
                });
            }
        });
        is_ready.recv_timeout(PATIENCE).unwrap();
        Self {
            store,
            operations,
            outside,
            inside: Some(inside),
            leave,
            begun,
            service,
            started: 0,
        }
    }

    /// Starts operations of one kind; returns when their bodies have begun.
    fn start(&mut self, kind: &str, count: u128) -> Vec<OperationName> {
        let numbers = self.started + 1..=self.started + count;
        self.started += count;
        let operation = |number| {
            let name = format!("operations/{number}").parse().unwrap();
            let request = pack(&ExportRequest {
                tables: vec![kind.to_owned()],
            });
            NewOperation::new(Uuid::from_u128(number), name, Export::PATH, request)
        };
        let new: Vec<_> = numbers.map(operation).collect();
        let names = new.iter().map(|new| new.name.clone()).collect();
        let answers = self.outside.block_on(self.store.start(new)).unwrap();
        assert!(answers.iter().all(Result::is_ok), "{answers:?}");
        for _ in 0..count {
            let begun = self.begun.recv_timeout(PATIENCE).unwrap();
            assert_eq!(begun, (kind.to_owned(), 1));
        }
        names
    }

    fn record(&self, name: &OperationName) -> OperationRecord {
        let record = self.outside.block_on(self.store.get(name));
        record.unwrap().unwrap()
    }

    /// Asks for the record again and again: the store has no event for a renewal.
    fn wait_until(&self, name: &OperationName, is_so: impl Fn(&OperationRecord) -> bool) {
        let begun = Instant::now();
        loop {
            let record = self.record(name);
            if is_so(&record) {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "{record:?}");
            let pause = async { tokio::time::sleep(LEASE / 50).await };
            self.outside.block_on(pause);
        }
    }

    /// Releases all bodies, and drains the worker of the runtime that was blocked.
    fn release(&mut self) {
        self.service.released.set();
        self.leave.send_replace(true);
        self.inside.take().unwrap().join().unwrap();
    }

    /// A worker outside of the runtime that is blocked.
    fn rival(&self) -> Worker {
        let service = Service {
            worker: 2,
            ..(*self.service).clone()
        };
        let operations = Operations::new(self.store.clone());
        let rival = worker(&operations, Arc::new(service), Duration::MAX);
        self.outside.block_on(rival)
    }

    fn assert_responded(&self, name: &OperationName, by: u32) {
        let record = self.record(name);
        assert_eq!(record.fence, u64::from(by), "{record:?}");
        let operation = Operation::<ExportResponse, ExportMetadata>::from(record.to_operation());
        let response = operation.outcome().unwrap().response().unwrap();
        assert_eq!(response, exported(by));
    }
}

async fn worker(
    operations: &Operations,
    service: Arc<Service>,
    max_runtime_stall: Duration,
) -> Worker {
    let worker = Worker::builder(operations)
        .host::<Export, _>(service)
        .lease_duration(LEASE)
        .max_runtime_stall(max_runtime_stall);
    worker.start().await.unwrap()
}

fn current_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn two_threads() -> Runtime {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(2).enable_all().build().unwrap()
}

async fn memory() -> Node {
    Node::lagging(&Arc::new(MemoryStore::new()), 0)
}

/// Blocks every thread for three lease durations, with another worker that would take over.
fn no_lease_expires<S: OperationStore + Clone>(
    inside: Runtime,
    threads: u128,
    store: impl Future<Output = S>,
) {
    let log = Log::default();
    let mut scene = Scene::new(inside, store, Duration::MAX, &log, Operations::new);
    let mut names = scene.start("sleep", 5);
    names.extend(scene.start("block", threads));
    let rival = scene.rival();
    let lease_end = |record: &OperationRecord| record.lease.as_ref().unwrap().expire_time;
    let blocked_at = names.iter().map(|name| lease_end(&scene.record(name)));
    let blocked_at = blocked_at.max().unwrap();
    let later = blocked_at.saturating_add(3 * LEASE);
    for name in &names {
        scene.wait_until(name, |record| lease_end(record) >= later);
    }
    scene.release();
    assert!(scene.begun.try_recv().is_err(), "no body began again");
    for name in &names {
        scene.assert_responded(name, 1);
    }
    scene.outside.block_on(rival.drain());
}

/// report:N1
#[test]
fn a_blocked_runtime_of_one_thread_loses_no_lease_in_memory() {
    no_lease_expires(current_thread(), 1, memory());
}

/// report:N1
#[test]
fn a_blocked_runtime_of_two_threads_loses_no_lease_in_memory() {
    no_lease_expires(two_threads(), 2, memory());
}

/// report:N1
#[test]
fn a_blocked_runtime_loses_no_lease_in_sqlite() {
    for (inside, threads) in [(current_thread(), 1), (two_threads(), 2)] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("operations.db");
        no_lease_expires(inside, threads, async {
            SqliteStore::open(path).await.unwrap()
        });
    }
}

/// The store is opened on the runtime that is blocked: its connections must not depend on it.
///
/// report:N1
#[test]
fn a_blocked_runtime_loses_no_lease_in_postgres() {
    let Some(cluster) = test_programs::postgres::shared_or_skip() else {
        return;
    };
    for (number, (inside, threads)) in [(current_thread(), 1), (two_threads(), 2)]
        .into_iter()
        .enumerate()
    {
        let schema = format!("blocked {number} {}", std::process::id());
        let opened = PostgresStore::builder(cluster.url()).schema(schema).open();
        let store = inside.block_on(opened).unwrap();
        no_lease_expires(inside, threads, async { store });
    }
}
