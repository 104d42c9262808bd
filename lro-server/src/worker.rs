//! Runs operations: claims them, keeps their leases, stops them, writes how they ended.

mod builder;
mod claiming;
mod gate;
mod heartbeat;
mod retention;
mod roster;
mod running;
mod slots;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use lro_core::{OperationRecord, OperationState, OperationStore, StoreEvent, WorkerId};
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

pub use builder::WorkerBuilder;
use roster::Roster;
pub(crate) use slots::Slot;
use slots::Slots;

use crate::deadline::later;
use crate::limits::BodyLimits;
use crate::metrics::Metrics;
use crate::operations::Operations;
use crate::registration::HostedMethod;
use crate::run::StopReason;
use crate::waiters::Waiters;

/// Runs the operations of the services that it hosts.
///
/// ```no_run
/// # use std::sync::Arc;
/// # use lro_server::{Host, Operations, Worker};
/// # async fn example<S, H: Host<S>>(operations: Operations, exporter: Arc<H>) -> Result<(), lro_server::Error> {
/// let worker = Worker::builder(&operations).host(exporter).concurrency(16).start().await?;
/// // .. serve, until it is time to go ..
/// worker.drain().await;
/// # Ok(()) }
/// ```
///
/// It may live in another process than the rpc front end, when the store is one that processes
/// share. Losing the store does not end it: it tries again, with growing pauses.
///
/// A worker also removes the operations whose time (`retain`) is over, whoever ran them: it looks when
/// it starts and every minute, and takes 500 at a time for as long as there are more. Nobody else does,
/// so where no worker runs, nothing is removed. What the store holds at most is about how many
/// operations end in a second times the seconds that they are kept.
///
/// Dropping a worker tells its bodies to stop and gives their operations back, in the background;
/// [`drain`](Self::drain) waits for that.
#[derive(Debug)]
pub struct Worker {
    shared: Arc<Shared>,
}

impl Worker {
    /// A worker for these operations, to be given services to host.
    pub fn builder(operations: &Operations) -> WorkerBuilder {
        WorkerBuilder::new(operations)
    }

    /// Ends the worker without loss: claims nothing more, lets the bodies that run come to their
    /// end for at most the `drain_timeout`, then stops the rest and gives their operations back, to
    /// go on from their last checkpoint elsewhere or after the restart.
    ///
    /// Leases are renewed until the last body has ended.
    ///
    /// # Cancel safety
    ///
    /// Dropped, the worker is dropped: bodies are stopped at once.
    pub async fn drain(self) {
        self.drain_for(Duration::MAX).await;
    }

    /// Drains, with a limit of its own on how long bodies run on, if that is shorter.
    pub(crate) async fn drain_for(self, limit: Duration) {
        self.shared.draining.cancel();
        self.shared.runs.close();
        let settings = &self.shared.settings;
        let ended = self.shared.runs.wait();
        if tokio::time::timeout(limit.min(settings.drain_timeout), ended)
            .await
            .is_ok()
        {
            return;
        }
        self.shared.stopping.cancel();
        let longest = (self.shared.longest_grace()).saturating_add(settings.lease_duration);
        if tokio::time::timeout(longest, self.shared.runs.wait())
            .await
            .is_err()
        {
            tracing::warn!("operations could not be given back in time; their leases will run out");
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.shared.draining.cancel();
        self.shared.stopping.cancel();
        self.shared.runs.close();
    }
}

/// What a worker's tasks share.
pub(crate) struct Shared {
    id: WorkerId,
    store: Arc<dyn OperationStore>,
    waiters: Arc<Waiters>,
    methods: HashMap<&'static str, HostedMethod>,
    slots: Slots,
    roster: Roster,
    settings: Settings,
    metrics: Metrics,
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
    runs: TaskTracker,
}

/// The knobs of a worker.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) lease_duration: Duration,
    pub(crate) metadata_interval: Duration,
    pub(crate) drain_timeout: Duration,
    pub(crate) limits: BodyLimits,
}

impl Shared {
    /// A slot for one more operation of that method, unless this worker does not host it, is
    /// busy, or has others waiting that came first.
    pub(crate) fn try_slot(&self, method: &str) -> Option<Slot> {
        let may_start = !self.draining.is_cancelled() && self.slots.admits(method);
        if !may_start {
            return None;
        }
        let slot = self.slots.try_one(method);
        if let Err(true) = slot {
            self.claim_now.notify_one();
        }
        slot.ok()
    }

    /// Who claims, and for how long: for an operation that is born claimed.
    pub(crate) fn claimant(&self) -> (WorkerId, Duration) {
        (self.id, self.settings.lease_duration)
    }

    /// To be held from before a claim until its operations are [launched](Self::launch). `None`
    /// when nothing more is to be claimed.
    pub(crate) fn claiming(&self) -> Option<roster::Claiming<'_>> {
        let claiming = self.roster.claiming(&self.runs);
        (!self.draining.is_cancelled()).then_some(claiming)
    }

    /// Runs an operation that this worker has claimed with a call that was made at `called_at`.
    pub(crate) fn launch(
        self: &Arc<Self>,
        record: OperationRecord,
        slot: Slot,
        called_at: Instant,
    ) {
        let lease_end = later(called_at, self.settings.lease_duration);
        if let Some(launch) = running::Launch::new(self, record, slot, lease_end) {
            self.runs.spawn(launch.run());
        }
    }

    /// Hears what the store has committed.
    pub(crate) fn on_event(&self, event: &StoreEvent) {
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
                state: OperationState::Cancelling,
                ..
            } => self.stop(*uid, StopReason::Cancelled),
            _ => {}
        }
    }

    fn stop(&self, uid: Uuid, reason: StopReason) {
        if let Some(run) = self.roster.find_or_remember(uid) {
            run.stop(reason);
        }
    }

    /// A slot of this method that was taken is free again.
    pub(crate) fn slot_freed(&self, method: &str) {
        if self.slots.wakes_claims(method) {
            self.claim_now.notify_one();
        }
    }

    fn longest_grace(&self) -> Duration {
        let graces = self.methods.values().map(|m| m.options.cancel_grace);
        graces.max().unwrap_or_default()
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
