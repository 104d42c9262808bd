//! Takes operations from the store whenever there is room and something to take.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use lro_core::Claim;
use tokio::time::Instant;

use super::Shared;
use crate::backoff::Backoff;

/// At most so many operations in one claim.
const CLAIM_MAX: usize = 256;

/// The shortest pause between claims that nobody asked for.
const CLAIM_PAUSE: Duration = Duration::from_millis(10);

pub(super) async fn keep_claiming(shared: Arc<Shared>) {
    // No event tells that a lease is over, so that one is looked for as often as leases end. A store
    // that lives in one process answers that from memory.
    let lease_duration = shared.settings.lease_duration;
    let gap = shared.store.event_gap().unwrap_or(lease_duration);
    let longest = gap.min(lease_duration);
    let mut backoff = Backoff::default();
    let mut next = Instant::now();
    loop {
        tokio::select! {
            biased;
            () = shared.draining.cancelled() => return,
            () = shared.claim_now.notified() => {}
            () = tokio::time::sleep_until(next) => {}
        }
        let wait = claim_all(&shared, &mut backoff).await;
        next = Instant::now() + wait.unwrap_or(longest).min(longest);
    }
}

/// Claims until nothing is ready or no slot is free. Answers when to look again without being told.
async fn claim_all(shared: &Arc<Shared>, backoff: &mut Backoff) -> Option<Duration> {
    loop {
        // Set before the slots are looked at, so that one that is freed meanwhile is noticed.
        shared.starved.store(true, Ordering::Release);
        let mut reserved = shared.slots.reserve(CLAIM_MAX)?;
        let limit = reserved.total();
        let claim = Claim {
            worker: shared.id,
            methods: reserved.by_method(),
            limit,
            lease_duration: shared.settings.lease_duration,
        };
        let claiming = shared.claiming()?;
        let called_at = Instant::now();
        let claimed = match shared.store.claim(claim).await {
            Ok(claimed) => {
                backoff.succeeded("operations are claimed again");
                claimed
            }
            Err(error) => return Some(backoff.failed("cannot claim operations", &error)),
        };
        let count = claimed.operations.len();
        for record in claimed.operations {
            match reserved.split(&record.method) {
                Some(slot) => shared.launch(record, slot, called_at),
                None => {
                    tracing::error!(name = %record.name, "the store gave what was not asked for");
                }
            }
        }
        drop(claiming);
        let partial = reserved.partial;
        drop(reserved);
        if count < limit {
            shared.starved.store(partial, Ordering::Release);
            return claimed.next_in.map(|wait| wait.max(CLAIM_PAUSE));
        }
        if shared.draining.is_cancelled() {
            return None;
        }
    }
}
