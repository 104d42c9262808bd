use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::time::Duration;

/// Pauses that grow by a factor up to a longest one, each shortened by a random part so that many
/// callers do not come back together.
///
/// ```
/// use std::time::Duration;
/// use lro_client::ExponentialBackoff;
///
/// let backoff = ExponentialBackoff::new(Duration::from_secs(1), Duration::from_secs(60));
/// // The first pause lasts from 0.5 to 1 s, the second from 1 to 2 s, and from the seventh on
/// // they last from 30 to 60 s.
/// assert!(backoff.delay(0) <= Duration::from_secs(1));
/// assert!(backoff.delay(100) >= Duration::from_secs(30));
/// // Without the random part:
/// let exact = backoff.with_factor(3.0).with_jitter(0.0);
/// assert_eq!(exact.delay(2), Duration::from_secs(9));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ExponentialBackoff {
    initial: Duration,
    max: Duration,
    factor: f64,
    jitter: f64,
}

impl ExponentialBackoff {
    /// Creates pauses that start at `initial` and double up to `max`, each shortened at random by
    /// up to a half.
    pub const fn new(initial: Duration, max: Duration) -> Self {
        Self {
            initial,
            max,
            factor: 2.0,
            jitter: 0.5,
        }
    }

    /// Sets the factor by which each pause grows. Default: 2. Values below 1 count as 1.
    #[must_use]
    pub const fn with_factor(mut self, factor: f64) -> Self {
        self.factor = factor.max(1.0);
        self
    }

    /// Sets the largest random reduction of a pause, as a fraction from 0 to 1. Default: 0.5.
    #[must_use]
    pub const fn with_jitter(mut self, jitter: f64) -> Self {
        // In this order it has an answer for what is no number, too.
        self.jitter = 1.0 - (1.0 - jitter).min(1.0).max(0.0);
        self
    }

    /// The longest pause.
    pub(crate) const fn max(&self) -> Duration {
        self.max
    }

    /// The length of the pause with this index; the first one is 0. Never longer than the `max`.
    pub fn delay(&self, index: u32) -> Duration {
        let exponent = i32::try_from(index).unwrap_or(i32::MAX);
        let full = self.initial.as_secs_f64() * self.factor.powi(exponent);
        let full = full.min(self.max.as_secs_f64());
        let part = 1.0 - self.jitter * chance();
        let delay = Duration::try_from_secs_f64(full * part).unwrap_or(self.max);
        delay.min(self.max)
    }
}

/// A random number from 0 to 1. The random keys of the standard library's hash maps suffice for
/// pauses, and exist on every target.
fn chance() -> f64 {
    let bits = RandomState::new().hash_one(());
    // As many as an f64 holds exactly.
    (bits >> 11) as f64 / ((1_u64 << 53) - 1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn pauses_grow_to_the_longest() {
        let backoff = ExponentialBackoff::new(SECOND, SECOND * 60).with_jitter(0.0);
        let delays = [0, 1, 5, 6, 7, u32::MAX].map(|index| backoff.delay(index).as_secs());
        assert_eq!(delays, [1, 2, 32, 60, 60, 60]);
    }

    #[test]
    fn chance_only_shortens_and_by_no_more_than_its_part() {
        let backoff = ExponentialBackoff::new(SECOND, SECOND);
        let delays: Vec<_> = (0..200).map(|index| backoff.delay(index)).collect();
        assert!(delays.iter().all(|it| (SECOND / 2..=SECOND).contains(it)));
        let millis = |it: &Duration| it.as_millis();
        let mean = delays.iter().map(millis).sum::<u128>() / 200;
        assert!((700..800).contains(&mean), "{mean} ms");
        assert!(delays.iter().any(|it| *it < SECOND * 11 / 20));
        assert!(delays.iter().any(|it| *it > SECOND * 19 / 20));
    }

    #[test]
    fn strange_numbers_have_an_answer() {
        for strange in [f64::NAN, f64::INFINITY, -1.0, 0.0] {
            for (initial, max) in [(SECOND, Duration::MAX), (Duration::MAX, Duration::MAX)] {
                let backoff = ExponentialBackoff::new(initial, max);
                let backoff = backoff.with_factor(strange).with_jitter(strange);
                assert!(backoff.delay(0) <= max && backoff.delay(u32::MAX) <= max);
            }
        }
        let none = ExponentialBackoff::new(Duration::ZERO, SECOND).with_factor(f64::INFINITY);
        assert!(none.delay(3) <= SECOND);
    }
}
