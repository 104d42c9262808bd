//! `google.protobuf.Any`.

use prost::Message as _;
use prost_reflect::{DynamicMessage, MessageDescriptor, Value};
use serde::Deserialize as _;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess};
use serde_json::value::RawValue;

use super::json::{self, Expect};
use super::message::{MessageSeed, Object, string};
use super::place::{At, Step};
use super::special::set;
use crate::error::quoted;
use crate::well_known::{WellKnown, of_type_url};

const TYPE: &str = "@type";
const VALUE: &str = "value";

/// Reads an Any. Its type may stand behind its fields, so the text is read twice.
pub(super) fn read<'de, D: Deserializer<'de>>(
    at: At<'_>,
    message: &MessageDescriptor,
    deserializer: D,
) -> Result<Option<DynamicMessage>, D::Error> {
    let text = <&RawValue>::deserialize(deserializer)?.get();
    let mut parser = serde_json::Deserializer::from_str(text);
    let head = json::read(&mut parser, AnyHead { at }).map_err(|error| pass_on(at, &error))?;
    let mut any = DynamicMessage::new(message.clone());
    let type_url = match head {
        Head::Null => return Ok(None),
        Head::Empty => return Ok(Some(any)),
        Head::Of(type_url) => type_url,
    };
    let content = read_content(at, &type_url, text).map_err(|error| pass_on(at, &error))?;
    set(&mut any, 1, Value::String(type_url));
    set(&mut any, 2, Value::Bytes(content.encode_to_vec().into()));
    Ok(Some(any))
}

/// An error of a parser of its own, as the one of the text around it.
fn pass_on<E: Error>(at: At<'_>, error: &serde_json::Error) -> E {
    at.fault(format!("not valid JSON: {error}"))
}

fn read_content(
    at: At<'_>,
    type_url: &str,
    text: &str,
) -> Result<DynamicMessage, serde_json::Error> {
    let path = at.step(Step::Field(TYPE));
    if !type_url.contains('/') {
        let reason = format!(
            "expected a URL such as \"type.googleapis.com/..\", found {}",
            quoted(type_url)
        );
        return Err(at.below(&path).fault(reason));
    }
    let Some(message) = &of_type_url(at.context.types, type_url) else {
        return Err(at
            .below(&path)
            .fault(format!("unknown type {}", quoted(type_url))));
    };
    let at = at.outermost();
    let mut parser = serde_json::Deserializer::from_str(text);
    if WellKnown::of(message).is_some() {
        return json::read(&mut parser, ValueOf { at, message });
    }
    // Old writers gave an Empty a value, as if its JSON were special.
    let passed_over: &[&str] = if message.full_name() == "google.protobuf.Empty" {
        json::read(
            &mut serde_json::Deserializer::from_str(text),
            EmptyValue { at },
        )?;
        &[TYPE, VALUE]
    } else {
        &[TYPE]
    };
    let read = json::read(
        &mut parser,
        Object::new(at, message).passing_over(passed_over),
    )?;
    Ok(read.unwrap_or_else(|| DynamicMessage::new(message.clone())))
}

/// The type that an Any names.
enum Head {
    Null,
    Empty,
    Of(String),
}

/// Expects an object, and looks for its type.
struct AnyHead<'s> {
    at: At<'s>,
}

impl<'de> Expect<'de> for AnyHead<'_> {
    type Value = Head;

    fn unexpected<E: Error>(self, found: &str) -> E {
        self.at.fault(format!("expected an object, found {found}"))
    }

    fn null<E: Error>(self) -> Result<Self::Value, E> {
        Ok(Head::Null)
    }

    fn object<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let at = self.at;
        let mut type_url = None;
        let mut empty = true;
        while let Some(member) = members.next_key::<String>()? {
            empty = false;
            if member != TYPE {
                members.next_value::<IgnoredAny>()?;
                continue;
            }
            let path = at.step(Step::Field(TYPE));
            let at = at.below(&path);
            let raw = members.next_value::<&RawValue>()?.get();
            if !raw.starts_with('"') {
                return Err(at.fault("expected a string"));
            }
            if type_url.replace(string(at, raw)?).is_some() {
                return Err(at.fault("given twice"));
            }
        }
        match type_url {
            Some(type_url) => Ok(Head::Of(type_url)),
            None if empty => Ok(Head::Empty),
            None => Err(at.fault("expected a member \"@type\" that names the type")),
        }
    }
}

/// Expects the object of an Any whose content has a JSON form of its own, in the member `value`.
struct ValueOf<'s> {
    at: At<'s>,
    message: &'s MessageDescriptor,
}

impl<'de> Expect<'de> for ValueOf<'_> {
    type Value = DynamicMessage;

    fn unexpected<E: Error>(self, found: &str) -> E {
        self.at.fault(format!("expected an object, found {found}"))
    }

    fn object<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let Self { at, message } = self;
        let mut content = None;
        while let Some(member) = members.next_key::<String>()? {
            let path = at.step(Step::Field(&member));
            let at = at.below(&path);
            match &*member {
                TYPE => drop(members.next_value::<IgnoredAny>()?),
                VALUE if content.is_some() => return Err(at.fault("given twice")),
                VALUE => match members.next_value_seed(MessageSeed { at, message })? {
                    Some(value) => content = Some(value),
                    None => return Err(at.fault(format!("null is no {}", message.full_name()))),
                },
                _ => {
                    let name = message.full_name();
                    return Err(at.fault(format!("no such member; a {name} stands in \"value\"")));
                }
            }
        }
        content.ok_or_else(|| at.fault("expected a member \"value\""))
    }
}

/// Expects that an Any of an Empty has no value, or an empty one.
struct EmptyValue<'s> {
    at: At<'s>,
}

impl<'de> Expect<'de> for EmptyValue<'_> {
    type Value = ();

    fn unexpected<E: Error>(self, found: &str) -> E {
        self.at.fault(format!("expected an object, found {found}"))
    }

    fn object<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let mut seen = false;
        while let Some(member) = members.next_key::<String>()? {
            let raw = members.next_value::<&RawValue>()?.get();
            if member != VALUE {
                continue;
            }
            let path = self.at.step(Step::Field(VALUE));
            let at = self.at.below(&path);
            let inner = raw
                .strip_prefix('{')
                .and_then(|inner| inner.strip_suffix('}'));
            if inner.is_none_or(|inner| !inner.trim().is_empty()) {
                return Err(at.fault("expected {}"));
            }
            if std::mem::replace(&mut seen, true) {
                return Err(at.fault("given twice"));
            }
        }
        Ok(())
    }
}
