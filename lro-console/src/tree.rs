//! A message as a tree of names and texts, bounded, with redacted fields left out.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lro_core::type_name;
use prost_reflect::{
    DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MapKey, ReflectMessage as _, Value,
};
use prost_types::Any;

use crate::text::cut;
use crate::types;

/// The most bytes of text in one tree. The rest is for downloads.
const MAX_LEN: usize = 64 * 1024;

/// The most characters of one value.
const MAX_VALUE: usize = 4_096;

/// The deepest level that is shown.
const MAX_DEPTH: usize = 32;

/// A payload.
#[derive(Debug, PartialEq)]
pub(crate) struct Tree {
    /// The full name of its type.
    pub(crate) type_name: String,
    pub(crate) root: Node,
    /// Whether a part was left out for its length.
    pub(crate) is_cut: bool,
}

/// A part of a payload.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Node {
    /// A value.
    Text(String),
    /// A value that is the default of its field.
    Default(String),
    /// The fields of a message or the entries of a map or list, each with its name.
    Fields(Vec<(String, Node)>),
    /// A field that the proto marks `debug_redact`.
    Redacted,
    /// Bytes without a known type, or with invalid bytes.
    Opaque { len: usize, base64: String },
}

impl Node {
    /// How many lines it takes, about.
    pub(crate) fn lines(&self) -> usize {
        match self {
            Self::Fields(fields) => fields.iter().map(|(_, node)| 1 + node.lines()).sum(),
            Self::Text(text) => text.lines().count() + text.len() / 100,
            _ => 0,
        }
    }
}

/// The tree of an `Any`.
pub(crate) fn of_any(types: &DescriptorPool, any: &Any) -> Tree {
    let mut writer = Writer {
        types,
        left: MAX_LEN,
        is_cut: false,
    };
    let root = writer.any(any, 0);
    Tree {
        type_name: type_name(&any.type_url).to_owned(),
        root,
        is_cut: writer.is_cut,
    }
}

struct Writer<'a> {
    types: &'a DescriptorPool,
    left: usize,
    is_cut: bool,
}

