//! One task for each run: the body against everything that may end it early, then the end's write.

use std::collections::{HashMap, HashSet};
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use lro_core::{Command, OperationRecord, Outcome, Reason};
use prost_types::Any;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;
use tracing::Instrument as _;
use uuid::Uuid;

use super::{Shared, Slot};
use crate::backoff::Backoff;
use crate::deadline::later;
use crate::error::{HandlerError, to_rpc_status};
use crate::metrics::RunMetrics;
use crate::registration::{BodyFuture, HostedMethod};
use crate::run::{Link, Run, StopReason};
use crate::trace_context::continue_trace;

/// The runs of a worker, by the uid of their operation: a name may belong to another operation while
/// a run of the former one is still being stopped.
#[derive(Default)]
pub(super) struct Running {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    runs: HashMap<Uuid, Arc<Run>>,
    /// How many claims are under way whose operations are not among the runs yet.
    claims: usize,
    /// Operations that were cancelled while such a claim was under way: perhaps one of its.
    cancelled_early: HashSet<Uuid>,
}

impl Running {
    /// Until it is dropped, the worker is not drained.
    pub(super) fn claiming(&self, runs: &TaskTracker) -> Claiming<'_> {
        self.lock().claims += 1;
        Claiming {
            running: self,
            _open: runs.token(),
        }
    }

    /// The run of that operation. Without one, the uid is kept for the claims that are under way.
    pub(super) fn find_or_remember(&self, uid: Uuid) -> Option<Arc<Run>> {
        let mut inner = self.lock();
        let run = inner.runs.get(&uid).cloned();
        if run.is_none() && inner.claims > 0 {
            inner.cancelled_early.insert(uid);
        }
        run
    }

    pub(super) fn all(&self) -> Vec<Arc<Run>> {
        self.lock().runs.values().cloned().collect()
    }

    fn insert(&self, run: &Arc<Run>) {
        let mut inner = self.lock();
        inner.runs.insert(run.uid, run.clone());
        if inner.cancelled_early.remove(&run.uid) {
            run.stop(StopReason::Cancelled);
        }
    }

    /// Removes this run, not a later one of the same operation.
    fn remove(&self, run: &Arc<Run>) {
        let mut inner = self.lock();
        if inner
            .runs
            .get(&run.uid)
            .is_some_and(|it| it.fence == run.fence)
        {
            inner.runs.remove(&run.uid);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A claim under way.
pub(crate) struct Claiming<'a> {
    running: &'a Running,
    _open: TaskTrackerToken,
}

impl Drop for Claiming<'_> {
    fn drop(&mut self) {
        let mut inner = self.running.lock();
        inner.claims -= 1;
        if inner.claims == 0 {
            inner.cancelled_early.clear();
        }
    }
}

/// A claimed operation, ready to run.
pub(super) struct Launch {
    shared: Arc<Shared>,
    run: Arc<Run>,
    request: Any,
    slot: Slot,
    metrics: RunMetrics,
}

impl Launch {
    /// Makes the run known to the worker, so that a cancellation finds it from now on.
    pub(super) fn new(
        shared: &Arc<Shared>,
        record: OperationRecord,
        slot: Slot,
        lease_end: Instant,
    ) -> Option<Self> {
        let options = &shared.methods.get(&*record.method)?.options;
        let deadline = options.timeout.map(|it| later(Instant::now(), it));
        let link = Link {
            store: shared.store.clone(),
            lease_duration: shared.settings.lease_duration,
            metadata_set: shared.metadata_set.clone(),
        };
        let run = Arc::new(Run::new(
            &record,
            Some(link),
            shared.settings.limits,
            lease_end,
            deadline,
        ));
        shared.running.insert(&run);
        shared.waiters.expect(&run.name, run.uid);
        let metrics = shared.metrics.run(&record);
        Some(Self {
            shared: shared.clone(),
            run,
            request: record.request,
            slot,
            metrics,
        })
    }

