use crate::clock::Timestamp;
use crate::store::{OperationRecord, OperationState, StepKind, StepSummary};

use super::payload::{PayloadCondition, PayloadField};
use super::text::TextTest;

/// A checked filter: what stores turn into their own queries.
///
/// ```
/// use lro_core::filter::{Condition, Filter, Predicate, Schema};
///
/// let filter = Filter::parse("NOT done = true", &Schema::default())?;
/// let Predicate::Not(inner) = filter.predicate() else { unreachable!() };
/// assert_eq!(**inner, Predicate::Condition(Condition::Done(true)));
/// # Ok::<(), lro_core::filter::FilterError>(())
/// ```
///
/// Every node is true or false, never unknown. A [`Condition`] on something that the operation does
/// not have is false, so its `Not` is true; see [`Condition`] for what that means in SQL.
#[derive(Clone, Debug, PartialEq)]
pub enum Predicate {
    /// All of them are true; true when there is none.
    And(Vec<Predicate>),
    /// One of them is true; false when there is none.
    Or(Vec<Predicate>),
    /// It is not true.
    Not(Box<Predicate>),
    /// One comparison.
    Condition(Condition),
}

/// One comparison.
///
/// ```
/// use lro_core::filter::{Condition, Filter, Predicate, Schema};
///
/// let filter = Filter::parse("state = RUNNING", &Schema::default())?;
/// let Predicate::Condition(Condition::State(states)) = filter.predicate() else { unreachable!() };
/// assert_eq!(states.len(), 1);
/// # Ok::<(), lro_core::filter::FilterError>(())
/// ```
///
/// # For authors of SQL
///
/// Let a column be NULL where the operation has no such value. Then a comparison in SQL is NULL
/// where the condition here is false, and the two agree as long as nothing negates them: write
/// `COALESCE(<comparison>, FALSE)` wherever the column can be NULL and the condition stands below a
/// [`Predicate::Not`] (or everywhere). `NOT (a <> 1)` in SQL is not what [`Predicate::Not`] says.
///
/// | condition | false for |
/// | --- | --- |
/// | `Text {field: ErrorMessage, ..}`, `Number {field: ErrorCode, ..}` | an operation without error |
/// | `Text {field: ParentOperation, ..}` | an operation that no other one has started |
/// | `Time` on a start, end or expire time | an operation without that time |
/// | `Label` | an operation without that label, `!=` included |
/// | `PayloadType` | an operation without that payload, as callers see it |
/// | `Step` on a key or a kind | an operation that is not suspended |
/// | `Set {set: false, ..}` | never unknown: it is `IS NULL` |
///
/// `State` with no states is never true (`IN ()` is no SQL), and `Constant` never unknown. An `And`
/// without parts is true, an `Or` without parts false.
///
/// Texts are compared by code point, which is the order of their UTF-8 bytes (`COLLATE "C"`,
/// `BINARY`), after both sides were brought to the Unicode normal form C. The values here are
/// normalized already; a store either keeps [`nfc`](super::nfc) of what it is asked for, or leaves
/// texts that are not ASCII to [`Predicate::matches`]. A [`Wildcard`](super::Wildcard) is plain text:
/// escape what `LIKE` gives a meaning to, and mind that SQLite's `LIKE` ignores case.
///
/// Times are whole microseconds: a literal between two of them was rounded so that the comparison
/// says the same.
#[derive(Clone, Debug, PartialEq)]
pub enum Condition {
    /// Always or never true.
    Constant(bool),
    /// On a text.
    Text {
        /// Which.
        field: TextField,
        /// The test of the text.
        test: TextTest,
    },
    /// On a number.
    Number {
        /// Which.
        field: NumberField,
        /// How it must compare with the value.
        comparison: Comparison,
        /// The value, in the range of the field.
        value: i64,
    },
    /// Whether it is done.
    Done(bool),
    /// Its state is one of these, which are in the order of [`OperationState::ALL`].
    State(Vec<OperationState>),
    /// On a time.
    Time {
        /// Which.
        field: TimeField,
        /// How it must compare with the value.
        comparison: Comparison,
        /// The value.
        value: Timestamp,
    },
    /// Whether something is set at all.
    Set {
        /// What.
        field: OptionalField,
        /// Whether it must be set, or must not.
        set: bool,
    },
    /// On the value of a label.
    Label {
        /// The key.
        key: String,
        /// The test of the value.
        test: TextTest,
    },
    /// Some key of a label is this.
    LabelKey(TextTest),
    /// On the type of the metadata or the response.
    PayloadType {
        /// Which payload.
        payload: PayloadField,
        /// The test of the full name of its type, without a host: `package.Message`.
        test: TextTest,
    },
    /// On the metadata or the response, which a store cannot look into.
    Payload(PayloadCondition),
    /// On what it waits for, which its encoded [summary](StepSummary) says.
    Step(StepCondition),
}

