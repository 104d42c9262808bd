//! Timestamps and durations as ProtoJSON writes them.

use prost_types::{Duration, Timestamp};

/// Seconds of 0001-01-01T00:00:00Z.
const FIRST_SECOND: i64 = -62_135_596_800;
/// Seconds of 9999-12-31T23:59:59Z.
const LAST_SECOND: i64 = 253_402_300_799;
/// The longest duration, in seconds: 10,000 years.
const MAX_DURATION: i64 = 315_576_000_000;
const NANOS_PER_SECOND: i32 = 1_000_000_000;

/// Reads an RFC 3339 time: upper-case `T` and `Z` or an offset, at most nine digits of a fraction,
/// within the years 1 to 9999.
pub(crate) fn read_timestamp(text: &str) -> Option<Timestamp> {
    let (date, rest) = (text.get(..10)?, text.get(10..)?);
    let time = rest.strip_prefix('T')?;
    let (clock, rest) = (time.get(..8)?, time.get(8..)?);
    let (nanos, zone) = read_fraction(rest)?;
    let offset = read_offset(zone)?;

    let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
    let [hour, minute, second] = numbers(clock, ':', [2, 2, 2])?;
    if hour > 23 || minute > 59 || second > 59 || year == 0 {
        return None;
    }
    let small = |number: u32| u8::try_from(number).ok();
    let local = Timestamp::date_time_nanos(
        i64::from(year),
        small(month)?,
        small(day)?,
        small(hour)?,
        small(minute)?,
        small(second)?,
        nanos,
    )
    .ok()?;
    let seconds = local.seconds - offset;
    (FIRST_SECOND..=LAST_SECOND)
        .contains(&seconds)
        .then_some(Timestamp {
            seconds,
            nanos: local.nanos,
        })
}

/// Writes a timestamp with 0, 3, 6 or 9 digits of a fraction; `None` where it is out of range.
pub(crate) fn write_timestamp(timestamp: &Timestamp) -> Option<String> {
    let valid = (FIRST_SECOND..=LAST_SECOND).contains(&timestamp.seconds)
        && (0..NANOS_PER_SECOND).contains(&timestamp.nanos);
    valid.then(|| timestamp.to_string())
}

/// Reads seconds with at most nine digits of a fraction and the suffix `s`.
pub(crate) fn read_duration(text: &str) -> Option<Duration> {
    let number = text.strip_suffix('s')?;
    let (negative, number) = match number.strip_prefix('-') {
        Some(number) => (true, number),
        None => (false, number),
    };
    let whole = number.find('.').map_or(number, |point| &number[..point]);
    let seconds: i64 = digits(whole)?;
    let (nanos, rest) = read_fraction(&number[whole.len()..])?;
    let nanos = i32::try_from(nanos).ok()?;
    if !rest.is_empty() || seconds > MAX_DURATION || (seconds == MAX_DURATION && nanos > 0) {
        return None;
    }
    Some(if negative {
        Duration {
            seconds: -seconds,
            nanos: -nanos,
        }
    } else {
        Duration { seconds, nanos }
    })
}

/// Writes a duration with 0, 3, 6 or 9 digits of a fraction; `None` where it is out of range or its
/// parts have different signs.
pub(crate) fn write_duration(duration: &Duration) -> Option<String> {
    let Duration { seconds, nanos } = *duration;
    let mixed = (seconds > 0 && nanos < 0) || (seconds < 0 && nanos > 0);
    let beyond = seconds.unsigned_abs() == MAX_DURATION.unsigned_abs() && nanos != 0;
    if mixed || beyond || !(-MAX_DURATION..=MAX_DURATION).contains(&seconds) {
        return None;
    }
    if nanos
        .checked_abs()
        .is_none_or(|nanos| nanos >= NANOS_PER_SECOND)
    {
        return None;
    }
    let sign = if seconds < 0 || nanos < 0 { "-" } else { "" };
    let (seconds, nanos) = (seconds.unsigned_abs(), nanos.unsigned_abs());
    Some(if nanos == 0 {
        format!("{sign}{seconds}s")
    } else if nanos.is_multiple_of(1_000_000) {
        format!("{sign}{seconds}.{:03}s", nanos / 1_000_000)
    } else if nanos.is_multiple_of(1_000) {
        format!("{sign}{seconds}.{:06}s", nanos / 1_000)
    } else {
        format!("{sign}{seconds}.{nanos:09}s")
    })
}

/// The nanoseconds of a fraction at the beginning of the text, if there is one, and the rest.
fn read_fraction(text: &str) -> Option<(u32, &str)> {
    let Some(fraction) = text.strip_prefix('.') else {
        return Some((0, text));
    };
    let rest = fraction.trim_start_matches(|c: char| c.is_ascii_digit());
    let fraction = &fraction[..fraction.len() - rest.len()];
    if fraction.is_empty() || fraction.len() > 9 {
        return None;
    }
    Some((format!("{fraction:0<9}").parse().ok()?, rest))
}

