//! The cells of a row that change: the same for pages and for their updates.

use std::time::Duration;

use lro_core::Timestamp;
use lro_core::inspection::waiting::Cause;
use lro_core::pb::operation::Result as Outcome;
use lro_core::store::OperationState;
use prost_reflect::DescriptorPool;
use tonic::Code;

use crate::page::fault::code_name;
use crate::page::parts::{glyph, word};
use crate::progress::{self, Progress};
use crate::source::{Record, View};
use crate::text::{cut, duration, relative, rfc3339, visible};
use crate::types;

/// The most characters of a note.
const MAX_NOTE: usize = 160;

/// The changing cells of a row.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) revision: u64,
    pub(crate) state: OperationState,
    /// In percent, while it is not done.
    pub(crate) percent: Option<u32>,
    /// The same in words, as in `62 %, 5 of 8 tables`.
    pub(crate) progress: String,
    /// The progress, or why there is none.
    pub(crate) note: String,
    /// Whether it needs an operator: its worker is lost, or other code must be deployed.
    pub(crate) warns: bool,
    pub(crate) took: String,
    /// When its first run began, while it is not done: the time that it took grows.
    pub(crate) since: Option<String>,
}

impl Row {
    pub(crate) fn of(view: &View, types: &DescriptorPool, now: Timestamp) -> Self {
        let state = view.state();
        let progress = if state.is_done() {
            None
        } else {
            progress(view, types)
        };
        Self {
            name: view.name().to_owned(),
            revision: view.revision(),
            state,
            percent: progress.as_ref().map(Progress::percent),
            progress: progress.as_ref().map_or(String::new(), in_words),
            note: note(view, state, progress.as_ref(), now),
            warns: warns(view),
            took: view.took(now).map_or(String::new(), duration),
            since: since(view, state),
        }
    }

    /// The update of the row for the script, which writes texts only.
    pub(crate) fn to_json(&self) -> serde_json::Value {
        serde_json::json!({
            "name": self.name,
            "revision": self.revision,
            "state": word(self.state),
            "glyph": glyph(self.state),
            "percent": self.percent,
            "note": self.note,
            "warns": self.warns,
            "took": self.took,
            "since": self.since,
        })
    }
}

fn warns(view: &View) -> bool {
    let cause = view.record.as_ref().and_then(Record::waits);
    matches!(
        cause,
        Some(Cause::WorkerLost | Cause::Blocked | Cause::WorkersBlocked)
    )
}

fn since(view: &View, state: OperationState) -> Option<String> {
    let start = view.record.as_ref()?.start_time()?;
    (!state.is_done()).then(|| rfc3339(start))
}

/// The progress that the metadata tells.
pub(crate) fn progress(view: &View, types: &DescriptorPool) -> Option<Progress> {
    let metadata = view.operation.metadata.as_ref()?;
    progress::find(&types::decode(types, metadata)?)
}

fn note(view: &View, state: OperationState, progress: Option<&Progress>, now: Timestamp) -> String {
    let text = match (state, &view.operation.result) {
        (OperationState::Cancelled, Some(Outcome::Error(error))) => cancelled(view, &error.message),
        (_, Some(Outcome::Error(error))) => {
            let code = code_name(Code::from(error.code));
            format!("{code}: {}", error.message)
        }
        (OperationState::Pending, _) => waiting(view, now),
        _ => running(view, progress),
    };
    let one_line = text.replace('\n', " ");
    visible(&cut(&one_line, MAX_NOTE)).into_owned()
}

/// The caller that cancelled the operation and its reason, or the message of the error.
fn cancelled(view: &View, message: &str) -> String {
    let actor = view.record.as_ref();
    let actor = actor.and_then(|record| record.wire().cancelled_by.as_ref());
    match actor.map(|actor| (&*actor.principal, &*actor.reason)) {
        None | Some(("", "")) => message.to_owned(),
        Some((principal, "")) => format!("by {principal}"),
        Some(("", reason)) => reason.to_owned(),
        Some((principal, reason)) => format!("by {principal}: {reason}"),
    }
}

fn in_words(progress: &Progress) -> String {
    match &*progress.text {
        "" => format!("{} %", progress.percent()),
        text => format!(
            "{} %, {}",
            progress.percent(),
            visible(&cut(text, MAX_NOTE))
        ),
    }
}

/// How far an operation is, and whether its worker is lost.
fn running(view: &View, progress: Option<&Progress>) -> String {
    let progress = progress.map(in_words);
    let is_lost = view.record.as_ref().and_then(Record::waits) == Some(Cause::WorkerLost);
    let lost = is_lost.then(|| "its worker is lost".to_owned());
    let parts: Vec<String> = [progress, lost].into_iter().flatten().collect();
    parts.join(" · ")
}

/// The reason why a pending operation waits, in short.
fn waiting(view: &View, now: Timestamp) -> String {
    let Some(record) = &view.record else {
        return String::new();
    };
    let cause = record.waits();
    let ready = record.ready_time();
    let later = ready.filter(|ready| *ready > now);
    let later = later.map(|ready| relative(ready, now));
    if cause == Some(Cause::Suspended) {
        return suspended(record, later);
    }
    if let Some(when) = later {
        return match (cause, record.wire().attempt) {
            (Some(Cause::Blocked), _) => format!("blocked, tried again {when}"),
            (_, 0) => format!("starts {when}"),
            (_, tried) => format!("attempt {} {when}", tried.saturating_add(1)),
        };
    }
    let why = match (cause, ready) {
        (Some(Cause::Blocked), _) => return "blocked".to_owned(),
        (_, None) => return String::new(),
        (Some(Cause::NoWorker), _) => ": no worker here",
        (Some(Cause::NoFreeSlot), _) => ": all slots are taken",
        (Some(Cause::Quarantine), _) => ": tried alone",
        (Some(Cause::WorkersBlocked), _) => ": workers blocked",
        _ => "",
    };
    let waited = ready.map_or(Duration::ZERO, |ready| now.since(ready));
    format!("waits {}{why}", duration(waited))
}

/// The durable call that a body waits for, and until when.
fn suspended(record: &Record, later: Option<String>) -> String {
    let waiting = record.wire().waiting.as_ref();
    let explanation = waiting.map_or("", |waiting| &waiting.explanation);
    let waits = explanation.strip_prefix("its body ");
    let waits = waits.unwrap_or(explanation);
    match later {
        Some(when) => format!("{waits}, wakes {when}"),
        None => waits.to_owned(),
    }
}
