//! Renews the leases of all runs with one batched call, which also writes their new metadata and
//! returns cancellations and lost leases.

use std::sync::Arc;
use std::time::Duration;

use lro_core::store::{Command, StoreError, StoreErrorKind};
use prost_types::Any;
use tokio::time::Instant;

use super::Shared;
use crate::engine::backoff::Backoff;
use crate::engine::deadline::later;
use crate::engine::update::failure;
use crate::handler::run::{Run, StopReason, told_to_stop};

/// The maximum number of renewals in one call.
const RENEW_MAX: usize = 1_000;

/// The shortest interval between warnings about bodies that block their runtime.
const REPORT_INTERVAL: Duration = Duration::from_secs(30);

/// The maximum number of bodies that a warning names.
const NAMES_MAX: usize = 8;

pub(super) async fn keep_leases(shared: &Arc<Shared>) {
    let mut backoff = Backoff::default();
    let mut next_beat = Instant::now() + beat(shared);
    let mut not_before = Instant::now();
    let mut next_report = Instant::now();
    let mut next_deleted_report = Instant::now();
    let ended = ended(shared);
    tokio::pin!(ended);
    loop {
        let told = async {
            let full = tokio::select! {
                biased;
                () = shared.renew_now.notified() => true,
                () = shared.metadata_set.notified() => false,
            };
            tokio::time::sleep_until(not_before).await;
            full
        };
        let full = tokio::select! {
            biased;
            () = &mut ended => return,
            () = tokio::time::sleep_until(next_beat) => true,
            full = told => full,
        };
        if is_stalled(shared) {
            next_beat = Instant::now() + beat(shared);
            not_before = next_beat;
            continue;
        }
        if full {
            report_blocking(shared, &mut next_report);
            report_deleted(shared, &mut next_deleted_report);
        }
        let mut pause = shared.settings.metadata_interval;
        let renewed = tokio::select! {
            biased;
            () = &mut ended => return,
            renewed = renew(shared, full) => renewed,
        };
        match renewed {
            Ok(()) => {
                backoff.succeeded("leases are renewed again");
                if full {
                    next_beat = Instant::now() + beat(shared);
                }
            }
            Err(error) => {
                // The next try follows after a pause, and renews all runs. A single failing operation
                // must not delay the others.
                let retry_in = backoff
                    .failed("cannot renew leases", &error)
                    .min(beat(shared));
                pause = pause.max(retry_in);
                let retry = Instant::now() + retry_in;
                next_beat = if full { retry } else { next_beat.min(retry) };
            }
        }
        not_before = later(Instant::now(), pause);
    }
}

/// How often all leases are renewed: often enough to keep them, and to learn from the answers in
/// time what other processes have cancelled.
fn beat(shared: &Shared) -> Duration {
    let third = shared.settings.lease_duration / 3;
    shared
        .store()
        .event_gap()
        .map_or(third, |gap| third.min(gap))
}

/// Returns when there is nothing to renew any more: the worker is draining and its last run has
/// finished, or bodies did not stop in time, or their runtime has shut down.
async fn ended(shared: &Shared) {
    let finished = async {
        shared.draining.cancelled().await;
        shared.tasks.wait().await;
    };
    let given_up = async {
        shared.stopping.cancelled().await;
        tokio::time::sleep(shared.stop_timeout()).await;
    };
    tokio::select! {
        () = finished => {}
        () = given_up => {}
        () = shared.probe.ended() => {}
    }
}

/// Whether the runtime of the bodies has polled nothing for so long that its leases are left to
/// expire.
fn is_stalled(shared: &Shared) -> bool {
    let (age, longest) = (shared.probe.age(), shared.settings.max_runtime_stall);
    let stalled = age > longest;
    if shared.set_stalled(stalled) {
        if stalled {
            let bodies = blocking(shared, Duration::ZERO);
            shared.engine.metrics().runtime_stalled();
            tracing::error!(
                stalled_for = ?age,
                max_runtime_stall = ?longest,
                bodies = ?names(&bodies),
                "runtime stalled: it polls no task, so its leases are not renewed any more"
            );
        } else {
            tracing::info!("runtime polls tasks again: its leases are renewed again");
        }
    }
    stalled
}

/// Warns of bodies whose poll lasts longer than a heartbeat.
fn report_blocking(shared: &Shared, next_report: &mut Instant) {
    let bodies = blocking(shared, beat(shared));
    let new = bodies.iter().filter(|(run, _)| run.polls.report());
    for (run, _) in new {
        shared.engine.metrics().blocking_poll(&run.method);
    }
    let Some(longest) = bodies.iter().map(|(_, lasts)| *lasts).max() else {
        return;
    };
    if Instant::now() < *next_report {
        return;
    }
    *next_report = Instant::now() + REPORT_INTERVAL;
    tracing::warn!(
        count = bodies.len(),
        bodies = ?names(&bodies),
        ?longest,
        "bodies block their runtime: move work that blocks or computes for long to \
         `tokio::task::spawn_blocking`"
    );
}

