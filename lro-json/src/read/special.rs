//! The well-known types.

use std::collections::HashMap;

use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor, Value};
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess};

use super::any;
use super::json::{self, Expect};
use super::message::{MessageSeed, Single};
use super::place::{At, Step};
use crate::error::quoted;
use crate::well_known::WellKnown;
use crate::{field_mask, time};

/// Reads a message of a well-known type, `None` for `null` where that is no value.
pub(super) fn read<'de, D: Deserializer<'de>>(
    at: At<'_>,
    known: WellKnown,
    message: &MessageDescriptor,
    deserializer: D,
) -> Result<Option<DynamicMessage>, D::Error> {
    match known {
        WellKnown::Any => any::read(at, message, deserializer),
        WellKnown::Timestamp | WellKnown::Duration | WellKnown::FieldMask => {
            json::read(deserializer, Text { at, known, message })
        }
        WellKnown::Struct => json::read(deserializer, Struct { at, message }),
        WellKnown::Value => json::read(deserializer, AnyJson { at, message }).map(Some),
        WellKnown::ListValue => json::read(deserializer, ListValue { at, message }),
        WellKnown::Wrapper => {
            let Some(field) = message.get_field(1) else {
                return Err(at.fault("a wrapper without a value"));
            };
            let kind = &field.kind();
            let value = Single { at, kind }.deserialize(deserializer)?;
            Ok(value.map(|value| {
                let mut wrapper = DynamicMessage::new(message.clone());
                wrapper.set_field(&field, value);
                wrapper
            }))
        }
    }
}

/// The reason why a text is none of the type.
pub(super) fn unexpected(known: WellKnown, text: &str) -> String {
    let expected = match known {
        WellKnown::Timestamp => "a time such as \"2024-05-01T10:00:00Z\"",
        WellKnown::Duration => "a duration such as \"1.5s\"",
        WellKnown::FieldMask => "field paths in camel case such as \"displayName,labels\"",
        _ => "a string",
    };
    format!("expected {expected}, found {}", quoted(text))
}

/// A timestamp or a duration.
pub(super) fn time(message: &MessageDescriptor, seconds: i64, nanos: i32) -> DynamicMessage {
    let mut time = DynamicMessage::new(message.clone());
    set(&mut time, 1, Value::I64(seconds));
    set(&mut time, 2, Value::I32(nanos));
    time
}

/// A field mask.
pub(super) fn mask(message: &MessageDescriptor, paths: Vec<String>) -> DynamicMessage {
    let mut mask = DynamicMessage::new(message.clone());
    let paths = paths.into_iter().map(Value::String).collect();
    set(&mut mask, 1, Value::List(paths));
    mask
}

/// Sets a field of a well-known type. A pool that has another idea of the type gets no value.
pub(super) fn set(message: &mut DynamicMessage, number: u32, value: Value) {
    // Refused only where the pool's type is not the well-known one.
    let _ = message.try_set_field_by_number(number, value);
}

/// Expects the string of a timestamp, a duration or a field mask.
struct Text<'s> {
    at: At<'s>,
    known: WellKnown,
    message: &'s MessageDescriptor,
}

impl<'de> Expect<'de> for Text<'_> {
    type Value = Option<DynamicMessage>;

    fn unexpected<E: Error>(self, found: &str) -> E {
        self.at.fault(format!("expected a string, found {found}"))
    }

    fn null<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn string<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        let Self { at, known, message } = self;
        let read = match known {
            WellKnown::Timestamp => {
                time::read_timestamp(text).map(|read| time(message, read.seconds, read.nanos))
            }
            WellKnown::Duration => {
                time::read_duration(text).map(|read| time(message, read.seconds, read.nanos))
            }
            _ => field_mask::read(text).map(|paths| mask(message, paths)),
        };
        read.map(Some)
            .ok_or_else(|| at.fault(unexpected(known, text)))
    }
}

/// Expects an object, a [`google.protobuf.Value`](AnyJson) a member.
struct Struct<'s> {
    at: At<'s>,
    message: &'s MessageDescriptor,
}