/// A condition on the wait of a pending operation.
///
/// ```
/// use lro_core::filter::{Condition, Filter, Predicate, Schema, StepCondition};
///
/// let filter = Filter::parse("waiting = true", &Schema::default())?;
/// let waits = Condition::Step(StepCondition::Waiting(true));
/// assert_eq!(*filter.predicate(), Predicate::Condition(waits));
/// # Ok::<(), lro_core::filter::FilterError>(())
/// ```
///
/// An operation that is not pending, or has recorded no step, is neither waiting nor blocked. The keys
/// that an operation waits for stand in its encoded [`StepSummary`] byte for byte.
#[derive(Clone, Debug, PartialEq)]
pub enum StepCondition {
    /// Whether it is [suspended](OperationRecord::is_suspended).
    Waiting(bool),
    /// Whether it is [blocked](OperationRecord::is_blocked).
    Blocked(bool),
    /// It is suspended, and the key of some call that it waits for passes.
    Key(TextTest),
    /// It is suspended, and waits for some call of this kind.
    Kind(StepKind),
}

impl StepCondition {
    /// Its value for every operation that is not pending or has recorded no step.
    pub fn otherwise(&self) -> bool {
        matches!(self, Self::Waiting(false) | Self::Blocked(false))
    }

    /// A text without which the encoded summary of no operation passes.
    pub fn part(&self) -> Option<&str> {
        match self {
            Self::Key(test) => test.part(),
            _ => None,
        }
    }

    pub(super) fn holds(&self, record: &OperationRecord) -> bool {
        let steps = record.steps.as_deref().filter(|_| record.is_suspended());
        let mut waits = steps.into_iter().flat_map(StepSummary::waits_with_kinds);
        match self {
            Self::Waiting(value) => record.is_suspended() == *value,
            Self::Blocked(value) => record.is_blocked() == *value,
            Self::Key(test) => waits.any(|(key, _)| test.accepts(key)),
            Self::Kind(wanted) => waits.any(|(_, kind)| kind == Some(*wanted)),
        }
    }
}

/// A text that every store keeps.
///
/// ```
/// use lro_core::filter::{Filter, Schema, TextField};
///
/// // A bare literal searches the name.
/// let schema = Schema::builder().search(TextField::Name).build();
/// assert!(Filter::parse("howl", &schema).is_ok());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TextField {
    /// The resource name.
    Name,
    /// The gRPC path of the method.
    Method,
    /// The message of the error, if it ended with one.
    ErrorMessage,
    /// The name of the operation that has started it.
    ParentOperation,
}

/// A number that every store keeps.
///
/// ```
/// use lro_core::filter::{Condition, Filter, NumberField, Predicate, Schema};
///
/// let filter = Filter::parse("attempt > 1", &Schema::default())?;
/// let Predicate::Condition(Condition::Number { field, .. }) = filter.predicate() else {
///     unreachable!()
/// };
/// assert_eq!(*field, NumberField::Attempt);
/// # Ok::<(), lro_core::filter::FilterError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NumberField {
    /// The code of the error, if it ended with one.
    ErrorCode,
    /// How often it was run.
    Attempt,
}

/// A time that every store keeps.
///
/// ```
/// use lro_core::filter::{Condition, Filter, Predicate, Schema, TimeField};
///
/// let filter = Filter::parse("end_time > \"2026-01-01T00:00:00Z\"", &Schema::default())?;
/// let Predicate::Condition(Condition::Time { field, .. }) = filter.predicate() else {
///     unreachable!()
/// };
/// assert_eq!(*field, TimeField::End);
/// # Ok::<(), lro_core::filter::FilterError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TimeField {
    /// When it was started. Always set.
    Create,
    /// When it was last written. Always set.
    Update,
    /// When its body first ran.
    Start,
    /// When it ended.
    End,
    /// When the operation expires and may be purged.
    Expire,
}

/// The optional parts of an operation.
///
/// ```
/// use lro_core::filter::{Condition, Filter, OptionalField, Predicate, Schema};
///
/// let filter = Filter::parse("error:*", &Schema::default())?;
/// let present = Condition::Set { field: OptionalField::Error, set: true };
/// assert_eq!(*filter.predicate(), Predicate::Condition(present));
/// # Ok::<(), lro_core::filter::FilterError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OptionalField {
    /// A time; the create and update times are always set.
    Time(TimeField),
    /// An error.
    Error,
    /// Metadata, as callers see it: the standard fields alone make some.
    Metadata,
    /// A response.
    Response,
}

/// How two values compare.
///
/// ```
/// use lro_core::filter::Comparison;
///
/// assert!(Comparison::Less.holds(&1, &2));
/// assert!(!Comparison::Less.holds(&f64::NAN, &2.0));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Comparison {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

impl Comparison {
    /// Whether the comparison of `left` and `right` holds. Values without an order, such as NaN,
    /// are only unequal.
    pub fn holds<T: PartialOrd + ?Sized>(self, left: &T, right: &T) -> bool {
        match self {
            Self::Equal => left == right,
            Self::NotEqual => left != right,
            Self::Less => left < right,
            Self::LessOrEqual => left <= right,
            Self::Greater => left > right,
            Self::GreaterOrEqual => left >= right,
        }
    }
}
