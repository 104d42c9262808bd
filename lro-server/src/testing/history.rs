//! The recorded calls of an operation that earlier code has run.

mod calls;
mod order;
mod read;
mod sagas;

use std::collections::{BTreeSet, HashMap};

use lro_core::store::{
    Command, NewOperation, OperationRecord, Refusal, StepKey, StepKind, StepOutcome, StepRow,
    StepWrite, WorkerId,
};
use lro_core::{OperationName, Timestamp, pack};
use prost::{Message, Name};
use prost_types::Any;
use uuid::Uuid;

use super::process::{BEGIN, LEASE, METHOD};

pub use read::InvalidHistory;

/// The durable calls of an operation that earlier code has recorded, in their order, for [`replay`](super::replay).
///
/// ```
/// use lro_server::testing::History;
///
/// let history = History::of("operations/1")
///     .at("2027-01-01T09:00:00Z") // when it was started
///     .step("ocr", &"some text".to_owned())
///     .at("2027-01-01T09:05:00Z")
///     .step("ask", &())
///     .at("2027-01-03T17:30:00Z")
///     .promise("approved", &true);
/// # assert_eq!(history.len(), 3);
/// ```
///
/// The keys are those that the store keeps: `escalation/ask` in a scope, and `page#2` for the second call of a name.
/// [`from_json`](Self::from_json) reads the history of an operation in production.
///
/// # Panics
///
/// All methods that take a name, a key or a time panic if it is malformed: a mistake of the test. `from_json` and
/// [`replay`](super::replay) do not.
#[derive(Clone, Debug)]
pub struct History {
    pub(super) name: OperationName,
    pub(super) begin: Timestamp,
    pub(super) checkpoint: Option<Any>,
    pub(super) entries: Vec<Entry>,
    pub(super) now: Timestamp,
}

/// One write of a row, and when it was made.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) at: Timestamp,
    pub(super) write: StepWrite,
    /// Whether a caller wrote it.
    pub(super) is_from_outside: bool,
}

impl Entry {
    /// The command that wrote the row, and what came with it.
    pub(super) fn into_command(self, fence: u64) -> (Command, Vec<StepWrite>) {
        let metadata = None;
        match self.write {
            StepWrite {
                key,
                outcome: Some(outcome),
                ..
            } if self.is_from_outside => (Command::Complete { key, outcome }, Vec::new()),
            write => (Command::Record { fence, metadata }, vec![write]),
        }
    }
}

impl History {
    /// The history of an operation that has recorded nothing. It was started at 2027-01-01T00:00:00Z.
    #[track_caller]
    pub fn of(name: &str) -> Self {
        let name = name.parse();
        Self::new(
            name.unwrap_or_else(|error| panic!("the name of an operation: {error}")),
            BEGIN,
        )
    }

    fn new(name: OperationName, begin: Timestamp) -> Self {
        Self {
            name,
            begin,
            checkpoint: None,
            entries: Vec::new(),
            now: begin,
        }
    }

    /// The time of the calls that follow, and of the replay; before any call, of the start of the operation. In the
    /// form `2027-01-01T09:00:00Z`.
    #[must_use]
    #[track_caller]
    pub fn at(mut self, time: &str) -> Self {
        self.now = timestamp(time);
        if self.entries.is_empty() {
            self.begin = self.now;
        }
        self
    }

    /// The last checkpoint, which [`restore`](crate::OperationContext::restore) returns.
    #[must_use]
    pub fn checkpoint<T: Message + Name + 'static>(mut self, value: &T) -> Self {
        self.checkpoint = Some(pack(value));
        self
    }

    /// The number of recorded calls.
    pub fn len(&self) -> usize {
        self.keys().len()
    }

    /// Whether nothing is recorded.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(super) fn keys(&self) -> BTreeSet<&StepKey> {
        self.entries.iter().map(|entry| &entry.write.key).collect()
    }

    /// The rows that a store keeps of the writes; or the first one that it refuses, and why.
    fn rows(&self) -> Result<HashMap<StepKey, StepRow>, (&StepKey, Refusal)> {
        let new = NewOperation::new(Uuid::nil(), self.name.clone(), METHOD, Any::default());
        let mut record = OperationRecord::new(new, self.begin);
        let claim = Command::Claim {
            worker: WorkerId::from_uuid(Uuid::nil()),
            lease_duration: LEASE,
        };
        // A new operation is ready, so it is not refused.
        let _ = record.apply(claim, self.begin);
        let mut rows = HashMap::new();
        for entry in &self.entries {
            let (command, steps) = entry.clone().into_command(record.fence);
            let applied = record.apply_with_steps(command, steps, &rows, entry.at);
            let applied = applied.map_err(|refusal| (&entry.write.key, refusal))?;
            let written = applied.written.into_iter();
            rows.extend(written.map(|row| (row.key.clone(), row)));
        }
        Ok(rows)
    }

    #[track_caller]
    fn unfinished(
        mut self,
        key: &str,
        kind: StepKind,
        change: impl FnOnce(&mut StepWrite),
    ) -> Self {
        let mut write = StepWrite::begun(parsed(key), kind);
        change(&mut write);
        self.entries.push(Entry {
            at: self.now,
            write,
            is_from_outside: false,
        });
        self
    }

    #[track_caller]
    fn finished(self, key: &str, kind: StepKind, outcome: StepOutcome) -> Self {
        self.unfinished(key, kind, |write| {
            write.attempt = u32::from(kind == StepKind::Step);
            write.outcome = Some(outcome);
        })
    }

    /// Changes the call before this.
    fn change_last(mut self, change: impl FnOnce(&mut Entry)) -> Self {
        if let Some(last) = self.entries.last_mut() {
            change(last);
        }
        self
    }
}

/// The name of children that have not ended, which makes no difference.
fn started_child() -> OperationName {
    let name = "operations/child".parse();
    name.unwrap_or_else(|error| panic!("a constant: {error}"))
}

#[track_caller]
fn parsed(key: &str) -> StepKey {
    let parsed = key.parse();
    parsed.unwrap_or_else(|error| panic!("the key of a durable call: {error}"))
}

#[track_caller]
fn timestamp(time: &str) -> Timestamp {
    let parsed: Result<prost_types::Timestamp, _> = time.parse();
    let parsed = parsed.ok().and_then(|time| from_wire(&time));
    parsed.unwrap_or_else(|| panic!("{time:?} is no time such as `2027-01-01T09:00:00Z`"))
}

fn from_wire(time: &prost_types::Timestamp) -> Option<Timestamp> {
    let micros = time.seconds.checked_mul(1_000_000)?;
    let micros = micros.checked_add(i64::from(time.nanos) / 1_000)?;
    Some(Timestamp::from_micros(micros))
}

#[cfg(all(test, feature = "inspection"))]
mod tests;