    pub(super) async fn run(self) {
        let Self {
            shared,
            run,
            request,
            slot,
            metrics,
        } = self;
        if let Some(method) = shared.methods.get(&*run.method) {
            let span = tracing::info_span!(
                "operation",
                name = %run.name,
                method = method.path,
                attempt = run.attempt,
                trace_parent = run.origin.trace_parent,
            );
            continue_trace(&span, &run.origin.trace_parent, &run.origin.trace_state);
            let ending = run_body(&shared, &run, method, request)
                .instrument(span.clone())
                .await;
            if matches!(ending, Ending::Stopped(StopReason::LeaseLost)) {
                metrics.lease_lost();
                // Nobody may hold it any more: whoever claims next turns it back.
                shared.claim_now.notify_one();
            }
            if let Some(command) = ending.into_command(&run) {
                write_ending(&shared, &run, command, &metrics)
                    .instrument(span)
                    .await;
            }
        }
        shared.running.remove(&run);
        shared.waiters.forget(&run.name, run.uid);
        drop((slot, metrics));
        shared.slot_freed(&run.method);
    }
}

/// How a run has ended.
enum Ending {
    Body(Result<Any, HandlerError>),
    Panicked,
    Stopped(StopReason),
    /// The body was not called.
    NotBegun,
}

/// Runs the body until it ends, or until it has to.
async fn run_body(shared: &Shared, run: &Arc<Run>, method: &HostedMethod, request: Any) -> Ending {
    // The answer to the claim may have come so late that the lease is over already.
    if *run.lease_end.borrow() <= Instant::now() + lease_margin(shared) {
        run.stop(StopReason::LeaseLost);
        return Ending::NotBegun;
    }
    // The call itself may panic as well as the future.
    let start = AssertUnwindSafe(|| (method.body)(request, run.clone()));
    let body: BodyFuture = match std::panic::catch_unwind(start) {
        Ok(body) => body,
        Err(_) => return Ending::Panicked,
    };
    let body = AssertUnwindSafe(body).catch_unwind();
    let ended = tokio::select! {
        biased;
        ended = body => ended,
        reason = must_stop(shared, run, method.options.cancel_grace) => return Ending::Stopped(reason),
    };
    match (ended, run.stop_reason()) {
        // It was told to go away and did: that is no failure of the operation.
        (Ok(Err(_)), Some(reason @ (StopReason::Draining | StopReason::LeaseLost))) => {
            Ending::Stopped(reason)
        }
        (Ok(Err(_)), Some(StopReason::TimedOut)) => Ending::Stopped(StopReason::TimedOut),
        (Ok(result), _) => Ending::Body(result),
        (Err(_panic), _) => Ending::Panicked,
    }
}

/// Returns when the body's future has to be dropped: tells the body first, and gives it its grace.
async fn must_stop(shared: &Shared, run: &Run, grace: Duration) -> StopReason {
    let timed_out = async {
        match run.deadline {
            Some(deadline) => tokio::time::sleep_until(deadline).await,
            None => std::future::pending().await,
        }
    };
    let lease_over = lease_over(run, lease_margin(shared));
    tokio::pin!(lease_over);
    tokio::select! {
        biased;
        () = &mut lease_over => {
            run.stop(StopReason::LeaseLost);
            return StopReason::LeaseLost;
        }
        _ = run.stopped() => {}
        () = timed_out => run.stop(StopReason::TimedOut),
        () = shared.stopping.cancelled() => run.stop(StopReason::Draining),
    }
    let reason = run.stopped().await;
    if reason != StopReason::LeaseLost && !grace.is_zero() {
        tokio::select! {
            () = tokio::time::sleep(grace) => {}
            () = lease_over => return StopReason::LeaseLost,
        }
    }
    reason
}

/// How long before the end of its lease a body is stopped.
fn lease_margin(shared: &Shared) -> Duration {
    shared.settings.lease_duration / 10
}

/// Returns a margin before the lease ends, unless it is renewed in time.
async fn lease_over(run: &Run, margin: Duration) {
    let mut lease_end = run.lease_end.subscribe();
    loop {
        let stop_at = *lease_end.borrow_and_update() - margin;
        tokio::select! {
            () = tokio::time::sleep_until(stop_at) => return,
            _ = lease_end.changed() => {}
        }
    }
}

