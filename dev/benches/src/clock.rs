//! A clock that stands still until it is set.

use std::sync::atomic::{AtomicI64, Ordering};

use lro_core::{Clock, Timestamp};

#[derive(Debug)]
pub(crate) struct SetClock(AtomicI64);

impl SetClock {
    pub(crate) fn at(time: Timestamp) -> Self {
        Self(time.as_micros().into())
    }

    pub(crate) fn set(&self, time: Timestamp) {
        self.0.store(time.as_micros(), Ordering::Relaxed);
    }
}

impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::Relaxed))
    }
}
