//! Durations such as `"1h30m"`.

use std::time::Duration;

/// Units, the largest first, in milliseconds.
const UNITS: [(&str, u64); 5] = [
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// The longest duration. A longer one is a mistake, and could not be added to a time of day.
const MAX_DAYS: u64 = 36_500;

// Input:  1h30m
// Output: 5,400,000 ms
pub(super) fn parse(text: &str) -> Result<Duration, String> {
    let millis = millis(text).ok_or_else(|| {
        format!(
            "`{text}` is not a duration; write whole numbers with the units `ms`, `s`, `m`, `h` or `d`, \
             the largest first, as in \"250ms\", \"10s\", \"1h30m\" or \"30d\""
        )
    })?;
    u64::try_from(millis)
        .ok()
        .filter(|&millis| millis <= MAX_DAYS * UNITS[0].1)
        .map(Duration::from_millis)
        .ok_or_else(|| format!("`{text}` is longer than {MAX_DAYS} days"))
}

fn millis(text: &str) -> Option<u128> {
    let mut rest = text;
    let mut units = UNITS.iter();
    let mut total = 0_u128;
    while !rest.is_empty() {
        let number = take(&mut rest, |c| c.is_ascii_digit());
        let unit = take(&mut rest, |c| !c.is_ascii_digit());
        // The search continues after the last unit found, so that each unit occurs once and in
        // order.
        let (_, scale) = units.find(|(name, _)| *name == unit)?;
        // A number too large for the type is also too long a duration.
        let number = match number {
            "" => return None,
            digits => digits.parse().unwrap_or(u64::MAX),
        };
        total += u128::from(number) * u128::from(*scale);
    }
    (!text.is_empty()).then_some(total)
}

/// Cuts off the longest start of `rest` whose characters all are `wanted`.
fn take<'a>(rest: &mut &'a str, wanted: impl Fn(char) -> bool) -> &'a str {
    let end = rest.find(|c| !wanted(c)).unwrap_or(rest.len());
    let (start, after) = rest.split_at(end);
    *rest = after;
    start
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        let millis = |text| parse(text).map(|it| it.as_millis());
        assert_eq!(millis("250ms"), Ok(250));
        assert_eq!(millis("10s"), Ok(10_000));
        assert_eq!(millis("30m"), Ok(1_800_000));
        assert_eq!(millis("2h"), Ok(7_200_000));
        assert_eq!(millis("30d"), Ok(2_592_000_000));
        assert_eq!(millis("1h30m"), Ok(5_400_000));
        assert_eq!(millis("1d2h3m4s5ms"), Ok(93_784_005));
        assert_eq!(millis("0s"), Ok(0));
        assert_eq!(millis("36500d"), Ok(3_153_600_000_000));
    }

    #[test]
    fn not_durations() {
        let wrong = [
            "", "5", "s", "5 s", " 5s", "5s ", "-5s", "1.5h", "5min", "30m1h", "1h1h", "5S", "5µs",
            "٣s",
        ];
        for text in wrong {
            let message = parse(text).unwrap_err();
            assert!(message.contains("is not a duration"), "{text}: {message}");
        }
    }

    #[test]
    fn too_long() {
        for text in ["36501d", "99999999999999999999999d", "36500d1ms"] {
            let message = parse(text).unwrap_err();
            assert!(message.contains("longer than 36500 days"), "{message}");
        }
    }
}
