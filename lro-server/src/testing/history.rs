//! The recorded calls of an operation that earlier code has run.

use lro_core::store::{StepKey, StepKind, StepOutcome, StepWake, StepWrite};
use lro_core::{OperationName, Timestamp, pack};
use prost::{Message, Name};
use prost_types::Any;
use tonic::Status;

use super::process::BEGIN;
use crate::handler::error::to_plain_rpc_status;

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
///
/// # Panics
///
/// All methods that take a name, a key or a time panic if it is malformed: a mistake of the test.
#[derive(Clone, Debug)]
pub struct History {
    pub(super) name: OperationName,
    pub(super) begin: Timestamp,
    pub(super) checkpoint: Option<Any>,
    pub(super) entries: Vec<Entry>,
    pub(super) now: Timestamp,
}

/// One row, and when it was written.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) at: Timestamp,
    pub(super) write: StepWrite,
    /// Whether a caller wrote it.
    pub(super) is_from_outside: bool,
}

impl History {
    /// The history of an operation that has recorded nothing. It was started at 2027-01-01T00:00:00Z.
    #[track_caller]
    pub fn of(name: &str) -> Self {
        let name = name.parse();
        Self {
            name: name.unwrap_or_else(|error| panic!("the name of an operation: {error}")),
            begin: BEGIN,
            checkpoint: None,
            entries: Vec::new(),
            now: BEGIN,
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

    /// A step that has returned this.
    #[must_use]
    #[track_caller]
    pub fn step<T: Message + Name + 'static>(self, key: &str, response: &T) -> Self {
        self.finished(key, StepKind::Step, StepOutcome::Response(pack(response)))
    }

    /// A step that has failed with this error, finally.
    #[must_use]
    #[track_caller]
    pub fn failed(self, key: &str, error: &Status) -> Self {
        let outcome = StepOutcome::Error(to_plain_rpc_status(error));
        self.finished(key, StepKind::Step, outcome)
    }

    /// A step whose closure has begun, and not returned: one that runs at most once, or pauses between two
    /// attempts.
    #[must_use]
    #[track_caller]
    pub fn begun(mut self, key: &str) -> Self {
        self.add(StepWrite {
            attempt: 1,
            ..StepWrite::begun(parsed(key), StepKind::Step)
        });
        self
    }

    /// A sleep that is over.
    #[must_use]
    #[track_caller]
    pub fn sleep(self, key: &str) -> Self {
        self.finished(key, StepKind::Sleep, StepOutcome::Response(pack(&())))
    }

    /// A sleep that ends at this time.
    #[must_use]
    #[track_caller]
    pub fn sleeping(mut self, key: &str, until: &str) -> Self {
        self.add(StepWrite {
            wake: Some(StepWake::At(timestamp(until))),
            ..StepWrite::begun(parsed(key), StepKind::Sleep)
        });
        self
    }

    /// A promise that was given this value.
    #[must_use]
    #[track_caller]
    pub fn promise<T: Message + Name + 'static>(mut self, key: &str, value: &T) -> Self {
        let outcome = StepOutcome::Response(pack(value));
        self = self.finished(key, StepKind::Promise, outcome);
        self.mark_outside();
        self
    }

    /// A promise that the operation waits for.
    #[must_use]
    #[track_caller]
    pub fn asked(mut self, key: &str) -> Self {
        self.add(StepWrite::begun(parsed(key), StepKind::Promise));
        self
    }

    /// The answer to [`introduced`](crate::OperationContext::introduced).
    #[must_use]
    #[track_caller]
    pub fn introduced(mut self, key: &str, answer: bool) -> Self {
        let outcome = StepOutcome::Response(pack(&answer));
        self = self.finished(key, StepKind::Introduced, outcome);
        self.side_by_side()
    }

    /// The call before this was made while other durable calls were under way, as in a `join!`.
    #[must_use]
    pub fn side_by_side(mut self) -> Self {
        if let Some(last) = self.entries.last_mut() {
            last.write.sequential = false;
        }
        self
    }

    /// The number of recorded calls.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing is recorded.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    #[track_caller]
    fn finished(mut self, key: &str, kind: StepKind, outcome: StepOutcome) -> Self {
        self.add(StepWrite {
            attempt: u32::from(kind == StepKind::Step),
            outcome: Some(outcome),
            ..StepWrite::begun(parsed(key), kind)
        });
        self
    }

    fn add(&mut self, write: StepWrite) {
        self.entries.push(Entry {
            at: self.now,
            write,
            is_from_outside: false,
        });
    }

    fn mark_outside(&mut self) {
        if let Some(last) = self.entries.last_mut() {
            last.is_from_outside = true;
        }
    }
}

#[track_caller]
fn parsed(key: &str) -> StepKey {
    let parsed = key.parse();
    parsed.unwrap_or_else(|error| panic!("the key of a durable call: {error}"))
}

#[track_caller]
fn timestamp(time: &str) -> Timestamp {
    let parsed: Result<prost_types::Timestamp, _> = time.parse();
    let parsed =
        parsed.unwrap_or_else(|_| panic!("{time:?} is no time such as `2027-01-01T09:00:00Z`"));
    Timestamp::from_micros(parsed.seconds * 1_000_000 + i64::from(parsed.nanos) / 1_000)
}
