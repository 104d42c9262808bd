//! RFC 3339 timestamps and durations in seconds, strictly.

const NANOS_PER_SECOND: i128 = 1_000_000_000;
const SECONDS_PER_DAY: i64 = 86_400;
/// 0001-01-01T00:00:00Z and 9999-12-31T23:59:59Z: what a `google.protobuf.Timestamp` may hold.
const SECONDS_MIN: i64 = -62_135_596_800;
const SECONDS_MAX: i64 = 253_402_300_799;
/// The limit of a `google.protobuf.Duration` in both directions, in seconds.
const DURATION_SECONDS_MAX: i128 = 315_576_000_000;

/// The nanoseconds since the Unix epoch that a `google.protobuf.Timestamp` or `Duration` holds.
pub(crate) fn nanos(seconds: i64, nanos: i32) -> i128 {
    i128::from(seconds) * NANOS_PER_SECOND + i128::from(nanos)
}

/// An RFC 3339 timestamp as nanoseconds since the Unix epoch: upper-case `T` and `Z`, an offset, at
/// most nine digits of fraction, no leap second, within the years 1 to 9999.
pub(crate) fn parse_timestamp(text: &str) -> Option<i128> {
    let (date, rest) = text.split_at_checked(10)?;
    let (time, rest) = rest.strip_prefix('T')?.split_at_checked(8)?;
    let days = parse_days(date)?;
    let [hour, minute, second] = numbers(time, ':', [2, 2, 2])?;
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let (fraction, zone) = match rest.strip_prefix('.') {
        None => (0, rest),
        Some(rest) => {
            let length = rest.find(|c: char| !c.is_ascii_digit())?;
            let (digits, zone) = rest.split_at(length);
            (parse_fraction(digits)?, zone)
        }
    };
    let local = days * SECONDS_PER_DAY + hour * 3_600 + minute * 60 + second;
    let seconds = local - parse_offset(zone)?;
    let in_range = (SECONDS_MIN..=SECONDS_MAX).contains(&seconds);
    in_range.then(|| i128::from(seconds) * NANOS_PER_SECOND + fraction)
}

/// A date as the nanosecond at which it starts in UTC.
pub(crate) fn parse_date(text: &str) -> Option<i128> {
    let days = parse_days(text)?;
    Some(i128::from(days * SECONDS_PER_DAY) * NANOS_PER_SECOND)
}

/// Whole seconds since the Unix epoch, as nanoseconds.
pub(crate) fn parse_epoch_seconds(text: &str) -> Option<i128> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if !is_plain_number(digits) {
        return None;
    }
    let seconds: i64 = text.parse().ok()?;
    let in_range = (SECONDS_MIN..=SECONDS_MAX).contains(&seconds);
    in_range.then(|| i128::from(seconds) * NANOS_PER_SECOND)
}

/// A duration such as `20s`, `1.2s` or `-5s`, as nanoseconds.
pub(crate) fn parse_duration(text: &str) -> Option<i128> {
    let number = text.strip_suffix('s')?;
    let (negative, number) = match number.strip_prefix('-') {
        Some(number) => (true, number),
        None => (false, number),
    };
    let (whole, fraction) = match number.split_once('.') {
        Some((whole, fraction)) => (whole, parse_fraction(fraction)?),
        None => (number, 0),
    };
    if !is_plain_number(whole) {
        return None;
    }
    let seconds: i128 = whole.parse().ok()?;
    if seconds > DURATION_SECONDS_MAX || (seconds == DURATION_SECONDS_MAX && fraction > 0) {
        return None;
    }
    let nanos = seconds * NANOS_PER_SECOND + fraction;
    Some(if negative { -nanos } else { nanos })
}

/// Digits without a leading zero.
pub(crate) fn is_plain_number(digits: &str) -> bool {
    let all = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    all && (digits.len() == 1 || !digits.starts_with('0'))
}

fn parse_days(date: &str) -> Option<i64> {
    let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
    if year < 1 || !(1..=12).contains(&month) || !(1..=month_days(year, month)).contains(&day) {
        return None;
    }
    Some(days_since_epoch(year, month, day))
}

/// `Z`, `+hh:mm` or `-hh:mm`, as seconds east of UTC.
fn parse_offset(zone: &str) -> Option<i64> {
    if zone == "Z" {
        return Some(0);
    }
    let (sign, clock) = match zone.strip_prefix('+') {
        Some(clock) => (1, clock),
        None => (-1, zone.strip_prefix('-')?),
    };
    let [hour, minute] = numbers(clock, ':', [2, 2])?;
    (hour <= 23 && minute <= 59).then_some(sign * (hour * 3_600 + minute * 60))
}

/// One to nine digits of a fraction of a second, as nanoseconds.
fn parse_fraction(digits: &str) -> Option<i128> {
    let right = (1..=9).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    right.then(|| format!("{digits:0<9}").parse().ok())?
}

/// Numbers of exactly these widths, with a separator between them.
fn numbers<const N: usize>(text: &str, separator: char, widths: [usize; N]) -> Option<[i64; N]> {
    let mut found = [0; N];
    let mut parts = text.split(separator);
    for (number, width) in found.iter_mut().zip(widths) {
        let part = parts.next()?;
        if part.len() != width || !part.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        *number = part.parse().ok()?;
    }
    parts.next().is_none().then_some(found)
}

fn month_days(year: i64, month: i64) -> i64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Of the proleptic Gregorian calendar.
fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    // Whole years before this one, then whole months, then days.
    let before = year - 1;
    let leap_days = before / 4 - before / 100 + before / 400;
    let months: i64 = (1..month).map(|month| month_days(year, month)).sum();
    before * 365 + leap_days + months + day - 1 - 719_162
}
