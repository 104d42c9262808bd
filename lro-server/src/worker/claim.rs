//! The claim loop: claims operations whenever slots are free and operations may be ready.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use lro_core::store::{Claim, Claimed, Suspects};
use tokio::time::Instant;

use super::Shared;
use super::outage::Outages;
use super::quarantine::Ask;

/// The maximum number of operations in one claim.
const CLAIM_MAX: usize = 256;

/// The shortest pause between claims without an event.
const CLAIM_PAUSE: Duration = Duration::from_millis(10);

/// After `IDLE_LOOKS` empty claims in a row, a worker that shares its store backs off, doubling from 1 ms
/// to 16 ms, so that idle workers do not race for every operation. When the worker that takes them is
/// full or lost, the others claim within the longest pause.
const IDLE_LOOKS: u32 = 2;
const IDLE_PAUSE: Duration = Duration::from_millis(1);
const IDLE_PAUSE_MAX: Duration = Duration::from_millis(16);

pub(super) async fn keep_claiming(shared: Arc<Shared>) {
    // No event says that a lease has expired, so the worker polls as often as leases expire. A store
    // that lives in one process answers that from memory.
    let lease_duration = shared.settings.lease_duration;
    let mut outages = Outages::new(lease_duration);
    let mut next = Instant::now();
    let mut idle = Idle::default();
    loop {
        let told = async {
            shared.claim_now.notified().await;
            if let Some(not_before) = idle.not_before {
                tokio::time::sleep_until(not_before).await;
            }
        };
        tokio::select! {
            biased;
            () = shared.draining.cancelled() => return,
            () = told => {}
            () = tokio::time::sleep_until(next) => {}
        }
        let due = Instant::now() >= next;
        let (mut looked, found) = claim_all(&shared, &mut outages).await;
        let are_others = shared.store().event_gap().is_some();
        idle.looked(found || due || !are_others);
        if due && matches!(looked, Looked::NoSlot) {
            looked = sweep(&shared, &mut outages).await;
        }
        if let Looked::AgainIn(wait) = looked {
            // Read each time: a store that stops receiving notifications is polled more often.
            let gap = shared.store().event_gap().unwrap_or(lease_duration);
            let longest = gap.min(lease_duration);
            next = Instant::now() + wait.unwrap_or(longest).min(longest);
        }
    }
}

/// The number of empty claims in a row.
#[derive(Default)]
struct Idle {
    looks: u32,
    not_before: Option<Instant>,
}

impl Idle {
    fn looked(&mut self, to_some_end: bool) {
        if to_some_end {
            *self = Self::default();
            return;
        }
        self.looks = self.looks.saturating_add(1);
        if let Some(more) = self.looks.checked_sub(IDLE_LOOKS) {
            let pause = IDLE_PAUSE.saturating_mul(1 << more.min(8));
            self.not_before = Some(Instant::now() + pause.min(IDLE_PAUSE_MAX));
        }
    }
}

/// The outcome of a round of claims.
enum Looked {
    /// When to claim again without an event, if that is known.
    AgainIn(Option<Duration>),
    /// There is no free slot, or a suspect runs alone: the end of either wakes the claim loop.
    NoSlot,
}

