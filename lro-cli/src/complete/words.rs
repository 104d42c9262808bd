//! Words that are known without a server.

use std::ffi::OsStr;

use clap_complete::engine::{ArgValueCandidates, ArgValueCompleter, CompletionCandidate};
use prost_reflect::{FieldDescriptor, Kind};

use super::{beginning, settings};

/// One of these words.
pub(crate) fn one_of(words: &'static [&'static str]) -> ArgValueCandidates {
    ArgValueCandidates::new(move || words.iter().map(CompletionCandidate::new).collect())
}

/// The forms of `-o`.
pub(crate) fn outputs() -> ArgValueCandidates {
    one_of(&[
        "table", "wide", "json", "ndjson", "name", "value(", "token", "history",
    ])
}

/// The settings that a profile may have.
pub(crate) fn keys() -> ArgValueCandidates {
    ArgValueCandidates::new(|| settings().map(CompletionCandidate::new).collect())
}

/// Names of columns, with commas between them.
pub(crate) fn columns() -> ArgValueCompleter {
    ArgValueCompleter::new(|current: &OsStr| {
        let text = current.to_string_lossy();
        let before = text.rfind(',').map_or("", |at| &text[..=at]);
        let found =
            crate::show::column_names().map(|it| CompletionCandidate::new(format!("{before}{it}")));
        beginning(current, found.collect())
    })
}

/// The values of a field, if they are few.
pub(super) fn values(field: &FieldDescriptor) -> Vec<String> {
    match field.kind() {
        Kind::Bool => ["true", "false"].map(str::to_owned).into(),
        Kind::Enum(values) => values.values().map(|it| it.name().to_owned()).collect(),
        _ => Vec::new(),
    }
}
