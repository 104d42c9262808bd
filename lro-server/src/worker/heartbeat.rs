//! Keeps the leases of all runs with one batched call, which also carries their new metadata there
//! and brings cancellations and lost leases back.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use lro_core::{Command, Refusal, StoreError, StoreErrorKind};
use prost_types::Any;
use tokio::time::Instant;

use super::Shared;
use crate::backoff::Backoff;
use crate::deadline::later;
use crate::run::{Run, StopReason, told_to_stop};

/// At most so many renewals in one call.
const RENEW_MAX: usize = 1_000;

/// Into so many parts goes a call that failed for a damaged operation. Three times that is down to a
/// single one, so that those beside it are renewed in time though each try may take long.
const PARTS: usize = 10;

pub(super) async fn keep_leases(shared: Arc<Shared>) {
    let mut backoff = Backoff::default();
    let mut next_beat = Instant::now() + beat(&shared);
    let mut not_before = Instant::now();
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
            () = ended(&shared) => return,
            () = tokio::time::sleep_until(next_beat) => true,
            full = told => full,
        };
        let mut pause = shared.settings.metadata_interval;
        match renew(&shared, full).await {
            Ok(()) => {
                backoff.succeeded("leases are renewed again");
                if full {
                    next_beat = Instant::now() + beat(&shared);
                }
            }
            Err(error) => {
                // The next try, whatever it is for, comes after a pause, and is for all of them.
                let retry_in = backoff.failed("cannot renew leases", &error);
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
    shared.store.event_gap().map_or(third, |gap| third.min(gap))
}

/// Returns when there is nothing to keep any more: the worker is draining and the last run is over.
async fn ended(shared: &Shared) {
    shared.draining.cancelled().await;
    shared.runs.wait().await;
}

/// Renews all runs, or only those with new metadata. Operations that cannot be read fail alone; with
/// the last of them, this fails.
async fn renew(shared: &Shared, all: bool) -> Result<(), StoreError> {
    let renewals = shared.roster.all().into_iter().map(Renewal::new);
    // What failed the last time is not to fail the others again.
    let (mut doubtful, mut sound): (Vec<_>, Vec<_>) = renewals
        .filter(|renewal| all || renewal.metadata.is_some())
        .partition(|renewal| renewal.run.is_doubtful());
    let mut batches: VecDeque<_> = sound.chunks_mut(RENEW_MAX).collect();
    batches.extend(parts(&mut doubtful));
    // The sound ones, which come first, are due again before their leases are over.
    let give_up_at = Instant::now() + shared.settings.lease_duration / 2;
    let mut failure = None;
    while let Some(batch) = batches.pop_front() {
        let batch = still_held(batch);
        match renew_batch(shared, batch).await {
            Ok(()) => {}
            Err(error) if is_of_one(&error) => {
                failure = Some(match &*batch {
                    [one] => {
                        let message = format!("operation `{}` cannot be written", one.run.name);
                        StoreError::new(error.kind(), message).with_source(error)
                    }
                    _ => error,
                });
                batch.iter().for_each(|it| it.run.set_doubtful(true));
                // Behind the others: the more there are beside it, the sooner they are renewed.
                if batch.len() > 1 {
                    batches.extend(parts(batch));
                }
            }
            Err(error) => return Err(error),
        }
        if failure.is_some() && Instant::now() >= give_up_at {
            break;
        }
    }
    failure.map_or(Ok(()), Err)
}

/// Those that have not been given up while others were tried: their leases are to run out.
fn still_held(batch: &mut [Renewal]) -> &mut [Renewal] {
    let is_lost = |it: &Renewal| it.run.stop_reason() == Some(StopReason::LeaseLost);
    batch.sort_by_key(is_lost);
    let held = batch.partition_point(|it| !is_lost(it));
    &mut batch[..held]
}

/// Whether the same call may work without one of its operations.
fn is_of_one(error: &StoreError) -> bool {
    error.kind() == StoreErrorKind::Corrupt
}

fn parts(batch: &mut [Renewal]) -> impl Iterator<Item = &mut [Renewal]> {
    batch.chunks_mut(batch.len().div_ceil(PARTS).clamp(1, RENEW_MAX))
}

async fn renew_batch(shared: &Shared, batch: &mut [Renewal]) -> Result<(), StoreError> {
    if batch.is_empty() {
        return Ok(());
    }
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
    let answers = shared.store.update(updates).await?;
    for (renewal, answer) in batch.iter_mut().zip(answers) {
        renewal.run.set_doubtful(false);
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
            Err(Refusal::Locked) => tracing::warn!(
                name = %renewal.run.name,
                "another program has locked the operation: its lease runs out unless that ends"
            ),
            // Also what a run sees that has just written its end, to whom it means nothing.
            Err(_) => renewal.run.stop(StopReason::LeaseLost),
        }
    }
    Ok(())
}

/// One run's renewal; gives its metadata back unless it was stored.
struct Renewal {
    run: Arc<Run>,
    metadata: Option<Any>,
}

impl Renewal {
    fn new(run: Arc<Run>) -> Self {
        Self {
            metadata: run.take_metadata(),
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
