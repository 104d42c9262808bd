//! The deadline of a call.

use std::time::Duration;

use tokio::time::Instant;
use tonic::Request;
use tonic::metadata::MetadataMap;

/// When the call that is being answered has to be over: an extension of its request, where the
/// deadline layer of the module `serve` is in use.
///
/// ```
/// use lro_server::Deadline;
/// use tonic::Request;
///
/// fn handler<T>(request: &Request<T>) {
///     if let Some(deadline) = request.extensions().get::<Deadline>() {
///         println!("{:?} left", deadline.remaining());
///     }
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Deadline(Instant);

impl Deadline {
    #[cfg_attr(
        not(feature = "serve"),
        expect(dead_code, reason = "the layer makes it")
    )]
    pub(crate) fn new(instant: Instant) -> Self {
        Self(instant)
    }

    /// The instant.
    pub fn instant(self) -> Instant {
        self.0
    }

    /// The time left; zero if the deadline has passed.
    pub fn remaining(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }
}

/// How long a call may take from now on, by its [`Deadline`] or else its header.
///
/// tonic's server layer ends a call at this time with CANCELLED, which a caller cannot tell from a
/// cancelled operation; so a waiter is answered a [margin](margin) earlier.
pub(crate) fn time_left<T>(request: &Request<T>) -> Option<Duration> {
    match request.extensions().get::<Deadline>() {
        Some(deadline) => Some(deadline.remaining()),
        None => grpc_timeout(request.metadata()),
    }
}

/// The call's own time limit: its `grpc-timeout` header.
fn grpc_timeout(headers: &MetadataMap) -> Option<Duration> {
    parse_timeout(headers.get("grpc-timeout")?.to_str().ok()?)
}

/// Reads a `grpc-timeout`: at most 8 digits and a unit.
pub(crate) fn parse_timeout(header: &str) -> Option<Duration> {
    let (digits, unit) = header.split_at_checked(header.len().checked_sub(1)?)?;
    if digits.len() > 8 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let count: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(count * 60 * 60),
        "M" => Duration::from_secs(count * 60),
        "S" => Duration::from_secs(count),
        "m" => Duration::from_millis(count),
        "u" => Duration::from_micros(count),
        "n" => Duration::from_nanos(count),
        _ => return None,
    })
}

/// The instant `duration` later; a far instant if the sum overflows.
pub(crate) fn later(instant: Instant, duration: Duration) -> Instant {
    /// About 30 years.
    const NEVER: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);
    instant
        .checked_add(duration)
        .unwrap_or_else(|| instant + NEVER)
}

/// How long before its deadline a wait is answered: a tenth of the time left, between 10 ms and 1
/// s.
pub(crate) fn margin(timeout: Duration) -> Duration {
    (timeout / 10).clamp(Duration::from_millis(10), Duration::from_secs(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_and_nothing_else() {
        let parse = |text: &str| {
            let mut headers = MetadataMap::new();
            headers.insert("grpc-timeout", text.parse().unwrap());
            grpc_timeout(&headers)
        };
        for (text, expected) in [
            ("1H", Some(Duration::from_secs(3_600))),
            ("2M", Some(Duration::from_secs(120))),
            ("99999999S", Some(Duration::from_secs(99_999_999))),
            ("5m", Some(Duration::from_millis(5))),
            ("5u", Some(Duration::from_micros(5))),
            ("5n", Some(Duration::from_nanos(5))),
            ("", None),
            ("S", None),
            ("5", None),
            ("+5S", None),
            ("-5S", None),
            ("5s", None),
            ("999999999S", None),
        ] {
            assert_eq!(parse(text), expected, "{text}");
        }
        assert_eq!(grpc_timeout(&MetadataMap::new()), None);
    }

    #[test]
    fn the_margin_is_bounded() {
        for (timeout, expected) in [(1, 10), (100, 10), (2_000, 200), (60_000, 1_000)] {
            let margin = margin(Duration::from_millis(timeout));
            assert_eq!(margin, Duration::from_millis(expected));
        }
    }
}
