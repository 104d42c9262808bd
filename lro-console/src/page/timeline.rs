//! The life of an operation, to scale: queue, attempts, pauses and end.

use std::time::Duration;

use lro_core::Timestamp;
use lro_core::inspection::Attempt;
use lro_core::inspection::attempt::Outcome;
use lro_core::inspection::waiting::Cause;
use lro_core::store::OperationState;
use maud::{Markup, html};

use super::parts::outcome_word;
use crate::source::{Record, time};
use crate::text::duration;

/// The width of the drawing, in its own units.
const WIDTH: u32 = 1_000;

/// The narrowest part, so that each can be seen.
const MIN_WIDTH: u32 = 6;

/// The gap between two parts.
const GAP: u32 = 2;

/// The kind of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Scheduled,
    Queue,
    /// An attempt, with its outcome.
    Run(Outcome),
    Stopping,
    /// Between two attempts.
    Pause,
    /// For a durable call.
    Waiting,
    /// For other code.
    Blocked,
}

impl Kind {
    /// The word of the legend.
    fn word(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Queue => "queued",
            Self::Run(Outcome::Running) => "runs",
            Self::Run(Outcome::Succeeded | Outcome::Unspecified) => "ran",
            Self::Run(outcome) => outcome_word(outcome),
            Self::Stopping => "stopping",
            Self::Pause => "paused",
            Self::Waiting => "waits",
            Self::Blocked => "blocked",
        }
    }

    /// The name for style sheets.
    fn key(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Queue => "queue",
            Self::Run(_) => "run",
            Self::Stopping => "cancel",
            Self::Pause => "pause",
            Self::Waiting => "waiting",
            Self::Blocked => "blocked",
        }
    }

    fn outcome(self) -> Option<&'static str> {
        match self {
            Self::Run(outcome) => Some(outcome.as_str_name()),
            _ => None,
        }
    }
}

/// A part of the life.
#[derive(Debug, PartialEq)]
struct Part {
    kind: Kind,
    label: String,
    length: Duration,
}

/// The drawing and its legend.
pub(crate) fn timeline(record: &Record, now: Timestamp) -> Markup {
    let parts = parts(record, now);
    if parts.is_empty() {
        return html! {};
    }
    let places = places(&parts);
    let text: Vec<String> = parts
        .iter()
        .map(|part| format!("{} {}", part.label, duration(part.length)))
        .collect();
    let sums = sums(&parts);
    html! {
        // One part alone has nothing to be compared with.
        @if parts.len() > 1 { svg.timeline viewBox=(format!("0 0 {WIDTH} 20")) preserveAspectRatio="none" role="img" aria-label=(text.join(", ")) {
            @for (part, (x, width)) in parts.iter().zip(&places) {
                rect x=(x) y="0" width=(width) height="20" data-part=(part.kind.key()) data-outcome=[part.kind.outcome()] {
                    title { (part.label) " " (duration(part.length)) }
                }
            }
        } }
        ol.legend {
            @for (kind, count, length) in &sums {
                li data-part=(kind.key()) data-outcome=[kind.outcome()] {
                    span.key {} (kind.word()) " " b { (duration(*length)) }
                    @if *count > 1 { span.quiet { " in " (count) " parts" } }
                }
            }
        }
    }
}

/// How often each kind occurs, and how long in all, in the order of their first parts.
fn sums(parts: &[Part]) -> Vec<(Kind, usize, Duration)> {
    let mut sums: Vec<(Kind, usize, Duration)> = Vec::new();
    for part in parts {
        match sums.iter_mut().find(|(kind, ..)| *kind == part.kind) {
            Some((_, count, length)) => {
                *count += 1;
                *length = length.saturating_add(part.length);
            }
            None => sums.push((part.kind, 1, part.length)),
        }
    }
    sums
}

