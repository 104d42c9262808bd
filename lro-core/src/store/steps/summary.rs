//! The summary of an operation's steps in its record.

use super::{StepKey, StepKind};
use crate::clock::Timestamp;
use crate::pb::rpc::Status;

/// The summary of an operation's steps in its record: their number and size, and the keys that a
/// suspended operation waits for. A `prost::Message`, so that a store can keep it as bytes.
///
/// ```
/// use lro_core::store::StepSummary;
///
/// let summary = StepSummary { rows: 2, waits: vec!["approved".into()], ..StepSummary::default() };
/// assert!(summary.waits_for(&"approved".parse()?));
/// # Ok::<(), lro_core::store::InvalidStepKey>(())
/// ```
///
/// # Limits
///
/// [`MAX_ROWS`](Self::MAX_ROWS), [`MAX_LEN`](Self::MAX_LEN) and
/// [`MAX_VALUE_LEN`](Self::MAX_VALUE_LEN) for each epoch; [`MAX_EARLY`](Self::MAX_EARLY) and
/// [`MAX_EARLY_LEN`](Self::MAX_EARLY_LEN) for rows that callers write before the body asks for them.
/// An update that exceeds one is refused as [`Refusal::StepLimit`](super::super::Refusal::StepLimit).
#[derive(Clone, PartialEq, prost::Message)]
pub struct StepSummary {
    /// The rows of this epoch are the operation's. Rows of earlier ones are forgotten.
    #[prost(uint32, tag = "1")]
    pub epoch: u32,
    /// The [`seq`](super::StepRow::seq) of the newest row.
    #[prost(uint64, tag = "2")]
    pub seq: u64,
    /// The number of rows.
    #[prost(uint32, tag = "3")]
    pub rows: u32,
    /// Their [size](super::StepRow::encoded_len) in bytes.
    #[prost(uint64, tag = "4")]
    pub len: u64,
    /// The [attempt](super::super::OperationRecord::attempt) in which a row last finished:
    /// `max_attempts` counts the attempts after it.
    #[prost(uint32, tag = "5")]
    pub progress_attempt: u32,
    /// The number of rows that callers wrote before the body asked for them.
    #[prost(uint32, tag = "6")]
    pub early: u32,
    /// The keys that the operation waits for while it is suspended. After a claim they say what it
    /// has waited for.
    #[prost(string, repeated, tag = "7")]
    pub waits: Vec<String>,
    /// Why the operation cannot continue, if its last run ended with [`Block`](super::super::Command::Block).
    #[prost(message, optional, tag = "8")]
    pub blocked: Option<Blocked>,
    /// When this epoch began, in microseconds since 1970 by the store's clock; 0 of the first one,
    /// which began with the operation.
    #[prost(int64, tag = "9")]
    pub epoch_micros: i64,
    /// How many rows of earlier epochs are still stored, at most.
    #[prost(uint32, tag = "10")]
    pub unswept: u32,
    /// The [kinds](super::StepKind::as_number) of the calls that it waits for, in the order of
    /// [`waits`](Self::waits).
    #[prost(uint32, repeated, tag = "11")]
    pub wait_kinds: Vec<u32>,
    /// The number of rows of [debts](StepKind::is_debt) that have not finished.
    #[prost(uint32, tag = "12")]
    pub owed: u32,
    /// The error with which the operation ends when it owes nothing any more: a run has failed, or the
    /// attempts were used up, while it owed something. Later runs only undo.
    #[prost(message, optional, tag = "13")]
    pub verdict: Option<Status>,
    /// The number of rows that belong to the engine rather than to the body: those of sagas and undos.
    #[prost(uint32, tag = "16")]
    pub saga_rows: u32,
    /// The keys of recorded calls that the body has not made in its last run: some of them, if there are more than
    /// [`MAX_UNREACHED`](Self::MAX_UNREACHED).
    #[prost(string, repeated, tag = "17")]
    pub unreached: Vec<String>,
    /// How many steps with children were forgotten by operators, in all epochs. The request ids of children that are
    /// started later depend on it, so that they are others.
    #[prost(uint32, tag = "18")]
    pub forgotten_children: u32,
    /// Whether operators have forgotten steps that a saga undoes, in this epoch: one without a row may have been begun
    /// then.
    #[prost(bool, tag = "19")]
    pub forgotten_undoable: bool,
}

