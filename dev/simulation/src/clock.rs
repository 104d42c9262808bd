use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use lro_core::{Clock, Timestamp};
use tokio::time::Instant;

/// The store's clock: follows the simulated time. A planted bug may bend it.
#[derive(Debug)]
pub(crate) struct StoreClock {
    begun: Instant,
    bent: AtomicI64,
}

/// Where the store's clock begins.
pub(crate) const BEGIN: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);

impl StoreClock {
    /// Begins now.
    pub(crate) fn new() -> Self {
        Self {
            begun: Instant::now(),
            bent: AtomicI64::new(0),
        }
    }

    /// How long the run lasts already.
    pub(crate) fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }

    /// Makes the clock wrong by `micros` microseconds.
    pub(crate) fn bend(&self, micros: i64) {
        self.bent.store(micros, Ordering::SeqCst);
    }
}

impl Default for StoreClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for StoreClock {
    fn now(&self) -> Timestamp {
        let right = BEGIN.saturating_add(self.elapsed());
        Timestamp::from_micros(right.as_micros() + self.bent.load(Ordering::SeqCst))
    }
}
