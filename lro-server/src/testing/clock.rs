//! The clock of a store that skips what operations sleep.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lro_core::{Clock, Timestamp};
use tokio::time::Instant;

/// Follows tokio's paused time while a process lives, and jumps on request.
#[derive(Debug)]
pub(super) struct SkippingClock(Mutex<Hand>);

#[derive(Debug)]
struct Hand {
    at: Timestamp,
    /// Since when it follows tokio's time.
    follows: Option<Instant>,
}

impl SkippingClock {
    pub(super) fn new(at: Timestamp) -> Self {
        Self(Mutex::new(Hand { at, follows: None }))
    }

    /// Follows tokio's time from now on.
    pub(super) fn follow(&self) {
        self.hand().follows = Some(Instant::now());
    }

    /// Stands still from now on.
    pub(super) fn stop(&self) {
        let now = self.now();
        *self.hand() = Hand {
            at: now,
            follows: None,
        };
    }

    /// Jumps to a later time.
    pub(super) fn skip_to(&self, time: Timestamp) {
        let skipped = time.since(self.now());
        let mut hand = self.hand();
        hand.at = hand.at.saturating_add(skipped);
    }

    fn hand(&self) -> MutexGuard<'_, Hand> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for SkippingClock {
    fn now(&self) -> Timestamp {
        let hand = self.hand();
        let followed = hand.follows.map_or(Duration::ZERO, |since| since.elapsed());
        hand.at.saturating_add(followed)
    }
}
