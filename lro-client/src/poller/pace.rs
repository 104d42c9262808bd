//! How long the next WaitOperation may last: a value that adapts to the network.

use std::time::Duration;

/// How long the server may hold a call of WaitOperation.
const WAIT_MAX: Duration = Duration::from_secs(60);
/// The shortest call of WaitOperation that cuts lead to, and the shortest that counts as cut.
const WAIT_MIN: Duration = Duration::from_millis(250);
/// After how many full waits a longer one is tried.
const PROBE_AFTER: u32 = 4;
/// After how many full waits a longer one is tried, if the last tries were cut.
const PROBE_AFTER_MAX: u32 = 64;
/// After how many failed waits in a row the poller uses GetOperation instead.
const FAILURES_MAX: u32 = 3;
/// How many answers of GetOperation it takes before the poller tries to wait again.
const PAUSED_POLLS: u32 = 16;

/// The length of the next wait.
///
/// Many networks end a call that lasts too long: load balancers after 60 s, others after a few
/// seconds. A wait that was cut makes the next one shorter than the cut. Later, longer waits are
/// tried again; each that is cut doubles the number of full waits before the next try.
#[derive(Clone, Debug)]
pub(super) struct WaitPace {
    /// How long the next wait may last.
    length: Duration,
    /// The longest wait that is known to pass. A longer `length` is a try.
    proven: Duration,
    full_waits: u32,
    probe_after: u32,
    failures: u32,
    /// How many more polls are made without waiting.
    paused_polls: u32,
}

impl Default for WaitPace {
    fn default() -> Self {
        Self {
            length: WAIT_MAX,
            proven: WAIT_MAX,
            full_waits: 0,
            probe_after: PROBE_AFTER,
            failures: 0,
            paused_polls: 0,
        }
    }
}

impl WaitPace {
    /// How long the next wait may last. `None`: waits fail here, so the next poll does not wait.
    pub(super) fn length(&self) -> Option<Duration> {
        (self.paused_polls == 0).then_some(self.length)
    }

    /// Whether a wait that failed after `held` was cut, and not refused.
    pub(super) fn is_cut(held: Duration) -> bool {
        held >= WAIT_MIN
    }

    /// The server answered a wait for `wait` after `held`.
    pub(super) fn on_answer(&mut self, wait: Duration, held: Duration) {
        self.failures = 0;
        if wait < self.length || held < nearly(wait) {
            return;
        }
        if self.length > self.proven {
            self.proven = self.length;
            self.probe_after = PROBE_AFTER;
        }
        self.full_waits += 1;
        if self.full_waits >= self.probe_after && self.length < WAIT_MAX {
            self.length = (self.length * 3 / 2).min(WAIT_MAX);
            self.full_waits = 0;
        }
    }

    /// A wait for `wait` was cut after `held`.
    pub(super) fn on_cut(&mut self, wait: Duration, held: Duration) {
        self.full_waits = 0;
        if self.length > self.proven && held >= self.proven {
            self.length = self.proven;
            self.probe_after = (self.probe_after * 2).min(PROBE_AFTER_MAX);
            return;
        }
        if self.length <= WAIT_MIN {
            return self.on_failure();
        }
        let shorter = wait.min(held).min(self.length) * 3 / 4;
        self.length = shorter.max(WAIT_MIN);
        self.proven = self.length;
        self.probe_after = PROBE_AFTER;
    }

    /// A wait failed at once, or was cut although it was as short as can be.
    pub(super) fn on_failure(&mut self) {
        self.full_waits = 0;
        self.failures += 1;
        if self.failures >= FAILURES_MAX {
            self.failures = 0;
            self.paused_polls = PAUSED_POLLS;
        }
    }

    /// The server answered a poll that did not wait.
    pub(super) fn on_poll(&mut self) {
        self.paused_polls = self.paused_polls.saturating_sub(1);
    }
}

/// When a wait counts as one of full length.
fn nearly(wait: Duration) -> Duration {
    wait * 9 / 10
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// Waits on a path that cuts each call after `limit`, for `time` in all. Returns the number of
    /// cuts, and of waits that passed.
    fn walk(pace: &mut WaitPace, limit: Duration, time: Duration) -> (u32, u32) {
        let (mut elapsed, mut cuts, mut passed) = (Duration::ZERO, 0, 0);
        while elapsed < time {
            match pace.length() {
                Some(wait) if wait < limit => {
                    pace.on_answer(wait, wait);
                    elapsed += wait;
                    passed += 1;
                }
                Some(wait) => {
                    pace.on_cut(wait, limit);
                    elapsed += limit;
                    cuts += 1;
                }
                None => {
                    pace.on_poll();
                    elapsed += SECOND;
                }
            }
        }
        (cuts, passed)
    }

    /// report:C2
    #[test]
    fn one_cut_is_enough_and_tries_become_rare() {
        for millis in [400, 1_000, 3_000, 10_000, 15_000, 30_000, 59_000, 60_000] {
            let limit = Duration::from_millis(millis);
            let mut pace = WaitPace::default();
            pace.on_cut(WAIT_MAX, limit);
            let length = pace.length().unwrap();
            assert!(
                length < limit && length >= limit / 2,
                "{length:?} of {limit:?}"
            );
            let (cuts, passed) = walk(&mut pace, limit, limit * 1_000);
            assert!(
                cuts * 20 < passed,
                "{cuts} cuts, {passed} waits at {limit:?}"
            );
        }
    }

    #[test]
    fn a_path_that_is_well_again_has_full_waits_again() {
        let mut pace = WaitPace::default();
        walk(&mut pace, SECOND * 3, SECOND * 600);
        walk(&mut pace, WAIT_MAX * 2, SECOND * 3_600);
        assert_eq!(pace.length(), Some(WAIT_MAX));
    }

    #[test]
    fn a_path_that_lets_no_wait_through_is_polled() {
        let mut pace = WaitPace::default();
        let (cuts, passed) = walk(&mut pace, Duration::from_millis(200), SECOND * 600);
        assert!(cuts < 120 && passed == 0, "{cuts} cuts, {passed} passed");
    }

    #[test]
    fn a_wait_that_the_time_limit_shortens_proves_nothing() {
        let mut pace = WaitPace::default();
        for _ in 0..100 {
            pace.on_answer(SECOND, SECOND);
            pace.on_answer(WAIT_MAX, SECOND);
        }
        assert_eq!(pace.length(), Some(WAIT_MAX));
        pace.on_cut(SECOND, SECOND / 2);
        assert!(pace.length() < Some(SECOND));
    }
}