impl Ending {
    /// What to write, if the operation is still this run's to write.
    fn into_command(self, run: &Run) -> Option<Command> {
        let fence = run.fence;
        let metadata = run.last_metadata();
        let outcome = match self {
            Self::Body(Ok(response)) => Outcome::Response(response),
            Self::Body(Err(error)) => match error.pause(run.attempt) {
                None => Outcome::Error(to_rpc_status(error.status())),
                Some(delay) => {
                    return Some(Command::Retry {
                        fence,
                        error: run.limits.bounded_error(to_rpc_status(error.status())),
                        delay,
                        metadata,
                    });
                }
            },
            Self::Panicked => {
                tracing::error!(name = %run.name, "the handler panicked");
                let message = "the handler failed unexpectedly";
                Outcome::Error(Reason::HandlerPanicked.operation_error(message, []))
            }
            Self::Stopped(StopReason::Cancelled) => Outcome::Cancelled,
            Self::Stopped(StopReason::TimedOut) => {
                let message = "the operation took longer than its method allows";
                Outcome::Error(Reason::OperationTimedOut.operation_error(message, []))
            }
            Self::Stopped(StopReason::Draining) => {
                return Some(Command::Release { fence, metadata });
            }
            Self::NotBegun => {
                // A slow store is no failure of the body: this run is not to count, if nobody has
                // turned the operation back yet.
                tracing::warn!(name = %run.name, "the claim's answer came too late");
                return Some(Command::Release { fence, metadata });
            }
            Self::Stopped(StopReason::LeaseLost) => {
                tracing::warn!(name = %run.name, "the lease was lost; the operation runs elsewhere, or will");
                return None;
            }
        };
        Some(Command::Finish {
            fence,
            outcome: run.limits.bounded(outcome),
            metadata,
        })
    }
}

/// Writes how a run has ended, as often as it takes. The fence makes it safe to come late: what
/// another worker has claimed meanwhile is not touched.
async fn write_ending(shared: &Shared, run: &Run, command: Command, metrics: &RunMetrics) {
    let mut backoff = Backoff::default();
    loop {
        let update = run.update(command.clone());
        match shared.store.update(vec![update]).await {
            Ok(answers) => {
                backoff.succeeded("the operation's end is written");
                match answers.into_iter().next() {
                    Some(Ok(updated)) => metrics.written(&command, updated.state),
                    Some(Err(refusal)) => {
                        tracing::warn!(name = %run.name, %refusal, "the operation's end came too late");
                    }
                    None => {}
                }
                return;
            }
            Err(error) if error.is_retryable() => {
                let pause = backoff.failed("cannot write how the operation ended", &error);
                tokio::time::sleep(pause).await;
            }
            Err(error) => {
                tracing::error!(name = %run.name, ?error, "cannot write how the operation ended");
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use lro_core::{NewOperation, Timestamp};

    use super::*;
    use crate::limits::Limits;

    fn run(uid: u128, fence: u64) -> Arc<Run> {
        let name = "operations/reused".parse().unwrap();
        let new = NewOperation::new(Uuid::from_u128(uid), name, "/s/M", Any::default());
        let mut record = OperationRecord::new(new, Timestamp::EPOCH);
        record.fence = fence;
        let limits = Limits::default().of_bodies();
        Arc::new(Run::new(&record, None, limits, Instant::now(), None))
    }

    #[test]
    fn runs_of_two_operations_of_one_name_do_not_meet() {
        let running = Running::default();
        let (former, latter) = (run(1, 1), run(2, 1));
        running.insert(&former);
        running.insert(&latter);
        assert_eq!(running.all().len(), 2);
        let found = running.find_or_remember(former.uid).unwrap();
        assert!(Arc::ptr_eq(&found, &former));
        running.remove(&former);
        let found = running.find_or_remember(latter.uid).unwrap();
        assert!(Arc::ptr_eq(&found, &latter));
    }

    #[test]
    fn a_later_run_of_one_operation_takes_the_place_of_the_former() {
        let running = Running::default();
        let (former, latter) = (run(1, 1), run(1, 2));
        running.insert(&former);
        running.insert(&latter);
        running.remove(&former);
        assert_eq!(running.all().len(), 1);
        running.remove(&latter);
        assert!(running.all().is_empty());
    }
}
