//! Times for people.

use std::time::Duration;

use lro_core::Timestamp;

/// How points in time are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TimeForm {
    Relative,
    Utc,
    Local,
    Unix,
}

impl TimeForm {
    pub(crate) fn write(self, time: Timestamp, now: Timestamp) -> String {
        let Ok(at) = jiff::Timestamp::from_microsecond(time.as_micros()) else {
            return "-".to_owned();
        };
        match self {
            Self::Relative if time > now => format!("in {}", age(time.since(now))),
            Self::Relative => format!("{} ago", age(now.since(time))),
            Self::Utc => at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            Self::Local => {
                let zoned = at.to_zoned_datetime(jiff::tz::TimeZone::system());
                zoned.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
            }
            Self::Unix => at.as_second().to_string(),
        }
    }

    /// The time of day, for a line of progress: in UTC unless the local time was asked for.
    pub(crate) fn of_day(self, time: Timestamp) -> String {
        let Ok(at) = jiff::Timestamp::from_microsecond(time.as_micros()) else {
            return "-".to_owned();
        };
        if self == Self::Local {
            let zoned = at.to_zoned_datetime(jiff::tz::TimeZone::system());
            return zoned.strftime("%H:%M:%S").to_string();
        }
        at.strftime("%H:%M:%S").to_string()
    }
}

/// A span in its two largest units: `14s`, `2m14s`, `1h03m`, `3d04h`.
pub(crate) fn age(span: Duration) -> String {
    let seconds = span.as_secs();
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => match seconds % 60 {
            0 => format!("{}m", seconds / 60),
            rest => format!("{}m{rest:02}s", seconds / 60),
        },
        3_600..86_400 => match seconds % 3_600 / 60 {
            0 => format!("{}h", seconds / 3_600),
            rest => format!("{}h{rest:02}m", seconds / 3_600),
        },
        _ => match seconds % 86_400 / 3_600 {
            0 => format!("{}d", seconds / 86_400),
            rest => format!("{}d{rest:02}h", seconds / 86_400),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_their_two_largest_units() {
        let read = |seconds| age(Duration::from_secs(seconds));
        assert_eq!(
            [0, 14, 134, 3_780, 10_800, 273_600, 120].map(read),
            ["0s", "14s", "2m14s", "1h03m", "3h", "3d04h", "2m"]
        );
    }

    #[test]
    fn times_have_four_forms() {
        let time = Timestamp::from_micros(1_700_000_000_500_000);
        let now = time.saturating_add(Duration::from_secs(90));
        assert_eq!(TimeForm::Relative.write(time, now), "1m30s ago");
        assert_eq!(TimeForm::Utc.write(time, now), "2023-11-14T22:13:20Z");
        assert_eq!(TimeForm::Unix.write(time, now), "1700000000");
        assert_eq!(TimeForm::Utc.of_day(time), "22:13:20");
    }
}
