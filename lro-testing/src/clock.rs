use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use lro_core::{Clock, Timestamp};

/// A clock that stands still until the test moves it.
///
/// Keep one handle in the test, and give another to the store.
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
/// use lro_core::store::MemoryStore;
/// use lro_core::{Clock, Timestamp};
/// use lro_testing::ManualClock;
///
/// let clock = Arc::new(ManualClock::new());
/// let store = MemoryStore::with_clock(clock.clone());
/// clock.advance(Duration::from_secs(30));
/// assert_eq!(clock.now().since(ManualClock::START), Duration::from_secs(30));
/// clock.set(Timestamp::EPOCH);
/// assert_eq!(clock.now(), Timestamp::EPOCH);
/// # drop(store);
/// ```
#[derive(Debug)]
pub struct ManualClock {
    micros: AtomicI64,
}

impl ManualClock {
    /// The initial time of [`new`](Self::new): in November 2023, at an odd microsecond.
    pub const START: Timestamp = Timestamp::from_micros(1_700_000_000_123_457);

    /// A clock at [`START`](Self::START).
    pub const fn new() -> Self {
        Self::at(Self::START)
    }

    /// A clock at this time.
    pub const fn at(time: Timestamp) -> Self {
        Self {
            micros: AtomicI64::new(time.as_micros()),
        }
    }

    /// Jumps to a time, which may be an earlier one.
    pub fn set(&self, time: Timestamp) {
        self.micros.store(time.as_micros(), Ordering::SeqCst);
    }

    /// Advances the clock by `duration`, at most to [`Timestamp::MAX`]. Returns the new time.
    pub fn advance(&self, duration: Duration) -> Timestamp {
        let later = |micros| {
            let time = Timestamp::from_micros(micros);
            time.saturating_add(duration).as_micros()
        };
        let before = self
            .micros
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |micros| {
                Some(later(micros))
            });
        Timestamp::from_micros(before.map_or_else(later, later))
    }
}

impl Default for ManualClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.micros.load(Ordering::SeqCst))
    }
}
