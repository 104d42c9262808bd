//! When a call has to be answered.

use std::time::Duration;

use tonic::metadata::MetadataMap;

/// The call's own time limit: its `grpc-timeout` header (at most 8 digits and a unit).
///
/// tonic's server layer ends a call at this time with CANCELLED, which a caller cannot tell from a
/// cancelled operation; so who waits answers a [margin](margin) earlier.
pub(crate) fn grpc_timeout(headers: &MetadataMap) -> Option<Duration> {
    let header = headers.get("grpc-timeout")?.to_str().ok()?;
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

/// How much earlier than its deadline a call is answered: a tenth of it, between 10 ms and 1 s.
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
