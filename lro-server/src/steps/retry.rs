//! The retries of a step.

use std::time::Duration;

/// How often a step repeats its closure after a retryable error, and how long it pauses in between.
///
/// ```
/// use std::time::Duration;
/// use lro_server::steps::Retry;
///
/// // At most 5 attempts; pauses of 1 s, 2 s, 4 s and 8 s.
/// let retry = Retry::times(5).pause(Duration::from_secs(1), Duration::from_secs(30));
/// assert_eq!(retry.max_attempts(), 5);
/// ```
///
/// A [`HandlerError::retry`](crate::HandlerError::retry) of the closure is retryable, and so is an attempt
/// that exceeds the step's [timeout](super::Step::timeout). A pause that the error asks for
/// ([`HandlerError::after`](crate::HandlerError::after)) takes the place of the policy's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    max_attempts: u32,
    first: Duration,
    longest: Duration,
}

impl Retry {
    /// At most this many attempts, at least one. The pauses double from 1 s to 60 s.
    pub fn times(max_attempts: u32) -> Self {
        Self {
            max_attempts: max_attempts.max(1),
            first: Duration::from_secs(1),
            longest: Duration::from_secs(60),
        }
    }

    /// The first pause, which doubles after each attempt, and the longest one.
    #[must_use]
    pub fn pause(mut self, first: Duration, longest: Duration) -> Self {
        self.first = first;
        self.longest = longest.max(first);
        self
    }

    /// The maximum number of attempts.
    pub fn max_attempts(&self) -> u32 {
        self.max_attempts
    }

    /// The pause after this attempt, counted from 1; `None` after the last one.
    pub(super) fn pause_after(&self, attempt: u32) -> Option<Duration> {
        let doublings = attempt.saturating_sub(1).min(31);
        let pause = self.first.saturating_mul(1 << doublings);
        (attempt < self.max_attempts).then(|| pause.min(self.longest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// steps:S22
    #[test]
    fn pauses_double_up_to_the_longest_and_end_with_the_last_attempt() {
        let seconds = Duration::from_secs;
        let retry = Retry::times(5).pause(seconds(3), seconds(10));
        let pauses: Vec<_> = (1..=6).map(|attempt| retry.pause_after(attempt)).collect();
        let expected = [Some(3), Some(6), Some(10), Some(10), None, None];
        assert_eq!(pauses, expected.map(|pause| pause.map(seconds)));
        assert_eq!(Retry::times(0).pause_after(1), None);
        let longest = Retry::times(u32::MAX).pause_after(u32::MAX - 1);
        assert_eq!(longest, Some(seconds(60)));
    }
}