/// The reason why an operation cannot continue: the code of its body does not fit its recorded steps.
///
/// ```
/// use lro_core::store::{Blocked, StepSummary};
///
/// let blocked = Blocked { message: "`validate` is new".into(), count: 1 };
/// let summary = StepSummary { blocked: Some(blocked), ..StepSummary::default() };
/// assert_eq!(summary.blocked.unwrap().count, 1);
/// ```
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Blocked {
    /// The mismatch, as a sentence.
    #[prost(string, tag = "1")]
    pub message: String,
    /// How many runs in a row have ended so.
    #[prost(uint32, tag = "2")]
    pub count: u32,
}

impl StepSummary {
    /// The largest number of rows of an epoch, beyond which only those
    /// [without a limit](super::StepKind::has_no_limit) are recorded.
    pub const MAX_ROWS: u32 = 10_000;
    /// The largest size of the rows of an epoch, in bytes: 16 MiB, with the same exception.
    pub const MAX_LEN: u64 = 16 << 20;
    /// The largest encoded value of a row, in bytes: 1 MiB and its type URL.
    pub const MAX_VALUE_LEN: usize = (1 << 20) + 4_096;
    /// The largest number of rows that callers write before the body asks for them.
    pub const MAX_EARLY: u32 = 64;
    /// The largest number of [debts](StepKind::is_debt) with which an operation starts another child.
    pub const MAX_CHILDREN: u32 = 1_000;
    /// The largest value that a caller gives, in bytes: 64 KiB and its type URL.
    pub const MAX_EARLY_LEN: usize = (64 << 10) + 4_096;

    /// The largest number of unreached calls that are named.
    pub const MAX_UNREACHED: usize = 256;

    /// How many rows of earlier epochs a command removes at most, so that a long epoch costs no long
    /// commit.
    pub const SWEPT: u32 = 256;

    /// When this epoch began; `None` of the first one, which began with the operation.
    pub fn epoch_time(&self) -> Option<Timestamp> {
        (self.epoch > 0).then(|| Timestamp::from_micros(self.epoch_micros))
    }

    /// The keys that the operation waits for, each with the kind of the call as far as it is known.
    pub fn waits_with_kinds(&self) -> impl Iterator<Item = (&str, Option<StepKind>)> {
        let kind = |at| StepKind::from_number(u8::try_from(*self.wait_kinds.get(at)?).ok()?);
        let waits = self.waits.iter().enumerate();
        waits.map(move |(at, waits)| (waits.as_str(), kind(at)))
    }

    pub(in crate::store) fn remove_wait(&mut self, key: &StepKey) {
        let Some(at) = self.waits.iter().position(|waits| waits == key.as_str()) else {
            return;
        };
        self.waits.remove(at);
        if at < self.wait_kinds.len() {
            self.wait_kinds.remove(at);
        }
    }

    /// Whether the body has returned without making this recorded call.
    pub fn is_unreached(&self, key: &StepKey) -> bool {
        self.unreached
            .iter()
            .any(|unreached| unreached == key.as_str())
    }

    pub(in crate::store) fn add_unreached(&mut self, key: &StepKey) {
        if self.unreached.len() < Self::MAX_UNREACHED && !self.is_unreached(key) {
            self.unreached.push(key.as_str().to_owned());
        }
    }

    /// Whether the operation waits for this step, or has waited before its last claim.
    pub fn waits_for(&self, key: &StepKey) -> bool {
        self.waits.iter().any(|waits| waits == key.as_str())
    }
}

/// A limit of the steps of an operation.
///
/// ```
/// use lro_core::store::{Refusal, StepLimit};
///
/// let refusal = Refusal::StepLimit(StepLimit::Rows);
/// assert_eq!(refusal.to_string(), "an operation has at most 10000 steps");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum StepLimit {
    /// [`StepSummary::MAX_ROWS`].
    #[error("an operation has at most {max} steps", max = StepSummary::MAX_ROWS)]
    Rows,
    /// [`StepSummary::MAX_LEN`].
    #[error("the steps of an operation have at most {max} bytes", max = StepSummary::MAX_LEN)]
    Len,
    /// [`StepSummary::MAX_VALUE_LEN`].
    #[error("the value of a step has at most {max} bytes", max = StepSummary::MAX_VALUE_LEN)]
    ValueLen,
    /// [`StepSummary::MAX_EARLY`].
    #[error("at most {max} steps are completed before the operation asks for them", max = StepSummary::MAX_EARLY)]
    Early,
    /// [`StepSummary::MAX_CHILDREN`].
    #[error("an operation waits for at most {max} children at a time", max = StepSummary::MAX_CHILDREN)]
    Children,
    /// [`StepSummary::MAX_EARLY_LEN`].
    #[error("a value from outside has at most {max} bytes", max = StepSummary::MAX_EARLY_LEN)]
    EarlyLen,
}