impl<'de> Expect<'de> for Struct<'_> {
    type Value = Option<DynamicMessage>;

    fn unexpected<E: Error>(self, found: &str) -> E {
        self.at.fault(format!("expected an object, found {found}"))
    }

    fn null<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn object<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let Self { at, message } = self;
        let Some(value) = map_value(message) else {
            return Err(at.fault("not the well-known Struct"));
        };
        let mut fields = HashMap::new();
        while let Some(member) = members.next_key::<String>()? {
            let path = at.step(Step::Key(&member));
            // The entry and the value are messages of their own on the wire.
            let at = at.below(&path).deeper(2);
            let read = members.next_value_seed(MessageSeed {
                at,
                message: &value,
            })?;
            let read = read.unwrap_or_else(|| DynamicMessage::new(value.clone()));
            if fields
                .insert(MapKey::String(member.clone()), Value::Message(read))
                .is_some()
            {
                return Err(at.fault("given twice"));
            }
        }
        let mut read = DynamicMessage::new(message.clone());
        set(&mut read, 1, Value::Map(fields));
        Ok(Some(read))
    }
}

/// The message that the values of a Struct's map are.
fn map_value(message: &MessageDescriptor) -> Option<MessageDescriptor> {
    let field = message.get_field(1).filter(FieldDescriptor::is_map)?;
    let Kind::Message(entry) = field.kind() else {
        return None;
    };
    match entry.map_entry_value_field().kind() {
        Kind::Message(value) => Some(value),
        _ => None,
    }
}

/// Expects any JSON: a `google.protobuf.Value`.
struct AnyJson<'s> {
    at: At<'s>,
    message: &'s MessageDescriptor,
}

impl AnyJson<'_> {
    fn with(&self, number: u32, value: Value) -> DynamicMessage {
        let mut read = DynamicMessage::new(self.message.clone());
        set(&mut read, number, value);
        read
    }

    /// The message in one of the fields.
    fn field<E: Error>(&self, number: u32) -> Result<MessageDescriptor, E> {
        match self.message.get_field(number).map(|field| field.kind()) {
            Some(Kind::Message(message)) => Ok(message),
            _ => Err(self.at.fault("not the well-known Value")),
        }
    }
}

impl<'de> Expect<'de> for AnyJson<'_> {
    type Value = DynamicMessage;

    fn unexpected<E: Error>(self, found: &str) -> E {
        self.at.fault(format!("expected a value, found {found}"))
    }

    fn null<E: Error>(self) -> Result<Self::Value, E> {
        Ok(self.with(1, Value::EnumNumber(0)))
    }

    fn number<E: Error>(self, number: f64) -> Result<Self::Value, E> {
        Ok(self.with(2, Value::F64(number)))
    }

    fn string<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(self.with(3, Value::String(text.to_owned())))
    }

    fn boolean<E: Error>(self, value: bool) -> Result<Self::Value, E> {
        Ok(self.with(4, Value::Bool(value)))
    }

    fn object<A: MapAccess<'de>>(self, members: A) -> Result<Self::Value, A::Error> {
        let message = &self.field(5)?;
        let at = self.at.deeper(1);
        at.check_depth()?;
        let read = Struct { at, message }.object(members)?;
        Ok(match read {
            Some(read) => self.with(5, Value::Message(read)),
            None => DynamicMessage::new(self.message.clone()),
        })
    }

    fn array<A: SeqAccess<'de>>(self, elements: A) -> Result<Self::Value, A::Error> {
        let message = &self.field(6)?;
        let at = self.at.deeper(1);
        at.check_depth()?;
        let read = ListValue { at, message }.array(elements)?;
        Ok(match read {
            Some(read) => self.with(6, Value::Message(read)),
            None => DynamicMessage::new(self.message.clone()),
        })
    }
}

/// Expects an array, a [`google.protobuf.Value`](AnyJson) an element.
struct ListValue<'s> {
    at: At<'s>,
    message: &'s MessageDescriptor,
}

impl<'de> Expect<'de> for ListValue<'_> {
    type Value = Option<DynamicMessage>;

    fn unexpected<E: Error>(self, found: &str) -> E {
        self.at.fault(format!("expected an array, found {found}"))
    }

    fn null<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn array<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Self::Value, A::Error> {
        let Self { at, message } = self;
        let Some(Kind::Message(value)) = message.get_field(1).map(|field| field.kind()) else {
            return Err(at.fault("not the well-known ListValue"));
        };
        let mut values = Vec::new();
        loop {
            let path = at.step(Step::Index(values.len()));
            let at = at.below(&path).deeper(1);
            match elements.next_element_seed(MessageSeed {
                at,
                message: &value,
            })? {
                Some(read) => {
                    let read = read.unwrap_or_else(|| DynamicMessage::new(value.clone()));
                    values.push(Value::Message(read));
                }
                None => break,
            }
        }
        let mut read = DynamicMessage::new(message.clone());
        set(&mut read, 1, Value::List(values));
        Ok(Some(read))
    }
}
