//! The reasons why a body must stop, and the time that it has then.

use std::time::Duration;

use tokio::time::Instant;

use super::super::Shared;
use super::super::ending::{cancelled, timed_out};
use crate::handler::run::{Run, StopReason};

/// Returns when the body's future must be dropped: it signals the body first, waits for the grace period, and
/// for the undo of open sagas.
pub(super) async fn must_stop(shared: &Shared, run: &Run, grace: Duration) -> StopReason {
    if !run.is_unwinding() {
        let reason = told_and_graced(shared, run, grace).await;
        let why = match reason {
            StopReason::Cancelled => cancelled(),
            StopReason::TimedOut => timed_out(),
            StopReason::LeaseLost | StopReason::Draining => return reason,
        };
        // The next run stops the children, before it undoes what the body has done.
        if !run.owes() || run.has_children() {
            return reason;
        }
        run.unwind(why);
    }
    tokio::select! {
        biased;
        () = lease_over(run, lease_margin(shared)) => {
            run.stop(StopReason::LeaseLost);
            StopReason::LeaseLost
        }
        () = shared.stopping.cancelled() => StopReason::Draining,
    }
}

/// Signals the body that it must stop, and returns after the grace period.
async fn told_and_graced(shared: &Shared, run: &Run, grace: Duration) -> StopReason {
    let timed_out = async {
        match run.deadline {
            Some(deadline) => tokio::time::sleep_until(deadline).await,
            None => std::future::pending().await,
        }
    };
    let lease_over = lease_over(run, lease_margin(shared));
    tokio::pin!(lease_over, timed_out);
    tokio::select! {
        biased;
        () = &mut lease_over => {
            run.stop(StopReason::LeaseLost);
            return StopReason::LeaseLost;
        }
        _ = run.stopped() => {}
        () = &mut timed_out => run.stop(StopReason::TimedOut),
        () = shared.stopping.cancelled() => run.stop(StopReason::Draining),
    }
    let reason = run.stopped().await;
    if reason == StopReason::Cancelled && run.ends_by_its_body() {
        return tokio::select! {
            biased;
            () = lease_over => {
                run.stop(StopReason::LeaseLost);
                StopReason::LeaseLost
            }
            () = timed_out => StopReason::TimedOut,
            () = shared.stopping.cancelled() => StopReason::Draining,
        };
    }
    if reason != StopReason::LeaseLost && !grace.is_zero() {
        tokio::select! {
            () = tokio::time::sleep(grace) => {}
            () = lease_over => {
                run.stop(StopReason::LeaseLost);
                return StopReason::LeaseLost;
            }
        }
    }
    reason
}

/// How long before the end of its lease a body is stopped.
pub(super) fn lease_margin(shared: &Shared) -> Duration {
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
