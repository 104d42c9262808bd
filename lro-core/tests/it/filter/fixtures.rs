//! Message types made at run time, and records made from JSON.

use std::sync::LazyLock;

use lro_core::filter::Schema;
use lro_core::store::{NewOperation, OperationRecord, OperationResult, OperationState};
use lro_core::{OperationName, Timestamp, pb};
use prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage, Kind, MapKey, MessageDescriptor, Value};
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{
    Any, DescriptorProto, EnumDescriptorProto, EnumValueDescriptorProto, FieldDescriptorProto,
    FileDescriptorProto, MessageOptions,
};
use serde_json::Value as Json;

/// The types of the table, and a few that it does not have.
const MESSAGES: &[(&str, &[(&str, &str)])] = &[
    (
        "Metadata",
        &[
            ("progress_percent", "int32"),
            ("bytes_done", "int64"),
            ("ratio", "double"),
            ("state", "State"),
            ("target", "string"),
            ("eta", "google.protobuf.Duration"),
            ("owner", "Owner"),
            ("tags", "repeated string"),
            ("steps", "repeated Step"),
            ("start_time", "google.protobuf.Timestamp"),
            ("cancel_requested", "bool"),
        ],
    ),
    ("Owner", &[("email", "string"), ("team", "string")]),
    (
        "Step",
        &[
            ("name", "string"),
            ("attempts", "int32"),
            ("notes", "repeated string"),
        ],
    ),
    (
        "Other",
        &[
            ("progress_percent", "string"),
            ("size", "uint64"),
            ("small", "uint32"),
            ("single", "float"),
            ("digest", "bytes"),
            ("weights", "map int32 double"),
            ("owners", "map string Owner"),
            ("next", "Other"),
            ("groups", "repeated Group"),
            ("times", "repeated google.protobuf.Timestamp"),
            ("states", "repeated State"),
            ("maybe", "optional int32"),
        ],
    ),
    ("Group", &[("steps", "repeated Step")]),
    ("Response", &[("count", "int64"), ("owner", "Owner")]),
];

const STATES: [&str; 5] = [
    "STATE_UNSPECIFIED",
    "RUNNING",
    "SUCCEEDED",
    "FAILED",
    "CANCELLING",
];

pub(crate) fn message(name: &str) -> MessageDescriptor {
    static POOL: LazyLock<DescriptorPool> = LazyLock::new(pool);
    POOL.get_message_by_name(&format!("test.{name}")).unwrap()
}

/// The schema of the table.
pub(crate) fn schema() -> Schema {
    Schema::builder().metadata(message("Metadata")).build()
}

/// A schema with two types of metadata and one of response.
pub(crate) fn wide_schema() -> Schema {
    Schema::builder()
        .metadata(message("Metadata"))
        .metadata(message("Other"))
        .response(message("Response"))
        .build()
}

/// A record from a fixture of the table.
pub(crate) fn record(json: &Json) -> OperationRecord {
    let time = |name: &str| json[name].as_str().map(micros);
    let name: OperationName = json["name"].as_str().unwrap().parse().unwrap();
    let method = json["method"].as_str().unwrap();
    let new = NewOperation::new(uuid::Uuid::nil(), name, method, lro_core::pack(&()));
    let mut record = OperationRecord::new(new, time("create_time").unwrap());
    record.update_time = time("update_time").unwrap();
    record.end_time = time("end_time");
    if let Some(labels) = json["labels"].as_object() {
        let own = |(key, value): (&String, &Json)| (key.clone(), value.as_str().unwrap().into());
        record.labels = labels.iter().map(own).collect();
    }
    record.metadata = json.get("metadata").map(|json| pack("Metadata", json));
    record.state = match json["done"].as_bool().unwrap() {
        true => OperationState::Succeeded,
        false => OperationState::Running,
    };
    if let Some(error) = json.get("error") {
        let code = error["code"].as_i64().unwrap() as i32;
        record.state = match code {
            1 => OperationState::Cancelled,
            _ => OperationState::Failed,
        };
        record.result = Some(OperationResult::Error(pb::rpc::Status {
            code,
            message: error["message"].as_str().unwrap().to_owned(),
            details: Vec::new(),
        }));
    }
    record
}

/// A running operation with this metadata.
pub(crate) fn with_metadata(name: &str, json: &Json) -> OperationRecord {
    let mut record = record(&serde_json::json!({
        "name": "operations/x", "method": "/m", "done": false,
        "create_time": "2024-01-01T00:00:00Z", "update_time": "2024-01-01T00:00:00Z",
    }));
    record.metadata = Some(pack(name, json));
    record
}

pub(crate) fn pack(name: &str, json: &Json) -> Any {
    let message = dynamic(&message(name), json);
    Any {
        type_url: format!("type.googleapis.com/test.{name}"),
        value: message.encode_to_vec(),
    }
}

fn dynamic(descriptor: &MessageDescriptor, json: &Json) -> DynamicMessage {
    let mut message = DynamicMessage::new(descriptor.clone());
    for (name, json) in json.as_object().unwrap() {
        let field = descriptor.get_field_by_name(name).unwrap();
        let kind = field.kind();
        let value = match json {
            Json::Array(elements) => {
                Value::List(elements.iter().map(|json| value(&kind, json)).collect())
            }
            Json::Object(entries) if field.is_map() => {
                let entry = kind.as_message().unwrap();
                let (keys, values) = (entry.map_entry_key_field(), entry.map_entry_value_field());
                let pair = |(key, json): (&String, &Json)| {
                    let key = match keys.kind() {
                        Kind::Int32 => MapKey::I32(key.parse().unwrap()),
                        _ => MapKey::String(key.clone()),
                    };
                    (key, value(&values.kind(), json))
                };
                Value::Map(entries.iter().map(pair).collect())
            }
            json => value(&kind, json),
        };
        message.set_field(&field, value);
    }
    message
}

