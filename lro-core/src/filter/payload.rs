use std::borrow::Cow;

use prost_reflect::{DynamicMessage, FieldDescriptor, MapKey, MessageDescriptor, Value};
use prost_types::Any;

use super::condition::Comparison;
use super::text::{TextTest, nfc};
use super::time;
use crate::payload::type_name;

/// Which of its payloads a condition looks into.
///
/// ```
/// use lro_core::filter::{Condition, Filter, PayloadField, Predicate, Schema};
///
/// let filter = Filter::parse("response.@type = lib.v1.ImportResponse", &Schema::default())?;
/// let Predicate::Condition(Condition::PayloadType { payload, .. }) = filter.predicate() else {
///     unreachable!()
/// };
/// assert_eq!(*payload, PayloadField::Response);
/// # Ok::<(), lro_core::filter::FilterError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PayloadField {
    /// The metadata.
    Metadata,
    /// The response.
    Response,
}

impl PayloadField {
    /// Its name in a filter.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Metadata => "metadata",
            Self::Response => "response",
        }
    }
}

/// A comparison of a field of the metadata or the response: true or false for a payload, and
/// nothing that a store could say otherwise.
///
/// ```
/// use lro_core::filter::{Condition, PayloadField, Predicate};
///
/// /// Whether a predicate must decode the metadata of each operation.
/// fn reads_metadata(predicate: &Predicate) -> bool {
///     match predicate {
///         Predicate::And(parts) | Predicate::Or(parts) => parts.iter().any(reads_metadata),
///         Predicate::Not(inner) => reads_metadata(inner),
///         Predicate::Condition(Condition::Payload(condition)) => {
///             condition.payload() == PayloadField::Metadata
///         }
///         Predicate::Condition(_) => false,
///     }
/// }
///
/// assert!(!reads_metadata(&Predicate::And(Vec::new())));
/// ```
///
/// It is false for a payload that is of none of [`type_names`](Self::type_names), does not decode,
/// or lacks a message on the way to the field.
#[derive(Clone, Debug, PartialEq)]
pub struct PayloadCondition {
    payload: PayloadField,
    alternatives: Vec<Alternative>,
}

/// The condition for one type of payload.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Alternative {
    pub(crate) message: MessageDescriptor,
    pub(crate) steps: Vec<Step>,
    pub(crate) test: ValueTest,
}

/// One name of the path to a field.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Step {
    /// A field; of every element where it is repeated.
    Field(FieldDescriptor),
    /// The value of a map, strings normalized.
    Key(MapKey),
}

/// The test of the value at the end of the path.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ValueTest {
    /// Set, or other than the default, or not empty.
    Present,
    Absent,
    Text(TextTest),
    Integer(Comparison, i128),
    Float(Comparison, f64),
    Bool(bool),
    Enum {
        number: i32,
        equal: bool,
    },
    /// A timestamp or a duration, in nanoseconds.
    Nanos(Comparison, i128),
    /// Some element of a list passes.
    Element(Box<ValueTest>),
    /// Some key of a map passes.
    MapKey(TextTest),
}

impl PayloadCondition {
    pub(crate) fn new(payload: PayloadField, alternatives: Vec<Alternative>) -> Self {
        Self {
            payload,
            alternatives,
        }
    }

    /// Which payload it looks into.
    pub fn payload(&self) -> PayloadField {
        self.payload
    }

    /// The full names of the types of payload for which it can be true.
    pub fn type_names(&self) -> impl Iterator<Item = &str> {
        self.alternatives.iter().map(|one| one.message.full_name())
    }

    /// Whether it holds for this payload. Decodes it.
    pub fn accepts(&self, payload: &Any) -> bool {
        self.alternative(payload).is_some_and(|alternative| {
            decode(alternative, payload).is_some_and(|message| alternative.holds(&message))
        })
    }

    /// The alternative for payloads of this type.
    pub(crate) fn alternative(&self, payload: &Any) -> Option<&Alternative> {
        let name = type_name(&payload.type_url);
        let mut alternatives = self.alternatives.iter();
        alternatives.find(|one| one.message.full_name() == name)
    }
}

