//! A recorded step.

use prost_types::Any;

use super::StepKey;
use crate::clock::Timestamp;
use crate::pb::rpc::Status;
use crate::store::children::Child;

/// A recorded step: what a store keeps of one durable call of an operation's body.
///
/// ```
/// use lro_core::store::{StepOutcome, StepRow};
///
/// /// What a later run of the body gets instead of making the call.
/// fn response(row: &StepRow) -> Option<&prost_types::Any> {
///     match &row.outcome {
///         Some(StepOutcome::Response(response)) => Some(response),
///         _ => None,
///     }
/// }
/// ```
///
/// A row with an outcome is *finished* and never changes. All times are the store's clock.
#[derive(Clone, Debug, PartialEq)]
pub struct StepRow {
    /// Its identity within the operation.
    pub key: StepKey,
    /// Its place in the order in which rows were first written, from 1. Never changes.
    pub seq: u64,
    /// The kind of the call.
    pub kind: StepKind,
    /// How often the closure of a step was begun, as far as that was written.
    pub attempt: u32,
    /// The claim whose run wrote the row last; 0 if a caller [completed](super::super::Command::Complete) it.
    pub fence: u64,
    /// Whether no other durable call of the body was under way at the call.
    pub sequential: bool,
    /// When the call was made.
    pub begin_time: Timestamp,
    /// When it finished; `None` of a row without outcome.
    pub end_time: Option<Timestamp>,
    /// The end of a sleep, of a timeout, or of the pause before another attempt.
    pub wake_time: Option<Timestamp>,
    /// How the call ended; `None` while it has not.
    pub outcome: Option<StepOutcome>,
    /// The error of the last attempt of a step that has not finished.
    pub last_error: Option<Status>,
    /// The operation that it has started, of a step of the kind [`Child`](StepKind::Child).
    pub child: Option<Box<Child>>,
}

impl StepRow {
    /// Whether the call has ended. A finished row never changes.
    pub fn is_finished(&self) -> bool {
        self.outcome.is_some()
    }

    /// Whether it is a [debt](StepKind::is_debt) that is not paid.
    pub fn is_owed(&self) -> bool {
        self.kind.is_debt() && !self.is_finished()
    }

    /// Whether it is that of a child which has failed, or is given up or cancelled: such a row needs room in every
    /// operation.
    pub(in crate::store) fn is_failed_child(&self) -> bool {
        let has_response = matches!(self.outcome, Some(StepOutcome::Response(_)));
        let is_cancelled = self
            .child
            .as_deref()
            .is_some_and(|child| child.is_cancelled);
        self.kind.is_child() && !has_response && (self.is_finished() || is_cancelled)
    }

    /// Whether a caller [gave](super::super::Command::Complete) its outcome.
    pub fn is_given(&self) -> bool {
        self.kind == StepKind::Promise && self.fence == 0 && self.is_finished()
    }

    /// Whether a caller gave its outcome before the body asked for it.
    pub fn is_early(&self) -> bool {
        self.is_given() && Some(self.begin_time) == self.end_time
    }
}

/// The kind of a durable call.
///
/// ```
/// use lro_core::store::StepKind;
///
/// assert_eq!(StepKind::from_number(StepKind::Sleep.as_number()), Some(StepKind::Sleep));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StepKind {
    /// A closure that runs once.
    Step,
    /// A pause.
    Sleep,
    /// A value that a caller gives.
    Promise,
    /// The winner of several calls.
    First,
    /// Whether the operation reached this place in the code first with a version that has it.
    Introduced,
    /// A saga: open while it has no outcome. A response means that its steps are kept, an error that they
    /// are undone.
    Saga,
    /// A closure that runs once, with another one that undoes it.
    SagaStep,
    /// The decision to undo the steps of a saga, or the undo of one of them.
    Undo,
    /// An operation that the step starts, and waits for.
    Child,
    /// The same, with a closure that undoes what the operation has done.
    SagaChild,
}

impl StepKind {
    const ALL: [Self; 10] = [
        Self::Step,
        Self::Sleep,
        Self::Promise,
        Self::First,
        Self::Introduced,
        Self::Saga,
        Self::SagaStep,
        Self::Undo,
        Self::Child,
        Self::SagaChild,
    ];

    /// The number that stores keep.
    pub const fn as_number(self) -> u8 {
        self as u8
    }

    /// The kind of a stored number.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }

    /// Whether an operation owes something as long as a row of this kind has not finished: it does not end
    /// before that.
    ///
    /// ```
    /// use lro_core::store::StepKind;
    ///
    /// assert!(StepKind::Saga.is_debt() && !StepKind::SagaStep.is_debt());
    /// ```
    pub const fn is_debt(self) -> bool {
        matches!(self, Self::Saga | Self::Child | Self::SagaChild)
    }

    /// Whether its rows have [children](crate::store::Child).
    ///
    /// ```
    /// use lro_core::store::StepKind;
    ///
    /// assert!(StepKind::SagaChild.is_child() && !StepKind::Saga.is_child());
    /// ```
    pub const fn is_child(self) -> bool {
        matches!(self, Self::Child | Self::SagaChild)
    }

    /// Whether its rows are of calls that a saga undoes.
    ///
    /// ```
    /// use lro_core::store::StepKind;
    ///
    /// assert!(StepKind::SagaChild.is_undoable() && !StepKind::Child.is_undoable());
    /// ```
    pub const fn is_undoable(self) -> bool {
        matches!(self, Self::SagaStep | Self::SagaChild)
    }

    /// Whether its rows are those of a saga or of an undo, which are no steps of the body.
    ///
    /// ```
    /// use lro_core::store::StepKind;
    ///
    /// assert!(StepKind::Undo.is_of_saga() && !StepKind::SagaStep.is_of_saga());
    /// ```
    pub const fn is_of_saga(self) -> bool {
        matches!(self, Self::Saga | Self::Undo)
    }

    /// Whether its rows are recorded beyond the number and the size that an operation may have: without them, it
    /// could not undo what it has done.
    ///
    /// ```
    /// use lro_core::store::StepKind;
    ///
    /// assert!(StepKind::Undo.has_no_limit() && !StepKind::SagaStep.has_no_limit());
    /// ```
    pub const fn has_no_limit(self) -> bool {
        self.is_of_saga()
    }
}

/// How a durable call ended.
///
/// ```
/// use lro_core::store::StepOutcome;
///
/// let outcome = StepOutcome::Response(lro_core::pack(&()));
/// assert_ne!(outcome, StepOutcome::Abandoned);
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum StepOutcome {
    /// With a response, which a later run gets byte for byte.
    Response(Any),
    /// With an error, which a later run gets with all its details. A code of 0 (OK) is made
    /// INTERNAL.
    Error(Status),
    /// The body is no longer interested: another call won.
    Abandoned,
}
