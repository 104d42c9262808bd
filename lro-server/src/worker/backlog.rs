//! Tracks whether operations may be waiting only for a slot.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering, fence};

/// Stands before the slots of one method, or before all of a worker's.
///
/// A start is only born claimed where the gate was open last: otherwise others came first. A claim that
/// looks after that leaves some slots to starts. If none were, they would have to be claimed, for which
/// there would have to be another look, during which there would be none again.
///
/// Releasing a slot wakes the claim loop if the gate is closed, or sets a flag if a claim is in flight.
///
/// # No wake-up is lost
///
/// The claims say that they look, and then count the free slots; a task that frees a slot releases it, and
/// then asks the gate. Each writes one place and reads the other, so that each could read what was
/// there before: acquire and release do not forbid that, nor does the hardware. With a sequentially
/// consistent fence between the two steps on both sides, at least one of them sees the other's
/// write: the claims find the slot, or the gate is found looking or closed. In the first case the mark
/// is there when the gate [closes](Self::close), and the claims look again; or the gate
/// [opens](Self::open), and there is nothing that the slot could run.
#[derive(Debug)]
pub(super) struct Backlog {
    state: AtomicU8,
    /// Whether the gate was open last.
    admits: AtomicBool,
}

/// No operation waits for a free slot.
const OPEN: u8 = 0;
/// A claim is in flight, or has failed: the state is unknown.
const LOOKING: u8 = 1;
/// All slots were taken, and operations may wait. The next free slot leads to a claim, without an
/// event.
const CLOSED: u8 = 2;
/// As `LOOKING`, and a slot was released meanwhile.
const LOOKING_AND_FREED: u8 = 3;

impl Backlog {
    pub(super) fn new() -> Self {
        Self {
            state: AtomicU8::new(OPEN),
            admits: AtomicBool::new(true),
        }
    }

    /// Call it before counting the free slots, followed by [`Backlog::fence`].
    pub(super) fn look(&self) {
        self.state.store(LOOKING, Ordering::Release);
    }

    /// Between what one thread writes and what it then reads.
    pub(super) fn fence() {
        fence(Ordering::SeqCst);
    }

    /// A claim has left no slot free, or found none. Returns whether a slot was released meanwhile:
    /// then the worker claims again.
    #[must_use]
    pub(super) fn close(&self) -> bool {
        self.refuse();
        self.state.swap(CLOSED, Ordering::AcqRel) == LOOKING_AND_FREED
    }

    /// More may be ready than a claim could take.
    pub(super) fn refuse(&self) {
        self.admits.store(false, Ordering::Relaxed);
    }

    /// A claim has left a slot free: nothing is ready any more.
    pub(super) fn open(&self) {
        self.state.store(OPEN, Ordering::Release);
        self.admits.store(true, Ordering::Relaxed);
    }

    /// Whether starts may take slots. This only affects the order of operations, so no memory
    /// ordering is needed.
    pub(super) fn admits(&self) -> bool {
        self.admits.load(Ordering::Relaxed)
    }

    /// A slot was released before the last [`fence`](Self::fence). Returns whether it must lead to
    /// a claim.
    pub(super) fn slot_freed(&self) -> bool {
        let mark = self.state.compare_exchange(
            LOOKING,
            LOOKING_AND_FREED,
            Ordering::AcqRel,
            Ordering::Acquire,
        );
        mark == Err(CLOSED)
    }

    /// Whether only the next free slot must lead to a claim.
    pub(super) fn is_closed(&self) -> bool {
        self.state.load(Ordering::Acquire) == CLOSED
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;
    use crate::worker::slots::Slots;

    /// One thread looks for a slot while another gives the only one back: the slot is found, or the
    /// thread that released it knows that the claims must be woken.
    #[test]
    fn a_slot_that_is_freed_while_a_claim_looks_is_not_overlooked() {
        const ROUNDS: usize = 20_000;
        let slots = Slots::new(1, [("/a", None)].into_iter());
        let (phase, freed) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let mut found = Vec::with_capacity(ROUNDS);
        let wakes = std::thread::scope(|scope| {
            let freer = scope.spawn(|| {
                let mut wakes = Vec::with_capacity(ROUNDS);
                for round in 1..=ROUNDS {
                    wait_for(&phase, 3 * round);
                    let slot = slots.try_one("/a").unwrap();
                    phase.store(3 * round + 1, Ordering::SeqCst);
                    wait_for(&phase, 3 * round + 2);
                    if round % 4 == 1 {
                        std::thread::yield_now();
                    }
                    drop(slot);
                    wakes.push(slots.wakes_claims("/a"));
                    freed.store(round, Ordering::SeqCst);
                }
                wakes
            });
            for round in 1..=ROUNDS {
                phase.store(3 * round, Ordering::SeqCst);
                wait_for(&phase, 3 * round + 1);
                phase.store(3 * round + 2, Ordering::SeqCst);
                // Sooner in one round, later in another, on a busy machine too.
                match round % 4 {
                    0 => std::thread::yield_now(),
                    _ => (0..round % 128).for_each(|_| std::hint::spin_loop()),
                }
                let reserved = slots.reserve(1);
                found.push(reserved.is_some());
                wait_for(&freed, round);
                drop(reserved);
                if let Some(reserved) = slots.reserve(1) {
                    assert!(!slots.settle(reserved), "what is left is open");
                }
                assert!(slots.admits("/a"));
            }
            freer.join().unwrap()
        });
        let mut rounds = wakes.iter().zip(&found);
        assert!(rounds.all(|(wakes, found)| *wakes || *found));
        assert!(
            found.contains(&true) && found.contains(&false),
            "each is first at times"
        );
    }

    fn wait_for(number: &AtomicUsize, wanted: usize) {
        let mut tries = 0_u32;
        while number.load(Ordering::SeqCst) != wanted {
            tries += 1;
            match tries % 64 {
                0 => std::thread::yield_now(),
                _ => std::hint::spin_loop(),
            }
        }
    }
}
