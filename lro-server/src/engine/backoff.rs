//! Pauses between retries of a step that must succeed eventually. Logs the first failure, and the
//! recovery.

use std::fmt;
use std::time::Duration;

const FIRST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(5);

#[derive(Debug, Default)]
pub(crate) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// Records a failure; returns the pause before the next try.
    pub(crate) fn failed(&mut self, what: &str, error: &impl fmt::Debug) -> Duration {
        if self.failures == 0 {
            tracing::warn!(?error, "{what}; trying again");
        }
        let pause = FIRST.saturating_mul(1 << self.failures.min(10));
        self.failures = self.failures.saturating_add(1);
        pause.min(LONGEST)
    }

    /// Records a success.
    pub(crate) fn succeeded(&mut self, what: &str) {
        if self.failures > 0 {
            tracing::info!(failures = self.failures, "{what}");
        }
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_to_a_bound_and_start_anew() {
        let error = "cut off";
        let mut backoff = Backoff::default();
        let pauses: Vec<_> = (0..9)
            .map(|_| backoff.failed("cannot", &error).as_millis())
            .collect();
        assert_eq!(pauses, [50, 100, 200, 400, 800, 1600, 3200, 5000, 5000]);
        backoff.succeeded("can");
        assert_eq!(backoff.failed("cannot", &error).as_millis(), 50);
    }
}