fn value(kind: &Kind, json: &Json) -> Value {
    match kind {
        Kind::Int32 => Value::I32(json.as_i64().unwrap() as i32),
        Kind::Int64 => Value::I64(json.as_i64().unwrap()),
        Kind::Uint32 => Value::U32(json.as_u64().unwrap() as u32),
        Kind::Uint64 => Value::U64(json.as_u64().unwrap()),
        Kind::Double => Value::F64(json.as_f64().unwrap()),
        Kind::Float => Value::F32(json.as_f64().unwrap() as f32),
        Kind::Bool => Value::Bool(json.as_bool().unwrap()),
        Kind::String => Value::String(json.as_str().unwrap().to_owned()),
        Kind::Bytes => Value::Bytes(json.as_str().unwrap().to_owned().into()),
        Kind::Enum(states) => {
            let state = states.get_value_by_name(json.as_str().unwrap()).unwrap();
            Value::EnumNumber(state.number())
        }
        Kind::Message(message) => Value::Message(match message.full_name() {
            "google.protobuf.Timestamp" => {
                let time: prost_types::Timestamp = json.as_str().unwrap().parse().unwrap();
                parts(message, time.seconds, time.nanos)
            }
            "google.protobuf.Duration" => {
                let span: prost_types::Duration = json.as_str().unwrap().parse().unwrap();
                parts(message, span.seconds, span.nanos)
            }
            _ => dynamic(message, json),
        }),
        other => unreachable!("no fixture has a {other:?}"),
    }
}

fn parts(message: &MessageDescriptor, seconds: i64, nanos: i32) -> DynamicMessage {
    let mut found = DynamicMessage::new(message.clone());
    found.set_field_by_number(1, Value::I64(seconds));
    found.set_field_by_number(2, Value::I32(nanos));
    found
}

pub(crate) fn micros(text: &str) -> Timestamp {
    let time: prost_types::Timestamp = text.parse().unwrap();
    Timestamp::from_micros(time.seconds * 1_000_000 + i64::from(time.nanos) / 1_000)
}

fn pool() -> DescriptorPool {
    let mut pool = DescriptorPool::global();
    let values = STATES
        .iter()
        .enumerate()
        .map(|(number, name)| EnumValueDescriptorProto {
            name: Some((*name).to_owned()),
            number: Some(number as i32),
            options: None,
        });
    let file = FileDescriptorProto {
        name: Some("test.proto".to_owned()),
        package: Some("test".to_owned()),
        syntax: Some("proto3".to_owned()),
        dependency: ["duration", "timestamp"]
            .map(|name| format!("google/protobuf/{name}.proto"))
            .to_vec(),
        enum_type: vec![EnumDescriptorProto {
            name: Some("State".to_owned()),
            value: values.collect(),
            ..Default::default()
        }],
        message_type: MESSAGES
            .iter()
            .map(|(name, fields)| proto(name, fields))
            .collect(),
        ..Default::default()
    };
    pool.add_file_descriptor_proto(file).unwrap();
    pool
}

fn proto(name: &str, fields: &[(&str, &str)]) -> DescriptorProto {
    let mut message = DescriptorProto {
        name: Some(name.to_owned()),
        ..Default::default()
    };
    for (index, (field, kind)) in fields.iter().enumerate() {
        let number = index as i32 + 1;
        let mut proto = match kind.split(' ').collect::<Vec<_>>()[..] {
            ["repeated", kind] => field_proto(field, number, kind, Label::Repeated),
            ["map", key, value] => {
                let entry = format!("{}{}Entry", field[..1].to_uppercase(), &field[1..]);
                message.nested_type.push(DescriptorProto {
                    name: Some(entry.clone()),
                    field: vec![
                        field_proto("key", 1, key, Label::Optional),
                        field_proto("value", 2, value, Label::Optional),
                    ],
                    options: Some(MessageOptions {
                        map_entry: Some(true),
                        ..Default::default()
                    }),
                    ..Default::default()
                });
                field_proto(field, number, &format!("{name}.{entry}"), Label::Repeated)
            }
            ["optional", kind] => {
                message.oneof_decl.push(prost_types::OneofDescriptorProto {
                    name: Some(format!("_{field}")),
                    options: None,
                });
                FieldDescriptorProto {
                    proto3_optional: Some(true),
                    oneof_index: Some(0),
                    ..field_proto(field, number, kind, Label::Optional)
                }
            }
            _ => field_proto(field, number, kind, Label::Optional),
        };
        proto.json_name = None;
        message.field.push(proto);
    }
    message
}

fn field_proto(name: &str, number: i32, kind: &str, label: Label) -> FieldDescriptorProto {
    let (kind, type_name) = match kind {
        "int32" => (Type::Int32, None),
        "int64" => (Type::Int64, None),
        "uint32" => (Type::Uint32, None),
        "uint64" => (Type::Uint64, None),
        "double" => (Type::Double, None),
        "float" => (Type::Float, None),
        "bool" => (Type::Bool, None),
        "string" => (Type::String, None),
        "bytes" => (Type::Bytes, None),
        "State" => (Type::Enum, Some(".test.State".to_owned())),
        other if other.starts_with("google") => (Type::Message, Some(format!(".{other}"))),
        other => (Type::Message, Some(format!(".test.{other}"))),
    };
    FieldDescriptorProto {
        name: Some(name.to_owned()),
        number: Some(number),
        label: Some(label.into()),
        r#type: Some(kind.into()),
        type_name,
        ..Default::default()
    }
}