/// The seconds of a zone: `Z`, or an offset of hours and minutes.
fn read_offset(zone: &str) -> Option<i64> {
    if zone == "Z" {
        return Some(0);
    }
    let (sign, offset) = match zone.strip_prefix('-') {
        Some(offset) => (-1, offset),
        None => (1, zone.strip_prefix('+')?),
    };
    let [hours, minutes] = numbers(offset, ':', [2, 2])?;
    (hours <= 23 && minutes <= 59).then(|| sign * i64::from(hours * 3_600 + minutes * 60))
}

/// Numbers of fixed lengths, with a separator between them.
fn numbers<const N: usize>(text: &str, separator: char, lengths: [usize; N]) -> Option<[u32; N]> {
    let mut parts = text.split(separator);
    let mut numbers = [0; N];
    for (number, length) in numbers.iter_mut().zip(lengths) {
        let part = parts.next().filter(|part| part.len() == length)?;
        *number = u32::try_from(digits(part)?).ok()?;
    }
    parts.next().is_none().then_some(numbers)
}

/// A number of digits only.
fn digits(text: &str) -> Option<i64> {
    let all = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if all { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_are_read_strictly() {
        for (text, seconds, nanos) in [
            ("1970-01-01T00:00:00Z", 0, 0),
            ("2023-12-31T18:30:00.5Z", 1_704_047_400, 500_000_000),
            ("2024-01-01T00:00:00+05:30", 1_704_047_400, 0),
            ("0001-01-01T00:00:00Z", FIRST_SECOND, 0),
            ("9999-12-31T23:59:59.999999999Z", LAST_SECOND, 999_999_999),
        ] {
            assert_eq!(
                read_timestamp(text),
                Some(Timestamp { seconds, nanos }),
                "{text}"
            );
        }
        for text in [
            "",
            "2024-01-01",
            "2024-01-01T00:00:00",
            "2024-01-01t00:00:00Z",
            "2024-01-01T00:00:00z",
            "2024-01-01 00:00:00Z",
            "2024-02-30T00:00:00Z",
            "2024-13-01T00:00:00Z",
            "2024-00-01T00:00:00Z",
            "2024-01-01T24:00:00Z",
            "2024-01-01T00:00:60Z",
            "2024-01-01T00:00:00.Z",
            "2024-01-01T00:00:00.0123456789Z",
            "2024-01-01T00:00:00+0530",
            "2024-01-01T00:00:00+24:00",
            "0000-01-01T00:00:00Z",
            "10000-01-01T00:00:00Z",
            "0001-01-01T00:00:00+01:00",
            "9999-12-31T23:59:59-00:01",
            "2024-1-01T00:00:00Z",
            "２024-01-01T00:00:00Z",
        ] {
            assert_eq!(read_timestamp(text), None, "{text}");
        }
    }

    #[test]
    fn durations_are_read_strictly() {
        for (text, seconds, nanos) in [
            ("0s", 0, 0),
            ("1.5s", 1, 500_000_000),
            ("-0.000000001s", 0, -1),
            ("-1.5s", -1, -500_000_000),
            ("315576000000s", MAX_DURATION, 0),
        ] {
            assert_eq!(
                read_duration(text),
                Some(Duration { seconds, nanos }),
                "{text}"
            );
        }
        for text in [
            "",
            "s",
            "1",
            "1.s",
            ".5s",
            "1m",
            "1 s",
            "+1s",
            "--1s",
            "1.0000000001s",
            "1e2s",
            "315576000000.1s",
            "315576000001s",
            "99999999999999999999s",
        ] {
            assert_eq!(read_duration(text), None, "{text}");
        }
    }

    #[test]
    fn times_out_of_range_have_no_text() {
        for (seconds, nanos) in [
            (FIRST_SECOND - 1, 0),
            (LAST_SECOND + 1, 0),
            (0, -1),
            (0, 2_000_000_000),
        ] {
            assert_eq!(write_timestamp(&Timestamp { seconds, nanos }), None);
        }
        for (seconds, nanos) in [
            (MAX_DURATION + 1, 0),
            (MAX_DURATION, 1),
            (1, -1),
            (-1, 1),
            (0, 1_000_000_000),
            (0, i32::MIN),
            (i64::MIN, 0),
        ] {
            assert_eq!(
                write_duration(&Duration { seconds, nanos }),
                None,
                "{seconds} {nanos}"
            );
        }
    }

    #[test]
    fn written_times_are_read_again() {
        for nanos in [0, 1, 1_000, 1_000_000, 999_999_999] {
            for seconds in [FIRST_SECOND, -1, 0, 1_709_164_800, LAST_SECOND] {
                let timestamp = Timestamp { seconds, nanos };
                let text = write_timestamp(&timestamp).unwrap();
                assert_eq!(read_timestamp(&text), Some(timestamp), "{text}");
            }
            for sign in [-1, 1] {
                let duration = Duration {
                    seconds: i64::from(sign) * 7,
                    nanos: sign * nanos,
                };
                let text = write_duration(&duration).unwrap();
                assert_eq!(read_duration(&text), Some(duration), "{text}");
            }
        }
    }
}
