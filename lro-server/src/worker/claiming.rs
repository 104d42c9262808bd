//! Takes operations from the store whenever there is room and something to take.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use lro_core::{Claim, Claimed};
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
    let mut backoff = Backoff::default();
    let mut next = Instant::now();
    loop {
        tokio::select! {
            biased;
            () = shared.draining.cancelled() => return,
            () = shared.claim_now.notified() => {}
            () = tokio::time::sleep_until(next) => {}
        }
        let due = Instant::now() >= next;
        let mut looked = claim_all(&shared, &mut backoff).await;
        if due && matches!(looked, Looked::NoSlot) {
            looked = sweep(&shared, &mut backoff).await;
        }
        if let Looked::AgainIn(wait) = looked {
            // Asked each time: a store that stops hearing of others is looked into more often.
            let gap = shared.store.event_gap().unwrap_or(lease_duration);
            let longest = gap.min(lease_duration);
            next = Instant::now() + wait.unwrap_or(longest).min(longest);
        }
    }
}

/// What came of looking for operations to claim.
enum Looked {
    /// When to look again without being told, if that is known.
    AgainIn(Option<Duration>),
    /// There is no slot: whoever frees one tells.
    NoSlot,
}

/// Claims until nothing is ready or no slot is free.
async fn claim_all(shared: &Arc<Shared>, backoff: &mut Backoff) -> Looked {
    loop {
        let Some(mut reserved) = shared.slots.reserve(CLAIM_MAX) else {
            return Looked::NoSlot;
        };
        let limit = reserved.total();
        let Some(claiming) = shared.claiming() else {
            return Looked::NoSlot;
        };
        let called_at = Instant::now();
        let claimed = match call(shared, reserved.by_method(), limit, backoff).await {
            Ok(claimed) => claimed,
            Err(pause) => return Looked::AgainIn(Some(pause)),
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
        if count < limit {
            shared.slots.settle(reserved);
            return Looked::AgainIn(claimed.next_in.map(|wait| wait.max(CLAIM_PAUSE)));
        }
        if shared.draining.is_cancelled() {
            return Looked::NoSlot;
        }
    }
}

/// Turns back leases that are over, though there is no slot to claim for: what was cancelled ends
/// then, and what another worker has a slot for is ready.
async fn sweep(shared: &Shared, backoff: &mut Backoff) -> Looked {
    Looked::AgainIn(match call(shared, BTreeMap::new(), 0, backoff).await {
        Ok(claimed) => claimed.next_in.map(|wait| wait.max(CLAIM_PAUSE)),
        Err(pause) => Some(pause),
    })
}

/// One claim, or how long to pause when the store has failed.
async fn call(
    shared: &Shared,
    methods: BTreeMap<String, usize>,
    limit: usize,
    backoff: &mut Backoff,
) -> Result<Claimed, Duration> {
    let claim = Claim {
        worker: shared.id,
        methods,
        limit,
        lease_duration: shared.settings.lease_duration,
    };
    match shared.store.claim(claim).await {
        Ok(claimed) => {
            backoff.succeeded("operations are claimed again");
            Ok(claimed)
        }
        Err(error) => Err(backoff.failed("cannot claim operations", &error)),
    }
}