pub(crate) fn decode(alternative: &Alternative, payload: &Any) -> Option<DynamicMessage> {
    DynamicMessage::decode(alternative.message.clone(), &*payload.value).ok()
}

impl Alternative {
    /// Nothing on the way, and nothing at the end, is false here; only `Not` above tells.
    pub(crate) fn holds(&self, message: &DynamicMessage) -> bool {
        in_message(message, &self.steps, &self.test).unwrap_or(false)
    }
}

/// Nothing when the path ends before the field.
fn in_message(message: &DynamicMessage, steps: &[Step], test: &ValueTest) -> Option<bool> {
    let [Step::Field(field), rest @ ..] = steps else {
        return None;
    };
    if rest.is_empty() {
        return in_field(message, field, test);
    }
    if !field.supports_presence() || message.has_field(field) {
        in_value(&message.get_field(field), rest, test)
    } else {
        None
    }
}

fn in_value(value: &Value, steps: &[Step], test: &ValueTest) -> Option<bool> {
    match (value, steps) {
        (_, []) => Some(passes(value, test)),
        (Value::Message(message), _) => in_message(message, steps, test),
        (Value::List(elements), _) => Some(
            elements
                .iter()
                .any(|element| in_value(element, steps, test) == Some(true)),
        ),
        (Value::Map(map), [Step::Key(key), rest @ ..]) => {
            let value = map.get(key).or_else(|| {
                let mut others = map.iter();
                let other = others.find(|(other, _)| is_same_key(other, key));
                other.map(|(_, value)| value)
            })?;
            in_value(value, rest, test)
        }
        _ => None,
    }
}

fn in_field(message: &DynamicMessage, field: &FieldDescriptor, test: &ValueTest) -> Option<bool> {
    let is_set = message.has_field(field);
    let is_link = field.kind().as_message().is_some() && !field.is_list() && !field.is_map();
    match test {
        ValueTest::Present => Some(is_set),
        ValueTest::Absent => Some(!is_set),
        _ if is_link && !is_set => None,
        _ => Some(passes(&message.get_field(field), test)),
    }
}

fn passes(value: &Value, test: &ValueTest) -> bool {
    match test {
        ValueTest::Present => true,
        ValueTest::Absent => false,
        ValueTest::Text(test) => value.as_str().is_some_and(|text| test.accepts(text)),
        ValueTest::Integer(comparison, number) => {
            integer(value).is_some_and(|value| comparison.holds(&value, number))
        }
        ValueTest::Float(comparison, number) => {
            let value = value.as_f64().or_else(|| value.as_f32().map(f64::from));
            value.is_some_and(|value| comparison.holds(&value, number))
        }
        ValueTest::Bool(expected) => value.as_bool() == Some(*expected),
        ValueTest::Enum { number, equal } => value
            .as_enum_number()
            .is_some_and(|value| (value == *number) == *equal),
        ValueTest::Nanos(comparison, nanos) => {
            nanos_of(value).is_some_and(|value| comparison.holds(&value, nanos))
        }
        ValueTest::Element(test) => value
            .as_list()
            .is_some_and(|elements| elements.iter().any(|element| passes(element, test))),
        ValueTest::MapKey(test) => value.as_map().is_some_and(|map| {
            map.keys()
                .any(|key| key.as_str().is_some_and(|key| test.accepts(key)))
        }),
    }
}

fn integer(value: &Value) -> Option<i128> {
    match *value {
        Value::I32(number) => Some(number.into()),
        Value::I64(number) => Some(number.into()),
        Value::U32(number) => Some(number.into()),
        Value::U64(number) => Some(number.into()),
        _ => None,
    }
}

/// Of a `google.protobuf.Timestamp` or `Duration`, whose fields have the same numbers.
fn nanos_of(value: &Value) -> Option<i128> {
    let message = value.as_message()?;
    let field = |number| message.get_field_by_number(number).map(Cow::into_owned);
    let seconds = field(1)?.as_i64()?;
    let nanos = field(2)?.as_i32()?;
    Some(time::nanos(seconds, nanos))
}

fn is_same_key(stored: &MapKey, key: &MapKey) -> bool {
    match (stored.as_str(), key.as_str()) {
        (Some(stored), Some(key)) => !stored.is_ascii() && nfc(stored) == key,
        _ => false,
    }
}
