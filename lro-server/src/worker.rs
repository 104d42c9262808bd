//! Runs operations: claims them, renews their leases, stops them, and writes their results.

mod backlog;
mod builder;
mod claim;
mod deletion;
mod ending;
mod error;
mod executor;
mod lease;
mod lease_thread;
mod outage;
mod probe;
mod quarantine;
mod retention;
mod run;
mod runs;
mod slots;
#[cfg(feature = "inspection")]
mod snapshot;
pub(crate) mod watches;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use lro_core::store::{OperationRecord, OperationState, OperationStore, StoreEvent, WorkerId};
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

pub use builder::WorkerBuilder;
pub use error::WorkerBuildError;
pub use executor::Executor;

use executor::Place;
use probe::Probe;
use quarantine::Quarantine;
use runs::Runs;
use slots::{Slot, Slots};

use crate::engine::deadline::later;
use crate::engine::{Engine, LocalSlot, LocalWorker};
use crate::handler::registration::HostedMethod;
use crate::handler::run::StopReason;
use crate::limits::BodyLimits;
use crate::operations::Operations;

/// Runs the operations of the services that it hosts.
///
/// ```no_run
/// # use std::sync::Arc;
/// # use lro_server::registration::Host;
/// # use lro_server::{Operations, Worker};
/// # async fn example<S, H: Host<S>>(operations: Operations, exporter: Arc<H>) -> Result<(), lro_server::WorkerBuildError> {
/// let worker = Worker::builder(&operations).host(exporter).concurrency(16).start().await?;
/// // .. serve, until it is time to go ..
/// worker.drain().await;
/// # Ok(()) }
/// ```
///
/// With a store that several processes share, the worker may run in another process than the rpcs.
/// If the store becomes unavailable, the worker retries with growing pauses.
///
/// A worker also removes finished operations when their time (`retain`) has passed, on any worker: it
/// scans when it starts and every minute, 500 at a time until there are no more. Without workers,
/// nothing is removed. A store holds about as many operations as finish per second, times the seconds
/// that they are kept.
///
/// Dropping a worker stops its bodies and releases their operations, in the background;
/// [`drain`](Self::drain) waits for that.
#[derive(Debug)]
#[must_use = "dropping a worker stops it: keep it, and `drain` it at the end"]
pub struct Worker {
    shared: Arc<Shared>,
    /// Watches the children on other servers.
    watches: Option<Box<Self>>,
}

impl Worker {
    /// A builder of a worker for these operations; give it services to host.
    pub fn builder(operations: &Operations) -> WorkerBuilder {
        WorkerBuilder::new(operations)
    }

    /// Shuts the worker down gracefully: it claims nothing more, lets running bodies finish for at
    /// most the `drain_timeout`, then stops the rest and releases their operations, which resume
    /// from their last checkpoint on another worker or after the restart.
    ///
    /// By default that takes at most 25 s: 20 s for the bodies, then 5 s to release the rest, besides
    /// the longest `cancel_grace` of a method. Leases are renewed until the last body has finished.
    ///
    /// A thread that a body blocks cannot be stopped. `drain` still returns, and the operation's lease
    /// expires, but tokio's runtime waits for such threads when it shuts down: end the program with
    /// [`Runtime::shutdown_timeout`](tokio::runtime::Runtime::shutdown_timeout), or with
    /// [`std::process::exit`] after the drain.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the worker: its bodies stop immediately.
    pub async fn drain(self) {
        self.drain_for(Duration::MAX).await;
    }

    /// Drains, with a limit of its own on how long bodies run on, if that is shorter.
    pub(crate) async fn drain_for(mut self, limit: Duration) {
        let watches = self.watches.take();
        let drained = async {
            if let Some(watches) = watches {
                watches.drain_alone(limit).await;
            }
        };
        tokio::join!(Box::pin(drained), self.drain_alone(limit));
    }

