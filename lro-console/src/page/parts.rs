//! Parts that several pages have: states, times, names, commands.

use lro_core::Timestamp;
use lro_core::inspection::attempt::Outcome;
use lro_core::store::OperationState;
use maud::{Markup, html};

use crate::text::{grouped, relative, rfc3339, utc};

/// The word of a state, as filters spell it.
pub(crate) fn word(state: OperationState) -> &'static str {
    match state {
        OperationState::Pending => "PENDING",
        OperationState::Running => "RUNNING",
        OperationState::Cancelling => "CANCELLING",
        OperationState::Succeeded => "SUCCEEDED",
        OperationState::Failed => "FAILED",
        OperationState::Cancelled => "CANCELLED",
    }
}

/// The sign of a state, which stands before its word.
pub(crate) fn glyph(state: OperationState) -> &'static str {
    match state {
        OperationState::Pending => "◌",
        OperationState::Running => "▶",
        OperationState::Cancelling => "◐",
        OperationState::Succeeded => "✓",
        OperationState::Failed => "✗",
        OperationState::Cancelled => "⊘",
    }
}

/// The outcome of an attempt in words.
pub(crate) fn outcome_word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Unspecified => "unknown",
        Outcome::Running => "running",
        Outcome::Succeeded => "succeeded",
        Outcome::Failed => "failed",
        Outcome::Cancelled => "cancelled",
        Outcome::Retried => "failed, to be retried",
        Outcome::Released => "released by its worker",
        Outcome::WorkerLost => "worker lost",
    }
}

/// A state as a sign and a word.
pub(crate) fn state(state: OperationState) -> Markup {
    html! {
        span.state data-state=(word(state)) {
            span.glyph aria-hidden="true" { (glyph(state)) } " "
            span.word { (word(state)) }
        }
    }
}

/// A time as an age, with the time itself beside it for those who point at it.
pub(crate) fn age(time: Timestamp, now: Timestamp) -> Markup {
    html! { time datetime=(rfc3339(time)) title=(utc(time)) data-age { (relative(time, now)) } }
}

/// A time, and its age.
pub(crate) fn moment(time: Timestamp, now: Timestamp) -> Markup {
    html! {
        time datetime=(rfc3339(time)) data-moment { (utc(time)) }
        " " span.quiet { (age(time, now)) }
    }
}

/// The number of operations, in words.
pub(crate) fn operations(count: usize) -> Markup {
    html! { (grouped(count as u64)) @if count == 1 { " operation" } @else { " operations" } }
}

/// Values with the same text, in the order of their first ones.
pub(crate) fn groups<K: PartialEq, T>(pairs: impl IntoIterator<Item = (K, T)>) -> Vec<(K, Vec<T>)> {
    let mut groups: Vec<(K, Vec<T>)> = Vec::new();
    for (key, value) in pairs {
        match groups.iter_mut().find(|(known, _)| *known == key) {
            Some((_, values)) => values.push(value),
            None => groups.push((key, vec![value])),
        }
    }
    groups
}

/// The outcome of what the visitor has just done, once: it has the focus.
pub(crate) fn done(what: &str) -> Markup {
    let text = match what {
        "cancel" => "Cancellation was asked for.",
        "resubmit" => "Resubmitted: this is the new operation.",
        "delete" => "The operation was deleted.",
        "complete" => "The promise was completed.",
        "forget" => "The steps were forgotten.",
        "unblock" => "It runs as soon as a worker is free.",
        _ => return html! {},
    };
    html! { p #did.did role="status" tabindex="-1" autofocus { (text) } }
}

/// A button that copies a text. It shows itself where scripts run.
pub(crate) fn copy(label: &str, text: &str) -> Markup {
    html! { button.copy type="button" data-copy=(text) hidden title=(text) { (label) } }
}

/// A command to be copied into a shell.
pub(crate) fn command(text: &str) -> Markup {
    html! { code.command { (text) } (copy("Copy command", text)) }
}

/// A word of a command: quoted where a shell would read more than a word.
pub(crate) fn shell_word(text: &str) -> String {
    let is_plain = |char: char| char.is_ascii_alphanumeric() || "-_./:@=%+,".contains(char);
    if !text.is_empty() && text.chars().all(is_plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_for_a_shell() {
        assert_eq!(shell_word("operations/1"), "operations/1");
        assert_eq!(shell_word("a = \"b\""), "'a = \"b\"'");
        assert_eq!(shell_word("it's; rm"), r"'it'\''s; rm'");
        assert_eq!(shell_word(""), "''");
    }
}
