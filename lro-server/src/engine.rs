//! The state that [`Operations`](crate::Operations) and [`Worker`](crate::Worker) share: the store
//! and its events, waiters, limits, metrics, and the workers of this process.

mod backlog;
pub(crate) mod backoff;
pub(crate) mod deadline;
mod events;
mod local_worker;
pub(crate) mod metrics;
pub(crate) mod run_news;
#[cfg(feature = "inspection")]
pub(crate) mod throughput;
pub(crate) mod update;
pub(crate) mod waiters;

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use lro_core::Clock;
use lro_core::store::{OperationRecord, OperationStore};
use uuid::Uuid;

pub(crate) use local_worker::{LocalSlot, LocalWorker};
#[cfg(feature = "inspection")]
pub(crate) use local_worker::{SlotCount, WorkerSnapshot};

use crate::changes::Hub;
use crate::limits::Limits;
use events::Observer;
use local_worker::LocalWorkers;
use metrics::Metrics;
use run_news::RunNews;
use waiters::Waiters;

/// One store as this process uses it.
pub(crate) struct Engine {
    store: Arc<dyn OperationStore>,
    metrics: Metrics,
    clock: Arc<dyn Clock>,
    limits: Limits,
    waiters: Arc<Waiters>,
    changes: Hub,
    run_news: Arc<RunNews>,
    workers: LocalWorkers,
    #[cfg(feature = "inspection")]
    throughput: throughput::Throughput,
    uids: Mutex<uuid::ContextV7>,
    closing: AtomicBool,
    /// How many workers' runtimes are stalled.
    stalled: AtomicUsize,
    /// A task watches the backlog.
    watched: AtomicBool,
}

impl Engine {
    /// Subscribes to the store's events.
    pub(crate) fn new(
        store: Arc<dyn OperationStore>,
        metrics: Metrics,
        clock: Arc<dyn Clock>,
        limits: Limits,
    ) -> Arc<Self> {
        let changes = Hub::new(limits.max_change_subscribers);
        let waiters = Waiters::new(limits.max_waiters, limits.max_waiters_per_operation);
        #[cfg(feature = "inspection")]
        let throughput = throughput::Throughput::new(clock.now());
        let engine = Arc::new(Self {
            #[cfg(feature = "inspection")]
            throughput,
            store: metrics.observe(store),
            metrics,
            clock,
            limits,
            waiters: Arc::new(waiters),
            changes,
            run_news: Arc::default(),
            workers: LocalWorkers::default(),
            uids: Mutex::new(uuid::ContextV7::new()),
            closing: AtomicBool::new(false),
            stalled: AtomicUsize::new(0),
            watched: AtomicBool::new(false),
        });
        engine.store.observe(Arc::new(Observer::new(&engine)));
        engine
    }

    pub(crate) fn store(&self) -> &Arc<dyn OperationStore> {
        &self.store
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(crate) fn waiters(&self) -> &Arc<Waiters> {
        &self.waiters
    }

    /// The subscribers to changes.
    pub(crate) fn changes(&self) -> &Hub {
        &self.changes
    }

    /// The runs that wait for values from outside.
    pub(crate) fn run_news(&self) -> &Arc<RunNews> {
        &self.run_news
    }

    /// Whether no worker can run the operations of this store: this process alone has it, and has no
    /// worker.
    #[cfg(feature = "serve")]
    pub(crate) fn is_without_worker(&self) -> bool {
        self.store.is_exclusive() && self.workers.is_empty()
    }

    /// The workers of this process that run operations of this store.
    pub(crate) fn workers(&self) -> &LocalWorkers {
        &self.workers
    }

    /// Counts an operation that a start of this process has made; it may have ended with it.
    pub(crate) fn started(&self, record: &OperationRecord) {
        self.metrics.started(record);
        #[cfg(feature = "inspection")]
        self.throughput.started(record, self.clock.now());
    }

    /// Counts an operation whose end this process has written.
    fn ended(&self, record: &OperationRecord) {
        self.metrics.ended(record);
        #[cfg(feature = "inspection")]
        self.throughput.ended(record, self.clock.now());
    }

    /// The operations that were started and ended lately.
    #[cfg(feature = "inspection")]
    pub(crate) fn throughput(&self) -> &throughput::Throughput {
        &self.throughput
    }

    /// A fresh identity, later than all earlier ones.
    pub(crate) fn new_uid(&self) -> Uuid {
        let micros = self.clock.now().as_micros().unsigned_abs();
        let uids = self.uids.lock().unwrap_or_else(PoisonError::into_inner);
        let nanos = (micros % 1_000_000) as u32 * 1_000;
        Uuid::new_v7(uuid::Timestamp::from_unix(
            &*uids,
            micros / 1_000_000,
            nanos,
        ))
    }

    /// Answers all waiters with the latest state, now and from now on.
    pub(crate) fn close(&self) {
        self.closing.store(true, Ordering::Release);
        // A waiter that has not read the flag by now listens already.
        self.waiters.wake_all();
        self.changes.close();
    }

    /// Counts a worker whose runtime has stalled, or polls again.
    pub(crate) fn count_stalled(&self, stalled: bool) {
        if stalled {
            self.stalled.fetch_add(1, Ordering::Relaxed);
        } else {
            self.stalled.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Whether the runtime of a worker of this process is stalled.
    #[cfg_attr(
        not(feature = "serve"),
        expect(dead_code, reason = "the health service reads it")
    )]
    pub(crate) fn is_stalled(&self) -> bool {
        self.stalled.load(Ordering::Relaxed) > 0
    }

    /// Whether waiters are answered at once.
    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("store", &self.store)
            .finish_non_exhaustive()
    }
}
