//! The memory that connections to one write-ahead log share. No power loss leaves anything of it.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::ffi::SQLITE_SHM_NLOCK;

const SLOTS: usize = SQLITE_SHM_NLOCK as usize;

/// The regions, and who holds which of the locks.
#[derive(Debug, Default)]
pub(crate) struct SharedMemory {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// SQLite keeps their addresses, and writes there from several threads.
    regions: Vec<Box<[AtomicU64]>>,
    connections: BTreeMap<usize, [Held; SLOTS]>,
    last: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Held {
    #[default]
    No,
    Shared,
    Exclusive,
}

/// A connection's place in the list of those who share.
#[derive(Debug)]
pub(crate) struct Slots(usize);

impl SharedMemory {
    pub(crate) fn join(&self) -> Slots {
        let mut state = self.state();
        state.last += 1;
        let slots = Slots(state.last);
        state.connections.insert(slots.0, [Held::No; SLOTS]);
        slots
    }

    /// Whether that was the last.
    pub(crate) fn leave(&self, slots: &Slots) -> bool {
        let mut state = self.state();
        state.connections.remove(&slots.0);
        state.connections.is_empty()
    }

    /// The region of that number, made if there is none and `extend` says so.
    pub(crate) fn region(&self, at: usize, size: usize, extend: bool) -> Option<*mut AtomicU64> {
        let mut state = self.state();
        while extend && state.regions.len() <= at {
            let region = (0..size.div_ceil(8)).map(|_| AtomicU64::new(0));
            state.regions.push(region.collect());
        }
        Some(state.regions.get(at)?.as_ptr().cast_mut())
    }

    pub(crate) fn lock(&self, slots: &Slots, range: Range<usize>, exclusive: bool) -> bool {
        let mut state = self.state();
        let in_the_way = |held: &Held| match exclusive {
            true => *held != Held::No,
            false => *held == Held::Exclusive,
        };
        let mut others = state
            .connections
            .iter()
            .filter(|(other, _)| **other != slots.0);
        if others.any(|(_, held)| held[range.clone()].iter().any(in_the_way)) {
            return false;
        }
        let held = match exclusive {
            true => Held::Exclusive,
            false => Held::Shared,
        };
        if let Some(own) = state.connections.get_mut(&slots.0) {
            own[range].fill(held);
        }
        true
    }

    pub(crate) fn unlock(&self, slots: &Slots, range: Range<usize>) {
        if let Some(own) = self.state().connections.get_mut(&slots.0) {
            own[range].fill(Held::No);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
