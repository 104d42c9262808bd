//! The life of an operation, to scale.

use std::time::Duration;

use lro_core::Timestamp;
use lro_core::store::{OperationRecord, OperationState};
use maud::{Markup, html};

use crate::text::duration;

/// The width of the drawing, in its own units.
const WIDTH: u32 = 1_000;

/// The narrowest part, so that each can be seen.
const MIN_WIDTH: u32 = 6;

/// The gap between two parts.
const GAP: u32 = 2;

/// A part of the life.
#[derive(Debug, PartialEq)]
struct Part {
    kind: &'static str,
    label: String,
    length: Duration,
}

/// The drawing and its legend.
pub(crate) fn timeline(record: &OperationRecord, now: Timestamp) -> Markup {
    let parts = parts(record, now);
    if parts.is_empty() {
        return html! {};
    }
    let places = places(&parts);
    let text: Vec<String> = parts
        .iter()
        .map(|part| format!("{} {}", part.label, duration(part.length)))
        .collect();
    html! {
        svg.timeline viewBox=(format!("0 0 {WIDTH} 20")) preserveAspectRatio="none" role="img" aria-label=(text.join(", ")) {
            @for (part, (x, width)) in parts.iter().zip(&places) {
                rect x=(x) y="0" width=(width) height="20" data-part=(part.kind) {
                    title { (part.label) " " (duration(part.length)) }
                }
            }
        }
        ol.legend {
            @for part in &parts {
                li data-part=(part.kind) { span.key {} (part.label) " " b { (duration(part.length)) } }
            }
        }
    }
}

/// The parts in order. Earlier attempts are inside the first run, since only the last one is known.
fn parts(record: &OperationRecord, now: Timestamp) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut add = |kind, label: &str, from: Timestamp, to: Timestamp| {
        let length = to.since(from);
        if !length.is_zero() {
            let label = label.to_owned();
            parts.push(Part {
                kind,
                label,
                length,
            });
        }
    };
    let last = record.end_time.unwrap_or(now);
    let begin = record.start_time.unwrap_or(last);
    // The time that the start asked for. A retry moves it behind the first run.
    let ready = record.ready_time.max(record.create_time).min(begin);
    if record.attempt <= 1 {
        add("scheduled", "scheduled", record.create_time, ready);
        add("queue", "queued", ready, begin);
    } else {
        add("queue", "queued", record.create_time, begin);
    }
    if record.start_time.is_some() {
        let label = match record.attempt {
            0 | 1 => "ran".to_owned(),
            attempts => format!("{attempts} attempts"),
        };
        let pause = record.state == OperationState::Pending;
        let asked = record
            .cancel_time
            .filter(|time| *time > begin && *time < last);
        if pause {
            add("run", &label, begin, record.update_time.max(begin));
            add("pause", "waits", record.update_time.max(begin), last);
        } else {
            add("run", &label, begin, asked.unwrap_or(last));
            if let Some(asked) = asked {
                add("cancel", "stopping", asked, last);
            }
        }
    }
    parts
}

/// Where each part begins and how wide it is, to scale, with a gap between two.
fn places(parts: &[Part]) -> Vec<(u32, u32)> {
    let total: f64 = parts.iter().map(|part| part.length.as_secs_f64()).sum();
    let room = f64::from(WIDTH - (MIN_WIDTH + GAP) * parts.len() as u32 + GAP);
    let mut next = 0;
    let places = parts.iter().map(|part| {
        let share = part.length.as_secs_f64() / total;
        let place = (next, MIN_WIDTH + (share * room) as u32);
        next += place.1 + GAP;
        place
    });
    places.collect()
}

#[cfg(test)]
mod tests {
    use lro_core::store::NewOperation;

    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::EPOCH.saturating_add(Duration::from_secs(seconds))
    }

    #[test]
    fn a_life_is_drawn_to_scale() {
        let name = "operations/1".parse().unwrap();
        let new = NewOperation::new(uuid::Uuid::nil(), name, "/s/M", lro_core::pack(&()));
        let mut record = OperationRecord::new(new, at(100));
        record.start_time = Some(at(110));
        record.attempt = 1;
        record.state = OperationState::Cancelling;
        record.cancel_time = Some(at(150));
        let parts = parts(&record, at(200));
        let shown: Vec<_> = parts
            .iter()
            .map(|it| (it.kind, it.length.as_secs()))
            .collect();
        assert_eq!(shown, [("queue", 10), ("run", 40), ("cancel", 50)]);
        let places = places(&parts);
        let (last, width) = places[2];
        assert!((WIDTH - 3..=WIDTH).contains(&(last + width)));
        assert!(width > places[1].1 && places[1].1 > 3 * places[0].1);
    }
}
