//! The workers of this process, as the engine sees them.

#[cfg(feature = "inspection")]
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock, Weak};
use std::time::Duration;

use lro_core::store::{OperationRecord, StoreEvent, WorkerId};
use tokio::time::Instant;
use uuid::Uuid;

/// A worker of this process.
pub(crate) trait LocalWorker: fmt::Debug + Send + Sync {
    /// Takes a slot for one operation of this method that is about to start. `None` if the worker
    /// does not host the method, has no free slot, or has earlier operations waiting.
    fn try_slot(self: Arc<Self>, method: &str) -> Option<Box<dyn LocalSlot>>;

    /// Receives an event of the store. Must not block.
    fn on_event(self: Arc<Self>, event: &StoreEvent);

    /// Whether a run of this worker holds the operation under that fence: its body runs, or its
    /// outcome is not written yet. Must not block.
    fn is_held(&self, uid: Uuid, fence: u64) -> bool;

    /// The methods that the worker could run now; `None` after its drain. Must not block.
    #[cfg(feature = "inspection")]
    fn snapshot(&self) -> Option<WorkerSnapshot>;
}

/// The methods and slots of a worker at one moment.
#[cfg(feature = "inspection")]
#[derive(Clone, Debug)]
pub(crate) struct WorkerSnapshot {
    pub(crate) id: WorkerId,
    pub(crate) slots: SlotCount,
    /// By path; with slots where the method has a limit of its own.
    pub(crate) methods: BTreeMap<&'static str, Option<SlotCount>>,
    pub(crate) lease_duration: Duration,
    pub(crate) is_draining: bool,
    pub(crate) is_stalled: bool,
    /// It starts nothing, so that an operation runs alone.
    pub(crate) is_trying_alone: bool,
}

/// How many slots there are, and how many of them are free.
#[cfg(feature = "inspection")]
#[derive(Clone, Copy, Debug)]
pub(crate) struct SlotCount {
    pub(crate) all: usize,
    pub(crate) free: usize,
}

/// A slot that a worker holds for one operation. Dropping it releases the slot.
pub(crate) trait LocalSlot: Send {
    /// The worker, and the duration of the lease, that the operation is born claimed with.
    fn claimant(&self) -> (WorkerId, Duration);

    /// Runs the operation, whose start was called at `called_at` and is claimed for this worker.
    fn launch(self: Box<Self>, record: OperationRecord, called_at: Instant);
}

/// The registry of the workers. It keeps none of them alive.
#[derive(Debug, Default)]
pub(crate) struct LocalWorkers {
    workers: RwLock<Vec<Weak<dyn LocalWorker>>>,
}

impl LocalWorkers {
    pub(crate) fn register(&self, worker: Weak<dyn LocalWorker>) {
        let mut workers = self.workers.write().unwrap_or_else(PoisonError::into_inner);
        workers.retain(|worker| worker.strong_count() > 0);
        workers.push(worker);
    }

    /// Whether this process has no worker.
    #[cfg(feature = "serve")]
    pub(super) fn is_empty(&self) -> bool {
        self.alive().is_empty()
    }

    /// A slot of the first worker that has one for this method.
    pub(crate) fn try_slot(&self, method: &str) -> Option<Box<dyn LocalSlot>> {
        let mut workers = self.alive().into_iter();
        workers.find_map(|worker| worker.try_slot(method))
    }

    pub(super) fn on_event(&self, event: &StoreEvent) {
        for worker in self.alive() {
            worker.on_event(event);
        }
    }

    /// Whether one of them holds the operation under that fence.
    pub(super) fn hold(&self, uid: Uuid, fence: u64) -> bool {
        self.alive().iter().any(|worker| worker.is_held(uid, fence))
    }

    /// The methods that each of them could run now.
    #[cfg(feature = "inspection")]
    pub(crate) fn snapshots(&self) -> Vec<WorkerSnapshot> {
        self.alive().iter().filter_map(|it| it.snapshot()).collect()
    }

    /// A copy, so that no worker is called, or dropped, while the lock is held.
    fn alive(&self) -> Vec<Arc<dyn LocalWorker>> {
        let workers = self.workers.read().unwrap_or_else(PoisonError::into_inner);
        workers.iter().filter_map(Weak::upgrade).collect()
    }
}
