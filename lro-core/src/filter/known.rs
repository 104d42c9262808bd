use std::ops::RangeInclusive;

use super::condition::{Comparison, Condition, OptionalField, Predicate, TextField, TimeField};
use super::payload::PayloadField;
use crate::clock::Timestamp;
use crate::store::OperationState;

/// Facts about an operation from its place in an index, before it is read.
///
/// ```
/// use lro_core::store::OperationState;
/// use lro_core::filter::{Filter, Known, Schema};
///
/// let filter = Filter::parse("error.code = 5 AND method = \"/s.S/*\"", &Schema::default())?;
/// let known = |method, state| Known { method: Some(method), state: Some(state) };
/// let verdict = |known| filter.predicate().verdict(&known);
/// assert_eq!(verdict(known("/s.S/M", OperationState::Running)), Some(false));
/// assert_eq!(verdict(known("/s.S/M", OperationState::Failed)), None);
/// # Ok::<(), lro_core::filter::FilterError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Known<'a> {
    /// Its method.
    pub method: Option<&'a str>,
    /// Its state.
    pub state: Option<OperationState>,
}

impl Predicate {
    /// The predicate's value for every operation with these facts; `None` if it depends on other
    /// fields.
    ///
    /// Stores use it to choose index ranges: they skip a range whose verdict is `Some(false)`. The
    /// verdict uses the guarantees of the state machine: an operation has an error exactly if it is
    /// FAILED or CANCELLED, a response if it is SUCCEEDED, and an end time and an expiry time if it
    /// is done.
    pub fn verdict(&self, known: &Known<'_>) -> Option<bool> {
        match self {
            Self::And(parts) => all(parts.iter().map(|part| part.verdict(known))),
            Self::Or(parts) => {
                all(parts.iter().map(|part| part.verdict(known).map(|it| !it))).map(|it| !it)
            }
            Self::Not(inner) => inner.verdict(known).map(|it| !it),
            Self::Condition(condition) => condition.verdict(known),
        }
    }

    /// The range of create times that can match, both ends included. It combines the conditions
    /// that are joined by AND on the top level; if it is empty, no operation matches.
    ///
    /// ```
    /// # use lro_core::filter::{Filter, Schema};
    /// let text = "create_time > \"1970-01-01T00:00:01Z\" AND done = true";
    /// let times = Filter::parse(text, &Schema::default())?.predicate().create_times();
    /// assert_eq!(times.start().as_micros(), 1_000_001);
    /// # Ok::<(), lro_core::filter::FilterError>(())
    /// ```
    pub fn create_times(&self) -> RangeInclusive<Timestamp> {
        let (mut first, mut last) = (i64::MIN, i64::MAX);
        for part in self.conjuncts() {
            let (condition, negated) = match &part {
                Self::Condition(condition) => (condition, false),
                Self::Not(inner) => match &**inner {
                    Self::Condition(condition) => (condition, true),
                    _ => continue,
                },
                _ => continue,
            };
            let Condition::Time {
                field: TimeField::Create,
                comparison,
                value,
            } = condition
            else {
                continue;
            };
            let value = value.as_micros();
            match (comparison, negated) {
                (Comparison::Equal, false) | (Comparison::NotEqual, true) => {
                    first = first.max(value);
                    last = last.min(value);
                }
                (Comparison::Less, false) | (Comparison::GreaterOrEqual, true) => {
                    last = last.min(value.saturating_sub(1));
                }
                (Comparison::LessOrEqual, false) | (Comparison::Greater, true) => {
                    last = last.min(value);
                }
                (Comparison::Greater, false) | (Comparison::LessOrEqual, true) => {
                    first = first.max(value.saturating_add(1));
                }
                (Comparison::GreaterOrEqual, false) | (Comparison::Less, true) => {
                    first = first.max(value);
                }
                (Comparison::NotEqual, false) | (Comparison::Equal, true) => {}
            }
        }
        Timestamp::from_micros(first)..=Timestamp::from_micros(last)
    }
}

impl Condition {
    fn verdict(&self, known: &Known<'_>) -> Option<bool> {
        let state = known.state;
        // A part that only operations in such a state have: false for the others.
        let only = |has: fn(OperationState) -> bool| state.filter(|it| !has(*it)).map(|_| false);
        match self {
            Self::Constant(value) => Some(*value),
            Self::Done(done) => state.map(|state| state.is_done() == *done),
            Self::State(states) => match states.len() {
                0 => Some(false),
                _ => state.map(|state| states.contains(&state)),
            },
            Self::Text {
                field: TextField::Method,
                test,
            } => known.method.map(|method| test.accepts(method)),
            Self::Text {
                field: TextField::ErrorMessage,
                ..
            } => only(has_error),
            Self::Number { field, .. } => match field {
                super::NumberField::ErrorCode => only(has_error),
                super::NumberField::Attempt => None,
            },
            Self::Time { field, .. } => match field {
                TimeField::End | TimeField::Expire => only(OperationState::is_done),
                TimeField::Create | TimeField::Update | TimeField::Start => None,
            },
            Self::Set { field, set } => {
                let has: fn(OperationState) -> bool = match field {
                    OptionalField::Error => has_error,
                    OptionalField::Response => has_response,
                    OptionalField::Time(TimeField::End | TimeField::Expire) => {
                        OperationState::is_done
                    }
                    OptionalField::Time(_) | OptionalField::Metadata => return None,
                };
                state.map(|state| has(state) == *set)
            }
            Self::PayloadType { payload, .. } => payload_verdict(*payload, state),
            Self::Payload(condition) => payload_verdict(condition.payload(), state),
            Self::Step(condition) => {
                let others = state.filter(|state| *state != OperationState::Pending);
                others.map(|_| condition.otherwise())
            }
            Self::Text {
                field: TextField::Name | TextField::ParentOperation,
                ..
            }
            | Self::Label { .. }
            | Self::LabelKey(_) => None,
        }
    }
}

/// Of a condition on a payload: false where the state has none.
fn payload_verdict(payload: PayloadField, state: Option<OperationState>) -> Option<bool> {
    match payload {
        PayloadField::Response => state.filter(|it| !has_response(*it)).map(|_| false),
        PayloadField::Metadata => None,
    }
}

fn has_error(state: OperationState) -> bool {
    matches!(state, OperationState::Failed | OperationState::Cancelled)
}

fn has_response(state: OperationState) -> bool {
    state == OperationState::Succeeded
}

/// Joined by AND, of three values.
fn all(verdicts: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let mut all = Some(true);
    for verdict in verdicts {
        match verdict {
            Some(false) => return Some(false),
            None => all = None,
            Some(true) => {}
        }
    }
    all
}
