//! Request messages from a body, a query and a path.

use std::collections::BTreeSet;

use bytes::Bytes;
use lro_json::{MAX_DEPTH, ReadError, ReadOptions};
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, Value};

use crate::capture;
use crate::fault::Fault;
use crate::rules::{Binding, Body, Capture};
use crate::system::field_of;

/// A message whose bytes are the body as it is.
const HTTP_BODY: &str = "google.api.HttpBody";

/// The parts of a request that make its message.
pub(crate) struct Parts<'r> {
    /// The path segments of each segment of the template.
    pub(crate) matched: Vec<&'r [&'r str]>,
    /// The parameters of the query, but for system parameters.
    pub(crate) query: Vec<(String, String)>,
    pub(crate) body: Bytes,
    pub(crate) content_type: Option<&'r str>,
}

/// Builds the request message of a binding. The path wins over the body.
pub(crate) fn build(
    binding: &Binding,
    parts: &Parts<'_>,
    options: &ReadOptions,
    ignore_unknown_parameters: bool,
) -> Result<DynamicMessage, Fault> {
    let mut message = read_body(binding, parts, options)?;
    for variable in &binding.variables {
        set_capture(&mut message, variable, &parts.matched, options)?;
    }
    let mut seen = BTreeSet::new();
    for (name, value) in &parts.query {
        let Some(target) = target(binding, name)? else {
            if ignore_unknown_parameters {
                continue;
            }
            let input = binding.rpc.input.full_name();
            return Err(Fault::field(
                name,
                format!("no such parameter: {input} has no such field"),
            ));
        };
        set_parameter(&mut message, &target, name, value, options, &mut seen)?;
    }
    Ok(message)
}

/// Whether the body of this binding is taken as it is.
pub(crate) fn takes_raw_body(binding: &Binding) -> bool {
    match &binding.body {
        Body::None => false,
        Body::Message => is_http_body(&binding.rpc.input),
        Body::Field(field) => is_raw(field),
    }
}

fn read_body(
    binding: &Binding,
    parts: &Parts<'_>,
    options: &ReadOptions,
) -> Result<DynamicMessage, Fault> {
    let input = &binding.rpc.input;
    let body = &*parts.body;
    let is_blank = body.iter().all(u8::is_ascii_whitespace);
    match &binding.body {
        Body::None if is_blank || is_empty_object(body) => Ok(DynamicMessage::new(input.clone())),
        Body::None => Err(Fault::field("body", "this method takes no body")),
        Body::Message if is_http_body(input) => {
            Ok(http_body(input, &parts.body, parts.content_type))
        }
        Body::Message if body.is_empty() => Ok(DynamicMessage::new(input.clone())),
        Body::Message => options
            .read(input, body)
            .map_err(|error| unreadable(&error)),
        Body::Field(field) => {
            let mut message = DynamicMessage::new(input.clone());
            if is_raw(field) {
                if let Kind::Message(inner) = field.kind() {
                    let content = http_body(&inner, &parts.body, parts.content_type);
                    message.set_field(field, Value::Message(content));
                }
            } else if !body.is_empty() {
                let value = options
                    .read_field(field, body)
                    .map_err(|error| unreadable(&error))?;
                if let Some(value) = value {
                    message.set_field(field, value);
                }
            }
            Ok(message)
        }
    }
}

fn is_empty_object(body: &[u8]) -> bool {
    let inner = body
        .trim_ascii()
        .strip_prefix(b"{")
        .and_then(|inner| inner.strip_suffix(b"}"));
    inner.is_some_and(|inner| inner.iter().all(u8::is_ascii_whitespace))
}

fn unreadable(error: &ReadError) -> Fault {
    match error.field() {
        "" => Fault::field("body", error.reason()),
        field => Fault::field(field, error.reason()),
    }
}

pub(crate) fn is_http_body(message: &MessageDescriptor) -> bool {
    message.full_name() == HTTP_BODY
}

fn is_raw(field: &FieldDescriptor) -> bool {
    !field.is_list() && matches!(field.kind(), Kind::Message(message) if is_http_body(&message))
}

fn http_body(
    message: &MessageDescriptor,
    body: &Bytes,
    content_type: Option<&str>,
) -> DynamicMessage {
    let mut content = DynamicMessage::new(message.clone());
    if let Some(content_type) = content_type {
        content.set_field_by_number(1, Value::String(content_type.to_owned()));
    }
    content.set_field_by_number(2, Value::Bytes(body.clone()));
    content
}

/// The field that a parameter sets.
struct Target {
    /// The field, and the messages on the way to it.
    field: Vec<FieldDescriptor>,
    /// The key of a map.
    key: Option<String>,
}

