//! The task of each run: it runs the body until it ends or must stop, and then writes the result.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use lro_core::Reason;
use lro_core::pb::rpc;
use lro_core::store::{Command, OperationRecord, Outcome};
use prost_types::Any;
use tokio::time::Instant;
use tracing::Instrument as _;

use super::Shared;
use super::outage::LostRun;
use super::quarantine::Quarantine;
use super::slots::{HeldSlot, Slot};
use crate::engine::backoff::Backoff;
use crate::engine::deadline::later;
use crate::engine::metrics::RunMetrics;
use crate::engine::update::update_one;
use crate::engine::waiters::Young;
use crate::handler::error::to_rpc_status;
use crate::handler::poll::Watched;
use crate::handler::registration::{BodyFuture, HostedMethod};
use crate::handler::run::{Link, Run, StopReason};
use crate::trace_context::continue_trace;

/// A claimed operation, ready to run.
pub(super) struct Launch {
    request: Any,
    place: Place,
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
            store: shared.engine.store().clone(),
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
        Quarantine::enter(shared, &run, record.losses);
        let slot = HeldSlot::new(slot);
        let news = shared.runs.insert(&run, &slot);
        if news.ask {
            shared.renew_now.notify_one();
        }
        if news.deleted || !record.is_visible() {
            shared.deleted(run.uid);
        }
        let young = shared.engine.waiters().expect(&run.name, run.uid);
        Some(Self {
            place: Place {
                metrics: shared.engine.metrics().run(&record),
                shared: shared.clone(),
                run,
                slot,
                _young: young,
            },
            request: record.request,
        })
    }

    pub(super) async fn run(self) {
        let Self { request, place } = self;
        let (shared, run, metrics) = (&place.shared, &place.run, &place.metrics);
        let Some(method) = shared.methods.get(&*run.method) else {
            return;
        };
        let span = tracing::info_span!(
            "operation",
            name = %run.name,
            method = method.path,
            attempt = run.attempt,
            trace_parent = run.origin.trace_parent,
        );
        continue_trace(&span, &run.origin.trace_parent, &run.origin.trace_state);
        let ending = run_body(shared, run, method, request)
            .instrument(span.clone())
            .await;
        if matches!(ending, Ending::Stopped(StopReason::LeaseLost)) {
            metrics.lease_lost();
            let (shared, lost) = (shared.clone(), LostRun::of(shared, run));
            drop(place);
            if let Some(lost) = lost {
                lost.release().await;
            }
            // The next claim expires it, if no worker holds it.
            shared.claim_now.notify_one();
            return;
        }
        if let Some(command) = ending.into_command(run) {
            write_ending(shared, run, command, metrics)
                .instrument(span)
                .await;
        }
    }
}

/// A run's place in its worker. Released also when its task panics: a lease that is renewed without a
/// body would keep the operation from ever finishing.
struct Place {
    shared: Arc<Shared>,
    run: Arc<Run>,
    slot: Arc<HeldSlot>,
    metrics: RunMetrics,
    _young: Young,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.shared.runs.remove(&self.run);
        self.run.acquit();
        if self.slot.release() {
            self.shared.slot_freed(&self.run.method);
        } else {
            let metrics = self.shared.engine.metrics();
            metrics.deleted_running(&self.run.method, -1);
        }
    }
}

/// The ways in which a run ends.
enum Ending {
    Responded(Any),
    Failed {
        error: rpc::Status,
        /// The body asked for another attempt.
        pause: Option<Duration>,
    },
    Panicked,
    Stopped(StopReason),
    /// The body was not called.
    NotBegun,
}

