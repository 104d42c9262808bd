//! How long an operation will still run, and whether it is slow: by its own progress, and by the
//! latest operations of its method.

use std::time::Duration;

use lro_core::inspection::MethodHistory;

use crate::source::span;
use crate::text::{duration, grouped, rough};

/// With fewer operations before it, a method has no usual time.
const MIN_SAMPLES: i32 = 5;

/// Progress below this tells nothing of the whole.
const MIN_FRACTION: f64 = 0.02;

/// The time that an operation may still take.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outlook {
    /// As in `about 2 min left`; empty if nothing tells.
    pub(crate) left: String,
    /// Why it counts as slow; empty if it does not.
    pub(crate) slow: String,
}

impl Outlook {
    /// Of an operation that has run for so long and is so far.
    pub(crate) fn of(
        ran: Duration,
        fraction: Option<f64>,
        history: Option<&MethodHistory>,
    ) -> Self {
        let fraction = fraction.filter(|it| (MIN_FRACTION..=1.0).contains(it));
        let whole = fraction.map(|fraction| ran.div_f64(fraction));
        let usual = history.filter(|it| it.sample_count >= MIN_SAMPLES);
        let times = usual.and_then(|it| {
            let half = span(it.run_time_p50.as_ref())?;
            Some((half, span(it.run_time_p95.as_ref())?, it.sample_count))
        });
        let left = match (whole, times) {
            (Some(whole), _) => Some(whole.saturating_sub(ran)),
            (None, Some((half, ..))) if half > ran => half.checked_sub(ran),
            _ => None,
        };
        let left = left.map_or(String::new(), |left| format!("about {} left", rough(left)));
        let slow = match times {
            Some((half, most, count)) if whole.unwrap_or(ran).max(ran) > most => format!(
                "usual is {}, and 95 of 100 took at most {}; of the last {} of its method",
                duration(half),
                duration(most),
                grouped(u64::try_from(count).unwrap_or_default()),
            ),
            _ => String::new(),
        };
        Self { left, slow }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(sample_count: i32, p50: i64, p95: i64) -> MethodHistory {
        let span = |seconds| Some(prost_types::Duration { seconds, nanos: 0 });
        MethodHistory {
            sample_count,
            run_time_p50: span(p50),
            run_time_p95: span(p95),
            ..MethodHistory::default()
        }
    }

    #[test]
    fn progress_and_the_past_tell_what_is_left() {
        let of = |ran, fraction, history: Option<&MethodHistory>| {
            let outlook = Outlook::of(Duration::from_secs(ran), fraction, history);
            (outlook.left, !outlook.slow.is_empty())
        };
        let usual = history(100, 60, 120);
        let none = (String::new(), false);
        assert_eq!(of(30, None, None), none);
        assert_eq!(of(30, Some(0.5), None), ("about 30 s left".into(), false));
        assert_eq!(
            of(30, None, Some(&usual)),
            ("about 30 s left".into(), false)
        );
        // Longer than half of the others: the past does not say how long.
        assert_eq!(of(90, None, Some(&usual)), none);
        assert_eq!(of(121, None, Some(&usual)), (String::new(), true));
        // It will take 400 s, more than 95 of 100: known at a quarter of it.
        assert_eq!(
            of(100, Some(0.25), Some(&usual)),
            ("about 5 min left".into(), true)
        );
        assert_eq!(of(100, Some(0.001), Some(&usual)), none);
        let few = history(4, 1, 1);
        assert_eq!(of(100, None, Some(&few)), none);
    }
}