/// The parts in order.
fn parts(record: &Record, now: Timestamp) -> Vec<Part> {
    let mut parts = Parts::default();
    let Some(created) = record.create_time() else {
        return parts.0;
    };
    let last = record.end_time().unwrap_or(now);
    let attempts = &record.wire().attempts;
    let begin = record.start_time().unwrap_or(last);
    // The time that the start asked for. A retry moves it behind the first run.
    let ready = record.ready_time().unwrap_or(created);
    let ready = ready.max(created).min(begin);
    if attempts.len() <= 1 {
        parts.add(Kind::Scheduled, "scheduled", created, ready);
        parts.add(Kind::Queue, "queued", ready, begin);
    } else {
        parts.add(Kind::Queue, "queued", created, begin);
    }
    if record.start_time().is_none() {
        return parts.0;
    }
    let is_pending = record.state() == Some(OperationState::Pending);
    if attempts.is_empty() && !is_pending {
        parts.add(Kind::Run(Outcome::Unspecified), "ran", begin, last);
        return parts.0;
    }
    let mut at = begin;
    for (index, attempt) in attempts.iter().enumerate() {
        let first = time(attempt.begin_time.as_ref()).unwrap_or(at).max(at);
        let is_older = index == 0 && attempt.number > 1;
        if is_older {
            // The record keeps the latest ten.
            parts.add(
                Kind::Run(Outcome::Unspecified),
                "earlier attempts",
                at,
                first,
            );
        } else {
            parts.add(Kind::Pause, "paused", at, first);
        }
        let until = time(attempt.end_time.as_ref()).unwrap_or(last);
        let until = until.max(first).min(last.max(first));
        add_attempt(&mut parts, record, attempt, (first, until));
        at = until;
    }
    if is_pending && at < last {
        add_pause(&mut parts, record, at, last);
    } else {
        parts.add(Kind::Pause, "paused", at, last);
    }
    parts.0
}

/// The time since the last attempt that the record has, of an operation that is pending again.
fn add_pause(parts: &mut Parts, record: &Record, mut from: Timestamp, now: Timestamp) {
    let kind = match record.waits() {
        Some(Cause::Suspended) => Kind::Waiting,
        Some(Cause::Blocked) => Kind::Blocked,
        _ => Kind::Pause,
    };
    // Records do not keep runs that ended with a wait, but the time of the last change.
    let keeps_last = kind == Kind::Pause && !record.wire().attempts.is_empty();
    let changed = record.update_time().filter(|changed| *changed <= now);
    if let (false, Some(changed)) = (keeps_last, changed) {
        parts.add(Kind::Run(Outcome::Unspecified), "ran", from, changed);
        from = changed.max(from);
    }
    let ready = record.ready_time().filter(|ready| *ready > from);
    let until = ready.map_or(now, |ready| ready.min(now));
    parts.add(kind, kind.word(), from, until);
    parts.add(Kind::Queue, "queued", until, now);
}

/// An attempt, and how long it took to stop after its cancellation.
fn add_attempt(
    parts: &mut Parts,
    record: &Record,
    attempt: &Attempt,
    (first, until): (Timestamp, Timestamp),
) {
    let outcome = attempt.outcome();
    let label = format!("attempt {}: {}", attempt.number, outcome_word(outcome));
    // A worker that is lost runs nothing after the end of its lease.
    let is_lost = outcome == Outcome::Running && record.waits() == Some(Cause::WorkerLost);
    let lease = record.wire().lease.as_ref().filter(|_| is_lost);
    let lost = lease.and_then(|lease| time(lease.expire_time.as_ref()));
    let lost = lost
        .filter(|lost| *lost < until)
        .map(|lost| lost.max(first));
    let ran_until = lost.unwrap_or(until);
    let asked = record.cancel_time();
    let asked = asked.filter(|asked| *asked > first && *asked < ran_until);
    let run_until = asked.unwrap_or(ran_until);
    parts.add(Kind::Run(outcome), &label, first, run_until);
    parts.add(Kind::Stopping, "stopping", run_until, ran_until);
    parts.add(
        Kind::Run(Outcome::WorkerLost),
        "worker lost",
        ran_until,
        until,
    );
}

#[derive(Debug, Default)]
struct Parts(Vec<Part>);

impl Parts {
    fn add(&mut self, kind: Kind, label: &str, from: Timestamp, to: Timestamp) {
        let length = to.since(from);
        if !length.is_zero() {
            let label = label.to_owned();
            self.0.push(Part {
                kind,
                label,
                length,
            });
        }
    }
}

/// Where each part begins and how wide it is, to scale, with a gap between two.
fn places(parts: &[Part]) -> Vec<(u32, u32)> {
    let total: f64 = parts.iter().map(|part| part.length.as_secs_f64()).sum();
    let taken = (MIN_WIDTH + GAP) * parts.len() as u32;
    let room = f64::from((WIDTH + GAP).saturating_sub(taken));
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
mod tests;