/// Claims until nothing is ready or no slot is free. Returns whether it found operations.
async fn claim_all(shared: &Arc<Shared>, outages: &mut Outages) -> (Looked, bool) {
    let mut found = false;
    loop {
        let is_idle = shared.runs.is_idle();
        let suspects = match shared.quarantine.ask(is_idle) {
            Ask::Nothing => return (Looked::NoSlot, true),
            Ask::Look => match look(shared, outages).await {
                Some(wait) => return (Looked::AgainIn(Some(wait)), true),
                None => continue,
            },
            Ask::Claim(suspects) => suspects,
        };
        let Some(mut reserved) = shared.slots.reserve(CLAIM_MAX) else {
            shared.quarantine.failed();
            return (Looked::NoSlot, true);
        };
        let limit = reserved.total();
        let Some(claiming) = shared.claiming() else {
            shared.quarantine.failed();
            return (Looked::NoSlot, true);
        };
        let called_at = Instant::now();
        let claimed = match call(shared, reserved.by_method(), limit, suspects, outages).await {
            Ok(claimed) => claimed,
            Err(pause) => {
                shared.quarantine.failed();
                return (Looked::AgainIn(Some(pause)), true);
            }
        };
        let count = claimed.operations.len();
        found |= count > 0;
        let losses = claimed.operations.iter().map(|record| record.losses);
        // Those that need not start alone go before operations without losses.
        let took_others = count < limit || losses.clone().any(|losses| losses == 0);
        let is_together = |losses: &u32| *losses > 0 && !Suspects::is_tried_alone(*losses);
        let together = losses.filter(is_together).count();
        for record in claimed.operations {
            match reserved.split(&record.method) {
                Some(slot) => shared.launch(record, slot, called_at),
                None => {
                    tracing::error!(name = %record.name, "the store returned an operation of a method that was not requested");
                }
            }
        }
        // Suspects that it left though it took other operations, and could have taken more suspects,
        // must start alone.
        let trials_wait = claimed.suspects_wait && together < suspects.max_together && took_others;
        // No worker of a shared store makes room: if one is cut off, all others would.
        let makes_room = shared.store().event_gap().is_none();
        let quarantine = &shared.quarantine;
        quarantine.answered(claimed.suspects_wait, trials_wait && makes_room);
        drop(claiming);
        if count < limit {
            if shared.slots.settle(reserved) {
                continue;
            }
            let wait = claimed.next_in.map(|wait| wait.max(CLAIM_PAUSE));
            return (Looked::AgainIn(wait), found);
        }
        shared.slots.refuse_starts();
        if shared.draining.is_cancelled() {
            return (Looked::NoSlot, true);
        }
    }
}

/// The time until the next check for pending suspects; `None` if there are none.
async fn look(shared: &Shared, outages: &mut Outages) -> Option<Duration> {
    const PAUSE: Duration = Duration::from_millis(200);
    let methods = shared.methods.keys();
    let methods = methods.map(|path| ((*path).to_owned(), 1)).collect();
    match call(shared, methods, 0, Suspects::NONE, outages).await {
        Ok(claimed) => {
            let wait = claimed.suspects_wait;
            shared.quarantine.answered(wait, false);
            wait.then_some(PAUSE)
        }
        Err(pause) => Some(pause),
    }
}

/// Expires leases although no slot is free, so that cancelled operations finish, and other workers
/// can claim the rest.
async fn sweep(shared: &Shared, outages: &mut Outages) -> Looked {
    Looked::AgainIn(
        match call(shared, BTreeMap::new(), 0, Suspects::NONE, outages).await {
            Ok(claimed) => claimed.next_in.map(|wait| wait.max(CLAIM_PAUSE)),
            Err(pause) => Some(pause),
        },
    )
}

/// One claim, or the pause after an error of the store.
async fn call(
    shared: &Shared,
    methods: BTreeMap<String, usize>,
    limit: usize,
    suspects: Suspects,
    outages: &mut Outages,
) -> Result<Claimed, Duration> {
    let claim = Claim {
        worker: shared.id,
        methods,
        limit,
        lease_duration: shared.settings.lease_duration,
        suspects,
        expires_leases: outages.are_over() && !shared.lost_runs.any(),
    };
    match shared.store().claim(claim).await {
        Ok(mut claimed) => {
            outages.answered();
            let expire_in = outages.expire_in();
            claimed.next_in = claimed.next_in.into_iter().chain(expire_in).min();
            Ok(claimed)
        }
        Err(error) => Err(outages.failed(&error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn empty_claims_pause_longer_up_to_a_limit() {
        let mut idle = Idle::default();
        let mut pauses = Vec::new();
        for found in [false, false, false, false, true, false, false] {
            idle.looked(found);
            pauses.push(idle.not_before.map(|at| (at - Instant::now()).as_millis()));
        }
        let millis = [None, Some(1), Some(2), Some(4), None, None, Some(1)];
        assert_eq!(pauses, millis);
        (0..99).for_each(|_| idle.looked(false));
        assert_eq!(idle.not_before, Some(Instant::now() + IDLE_PAUSE_MAX));
    }
}
