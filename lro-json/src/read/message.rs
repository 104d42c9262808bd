//! Messages, lists, maps and scalars.

use std::collections::{BTreeSet, HashMap};

use prost_reflect::{
    DescriptorPool, DynamicMessage, ExtensionDescriptor, FieldDescriptor, Kind, MessageDescriptor,
    Value,
};
use serde::Deserialize as _;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess};
use serde_json::value::RawValue;

use super::json::{self, Expect};
use super::place::{At, Step, with_root};
use super::{ReadOptions, special};
use crate::error::{ReadError, path_part};
use crate::scalar;
use crate::well_known::{NULL_VALUE, WellKnown};

pub(super) fn read(
    options: &ReadOptions,
    types: &DescriptorPool,
    message: &MessageDescriptor,
    text: &str,
) -> Result<DynamicMessage, ReadError> {
    let read = with_root(options, types, |at| {
        at.context.parse(text, MessageSeed { at, message })
    })?;
    match read {
        Some(read) => Ok(read),
        None => Err(ReadError::new("", "expected an object, found null")),
    }
}

pub(super) fn read_field(
    options: &ReadOptions,
    types: &DescriptorPool,
    field: &FieldDescriptor,
    text: &str,
) -> Result<Option<Value>, ReadError> {
    let slot = Slot::of(field);
    with_root(options, types, |at| {
        let path = at.step(Step::Field(field.name()));
        let at = at.below(&path);
        at.context.parse(text, SlotSeed { at, slot: &slot })
    })
}

/// The kind of values that a field or an extension holds.
struct Slot {
    kind: Kind,
    is_list: bool,
    is_map: bool,
}

impl Slot {
    fn of(field: &FieldDescriptor) -> Self {
        Self {
            kind: field.kind(),
            is_list: field.is_list(),
            is_map: field.is_map(),
        }
    }

    fn of_extension(extension: &ExtensionDescriptor) -> Self {
        Self {
            kind: extension.kind(),
            is_list: extension.is_list(),
            is_map: extension.is_map(),
        }
    }
}

/// Reads the value of a field, `None` for `null`.
struct SlotSeed<'s> {
    at: At<'s>,
    slot: &'s Slot,
}

impl<'de> DeserializeSeed<'de> for SlotSeed<'_> {
    type Value = Option<Value>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        let Self { at, slot } = self;
        match &slot.kind {
            Kind::Message(entry) if slot.is_map => json::read(deserializer, Map { at, entry }),
            kind if slot.is_list => json::read(deserializer, List { at, kind }),
            kind => Single { at, kind }.deserialize(deserializer),
        }
    }
}

/// Reads one value, `None` for `null` where that is no value.
pub(super) struct Single<'s> {
    pub(super) at: At<'s>,
    pub(super) kind: &'s Kind,
}

impl<'de> DeserializeSeed<'de> for Single<'_> {
    type Value = Option<Value>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        let Self { at, kind } = self;
        if let Kind::Message(message) = kind {
            let at = at.deeper(1);
            let read = MessageSeed { at, message }.deserialize(deserializer)?;
            return Ok(read.map(Value::Message));
        }
        let raw = <&RawValue>::deserialize(deserializer)?.get();
        let read = match raw.as_bytes().first() {
            Some(b'n') => match kind {
                Kind::Enum(descriptor) if descriptor.full_name() == NULL_VALUE => {
                    Ok(Value::EnumNumber(0))
                }
                _ => return Ok(None),
            },
            Some(b't' | b'f') => match kind {
                Kind::Bool => Ok(Value::Bool(raw == "true")),
                _ => Err(scalar::unexpected(kind, "a boolean")),
            },
            Some(b'"') => scalar::from_json_string(kind, &string(at, raw)?),
            Some(b'{') => Err(scalar::unexpected(kind, "an object")),
            Some(b'[') => Err(scalar::unexpected(kind, "an array")),
            _ => scalar::from_json_number(kind, raw),
        };
        read.map(Some).map_err(|reason| at.fault(reason))
    }
}

/// The string of a JSON text that begins with a quotation mark.
pub(super) fn string<E: Error>(at: At<'_>, raw: &str) -> Result<String, E> {
    serde_json::from_str(raw).map_err(|error| at.fault(format!("not a valid string: {error}")))
}

/// Reads a message, `None` for `null` where that is no value.
pub(super) struct MessageSeed<'s> {
    pub(super) at: At<'s>,
    pub(super) message: &'s MessageDescriptor,
}

impl<'de> DeserializeSeed<'de> for MessageSeed<'_> {
    type Value = Option<DynamicMessage>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        let Self { at, message } = self;
        at.check_depth()?;
        match WellKnown::of(message) {
            Some(known) => special::read(at, known, message, deserializer),
            None => json::read(deserializer, Object::new(at, message)),
        }
    }
}

/// Expects an object whose members are a message's fields.
pub(super) struct Object<'s> {
    at: At<'s>,
    message: &'s MessageDescriptor,
    /// Members that are none of the message's.
    passed_over: &'static [&'static str],
}

impl<'s> Object<'s> {
    pub(super) fn new(at: At<'s>, message: &'s MessageDescriptor) -> Self {
        Self {
            at,
            message,
            passed_over: &[],
        }
    }

