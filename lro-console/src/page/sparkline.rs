//! The last hour of a method as small bars: what ended in each minute, and what of it failed.

use lro_core::inspection::method_history::Minute;
use maud::{Markup, html};

use crate::text::grouped;

/// The width of a bar with its gap, and the height of the drawing.
const STEP: usize = 2;
const HEIGHT: u64 = 24;

/// The drawing. Its highest bar is that of the minute in which most ended.
pub(crate) fn sparkline(minutes: &[Minute]) -> Markup {
    let number = |count: i64| u64::try_from(count).unwrap_or_default();
    let of = |minute: &Minute| {
        let failed = number(minute.failed);
        let others = number(minute.succeeded).saturating_add(number(minute.cancelled));
        (others, failed)
    };
    let bars: Vec<(u64, u64)> = minutes.iter().map(of).collect();
    let sum = |(others, failed): (u64, u64)| others.saturating_add(failed);
    let most = bars.iter().copied().map(sum).max().unwrap_or_default();
    let ended = bars.iter().copied().map(sum).fold(0, u64::saturating_add);
    let failed = bars.iter().map(|bar| bar.1).fold(0, u64::saturating_add);
    let text = format!(
        "the last hour: {} ended, {} of them failed; at most {} in a minute",
        grouped(ended),
        grouped(failed),
        grouped(most)
    );
    let width = bars.len() * STEP;
    html! {
        svg.sparkline viewBox=(format!("0 0 {width} {HEIGHT}")) preserveAspectRatio="none" role="img" aria-label=(text) {
            title { (text) }
            rect.base x="0" y=(HEIGHT - 1) width=(width) height="1" {}
            @for (at, bar) in bars.iter().enumerate() {
                @let high = height(sum(*bar), most);
                @let red = height(bar.1, most);
                @if high > red { rect.ok x=(at * STEP) y=(HEIGHT - high) width="1.5" height=(high - red) {} }
                @if red > 0 { rect.failed x=(at * STEP) y=(HEIGHT - red) width="1.5" height=(red) {} }
            }
        }
    }
}

/// To scale, but never so low that it cannot be seen.
fn height(count: u64, most: u64) -> u64 {
    if count == 0 {
        return 0;
    }
    let scaled = u128::from(count) * u128::from(HEIGHT) / u128::from(most.max(1));
    u64::try_from(scaled).unwrap_or(HEIGHT).clamp(2, HEIGHT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_to_scale_and_failures_stand_below() {
        let minute = |succeeded, failed| Minute {
            succeeded,
            failed,
            ..Minute::default()
        };
        let drawn = sparkline(&[minute(12, 0), minute(0, 6), minute(0, 0)]).into_string();
        let ok = "<rect class=\"ok\" x=\"0\" y=\"0\" width=\"1.5\" height=\"24\">";
        let failed = "<rect class=\"failed\" x=\"2\" y=\"12\" width=\"1.5\" height=\"12\">";
        assert!(drawn.contains(ok) && drawn.contains(failed), "{drawn}");
        assert!(drawn.contains("18 ended, 6 of them failed; at most 12 in a minute"));
        let odd = sparkline(&[minute(i64::MAX, i64::MAX), minute(-5, 1)]).into_string();
        assert!(odd.contains("height=\"2\""), "{odd}");
    }
}