/// Resolves a parameter's name. `None` when there is no such field.
fn target(binding: &Binding, name: &str) -> Result<Option<Target>, Fault> {
    if matches!(binding.body, Body::Message) {
        return Err(Fault::field(
            name,
            "the body is the whole message: no parameter is possible beside it",
        ));
    }
    let mut message = binding.rpc.input.clone();
    let mut field: Vec<FieldDescriptor> = Vec::new();
    let mut rest = name;
    let key = loop {
        if field.len() == MAX_DEPTH {
            return Err(Fault::field(
                name,
                format!("nested deeper than {MAX_DEPTH} levels"),
            ));
        }
        let (part, behind) = match rest.split_once('.') {
            Some((part, behind)) => (part, Some(behind)),
            None => (rest, None),
        };
        let Some(found) = field_of(&message, part) else {
            return Ok(None);
        };
        let (is_list, is_map, kind) = (found.is_list(), found.is_map(), found.kind());
        field.push(found);
        match (behind, kind) {
            (None, _) if is_map => {
                return Err(Fault::field(
                    name,
                    format!("a map is given by its entries: `{name}.key=value`"),
                ));
            }
            (None, _) => break None,
            (Some(key), _) if is_map => break Some(key.to_owned()),
            (Some(_), _) if is_list => {
                return Err(Fault::field(
                    name,
                    "the path leads through a repeated field; send it in the body",
                ));
            }
            (Some(_), Kind::Message(inner)) if lro_json::has_own_form(&inner) => {
                let reason = format!(
                    "the path leads into a {}; send it in the body",
                    inner.name()
                );
                return Err(Fault::field(name, reason));
            }
            (Some(behind), Kind::Message(inner)) => (message, rest) = (inner, behind),
            (Some(_), _) => return Ok(None),
        }
    };
    let bound = |capture: &Capture| capture.field == field;
    if binding.variables.iter().any(bound) {
        return Err(Fault::field(name, "this field is given by the path"));
    }
    if let Body::Field(body) = &binding.body
        && field.first() == Some(body)
    {
        return Err(Fault::field(name, "this field is given by the body"));
    }
    Ok(Some(Target { field, key }))
}

fn set_parameter(
    message: &mut DynamicMessage,
    target: &Target,
    name: &str,
    value: &str,
    options: &ReadOptions,
    seen: &mut BTreeSet<(Vec<u32>, Option<String>)>,
) -> Result<(), Fault> {
    let Some((field, parents)) = target.field.split_last() else {
        return Ok(());
    };
    let numbers = target.field.iter().map(FieldDescriptor::number).collect();
    let is_first = seen.insert((numbers, target.key.clone()));
    if !is_first && !field.is_list() {
        return Err(Fault::field(name, "given twice"));
    }
    let fault = |error: &ReadError| Fault::field(name, error.reason());
    let parent = descend(message, parents).map_err(|reason| Fault::field(name, reason))?;
    check_oneof(parent, field).map_err(|reason| Fault::field(name, reason))?;
    if let Some(key) = &target.key {
        let (key, value) = options
            .read_map_entry(field, key, value)
            .map_err(|error| fault(&error))?;
        if let Some(map) = parent.get_field_mut(field).as_map_mut() {
            map.insert(key, value);
        }
        return Ok(());
    }
    let may_be_empty = match field.kind() {
        Kind::String | Kind::Bytes => true,
        Kind::Message(message) => {
            matches!(
                message.full_name(),
                "google.protobuf.StringValue" | "google.protobuf.BytesValue"
            )
        }
        _ => false,
    };
    if value.is_empty() && !may_be_empty {
        return Err(Fault::field(name, "a value is missing"));
    }
    let value = options
        .read_text(field, value)
        .map_err(|error| fault(&error))?;
    match parent.get_field_mut(field) {
        Value::List(list) if field.is_list() => list.push(value),
        slot => *slot = value,
    }
    Ok(())
}

fn set_capture(
    message: &mut DynamicMessage,
    variable: &Capture,
    matched: &[&[&str]],
    options: &ReadOptions,
) -> Result<(), Fault> {
    let Some((field, parents)) = variable.field.split_last() else {
        return Ok(());
    };
    let names: Vec<&str> = variable.field.iter().map(FieldDescriptor::name).collect();
    let name = names.join(".");
    let segments = matched
        .get(variable.first..variable.first + variable.count)
        .unwrap_or_default();
    let segments = segments.concat();
    let text = if variable.multi {
        capture::decode_but_slashes(&segments)
    } else {
        segments
            .first()
            .map_or(Ok(String::new()), |segment| capture::decode(segment))
    };
    let text = text.map_err(|bad| Fault::field(&name, bad.reason()))?;
    let value = options
        .read_text(field, &text)
        .map_err(|error| Fault::field(&name, error.reason()))?;
    let parent = descend(message, parents).map_err(|reason| Fault::field(&name, reason))?;
    check_oneof(parent, field).map_err(|reason| Fault::field(&name, reason))?;
    parent.set_field(field, value);
    Ok(())
}

/// The message that these fields lead to, made on the way where it is missing.
fn descend<'m>(
    message: &'m mut DynamicMessage,
    parents: &[FieldDescriptor],
) -> Result<&'m mut DynamicMessage, String> {
    let mut here = message;
    for field in parents {
        check_oneof(here, field)?;
        // An unset message has a default that is set with the first field in it.
        here = match here.get_field_mut(field) {
            Value::Message(message) => message,
            _ => return Err(format!("`{}` is no message", field.name())),
        };
    }
    Ok(here)
}

/// Refuses a second member of a oneof.
fn check_oneof(message: &DynamicMessage, field: &FieldDescriptor) -> Result<(), String> {
    let Some(oneof) = field.containing_oneof() else {
        return Ok(());
    };
    let other = oneof
        .fields()
        .find(|other| other != field && message.has_field(other));
    match other {
        Some(other) => Err(format!(
            "excludes `{}`: both are of the oneof `{}`",
            other.name(),
            oneof.name()
        )),
        None => Ok(()),
    }
}