    /// Passes over members that say something of the message.
    pub(super) fn passing_over(self, passed_over: &'static [&'static str]) -> Self {
        Self {
            passed_over,
            ..self
        }
    }
}

impl<'de> Expect<'de> for Object<'_> {
    type Value = Option<DynamicMessage>;

    fn unexpected<E: Error>(self, found: &str) -> E {
        self.at.fault(format!("expected an object, found {found}"))
    }

    fn null<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn object<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let Self { at, message, .. } = self;
        let mut read = DynamicMessage::new(message.clone());
        let mut seen = BTreeSet::new();
        let mut oneofs: HashMap<String, String> = HashMap::new();
        while let Some(member) = members.next_key::<String>()? {
            if self.passed_over.contains(&&*member) {
                members.next_value::<IgnoredAny>()?;
                continue;
            }
            let path = at.step(Step::Field(&member));
            let here = at.below(&path);
            let Some(found) = Found::of(message, &member) else {
                if at.context.options.ignore_unknown_fields {
                    members.next_value::<IgnoredAny>()?;
                    continue;
                }
                return Err(here.fault(format!("no such field in {}", message.full_name())));
            };
            if !seen.insert(found.number()) {
                return Err(here.fault("given twice"));
            }
            let slot = found.slot();
            let value = members.next_value_seed(SlotSeed {
                at: here,
                slot: &slot,
            })?;
            let Some(value) = value else { continue };
            if let Some(oneof) = found.oneof()
                && let Some(other) = oneofs.insert(oneof.clone(), member.clone())
            {
                let other = path_part(&other);
                return Err(here.fault(format!(
                    "excludes `{other}`: both are of the oneof `{oneof}`"
                )));
            }
            found.set(&mut read, value);
        }
        Ok(Some(read))
    }
}

/// The field or the extension that a member names.
enum Found {
    Field(FieldDescriptor),
    Extension(ExtensionDescriptor),
}

impl Found {
    fn of(message: &MessageDescriptor, member: &str) -> Option<Self> {
        if let Some(name) = member
            .strip_prefix('[')
            .and_then(|name| name.strip_suffix(']'))
        {
            return message
                .get_extension_by_full_name(name)
                .map(Self::Extension);
        }
        (message.get_field_by_json_name(member))
            .or_else(|| message.get_field_by_name(member))
            .map(Self::Field)
    }

    fn number(&self) -> u32 {
        match self {
            Self::Field(field) => field.number(),
            Self::Extension(extension) => extension.number(),
        }
    }

    fn slot(&self) -> Slot {
        match self {
            Self::Field(field) => Slot::of(field),
            Self::Extension(extension) => Slot::of_extension(extension),
        }
    }

    /// The oneof that it belongs to.
    fn oneof(&self) -> Option<String> {
        match self {
            Self::Field(field) => field
                .containing_oneof()
                .map(|oneof| oneof.name().to_owned()),
            Self::Extension(_) => None,
        }
    }

    fn set(&self, message: &mut DynamicMessage, value: Value) {
        match self {
            Self::Field(field) => message.set_field(field, value),
            Self::Extension(extension) => message.set_extension(extension, value),
        }
    }
}

/// Expects an array, a value an element.
struct List<'s> {
    at: At<'s>,
    kind: &'s Kind,
}

impl<'de> Expect<'de> for List<'_> {
    type Value = Option<Value>;

    fn unexpected<E: Error>(self, found: &str) -> E {
        self.at.fault(format!("expected an array, found {found}"))
    }

    fn null<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn array<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Self::Value, A::Error> {
        let Self { at, kind } = self;
        let mut list = Vec::new();
        loop {
            let path = at.step(Step::Index(list.len()));
            let at = at.below(&path);
            match elements.next_element_seed(Single { at, kind })? {
                Some(Some(value)) => list.push(value),
                Some(None) => return Err(at.fault("null is no element of a list")),
                None => return Ok(Some(Value::List(list))),
            }
        }
    }
}

/// Expects an object, an entry a member.
struct Map<'s> {
    at: At<'s>,
    entry: &'s MessageDescriptor,
}

impl<'de> Expect<'de> for Map<'_> {
    type Value = Option<Value>;

    fn unexpected<E: Error>(self, found: &str) -> E {
        self.at.fault(format!("expected an object, found {found}"))
    }

    fn null<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn object<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let Self { at, entry } = self;
        let key_kind = entry.map_entry_key_field().kind();
        let kind = &entry.map_entry_value_field().kind();
        let mut map = HashMap::new();
        while let Some(member) = members.next_key::<String>()? {
            let path = at.step(Step::Key(&member));
            // An entry is a message on the wire.
            let at = at.below(&path).deeper(1);
            let key = scalar::map_key(&key_kind, &member).map_err(|reason| at.fault(reason))?;
            if map.contains_key(&key) {
                return Err(at.fault("given twice"));
            }
            match members.next_value_seed(Single { at, kind })? {
                Some(value) => drop(map.insert(key, value)),
                None => return Err(at.fault("null is no value of a map")),
            }
        }
        Ok(Some(Value::Map(map)))
    }
}
