//! Schemas of messages, as ProtoJSON writes them.

use std::collections::{BTreeMap, BTreeSet};

use prost_reflect::{EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor, OneofDescriptor};
use serde_json::{Map, Value, json};

use super::comments::Comments;
use super::{field, well_known};

/// The schemas that a document refers to.
pub(super) struct Schemas<'d> {
    comments: &'d Comments,
    /// The names that something refers to.
    known: BTreeSet<String>,
    /// Those of them that are not written yet.
    pending: Vec<Described>,
}

enum Described {
    Message(MessageDescriptor),
    Enum(EnumDescriptor),
}

impl<'d> Schemas<'d> {
    pub(super) fn new(comments: &'d Comments) -> Self {
        Self {
            comments,
            known: BTreeSet::new(),
            pending: Vec::new(),
        }
    }

    /// A reference to the schema of a message.
    pub(super) fn message(&mut self, message: &MessageDescriptor) -> Value {
        self.refer(message.full_name(), || Described::Message(message.clone()))
    }

    /// A message inside of a `google.protobuf.Any`.
    pub(super) fn packed(&mut self, message: &MessageDescriptor) -> Value {
        let url = format!("type.googleapis.com/{}", message.full_name());
        let mut tagged = json!({
            "type": "object",
            "required": ["@type"],
            "properties": { "@type": { "const": url } },
        });
        match well_known::schema(message.full_name()) {
            Some(_) if message.full_name() == "google.protobuf.Empty" => tagged,
            Some(value) => {
                tagged["properties"]["value"] = value;
                tagged
            }
            None => json!({ "allOf": [tagged, self.message(message)] }),
        }
    }

    /// The schema of a field's value, with what its comment and its options say.
    pub(super) fn field(&mut self, field: &FieldDescriptor) -> Value {
        let mut schema = if field.is_map() {
            self.map(field)
        } else if field.is_list() {
            json!({ "type": "array", "items": self.value(&field.kind()) })
        } else {
            self.value(&field.kind())
        };
        field::annotate(&mut schema, field, self.comments.field(field));
        schema
    }

    /// The schema of one value.
    pub(super) fn value(&mut self, kind: &Kind) -> Value {
        match kind {
            Kind::Double => well_known::float("double"),
            Kind::Float => well_known::float("float"),
            Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => well_known::int32(),
            Kind::Uint32 | Kind::Fixed32 => well_known::uint32(),
            Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => well_known::int64(),
            Kind::Uint64 | Kind::Fixed64 => well_known::uint64(),
            Kind::Bool => json!({ "type": "boolean" }),
            Kind::String => json!({ "type": "string" }),
            Kind::Bytes => well_known::bytes(),
            Kind::Message(message) => self.message(message),
            Kind::Enum(enumeration) => self.enumeration(enumeration),
        }
    }

    fn enumeration(&mut self, enumeration: &EnumDescriptor) -> Value {
        let name = enumeration.full_name();
        if name == "google.protobuf.NullValue" {
            return json!({ "type": "null" });
        }
        self.refer(name, || Described::Enum(enumeration.clone()))
    }

    fn map(&mut self, field: &FieldDescriptor) -> Value {
        let Kind::Message(entry) = field.kind() else {
            return json!({ "type": "object" });
        };
        let value = self.value(&entry.map_entry_value_field().kind());
        let mut schema = json!({ "type": "object", "additionalProperties": value });
        let keys = match entry.map_entry_key_field().kind() {
            Kind::Bool => json!({ "enum": ["true", "false"] }),
            Kind::String => return schema,
            Kind::Uint32 | Kind::Uint64 | Kind::Fixed32 | Kind::Fixed64 => {
                json!({ "pattern": "^[0-9]+$" })
            }
            _ => json!({ "pattern": "^-?[0-9]+$" }),
        };
        schema["propertyNames"] = keys;
        schema
    }

    fn refer(&mut self, name: &str, described: impl FnOnce() -> Described) -> Value {
        if self.known.insert(name.to_owned()) {
            self.pending.push(described());
        }
        json!({ "$ref": format!("#/components/schemas/{name}") })
    }

    /// The schema of a message without some fields.
    pub(super) fn object(
        &mut self,
        message: &MessageDescriptor,
        is_left_out: impl Fn(&FieldDescriptor) -> bool,
    ) -> Value {
        let mut properties = Map::new();
        for field in message.fields().filter(|field| !is_left_out(field)) {
            properties.insert(field.json_name().to_owned(), self.field(&field));
        }
        let mut schema = json!({ "type": "object", "properties": properties });
        if let Some(comment) = self.comments.message(message) {
            schema["description"] = comment.into();
        }
        let oneofs: Vec<Value> = message
            .oneofs()
            .filter_map(|oneof| at_most_one(&oneof, &is_left_out))
            .collect();
        if !oneofs.is_empty() {
            schema["allOf"] = oneofs.into();
        }
        if field::is_deprecated(&message.options()) {
            schema["deprecated"] = true.into();
        }
        schema
    }

    /// The schemas of everything that is referred to, by name.
    pub(super) fn finish(mut self) -> BTreeMap<String, Value> {
        let mut schemas = BTreeMap::new();
        while let Some(described) = self.pending.pop() {
            let (name, schema) = match &described {
                Described::Message(message) => {
                    let name = message.full_name();
                    let special = well_known::schema(name);
                    let schema = special.unwrap_or_else(|| self.object(message, |_| false));
                    (name.to_owned(), schema)
                }
                Described::Enum(enumeration) => (
                    enumeration.full_name().to_owned(),
                    values(enumeration, self.comments),
                ),
            };
            schemas.insert(name, schema);
        }
        schemas
    }
}

/// A oneof of several fields: one of them, or none.
fn at_most_one(
    oneof: &OneofDescriptor,
    is_left_out: impl Fn(&FieldDescriptor) -> bool,
) -> Option<Value> {
    let members: Vec<Value> = oneof
        .fields()
        .filter(|field| !is_left_out(field))
        .map(|field| json!({ "required": [field.json_name()] }))
        .collect();
    if members.len() < 2 {
        return None;
    }
    let none = json!({ "not": { "anyOf": members } });
    let mut choices = members;
    choices.push(none);
    Some(json!({ "oneOf": choices }))
}

/// The names of an enum, or the number of a value without a name. Answers have numbers for all values if
/// the request says so (`$alt=json;enum-encoding=int`).
fn values(enumeration: &EnumDescriptor, comments: &Comments) -> Value {
    let names: Vec<String> = enumeration
        .values()
        .map(|value| value.name().to_owned())
        .collect();
    let mut description = comments
        .enumeration(enumeration)
        .unwrap_or_default()
        .to_owned();
    for value in enumeration.values() {
        if let Some(comment) = comments.value(&value) {
            let comment = comment.replace('\n', " ");
            description.push_str(&format!("\n* `{}`: {comment}", value.name()));
        }
    }
    let mut schema = json!({ "anyOf": [
        { "type": "string", "enum": names },
        { "type": "integer", "format": "int32", "minimum": i32::MIN, "maximum": i32::MAX },
    ] });
    if !description.is_empty() {
        schema["description"] = description.trim().into();
    }
    schema
}