/// Logs deleted operations that still run.
fn report_deleted(shared: &Shared, next_report: &mut Instant) {
    if Instant::now() < *next_report {
        return;
    }
    let runs = shared.runs.deleted();
    if runs.is_empty() {
        return;
    }
    *next_report = Instant::now() + REPORT_INTERVAL;
    let names = runs.iter().map(|run| run.name.as_str());
    tracing::info!(
        count = runs.len(),
        operations = ?names.take(NAMES_MAX).collect::<Vec<_>>(),
        "deleted operations still run: cancel them by their names to stop them"
    );
}

/// The runs whose current poll has lasted longer than `limit`, each with its duration.
fn blocking(shared: &Shared, longer_than: Duration) -> Vec<(Arc<Run>, Duration)> {
    let runs = shared.runs.all().into_iter();
    let slow = runs.filter_map(|run| {
        let lasts = run.polls.lasts()?;
        (lasts > longer_than).then_some((run, lasts))
    });
    slow.collect()
}

fn names(bodies: &[(Arc<Run>, Duration)]) -> Vec<&str> {
    let names = bodies.iter().map(|(run, _)| run.name.as_str());
    names.take(NAMES_MAX).collect()
}

/// Renews all runs, or only those with new metadata. It also fails if one held run could not be
/// renewed; the others are renewed then.
async fn renew(shared: &Shared, all: bool) -> Result<(), StoreError> {
    let runs = shared.runs.all().into_iter();
    // Checked when its batch is created: the lease of a run that was given up meanwhile must
    // expire.
    let held = runs.filter(|run| !run.is_lost());
    let renewals = held.map(|run| Renewal::new(run, all));
    let mut due = renewals.filter(|renewal| all || renewal.metadata.is_some());
    let mut failure = None;
    loop {
        let batch: Vec<_> = due.by_ref().take(RENEW_MAX).collect();
        if batch.is_empty() {
            return failure.map_or(Ok(()), Err);
        }
        if all {
            shared.lost_runs.renewing();
        }
        failure = renew_batch(shared, batch).await?.or(failure);
        if all {
            shared.lost_runs.renewed();
        }
    }
}

/// Returns the reason if one of them could not be renewed.
async fn renew_batch(
    shared: &Shared,
    mut batch: Vec<Renewal>,
) -> Result<Option<StoreError>, StoreError> {
    let called_at = Instant::now();
    let lease_duration = shared.settings.lease_duration;
    let updates = batch
        .iter()
        .map(|renewal| {
            let command = Command::Renew {
                fence: renewal.run.fence,
                lease_duration,
                metadata: renewal.metadata.clone(),
            };
            renewal.run.update(command)
        })
        .collect();
    let answers = match shared.store().update(updates).await {
        Ok(answers) => answers,
        Err(error) => {
            // No outcome can be written to this store any more: its bodies would run without
            // effect.
            if error.kind() == StoreErrorKind::Unusable {
                for renewal in &batch {
                    renewal.run.stop(StopReason::LeaseLost);
                }
            }
            return Err(error);
        }
    };
    let mut failed = None;
    for (renewal, answer) in batch.iter_mut().zip(answers) {
        match answer {
            Ok(updated) => {
                renewal.stored();
                renewal
                    .run
                    .lease_end
                    .send_replace(later(called_at, lease_duration));
                if let Some(reason) = told_to_stop(updated.state) {
                    renewal.run.stop(reason);
                }
            }
            Err(refusal) => match failure(&refusal) {
                Some(failure) => {
                    let message = format!("operation `{}`: {refusal}", renewal.run.name);
                    failed = Some(StoreError::new(failure.kind(), message));
                }
                // A run that has just written its result also gets this, without consequences.
                None => renewal.run.stop(StopReason::LeaseLost),
            },
        }
    }
    Ok(failed)
}

/// The renewal of one run; returns its metadata to the run unless it was stored.
struct Renewal {
    run: Arc<Run>,
    metadata: Option<Any>,
}

impl Renewal {
    fn new(run: Arc<Run>, is_due: bool) -> Self {
        Self {
            metadata: run.take_metadata(is_due),
            run,
        }
    }

    fn stored(&mut self) {
        if self.metadata.take().is_some() {
            self.run.metadata_written(true);
        }
    }
}

impl Drop for Renewal {
    fn drop(&mut self) {
        if self.metadata.is_some() {
            self.run.metadata_written(false);
        }
    }
}
