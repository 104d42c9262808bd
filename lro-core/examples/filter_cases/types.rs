//! The types of metadata and response that a table describes.

use lro_core::filter::Schema;
use prost_reflect::{DescriptorPool, MessageDescriptor};
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{
    DescriptorProto, EnumDescriptorProto, EnumValueDescriptorProto, FieldDescriptorProto,
    FileDescriptorProto, MessageOptions, OneofDescriptorProto,
};
use serde_json::{Map, Value as Json};

const PACKAGE: &str = "table";

/// The fields of every operation, whose types are fixed.
const KNOWN: [&str; 12] = [
    "name",
    "method",
    "done",
    "state",
    "attempt",
    "create_time",
    "update_time",
    "start_time",
    "end_time",
    "expire_time",
    "labels",
    "error",
];

/// The types of a table.
#[derive(Debug)]
pub(crate) struct Types {
    pub(crate) metadata: Option<MessageDescriptor>,
    pub(crate) response: Option<MessageDescriptor>,
}

impl Types {
    /// Reads the schema of a table.
    pub(crate) fn read(schema: &Map<String, Json>) -> Result<Self, String> {
        let mut file = FileDescriptorProto {
            name: Some("table.proto".to_owned()),
            package: Some(PACKAGE.to_owned()),
            syntax: Some("proto3".to_owned()),
            dependency: ["duration", "timestamp"]
                .map(|name| format!("google/protobuf/{name}.proto"))
                .to_vec(),
            ..Default::default()
        };
        for (name, kind) in schema {
            match (name.as_str(), kind) {
                ("metadata", Json::Object(fields)) => {
                    let message = message(&mut file, "Metadata", &fields_of(fields)?)?;
                    file.message_type.push(message);
                }
                ("response", Json::Object(fields)) => {
                    let message = message(&mut file, "Response", &fields_of(fields)?)?;
                    file.message_type.push(message);
                }
                (name, _) if KNOWN.contains(&name) => {}
                (name, _) => return Err(format!("schema: operations have no field `{name}`")),
            }
        }
        let mut pool = DescriptorPool::global();
        pool.add_file_descriptor_proto(file)
            .map_err(|error| format!("schema: {error}"))?;
        let find = |name: &str| pool.get_message_by_name(&format!("{PACKAGE}.{name}"));
        Ok(Self {
            metadata: find("Metadata"),
            response: find("Response"),
        })
    }

    /// A schema with these types.
    pub(crate) fn schema(&self) -> Schema {
        let mut builder = Schema::builder();
        if let Some(metadata) = &self.metadata {
            builder = builder.metadata(metadata.clone());
        }
        if let Some(response) = &self.response {
            builder = builder.response(response.clone());
        }
        builder.build()
    }

    /// The path of the first repeated text of the metadata, as events of a dialect.
    pub(crate) fn first_texts(&self) -> String {
        let mut fields = self.metadata.iter().flat_map(MessageDescriptor::fields);
        let texts = fields.find(|field| field.is_list() && field.kind().as_message().is_none());
        texts.map_or_else(
            || "name".to_owned(),
            |field| format!("metadata.{}", field.name()),
        )
    }
}

/// A type as the table writes it.
enum Kind {
    /// `int32` and the like.
    Plain(String),
    Message(Vec<(String, Kind)>),
}

fn fields_of(fields: &Map<String, Json>) -> Result<Vec<(String, Kind)>, String> {
    let field = |(name, kind): (&String, &Json)| {
        let kind = match kind {
            Json::String(kind) => Kind::Plain(kind.clone()),
            Json::Object(fields) => Kind::Message(fields_of(fields)?),
            other => return Err(format!("schema: `{name}` is no type: {other}")),
        };
        Ok((name.clone(), kind))
    };
    fields.iter().map(field).collect()
}

fn message(
    file: &mut FileDescriptorProto,
    name: &str,
    fields: &[(String, Kind)],
) -> Result<DescriptorProto, String> {
    let mut message = DescriptorProto {
        name: Some(name.to_owned()),
        ..Default::default()
    };
    for (number, (field, kind)) in (1..).zip(fields) {
        let type_name = format!("{name}{}", capital(field));
        let proto = match kind {
            Kind::Message(fields) => {
                let nested = self::message(file, &type_name, fields)?;
                file.message_type.push(nested);
                of_message(field, number, Label::Optional, &type_name)
            }
            Kind::Plain(text) => plain(file, &mut message, &type_name, (field, number), text)?,
        };
        message.field.push(proto);
    }
    Ok(message)
}

