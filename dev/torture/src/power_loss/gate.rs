//! Holds the store's writer up, so that it finds all calls of a group at once: the same seed gives
//! the same groups.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lro_core::{Clock, Timestamp};

/// A clock that stands still, and can hold up who reads it.
#[derive(Debug, Default)]
pub(crate) struct GateClock {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    now: Timestamp,
    gate: Gate,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Gate {
    #[default]
    Open,
    /// The next reader is to wait.
    Armed,
    /// It waits.
    Holding,
}

impl GateClock {
    pub(crate) fn at(now: Timestamp) -> Self {
        let clock = Self::default();
        clock.state().now = now;
        clock
    }

    pub(crate) fn advance(&self, by: Duration) {
        let mut state = self.state();
        state.now = state.now.saturating_add(by);
    }

    /// The time of the clock, without waiting.
    pub(crate) fn time(&self) -> Timestamp {
        self.state().now
    }

    /// The next one who reads the clock waits for [`release`](Self::release).
    pub(crate) fn arm(&self) {
        self.state().gate = Gate::Armed;
    }

    /// Returns when one waits.
    pub(crate) fn held(&self) {
        self.wait(|gate| gate != Gate::Holding);
    }

    pub(crate) fn release(&self) {
        self.state().gate = Gate::Open;
        self.changed.notify_all();
    }

    fn wait(&self, on: impl Fn(Gate) -> bool) {
        let waited = self
            .changed
            .wait_while(self.state(), |state| on(state.gate));
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for GateClock {
    fn now(&self) -> Timestamp {
        let mut state = self.state();
        if state.gate == Gate::Armed {
            state.gate = Gate::Holding;
            drop(state);
            self.changed.notify_all();
            self.wait(|gate| gate == Gate::Holding);
            state = self.state();
        }
        state.now
    }
}