    async fn drain_alone(&self, limit: Duration) {
        self.shared.draining.cancel();
        self.shared.tasks.close();
        let settings = &self.shared.settings;
        let ended = self.shared.tasks.wait();
        if tokio::time::timeout(limit.min(settings.drain_timeout), ended)
            .await
            .is_ok()
        {
            self.renewals_ended().await;
            return;
        }
        self.shared.stopping.cancel();
        let longest = self.shared.stop_timeout();
        if tokio::time::timeout(longest, self.shared.tasks.wait())
            .await
            .is_err()
        {
            tracing::warn!("operations not released in time: their leases will expire");
        }
        self.renewals_ended().await;
    }

    /// Waits until the renewals have let go of the store, so that it can be opened again.
    async fn renewals_ended(&self) {
        /// Longer only if a call of the store hangs.
        const LONGEST: Duration = Duration::from_secs(1);
        let ended = self.shared.renewals_ended.cancelled();
        tokio::time::timeout(LONGEST, ended).await.ok();
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if !self.shared.draining.is_cancelled() {
            tracing::warn!(
                methods = ?self.shared.methods.keys(),
                "worker dropped without `drain`: its bodies are stopped, and it claims nothing more"
            );
        }
        self.shared.draining.cancel();
        self.shared.stopping.cancel();
        self.shared.tasks.close();
    }
}

/// The state that a worker's tasks share.
struct Shared {
    id: WorkerId,
    engine: Arc<Engine>,
    methods: HashMap<&'static str, HostedMethod>,
    slots: Slots,
    runs: Arc<Runs>,
    quarantine: Quarantine,
    settings: Settings,
    /// Told when there may be something to claim.
    claim_now: Notify,
    /// Told when cancellations may have been missed.
    renew_now: Notify,
    /// Told when a run has new metadata.
    metadata_set: Arc<Notify>,
    /// Nothing more is claimed.
    draining: CancellationToken,
    /// Bodies are to stop.
    stopping: CancellationToken,
    /// The tasks that run bodies.
    tasks: TaskTracker,
    /// Where bodies and claims run.
    place: Place,
    /// Whether anything is polled there.
    probe: Arc<Probe>,
    /// Nothing is renewed any more.
    renewals_ended: CancellationToken,
    /// Operations that were lost because the store was away.
    lost_runs: outage::LostRuns,
}

/// The knobs of a worker.
#[derive(Clone, Debug)]
struct Settings {
    lease_duration: Duration,
    metadata_interval: Duration,
    drain_timeout: Duration,
    max_runtime_stall: Duration,
    suspend_after: Duration,
    child_cancel_max: Duration,
    /// How many bodies run on beside the others after their operation was deleted.
    max_deleted_runs: usize,
    limits: BodyLimits,
    /// Where leases are renewed, in a simulation.
    renew_on: Option<Arc<dyn Executor>>,
    /// Where bodies and claims run, in a simulation.
    run_on: Option<Arc<dyn Executor>>,
}

impl Shared {
    fn store(&self) -> &dyn OperationStore {
        &**self.engine.store()
    }

    /// To be held from before a claim until its operations are [launched](Self::launch). `None`
    /// when the worker claims nothing more.
    fn claiming(&self) -> Option<runs::Claiming> {
        let claiming = self.runs.claiming(&self.tasks);
        (!self.draining.is_cancelled()).then_some(claiming)
    }

    /// Runs an operation that this worker has claimed with a call that was made at `called_at`.
    fn launch(self: &Arc<Self>, record: OperationRecord, slot: Slot, called_at: Instant) {
        let lease_end = later(called_at, self.settings.lease_duration);
        if let Some(launch) = run::Launch::new(self, record, slot, lease_end) {
            self.place.spawn(self.tasks.track_future(launch.run()));
        }
    }

    fn stop(&self, uid: Uuid, reason: StopReason) {
        if let Some(run) = self.runs.find_or_remember(uid) {
            run.stop(reason);
        }
    }

