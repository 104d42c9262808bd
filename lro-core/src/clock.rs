//! Wall time: the only file of the workspace that reads it.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A point in time, in microseconds since the Unix epoch, a precision that every store can keep.
///
/// ```
/// use std::time::Duration;
/// use lro_core::Timestamp;
///
/// let start = Timestamp::from_micros(1_500_000);
/// let end = start.saturating_add(Duration::from_secs(2));
/// assert_eq!(end.since(start), Duration::from_secs(2));
/// assert_eq!(prost_types::Timestamp::from(end).seconds, 3);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The latest time that a `google.protobuf.Timestamp` may hold (the end of the year 9999).
    pub const MAX: Self = Self(253_402_300_799_999_999);
    /// The Unix epoch.
    pub const EPOCH: Self = Self(0);

    /// A time from microseconds since the Unix epoch.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// The time in microseconds since the Unix epoch.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// The time `duration` later, at most [`Timestamp::MAX`].
    pub fn saturating_add(self, duration: Duration) -> Self {
        let micros = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(micros)).min(Self::MAX)
    }

    /// The time `duration` earlier.
    #[must_use]
    pub fn saturating_sub(self, duration: Duration) -> Self {
        let micros = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
        Self(self.0.saturating_sub(micros))
    }

    /// The duration since `earlier`; zero if this time is not later.
    pub fn since(self, earlier: Self) -> Duration {
        let micros = self.0.saturating_sub(earlier.0);
        Duration::from_micros(u64::try_from(micros).unwrap_or(0))
    }
}

impl From<Timestamp> for prost_types::Timestamp {
    fn from(time: Timestamp) -> Self {
        Self {
            seconds: time.0.div_euclid(1_000_000),
            // The remainder is below a million, so this neither overflows nor truncates.
            nanos: (time.0.rem_euclid(1_000_000) * 1_000) as i32,
        }
    }
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        let micros = |span: Duration| i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
        match time.duration_since(UNIX_EPOCH) {
            Ok(after) => Self(micros(after)).min(Self::MAX),
            Err(before) => Self(-micros(before.duration())),
        }
    }
}

/// The source of time. It is passed in, so that tests and simulations control it.
///
/// ```
/// use lro_core::{Clock, Timestamp};
///
/// /// A clock for a test that stands still.
/// #[derive(Debug)]
/// struct Stopped(Timestamp);
///
/// impl Clock for Stopped {
///     fn now(&self) -> Timestamp {
///         self.0
///     }
/// }
///
/// assert_eq!(Stopped(Timestamp::EPOCH).now(), Timestamp::EPOCH);
/// ```
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// The present time. It may jump in both directions, so only timestamps for people and the
    /// store's own deadlines may depend on it.
    fn now(&self) -> Timestamp;
}

/// The system's wall clock.
///
/// ```
/// use lro_core::{Clock, SystemClock, Timestamp};
///
/// assert!(SystemClock.now() > Timestamp::EPOCH);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that reads the wall clock"
    )]
    fn now(&self) -> Timestamp {
        SystemTime::now().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conversion_keeps_the_microsecond_on_both_sides_of_the_epoch() {
        for (micros, seconds, nanos) in [
            (0, 0, 0),
            (1, 0, 1_000),
            (-1, -1, 999_999_000),
            (1_700_000_000_123_456, 1_700_000_000, 123_456_000),
        ] {
            let wire = prost_types::Timestamp::from(Timestamp::from_micros(micros));
            assert_eq!((wire.seconds, wire.nanos), (seconds, nanos));
        }
    }

    #[test]
    fn addition_saturates_at_the_last_representable_time() {
        assert_eq!(
            Timestamp::EPOCH.saturating_add(Duration::MAX),
            Timestamp::MAX
        );
    }
}