/// Runs the body until it ends or must stop. Catches all panics of the service.
async fn run_body(shared: &Shared, run: &Arc<Run>, method: &HostedMethod, request: Any) -> Ending {
    // The answer to the claim may have come so late that the lease has expired already.
    if *run.lease_end.borrow() <= Instant::now() + lease_margin(shared) {
        run.stop(StopReason::LeaseLost);
        return Ending::NotBegun;
    }
    // The call itself may panic, like the future.
    let start = AssertUnwindSafe(|| {
        let _polling = run.polls.begin();
        (method.body)(request, run.clone())
    });
    let mut body: BodyFuture = match catch_unwind(start) {
        Ok(body) => body,
        Err(panic) => {
            discard(run, panic);
            return Ending::Panicked;
        }
    };
    let watched = Watched {
        future: &mut body,
        watch: &run.polls,
    };
    let ended = tokio::select! {
        biased;
        ended = AssertUnwindSafe(watched).catch_unwind() => Ok(ended),
        reason = must_stop(shared, run, method.options.cancel_grace) => Err(reason),
    };
    discard(run, body);
    match (ended, run.stop_reason()) {
        (Err(reason), _) => Ending::Stopped(reason),
        (Ok(Ok(Ok(response))), _) => Ending::Responded(response),
        (Ok(Ok(Err(error))), told) => {
            let (status, pause) = (to_rpc_status(error.status()), error.pause(run.attempt));
            discard(run, error);
            match told {
                // The worker stopped it: that is no failure of the operation.
                Some(
                    reason @ (StopReason::Draining | StopReason::LeaseLost | StopReason::TimedOut),
                ) => Ending::Stopped(reason),
                Some(StopReason::Cancelled) | None => Ending::Failed {
                    error: status,
                    pause,
                },
            }
        }
        (Ok(Err(panic)), _) => {
            discard(run, panic);
            Ending::Panicked
        }
    }
}

/// Drops a value of the service: its body, its error, or the payload of its panic. A panic during
/// the drop does not change the ending.
fn discard<T>(run: &Run, value: T) {
    let _polling = run.polls.begin();
    let dropped = catch_unwind(AssertUnwindSafe(|| drop(value)));
    if let Err(panic) = dropped {
        tracing::error!(name = %run.name, "the handler panicked when it was dropped");
        if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(panic))) {
            // The payload of this panic could panic again when dropped.
            std::mem::forget(again);
        }
    }
}

/// Returns when the body's future must be dropped: it signals the body first, and waits for the
/// grace period.
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

/// Returns a margin before the lease ends, unless it is renewed in time. On an exclusive store it
/// never returns: the store expires no lease of a run that lives, so only a refused renewal ends it.
async fn lease_over(run: &Run, margin: Duration) {
    if run.has_exclusive_store() {
        return std::future::pending().await;
    }
    let mut lease_end = run.lease_end.subscribe();
    loop {
        let stop_at = *lease_end.borrow_and_update() - margin;
        tokio::select! {
            biased;
            _ = lease_end.changed() => continue,
            () = tokio::time::sleep_until(stop_at) => {}
        }
        // A runtime that was blocked finds its timers due, and perhaps a lease that was renewed
        // meanwhile.
        if *lease_end.borrow() - margin <= Instant::now() {
            return;
        }
    }
}

impl Ending {
    /// The command that writes the ending, if this run still holds the operation.
    fn into_command(self, run: &Run) -> Option<Command> {
        let fence = run.fence;
        let metadata = run.last_metadata();
        let outcome = match self {
            Self::Responded(response) => Outcome::Response(response),
            Self::Failed { error, pause: None } => Outcome::Error(error),
            Self::Failed {
                error,
                pause: Some(delay),
            } => {
                return Some(Command::Retry {
                    fence,
                    error: run.limits.bounded_error(error),
                    delay,
                    metadata,
                });
            }
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
                // A slow store is no failure of the body: this run must not count, unless the
                // operation was already requeued.
                tracing::warn!(name = %run.name, "the answer of a claim arrived too late; releasing the operation");
                return Some(Command::Release { fence, metadata });
            }
            Self::Stopped(StopReason::LeaseLost) => return None,
        };
        Some(Command::Finish {
            fence,
            outcome: run.limits.bounded(outcome),
            metadata,
        })
    }
}

/// Writes the ending of a run, with retries until it succeeds. The fence makes late writes safe: an
/// operation that another worker has claimed meanwhile does not change.
async fn write_ending(shared: &Shared, run: &Run, command: Command, metrics: &RunMetrics) {
    let mut backoff = Backoff::default();
    let mut unwritten = None;
    loop {
        let update = run.update(command.clone());
        match update_one(shared.store(), update).await {
            Ok(answer) => {
                backoff.succeeded("the operation's end is written");
                match answer {
                    Ok(updated) => metrics.written(&command, updated.state),
                    Err(refusal) => {
                        tracing::warn!(name = %run.name, %refusal, "the result was not written: this run has lost the operation");
                    }
                }
                return;
            }
            Err(error) if error.is_retryable() => {
                // The lease may end in the outage: no claim of this worker expires it before this end.
                unwritten.get_or_insert_with(|| shared.lost_runs.count());
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