    /// A slot of this method that was taken is free again.
    fn slot_freed(&self, method: &str) {
        if self.slots.wakes_claims(method) || self.quarantine.suspects_wait() {
            self.claim_now.notify_one();
        }
    }

    /// How long stopping bodies, and their last writes, may take: their grace, and 5 s.
    fn stop_timeout(&self) -> Duration {
        const RELEASE_TIMEOUT: Duration = Duration::from_secs(5);
        let graces = self.methods.values().map(|m| m.options.cancel_grace);
        let longest = graces.max().unwrap_or_default();
        longest.saturating_add(RELEASE_TIMEOUT)
    }

    /// Sets whether the runtime of the bodies counts as stalled. Returns whether that changed.
    fn set_stalled(&self, stalled: bool) -> bool {
        let changed = self.probe.set_stalled(stalled);
        if changed {
            self.engine.count_stalled(stalled);
        }
        changed
    }
}

impl LocalWorker for Shared {
    fn try_slot(self: Arc<Self>, method: &str) -> Option<Box<dyn LocalSlot>> {
        let (method, _) = self.methods.get_key_value(method)?;
        let may_start = !self.draining.is_cancelled()
            && !self.quarantine.is_closed()
            && self.slots.admits(method);
        if !may_start {
            return None;
        }
        let slot = match self.slots.try_one(method) {
            Ok(slot) => slot,
            Err(claim_again) => {
                if claim_again {
                    self.claim_now.notify_one();
                }
                return None;
            }
        };
        let mut taken = TakenSlot {
            method,
            slot: Some(slot),
            claiming: None,
            worker: self.clone(),
        };
        taken.claiming = Some(self.claiming()?);
        Some(Box::new(taken))
    }

    fn on_event(self: Arc<Self>, event: &StoreEvent) {
        match event {
            StoreEvent::Ready { method, .. } if self.slots.may_run(method) => {
                self.claim_now.notify_one();
            }
            StoreEvent::Missed => {
                self.claim_now.notify_one();
                // The answers tell which runs were cancelled.
                self.renew_now.notify_one();
            }
            StoreEvent::Changed {
                uid,
                state,
                deleted,
                ..
            } => {
                if *deleted && state.is_running() {
                    self.deleted(*uid);
                }
                if *state == OperationState::Cancelling {
                    self.stop(*uid, StopReason::Cancelled);
                }
            }
            _ => {}
        }
    }

    fn is_held(&self, uid: Uuid, fence: u64) -> bool {
        // A deadlocked runtime must not hold operations for ever, nor a body that ignores the drain.
        if self.probe.is_stalled() || self.renewals_ended.is_cancelled() {
            return false;
        }
        let run = self.runs.find(uid);
        run.is_some_and(|run| {
            run.fence == fence && run.stop_reason() != Some(StopReason::LeaseLost)
        })
    }

    #[cfg(feature = "inspection")]
    fn snapshot(&self) -> Option<crate::engine::WorkerSnapshot> {
        self.take_snapshot()
    }
}

/// A slot for an operation that is about to start, born claimed.
struct TakenSlot {
    worker: Arc<Shared>,
    method: &'static str,
    /// Until the operation is launched.
    slot: Option<Slot>,
    claiming: Option<runs::Claiming>,
}

impl LocalSlot for TakenSlot {
    fn claimant(&self) -> (WorkerId, Duration) {
        (self.worker.id, self.worker.settings.lease_duration)
    }

    fn launch(mut self: Box<Self>, record: OperationRecord, called_at: Instant) {
        if let Some(slot) = self.slot.take() {
            self.worker.launch(record, slot, called_at);
        }
    }
}

impl Drop for TakenSlot {
    fn drop(&mut self) {
        if let Some(slot) = self.slot.take() {
            drop(slot);
            self.worker.slot_freed(self.method);
        }
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker")
            .field("id", &self.id)
            .field("methods", &self.methods.keys())
            .finish_non_exhaustive()
    }
}
