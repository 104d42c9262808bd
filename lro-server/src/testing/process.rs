//! A process that runs the body of one operation by the real engine, in a runtime of its own.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use lro_core::store::{
    Command, MemoryStore, NewOperation, OperationRecord, OperationStore as _, Update,
};
use lro_core::{Clock as _, OperationName, Timestamp};
use prost_types::Any;
use tracing::Dispatch;
use uuid::Uuid;

use super::clock::SkippingClock;
use super::link::Link;
use super::probe::Probe;
use super::wakers::WatchedBody;
use crate::handler::registration::{BodyFuture, HostedMethod, MethodOptions};
use crate::handler::run::Run;
use crate::{Operations, Worker};

/// The method of the operation.
pub(super) const METHOD: &str = "/lro.testing.Body/Run";

/// When operations of the kit begin, unless a history says otherwise: 2027-01-01T00:00:00Z.
pub(super) const BEGIN: Timestamp = Timestamp::from_micros(1_798_761_600_000_000);

/// So long that no lease ends by itself.
pub(super) const LEASE: Duration = Duration::from_secs(24 * 60 * 60);

/// Calls a body.
pub(super) type Body = Arc<dyn Fn(Arc<Run>) -> BodyFuture + Send + Sync>;

/// The operation, what is stored of it, and its body: what outlives a process.
pub(super) struct Place {
    pub(super) store: Arc<MemoryStore>,
    pub(super) clock: Arc<SkippingClock>,
    pub(super) name: OperationName,
    pub(super) uid: Uuid,
    pub(super) body: Body,
}

impl Place {
    /// A place whose operation is not stored yet.
    pub(super) fn new(name: OperationName, body: Body, begin: Timestamp) -> Self {
        let clock = Arc::new(SkippingClock::new(begin));
        Self {
            store: Arc::new(MemoryStore::with_clock(clock.clone())),
            clock,
            name,
            // The same in every run, and so are the UUIDs that bodies derive from it.
            uid: Uuid::from_u128(0x1b0_7e57),
            body,
        }
    }

    /// Stores the operation.
    pub(super) async fn start(&self, max_attempts: u32) {
        let request = Any::default();
        let mut new = NewOperation::new(self.uid, self.name.clone(), METHOD, request);
        new.policy.max_attempts = max_attempts;
        let started = self.store.start(vec![new]).await;
        let started = started.map(|mut started| started.pop());
        assert!(
            matches!(started, Ok(Some(Ok(_)))),
            "the store in memory refuses an operation: {started:?}"
        );
    }

    pub(super) async fn record(&self) -> OperationRecord {
        let record = self.store.get(&self.name).await;
        let record = record.ok().flatten();
        record.unwrap_or_else(|| panic!("the store in memory has lost `{}`", self.name))
    }

    /// Applies a command that comes from no process of the operation.
    pub(super) async fn command(&self, command: Command) {
        let update = Update::by_uid(self.name.clone(), self.uid, command);
        // A refusal shows in what the operation becomes.
        let _ = self.store.update(vec![update]).await;
    }

    /// Skips the time until the operation is ready.
    pub(super) fn skip_to(&self, link: &Link, time: Timestamp) {
        if time > self.clock.now() {
            self.clock.skip_to(time);
            link.tell_ready(METHOD, time);
        }
    }

    /// Runs a process for as long as `drive` does. Then it dies, with all its tasks.
    pub(super) fn process<T>(
        &self,
        probe: &Arc<Probe>,
        suspend_after: Duration,
        drive: impl AsyncFnOnce(&Link) -> T,
    ) -> T {
        let _installed = probe.install();
        // The worker is dropped in the middle of things, and would say so in the log each time.
        let _silent = tracing::dispatcher::set_default(&Dispatch::none());
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_all().start_paused(true).build();
        let runtime = runtime.unwrap_or_else(|error| panic!("no runtime: {error}"));
        runtime.block_on(async {
            self.clock.follow();
            let link = Link::new(&self.store, probe);
            let operations = Operations::new(link.clone());
            let worker = Worker::builder(&operations)
                .method(self.hosted(probe))
                .concurrency(1)
                .lease_duration(LEASE)
                .suspend_after(suspend_after)
                .start();
            let worker = worker.await;
            let worker = worker.unwrap_or_else(|error| panic!("no worker: {error}"));
            let driven = drive(&link).await;
            self.clock.stop();
            drop(worker);
            driven
        })
    }

    fn hosted(&self, probe: &Arc<Probe>) -> HostedMethod {
        let (body, probe) = (self.body.clone(), probe.clone());
        HostedMethod {
            path: METHOD,
            options: MethodOptions::new(),
            body: Box::new(move |_, run| Box::pin(WatchedBody::new(body(run), &probe))),
        }
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Place")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// Runs `work` on a thread of its own, so that it may be called in a runtime.
pub(super) fn on_own_thread<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let worked = scope.spawn(work).join();
        worked.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}
