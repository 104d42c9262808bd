//! The operations of a table.

use std::collections::BTreeMap;

use lro_core::store::{NewOperation, OperationRecord, OperationResult, OperationState};
use lro_core::{OperationName, Timestamp, pb};
use prost::Message as _;
use prost_reflect::{DynamicMessage, Kind, MapKey, MessageDescriptor, Value};
use prost_types::Any;
use serde::Deserialize;
use serde_json::Value as Json;

use super::types::Types;

/// An operation as the table writes it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fixture {
    name: String,
    done: bool,
    method: String,
    create_time: String,
    update_time: String,
    start_time: Option<String>,
    end_time: Option<String>,
    expire_time: Option<String>,
    state: Option<String>,
    attempt: Option<u32>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    metadata: Option<Json>,
    response: Option<Json>,
    error: Option<FixtureError>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FixtureError {
    code: i32,
    message: String,
}

/// The record of an operation.
pub(crate) fn record(fixture: &Fixture, types: &Types) -> Result<OperationRecord, String> {
    let name: OperationName = parsed("name", &fixture.name)?;
    let request = lro_core::pack(&());
    let new = NewOperation::new(uuid::Uuid::nil(), name, &*fixture.method, request);
    let mut record = OperationRecord::new(new, time(&fixture.create_time)?);
    record.update_time = time(&fixture.update_time)?;
    let optional = |text: &Option<String>| text.as_deref().map(time).transpose();
    record.start_time = optional(&fixture.start_time)?;
    record.end_time = optional(&fixture.end_time)?;
    record.expire_time = optional(&fixture.expire_time)?;
    record.attempt = fixture.attempt.unwrap_or_default();
    record.labels.clone_from(&fixture.labels);
    let pack = |json: &Json, of: &Option<MessageDescriptor>| match of {
        Some(of) => packed(of, json),
        None => Err("the schema has no type for it".to_owned()),
    };
    if let Some(json) = &fixture.metadata {
        record.metadata = Some(pack(json, &types.metadata)?);
    }
    record.result = match (&fixture.response, &fixture.error) {
        (None, None) => None,
        (Some(json), None) => Some(OperationResult::Response(pack(json, &types.response)?)),
        (None, Some(error)) => Some(OperationResult::Error(pb::rpc::Status {
            code: error.code,
            message: error.message.clone(),
            details: Vec::new(),
        })),
        (Some(_), Some(_)) => return Err("it has a response and an error".to_owned()),
    };
    record.state = match (&fixture.state, &record.result) {
        (Some(name), _) => {
            let mut states = OperationState::ALL.into_iter();
            let found = states.find(|state| format!("{state:?}").to_uppercase() == *name);
            found.ok_or_else(|| format!("there is no state `{name}`"))?
        }
        (None, _) if !fixture.done => OperationState::Running,
        (None, Some(OperationResult::Error(error))) if error.code == 1 => OperationState::Cancelled,
        (None, Some(OperationResult::Error(_))) => OperationState::Failed,
        (None, _) => OperationState::Succeeded,
    };
    if record.state.is_done() != fixture.done {
        return Err("its state contradicts done".to_owned());
    }
    Ok(record)
}

fn parsed<T: std::str::FromStr>(what: &str, text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("`{text}` is no {what}"))
}

fn time(text: &str) -> Result<Timestamp, String> {
    let time: prost_types::Timestamp = parsed("time", text)?;
    let micros = time.seconds * 1_000_000 + i64::from(time.nanos) / 1_000;
    Ok(Timestamp::from_micros(micros))
}

fn packed(descriptor: &MessageDescriptor, json: &Json) -> Result<Any, String> {
    Ok(Any {
        type_url: format!("type.googleapis.com/{}", descriptor.full_name()),
        value: message(descriptor, json)?.encode_to_vec(),
    })
}

fn message(descriptor: &MessageDescriptor, json: &Json) -> Result<DynamicMessage, String> {
    let Json::Object(fields) = json else {
        return Err(format!("{json} is no {}", descriptor.name()));
    };
    let mut message = DynamicMessage::new(descriptor.clone());
    for (name, json) in fields {
        let field = descriptor
            .get_field_by_name(name)
            .ok_or_else(|| format!("{} has no field `{name}`", descriptor.name()))?;
        let kind = field.kind();
        let value = match json {
            Json::Array(elements) if field.is_list() => {
                let elements = elements.iter().map(|json| value(&kind, json));
                Value::List(elements.collect::<Result<_, _>>()?)
            }
            Json::Object(entries) if field.is_map() => {
                let Some(entry) = kind.as_message() else {
                    return Err(format!("`{name}` is no map"));
                };
                let (keys, values) = (entry.map_entry_key_field(), entry.map_entry_value_field());
                let pairs = entries.iter().map(|(text, json)| {
                    let key = match keys.kind() {
                        Kind::Int32 => MapKey::I32(parsed("int32", text)?),
                        Kind::Int64 => MapKey::I64(parsed("int64", text)?),
                        Kind::Bool => MapKey::Bool(parsed("bool", text)?),
                        _ => MapKey::String(text.clone()),
                    };
                    Ok((key, value(&values.kind(), json)?))
                });
                Value::Map(pairs.collect::<Result<_, String>>()?)
            }
            json => value(&kind, json)?,
        };
        message
            .try_set_field(&field, value)
            .map_err(|error| format!("`{name}`: {error}"))?;
    }
    Ok(message)
}

fn value(kind: &Kind, json: &Json) -> Result<Value, String> {
    let wrong = || format!("{json} is no {kind:?}");
    let integer = || json.as_i64().ok_or_else(wrong);
    let text = || json.as_str().ok_or_else(wrong);
    Ok(match kind {
        Kind::Int32 => Value::I32(integer()?.try_into().map_err(|_| wrong())?),
        Kind::Int64 => Value::I64(integer()?),
        Kind::Uint32 => Value::U32(integer()?.try_into().map_err(|_| wrong())?),
        Kind::Uint64 => Value::U64(json.as_u64().ok_or_else(wrong)?),
        Kind::Double => Value::F64(json.as_f64().ok_or_else(wrong)?),
        Kind::Float => Value::F32(json.as_f64().ok_or_else(wrong)? as f32),
        Kind::Bool => Value::Bool(json.as_bool().ok_or_else(wrong)?),
        Kind::String => Value::String(text()?.to_owned()),
        Kind::Bytes => Value::Bytes(text()?.to_owned().into()),
        Kind::Enum(values) => {
            let found = values.get_value_by_name(text()?);
            Value::EnumNumber(found.ok_or_else(wrong)?.number())
        }
        Kind::Message(message) => Value::Message(match message.full_name() {
            "google.protobuf.Timestamp" => {
                let time: prost_types::Timestamp = parsed("time", text()?)?;
                parts(message, time.seconds, time.nanos)
            }
            "google.protobuf.Duration" => {
                let span: prost_types::Duration = parsed("duration", text()?)?;
                parts(message, span.seconds, span.nanos)
            }
            _ => self::message(message, json)?,
        }),
        _ => return Err(wrong()),
    })
}

fn parts(message: &MessageDescriptor, seconds: i64, nanos: i32) -> DynamicMessage {
    let mut found = DynamicMessage::new(message.clone());
    found.set_field_by_number(1, Value::I64(seconds));
    found.set_field_by_number(2, Value::I32(nanos));
    found
}
