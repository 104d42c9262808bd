//! Texts of pages: ages, durations, short names, and text from outside made visible.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt::Write as _;
use std::time::Duration;

use lro_core::Timestamp;

/// Text from outside: control and invisible characters become `\u{..}`, so that none reorders or
/// hides what stands beside it. The template escapes HTML.
pub(crate) fn visible(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for char in text.chars() {
        if is_unsafe(char) {
            let _ = write!(out, "\\u{{{:x}}}", u32::from(char));
        } else {
            out.push(char);
        }
    }
    Cow::Owned(out)
}

fn is_unsafe(char: char) -> bool {
    (char.is_control() && char != '\n')
        || matches!(char,
            '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'
            | '\u{2066}'..='\u{2069}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}')
}

/// At most this number of characters, with an ellipsis for the rest.
pub(crate) fn cut(text: &str, max: usize) -> Cow<'_, str> {
    match text.char_indices().nth(max) {
        None => Cow::Borrowed(text),
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
    }
}

/// A time in RFC 3339, in UTC.
pub(crate) fn rfc3339(time: Timestamp) -> String {
    match jiff::Timestamp::from_microsecond(time.as_micros()) {
        Ok(time) => time.to_string(),
        Err(_) => format!("{} µs", time.as_micros()),
    }
}

/// A time to the second, for people: `2026-11-29 08:54:18 UTC`.
pub(crate) fn utc(time: Timestamp) -> String {
    match jiff::Timestamp::from_microsecond(time.as_micros()) {
        Ok(time) => time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
        Err(_) => rfc3339(time),
    }
}

/// How long ago, or in how long.
pub(crate) fn relative(time: Timestamp, now: Timestamp) -> String {
    let (span, is_past) = if time > now {
        (time.since(now), false)
    } else {
        (now.since(time), true)
    };
    if span < Duration::from_secs(1) {
        return "now".to_owned();
    }
    let rough = rough(span);
    if is_past {
        format!("{rough} ago")
    } else {
        format!("in {rough}")
    }
}

/// A duration in its largest unit.
pub(crate) fn rough(span: Duration) -> String {
    let seconds = span.as_secs();
    match seconds {
        0..=89 => format!("{seconds} s"),
        90..=5_399 => format!("{} min", (seconds + 30) / 60),
        5_400..=129_599 => format!("{} h", (seconds + 1_800) / 3_600),
        _ => format!("{} d", (seconds + 43_200) / 86_400),
    }
}

/// A duration in its two largest units: `2m14s`, `340ms`.
pub(crate) fn duration(span: Duration) -> String {
    let seconds = span.as_secs();
    match seconds {
        0 => format!("{}ms", span.as_millis()),
        1..=9 => format!("{seconds}.{}s", span.subsec_millis() / 100),
        10..=59 => format!("{seconds}s"),
        60..=3_599 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        3_600..=86_399 => format!("{}h{:02}m", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!("{}d{:02}h", seconds / 86_400, seconds % 86_400 / 3_600),
    }
}

/// A number with separators of thousands: `12,345`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number, or at least how many there are: `1,000+`.
pub(crate) fn bounded(number: u64, is_exact: bool) -> String {
    if is_exact {
        return grouped(number);
    }
    let step = match number {
        0..100 => 1,
        100..1_000 => 100,
        _ => 1_000,
    };
    format!("{}+", grouped(number / step * step))
}

/// `Exporter/Export` of `/exporter.v1.Exporter/Export`.
pub(crate) fn short_method(method: &str) -> &str {
    let method = method.trim_start_matches('/');
    let service_end = method.find('/').unwrap_or(method.len());
    let start = method[..service_end].rfind('.').map_or(0, |dot| dot + 1);
    &method[start..]
}

/// How many characters from the end tell all these names apart: at least 4.
pub(crate) fn suffix_len(names: &[&str]) -> usize {
    let longest = names.iter().map(|name| name.chars().count()).max();
    let longest = longest.unwrap_or(0);
    (4..longest)
        .find(|len| {
            let mut seen = HashSet::new();
            names.iter().all(|name| seen.insert(suffix(name, *len)))
        })
        .unwrap_or(longest)
}

/// The last characters of a name.
pub(crate) fn suffix(name: &str, len: usize) -> &str {
    let skipped = name.chars().count().saturating_sub(len);
    let start = name.char_indices().nth(skipped).map_or(0, |(at, _)| at);
    &name[start..]
}

/// A name in short: the end of it.
pub(crate) fn short_name(name: &str, len: usize) -> String {
    let short = suffix(name, len);
    if short.len() == name.len() {
        visible(name).into_owned()
    } else {
        format!("…{}", visible(short))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_two_units() {
        for (millis, text) in [
            (0, "0ms"),
            (340, "340ms"),
            (1_250, "1.2s"),
            (12_000, "12s"),
            (134_000, "2m14s"),
            (3_840_000, "1h04m"),
            (100_800_000, "1d04h"),
        ] {
            assert_eq!(duration(Duration::from_millis(millis)), text);
        }
    }

    #[test]
    fn numbers_have_separators_and_bounds() {
        for (number, is_exact, text) in [
            (0, true, "0"),
            (999, true, "999"),
            (1_000, true, "1,000"),
            (1_234_567, true, "1,234,567"),
            (7, false, "7+"),
            (874, false, "800+"),
            (9_999, false, "9,000+"),
        ] {
            assert_eq!(bounded(number, is_exact), text);
        }
    }

    #[test]
    fn ages_count_from_the_clock_of_the_server() {
        let now = Timestamp::from_micros(1_000_000_000_000);
        let ago = |seconds| now.saturating_sub(Duration::from_secs(seconds));
        assert_eq!(relative(ago(0), now), "now");
        assert_eq!(relative(ago(89), now), "89 s ago");
        assert_eq!(relative(ago(120), now), "2 min ago");
        assert_eq!(relative(ago(7_200), now), "2 h ago");
        assert_eq!(relative(ago(200_000), now), "2 d ago");
        assert_eq!(relative(now, ago(30)), "in 30 s");
    }

    #[test]
    fn short_names_differ() {
        let names = ["operations/aa17", "operations/ba17", "operations/b21f"];
        let len = suffix_len(&names);
        assert_eq!(len, 4);
        assert_eq!(short_name(names[0], len), "…aa17");
        assert_eq!(short_name("x/é", 1), "…é");
        assert_eq!(short_name("ab", 4), "ab");
        let names = ["o/1aaaa", "o/2aaaa"];
        assert_eq!(suffix_len(&names), 5);
        assert_eq!(
            short_method("/exporter.v1.Exporter/Export"),
            "Exporter/Export"
        );
        assert_eq!(short_method("/S/M"), "S/M");
        assert_eq!(short_method("odd"), "odd");
    }

    #[test]
    fn invisible_characters_are_shown() {
        assert_eq!(visible("a\u{202e}b\u{0}"), "a\\u{202e}b\\u{0}");
        assert_eq!(visible("two\nlines"), "two\nlines");
        assert_eq!(cut("abcdef", 3), "abc…");
    }
}