/// A field whose type is a text.
fn plain(
    file: &mut FileDescriptorProto,
    parent: &mut DescriptorProto,
    type_name: &str,
    (field, number): (&str, i32),
    text: &str,
) -> Result<FieldDescriptorProto, String> {
    let text = text.trim();
    if let Some(text) = text.strip_prefix("repeated ") {
        let element = plain(file, parent, type_name, (field, number), text)?;
        return Ok(FieldDescriptorProto {
            label: Some(Label::Repeated.into()),
            ..element
        });
    }
    if let Some(text) = text.strip_prefix("optional ") {
        let index = i32::try_from(parent.oneof_decl.len()).unwrap_or(i32::MAX);
        parent.oneof_decl.push(OneofDescriptorProto {
            name: Some(format!("_{field}")),
            options: None,
        });
        let scalar = plain(file, parent, type_name, (field, number), text)?;
        return Ok(FieldDescriptorProto {
            proto3_optional: Some(true),
            oneof_index: Some(index),
            ..scalar
        });
    }
    if let Some(values) = text.strip_prefix("enum ") {
        let values = (0..).zip(values.split('|'));
        let of = EnumDescriptorProto {
            name: Some("Value".to_owned()),
            value: values
                .map(|(number, name)| EnumValueDescriptorProto {
                    name: Some(name.trim().to_owned()),
                    number: Some(number),
                    options: None,
                })
                .collect(),
            ..Default::default()
        };
        // In a message of its own, for the names of values are those of what holds the enum.
        file.message_type.push(DescriptorProto {
            name: Some(type_name.to_owned()),
            enum_type: vec![of],
            ..Default::default()
        });
        let of = format!("{type_name}.Value");
        return Ok(FieldDescriptorProto {
            r#type: Some(Type::Enum.into()),
            ..of_message(field, number, Label::Optional, &of)
        });
    }
    if let Some(entry) = text
        .strip_prefix("map<")
        .and_then(|text| text.strip_suffix('>'))
    {
        let (key, value) = entry
            .split_once(',')
            .ok_or_else(|| format!("schema: `{text}` is no map"))?;
        let entry = format!("{}Entry", capital(field));
        let key = plain(file, parent, type_name, ("key", 1), key)?;
        let value = plain(file, parent, type_name, ("value", 2), value)?;
        parent.nested_type.push(DescriptorProto {
            name: Some(entry.clone()),
            field: vec![key, value],
            options: Some(MessageOptions {
                map_entry: Some(true),
                ..Default::default()
            }),
            ..Default::default()
        });
        let of = format!("{}.{entry}", parent.name());
        return Ok(of_message(field, number, Label::Repeated, &of));
    }
    if let Some(inner) = text
        .strip_prefix('{')
        .and_then(|text| text.strip_suffix('}'))
    {
        let fields = inner.split(',').map(|part| match part.split_once(':') {
            Some((name, kind)) => Ok((name.trim().to_owned(), Kind::Plain(kind.to_owned()))),
            None => Err(format!("schema: `{part}` is no field")),
        });
        let fields = fields.collect::<Result<Vec<_>, _>>()?;
        let nested = message(file, type_name, &fields)?;
        file.message_type.push(nested);
        return Ok(of_message(field, number, Label::Optional, type_name));
    }
    let kind = match text {
        "string" => Type::String,
        "bytes" => Type::Bytes,
        "bool" => Type::Bool,
        "int32" => Type::Int32,
        "int64" => Type::Int64,
        "uint32" => Type::Uint32,
        "uint64" => Type::Uint64,
        "float" => Type::Float,
        "double" => Type::Double,
        "timestamp" | "duration" => {
            let name = format!(".google.protobuf.{}", capital(text));
            return Ok(FieldDescriptorProto {
                type_name: Some(name),
                ..of_message(field, number, Label::Optional, "")
            });
        }
        other => return Err(format!("schema: there is no type `{other}`")),
    };
    Ok(FieldDescriptorProto {
        r#type: Some(kind.into()),
        type_name: None,
        ..of_message(field, number, Label::Optional, "")
    })
}

fn of_message(name: &str, number: i32, label: Label, type_name: &str) -> FieldDescriptorProto {
    FieldDescriptorProto {
        name: Some(name.to_owned()),
        number: Some(number),
        label: Some(label.into()),
        r#type: Some(Type::Message.into()),
        type_name: Some(format!(".{PACKAGE}.{type_name}")),
        ..Default::default()
    }
}

/// `UpdateTime` of `update_time`.
fn capital(name: &str) -> String {
    let capital = |part: &str| {
        let mut chars = part.chars();
        let first = chars.next().map(|first| first.to_ascii_uppercase());
        first.into_iter().chain(chars).collect::<String>()
    };
    name.split('_').map(capital).collect()
}