impl Writer<'_> {
    fn any(&mut self, any: &Any, depth: usize) -> Node {
        match types::decode(self.types, any) {
            Some(message) => self.message(&message, depth),
            None => {
                let shown = any.value.len().min(MAX_VALUE / 2);
                self.is_cut |= shown < any.value.len();
                Node::Opaque {
                    len: any.value.len(),
                    base64: self.take(&STANDARD.encode(&any.value[..shown])),
                }
            }
        }
    }

    fn message(&mut self, message: &DynamicMessage, depth: usize) -> Node {
        let descriptor = message.descriptor();
        let name = descriptor.full_name();
        if depth >= MAX_DEPTH {
            self.is_cut = true;
            return Node::Text("…".to_owned());
        }
        if name == "google.protobuf.Any" {
            return self.nested_any(message, depth);
        }
        if name.starts_with("google.protobuf.") && name != "google.protobuf.Empty" {
            // Timestamps, durations, wrappers, structs: as ProtoJSON writes them.
            let json = lro_json::WriteOptions::new().redact(true).write(message);
            return Node::Text(match json {
                Ok(written) => self.take(written.json.trim_matches('"')),
                Err(error) => self.take(&format!("invalid: {error}")),
            });
        }
        let mut fields = Vec::new();
        for field in descriptor.fields() {
            let is_set = message.has_field(&field);
            let is_plain = !field.is_list() && !field.is_map() && !field.supports_presence();
            if !(is_set || is_plain) {
                continue;
            }
            if self.left == 0 {
                self.is_cut = true;
                break;
            }
            // Before its value, which may take all the room that is left.
            let name = self.take(field.name());
            let node = if lro_json::is_redacted(&field) {
                Node::Redacted
            } else {
                match self.value(&field, &message.get_field(&field), depth) {
                    Node::Text(text) if !is_set => Node::Default(text),
                    node => node,
                }
            };
            fields.push((name, node));
        }
        Node::Fields(fields)
    }

    fn nested_any(&mut self, message: &DynamicMessage, depth: usize) -> Node {
        let text = |name: &str| message.get_field_by_name(name);
        let type_url = text("type_url").and_then(|it| it.as_str().map(ToOwned::to_owned));
        let value = text("value").and_then(|it| it.as_bytes().cloned());
        let any = Any {
            type_url: type_url.unwrap_or_default(),
            value: value.unwrap_or_default().to_vec(),
        };
        let kind = Node::Text(self.take(type_name(&any.type_url)));
        let mut fields = vec![("@type".to_owned(), kind)];
        match self.any(&any, depth + 1) {
            Node::Fields(inner) => fields.extend(inner),
            node => fields.push(("value".to_owned(), node)),
        }
        Node::Fields(fields)
    }

    fn value(&mut self, field: &FieldDescriptor, value: &Value, depth: usize) -> Node {
        match value {
            Value::Message(message) => self.message(message, depth + 1),
            Value::List(values) => {
                let named = values.iter().enumerate();
                self.entries(field, named.map(|(at, it)| (format!("[{at}]"), it)), depth)
            }
            Value::Map(entries) => {
                let mut entries: Vec<_> = entries.iter().collect();
                entries.sort_by_key(|(key, _)| map_key(key));
                let value_field = match field.kind() {
                    Kind::Message(entry) => entry.map_entry_value_field(),
                    _ => field.clone(),
                };
                let named = entries.into_iter().map(|(key, it)| (map_key(key), it));
                self.entries(&value_field, named, depth)
            }
            Value::Bytes(bytes) => {
                let shown = bytes.len().min(MAX_VALUE / 2);
                self.is_cut |= shown < bytes.len();
                Node::Opaque {
                    len: bytes.len(),
                    base64: self.take(&STANDARD.encode(&bytes[..shown])),
                }
            }
            Value::EnumNumber(number) => {
                let name = match field.kind() {
                    Kind::Enum(kind) => kind.get_value(*number).map(|it| it.name().to_owned()),
                    _ => None,
                };
                Node::Text(self.take(&name.unwrap_or_else(|| number.to_string())))
            }
            Value::String(text) => Node::Text(self.take(text)),
            Value::Bool(it) => Node::Text(it.to_string()),
            Value::I32(it) => Node::Text(it.to_string()),
            Value::I64(it) => Node::Text(it.to_string()),
            Value::U32(it) => Node::Text(it.to_string()),
            Value::U64(it) => Node::Text(it.to_string()),
            Value::F32(it) => Node::Text(it.to_string()),
            Value::F64(it) => Node::Text(it.to_string()),
        }
    }

    fn entries<'v>(
        &mut self,
        field: &FieldDescriptor,
        values: impl Iterator<Item = (String, &'v Value)>,
        depth: usize,
    ) -> Node {
        let mut nodes = Vec::new();
        for (name, value) in values {
            if self.left == 0 {
                self.is_cut = true;
                break;
            }
            let node = self.value(field, value, depth + 1);
            nodes.push((self.take(&name), node));
        }
        Node::Fields(nodes)
    }

    /// As much of the text as there is room for.
    fn take(&mut self, text: &str) -> String {
        let short = cut(text, MAX_VALUE.min(self.left)).into_owned();
        self.is_cut |= short.len() != text.len();
        // An empty text takes room, too: no payload makes an endless tree.
        self.left = self.left.saturating_sub(short.len().max(8));
        short
    }
}

fn map_key(key: &MapKey) -> String {
    match key {
        MapKey::Bool(it) => it.to_string(),
        MapKey::I32(it) => it.to_string(),
        MapKey::I64(it) => it.to_string(),
        MapKey::U32(it) => it.to_string(),
        MapKey::U64(it) => it.to_string(),
        MapKey::String(it) => it.clone(),
    }
}
