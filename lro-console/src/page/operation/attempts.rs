//! The attempts of an operation as a table, and why it makes no progress.

use lro_core::Timestamp;
use lro_core::inspection::attempt::Outcome;
use lro_core::inspection::waiting::Cause;
use lro_core::store::OperationState;
use maud::{Markup, html};
use tonic::Code;

use super::super::fault::code_name;
use super::super::parts::{age, moment, outcome_word};
use crate::source::{Record, time};
use crate::text::{cut, duration, visible};

/// The most attempts that are shown. A record keeps ten.
const MAX_ATTEMPTS: usize = 50;

/// The most characters of an error.
const MAX_MESSAGE: usize = 512;

/// Why it waits, in the words of the server.
pub(super) fn waiting(record: &Record, now: Timestamp) -> Markup {
    let Some(waiting) = &record.wire().waiting else {
        return html! {};
    };
    let until = time(waiting.until.as_ref());
    let label = match waiting.cause() {
        Cause::Blocked => "Blocked",
        Cause::WorkerLost => "Worker lost",
        Cause::Stopping => "Stopping",
        _ if record.state() == Some(OperationState::Pending) => "Waits",
        _ => "No progress",
    };
    let explanation = cut(&waiting.explanation, MAX_MESSAGE);
    let repeated = ["its worker is lost: ", "it is blocked "].into_iter();
    let explanation = repeated
        .filter_map(|words| explanation.strip_prefix(words))
        .next()
        .unwrap_or(&explanation);
    html! {
        p.note #waits {
            b { (label) }
            @match until {
                // The time is that of the lease.
                Some(until) if waiting.cause() == Cause::WorkerLost => {
                    " (its lease " @if until < now { "expired " } @else { "expires " } (age(until, now)) "): "
                    (visible(explanation))
                }
                Some(until) => { ": " (visible(explanation)) " (" (age(until, now)) ")" }
                None => { ": " (visible(explanation)) }
            }
            "."
        }
    }
}

/// The attempts, unless there is one that tells nothing more than the state.
pub(super) fn attempts(record: &Record, now: Timestamp) -> Markup {
    let attempts = &record.wire().attempts;
    let tells = |outcome| {
        matches!(
            outcome,
            Outcome::Retried | Outcome::Released | Outcome::WorkerLost
        )
    };
    let is_plain = attempts.len() <= 1 && !attempts.iter().any(|it| tells(it.outcome()));
    if is_plain {
        return html! {};
    }
    let has_workers = attempts.iter().any(|it| !it.worker.is_empty());
    let first = attempts.first().map_or(1, |it| it.number);
    html! {
        section #attempts data-part {
            h2 { "Attempts" }
            @if first > 1 { p.quiet { "The record keeps the latest " (attempts.len()) "; the first " (first - 1) " are forgotten." } }
            div.scroll.plain role="region" aria-label="Attempts" tabindex="0" {
                table.attempts.blocks {
                    caption.unseen { "Attempts, the oldest first" }
                    thead { tr {
                        th scope="col" { "#" }
                        th scope="col" { "Outcome" }
                        th scope="col" { "Began" }
                        th scope="col" { "Took" }
                        th scope="col" { "Error" }
                        @if has_workers { th scope="col" { "Worker" } }
                    } }
                    tbody {
                        @for attempt in attempts.iter().take(MAX_ATTEMPTS) {
                            @let (begin, end) = (time(attempt.begin_time.as_ref()), time(attempt.end_time.as_ref()));
                            tr {
                                td data-label="Attempt" { (attempt.number) }
                                td.outcome data-outcome=(attempt.outcome().as_str_name()) { (outcome_word(attempt.outcome())) }
                                td data-label="Began" { @if let Some(begin) = begin { (moment(begin, now)) } @else { span.quiet { "unknown" } } }
                                td data-label="Took" { @if let Some(begin) = begin { (duration(end.unwrap_or(now).since(begin))) } }
                                td.message {
                                    @if let Some(error) = &attempt.error {
                                        (code_name(Code::from(error.code))) ": " (visible(&cut(&error.message, MAX_MESSAGE)))
                                    }
                                }
                                @if has_workers { td data-label="Worker" { code { (visible(&attempt.worker)) } } }
                            }
                        }
                    }
                }
            }
        }
    }
}
