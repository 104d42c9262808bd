//! The task of each run: it runs the body until it ends or must stop, and then writes the result.

mod stopping;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use lro_core::pb::rpc;
use lro_core::store::{OperationRecord, StepSummary};
use prost_types::Any;
use tokio::time::Instant;
use tracing::Instrument as _;

use super::Shared;
use super::ending::{Ending, cancelled, is_success, timed_out, write_ending};
use super::outage::LostRun;
use super::quarantine::Quarantine;
use super::slots::{HeldSlot, Slot};
use crate::engine::deadline::later;
use crate::engine::metrics::RunMetrics;
use crate::engine::waiters::Young;
use crate::handler::error::to_rpc_status;
use crate::handler::poll::Watched;
use crate::handler::registration::{BodyFuture, HostedMethod};
use crate::handler::run::{Link, Run, StopReason, told_to_stop};
use crate::steps::{
    Journal, Polled, StepRules, StepsBody, begin_naming, end_naming, forgotten_children, read_rows,
    stop_children, unreached,
};
use crate::trace_context::continue_trace;
use stopping::{lease_margin, must_stop};

/// A claimed operation, ready to run.
pub(super) struct Launch {
    request: Any,
    /// The summary of its recorded durable calls.
    steps: Option<Box<StepSummary>>,
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
        let lifetime_end = options
            .lifetime
            .map(|it| record.create_time.saturating_add(it));
        let link = Link {
            store: shared.engine.store().clone(),
            lease_duration: shared.settings.lease_duration,
            metadata_set: shared.metadata_set.clone(),
            news: shared.engine.run_news().clone(),
            child_cancel_max: shared.settings.child_cancel_max,
            engine: shared.engine.clone(),
        };
        let rules = StepRules {
            order: options.step_order,
            promises: options.promises.clone(),
            lifetime_end,
        };
        let limits = shared.settings.limits;
        let mut run = Run::new(&record, Some(link), limits, lease_end, None).with_rules(rules);
        let longest = [options.timeout, run.lifetime_left()];
        let longest = longest.into_iter().flatten().min();
        run.deadline = longest.map(|it| later(Instant::now(), it));
        let run = Arc::new(run);
        if let Some(reason) = told_to_stop(record.state) {
            run.stop(reason);
        }
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
                metrics: shared
                    .engine
                    .metrics()
                    .run(&record, run.store_clock().claimed),
                shared: shared.clone(),
                run,
                slot,
                _young: young,
            },
            request: record.request,
            steps: record.steps,
        })
    }

    pub(super) async fn run(self) {
        let Self {
            request,
            steps,
            place,
        } = self;
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
        let ending = async {
            let unwinds = unwinds(run);
            let replayed = replay(run, steps.as_deref()).await;
            if unwinds.is_some() && !run.owed() && !run.is_lost() {
                // Its rows tell at most what was not undone.
                return Ending::nothing_to_undo(run);
            }
            if let Err(ending) = replayed {
                return ending;
            }
            if let Some(why) = &unwinds {
                run.unwind(why.clone());
            }
            match begin_naming(run).await {
                Ok(true) => return learn_names(shared, run, method, request).await,
                Ok(false) => {}
                Err(_) if !run.holds_lease() => {
                    run.stop(StopReason::LeaseLost);
                    return Ending::Stopped(StopReason::LeaseLost);
                }
                Err(error) => {
                    let error = error.message();
                    let message = format!("the watches of its children cannot be read: {error}");
                    return Ending::Blocked(message);
                }
            }
            if unwinds.is_some() {
                match stop_children(run) {
                    waits if !waits.is_empty() => return Ending::Suspended(waits),
                    _ if !run.owes() => return Ending::nothing_to_undo(run),
                    _ => {}
                }
            }
            run_body(shared, run, method, request).await
        };
        let ending = ending.instrument(span.clone()).await;
        run.work_ended().await;
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
        let unreached = match &ending {
            Ending::Responded(_) => unreached(run),
            _ => Vec::new(),
        };
        if let Some(command) = ending.into_command(run) {
            let journal = run.journal_if_used();
            let mut steps = journal.map(Journal::take_unwritten).unwrap_or_default();
            if is_success(&command) {
                steps.extend(forgotten_children(run).await);
            }
            steps.extend(unreached);
            let update = run.update(command).with_steps(steps);
            write_ending(shared, run, update, metrics)
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

/// Runs the body until it has learnt the names of children on other servers. The next run undoes.
async fn learn_names(
    shared: &Shared,
    run: &Arc<Run>,
    method: &HostedMethod,
    request: Any,
) -> Ending {
    let ending = run_body(shared, run, method, request).await;
    match ending {
        Ending::Blocked(_)
        | Ending::NotBegun
        | Ending::Stopped(StopReason::LeaseLost | StopReason::Draining) => return ending,
        _ => {}
    }
    match end_naming(run).await {
        Ok(()) => Ending::Suspended(Vec::new()),
        Err(error) => {
            tracing::error!(name = %run.name, ?error, "cannot tell what became of children on other servers");
            Ending::Stopped(StopReason::Draining)
        }
    }
}

/// Reads what earlier runs have recorded of the durable calls, if they have.
async fn replay(run: &Run, steps: Option<&StepSummary>) -> Result<(), Ending> {
    let count = steps.map_or(0, |steps| steps.rows as usize);
    if count == 0 {
        return Ok(());
    }
    match read_rows(run).await {
        // A step that is lost must not run again unnoticed.
        Ok(rows) if rows.len() < count => {
            let message = format!(
                "{} of its {count} recorded steps are missing",
                count - rows.len()
            );
            Err(Ending::Blocked(message))
        }
        Ok(rows) => {
            run.replay(rows);
            Ok(())
        }
        Err(error) if error.is_retryable() => {
            run.stop(StopReason::LeaseLost);
            Err(Ending::Stopped(StopReason::LeaseLost))
        }
        Err(error) => {
            tracing::error!(name = %run.name, ?error, "cannot read the steps of an operation");
            let message = format!("its recorded steps cannot be read: {error}");
            Err(Ending::Blocked(message))
        }
    }
}

/// Why the run is to do nothing but undo.
fn unwinds(run: &Run) -> Option<rpc::Status> {
    if let Some(verdict) = run.verdict() {
        return Some(verdict.clone());
    }
    if run.begins_cancelled() && !run.ends_by_its_body() {
        return Some(cancelled());
    }
    run.lifetime_left().filter(Duration::is_zero)?;
    run.stop(StopReason::TimedOut);
    Some(timed_out())
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
    let suspend_after = shared.settings.suspend_after;
    let watched = Watched {
        future: StepsBody::new(&mut body, run, suspend_after, &shared.draining),
        watch: &run.polls,
    };
    let ended = tokio::select! {
        biased;
        ended = AssertUnwindSafe(watched).catch_unwind() => Ok(ended),
        reason = must_stop(shared, run, method.options.cancel_grace) => Err(reason),
    };
    discard(run, body);
    let returned = match ended {
        Ok(Ok(Polled::Returned(returned))) => Ok(Ok(returned)),
        Ok(Ok(Polled::Suspended(waits))) => return Ending::Suspended(waits),
        Ok(Ok(Polled::Blocked(fault))) => return Ending::Blocked(fault.message().to_owned()),
        Ok(Ok(Polled::Draining)) => return Ending::Stopped(StopReason::Draining),
        Ok(Ok(Polled::Unwound)) => return Ending::nothing_to_undo(run),
        Ok(Ok(Polled::Lost)) => return Ending::Stopped(StopReason::LeaseLost),
        Ok(Err(panic)) => Ok(Err(panic)),
        Err(reason) => Err(reason),
    };
    match (returned, run.stop_reason()) {
        (Err(reason), _) => Ending::Stopped(reason),
        // The errors of its durable calls are none of the operation.
        (Ok(Ok(ended)), _) if run.is_lost() && run.journal_if_used().is_some() => {
            discard(run, ended);
            Ending::Stopped(StopReason::LeaseLost)
        }
        // Whatever the body makes of it, what it did is undone.
        (Ok(Ok(Ok(_))), _) if run.is_unwinding() && !run.owes() => Ending::nothing_to_undo(run),
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
