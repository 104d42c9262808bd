//! The cells of a row that change: the same for pages and for their updates.

use lro_core::Timestamp;
use lro_core::inspection::Waiting;
use lro_core::inspection::waiting::Cause;
use lro_core::pb::operation::Result as Outcome;
use lro_core::store::OperationState;
use prost_reflect::DescriptorPool;
use tonic::Code;

use crate::page::fault::code_name;
use crate::page::parts::{glyph, word};
use crate::progress::{self, Progress};
use crate::source::View;
use crate::text::{cut, duration, relative, visible};
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
    pub(crate) note: String,
    pub(crate) took: String,
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
            note: note(view, state, progress.as_ref(), now),
            took: view.took(now).map_or(String::new(), duration),
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
            "took": self.took,
        })
    }
}

/// The progress that the metadata tells.
pub(crate) fn progress(view: &View, types: &DescriptorPool) -> Option<Progress> {
    let metadata = view.operation.metadata.as_ref()?;
    progress::find(&types::decode(types, metadata)?)
}

fn note(view: &View, state: OperationState, progress: Option<&Progress>, now: Timestamp) -> String {
    let text = match (state, &view.operation.result) {
        (_, Some(Outcome::Error(error))) => {
            let code = code_name(Code::from(error.code));
            format!("{code}: {}", error.message)
        }
        (OperationState::Pending, _) => waiting(view, now),
        _ => match progress {
            Some(progress) if progress.text.is_empty() => format!("{} %", progress.percent()),
            Some(progress) => format!("{} %, {}", progress.percent(), progress.text),
            None => String::new(),
        },
    };
    let one_line = text.replace('\n', " ");
    visible(&cut(&one_line, MAX_NOTE)).into_owned()
}

/// The reason why a pending operation waits, in short.
fn waiting(view: &View, now: Timestamp) -> String {
    let Some(record) = &view.record else {
        return String::new();
    };
    let Some(ready) = record.ready_time() else {
        return String::new();
    };
    let tried = record.wire().attempt;
    if ready > now {
        let when = relative(ready, now);
        return match tried {
            0 => format!("starts {when}"),
            tried => format!("attempt {} {when}", tried.saturating_add(1)),
        };
    }
    let waits = format!("waits {}", duration(now.since(ready)));
    let cause = record.wire().waiting.as_ref().map(Waiting::cause);
    let why = match cause {
        Some(Cause::NoWorker) => "no worker here",
        Some(Cause::NoFreeSlot) => "all slots are taken",
        Some(Cause::Quarantine) => "tried alone",
        Some(Cause::WorkersBlocked) => "workers blocked",
        _ => return waits,
    };
    format!("{waits}: {why}")
}
