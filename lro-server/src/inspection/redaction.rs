//! Clears the fields of messages that their protos mark as `debug_redact`.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use lro_core::type_name;
use prost::Message as _;
use prost_reflect::{
    DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, ReflectMessage as _,
    Value,
};
use prost_types::Any;

const ANY: &str = "google.protobuf.Any";

/// How deep messages are searched. Messages that are nested deeper are cleared.
const MAX_DEPTH: usize = 64;

/// The protos that the server knows.
pub(super) struct Redactor {
    pub(super) pools: Vec<DescriptorPool>,
    /// By name, the types whose messages have nothing to clear.
    plain: Mutex<HashMap<String, bool>>,
}

/// A message without its marked fields.
#[derive(Debug, PartialEq)]
pub(super) enum Redacted {
    /// The same: it has no marked field.
    Nothing,
    /// This, with its marked fields cleared.
    Fields(Any),
    /// Not known: no proto describes its type, or its bytes are no such message.
    UnknownType,
}

impl Redactor {
    /// A redactor with these descriptor sets. One that cannot be read describes nothing.
    pub(super) fn new(sets: impl IntoIterator<Item = Vec<u8>>) -> Self {
        let standard = lro_core::pb::FILE_DESCRIPTOR_SET.to_vec();
        let sets = sets.into_iter().chain([standard]);
        let pools = sets.filter_map(|set| DescriptorPool::decode(&*set).ok());
        Self {
            // The global one has the well-known types, which steps often return.
            pools: pools.chain([DescriptorPool::global()]).collect(),
            plain: Mutex::default(),
        }
    }

    pub(super) fn redact(&self, message: &Any) -> Redacted {
        if message.type_url.is_empty() && message.value.is_empty() {
            return Redacted::Nothing;
        }
        self.clear(message, 0)
    }

    fn clear(&self, message: &Any, depth: usize) -> Redacted {
        let Some(descriptor) = self.find(type_name(&message.type_url)) else {
            return Redacted::UnknownType;
        };
        if self.is_plain(&descriptor) {
            return Redacted::Nothing;
        }
        let Ok(mut decoded) = DynamicMessage::decode(descriptor, &*message.value) else {
            return Redacted::UnknownType;
        };
        if !self.clear_fields(&mut decoded, depth) {
            return Redacted::Nothing;
        }
        Redacted::Fields(Any {
            type_url: message.type_url.clone(),
            value: decoded.encode_to_vec(),
        })
    }

    /// Clears the marked fields of a message and of those within. Returns whether there were any.
    fn clear_fields(&self, message: &mut DynamicMessage, depth: usize) -> bool {
        if message.descriptor().full_name() == ANY {
            return self.clear_any(message, depth);
        }
        let marked = |field: &FieldDescriptor| is_marked(field) || depth >= MAX_DEPTH;
        let mut cleared = false;
        let fields: Vec<_> = message.descriptor().fields().collect();
        for field in fields.iter().filter(|field| may_hold_marked(field)) {
            if !message.has_field(field) {
                continue;
            }
            if marked(field) {
                message.clear_field(field);
                cleared = true;
                continue;
            }
            cleared |= match message.get_field_mut(field) {
                Value::Message(inner) => self.clear_fields(inner, depth + 1),
                Value::List(list) => {
                    let inner = list.iter_mut().filter_map(Value::as_message_mut);
                    inner.fold(false, |any, it| any | self.clear_fields(it, depth + 1))
                }
                Value::Map(map) => {
                    let inner = map.values_mut().filter_map(Value::as_message_mut);
                    inner.fold(false, |any, it| any | self.clear_fields(it, depth + 1))
                }
                _ => false,
            };
        }
        cleared
    }

    /// A message within a message: of an unknown type, only its name stays.
    fn clear_any(&self, message: &mut DynamicMessage, depth: usize) -> bool {
        let Ok(mut any) = message.transcode_to::<Any>() else {
            return false;
        };
        if any.value.is_empty() {
            return false;
        }
        match self.clear(&any, depth + 1) {
            _ if depth >= MAX_DEPTH => any.value.clear(),
            Redacted::Nothing => return false,
            Redacted::Fields(redacted) => any = redacted,
            Redacted::UnknownType => any.value.clear(),
        }
        // Into a new message: transcoding leaves what is empty as it was.
        let mut cleared = DynamicMessage::new(message.descriptor());
        let is_written = cleared.transcode_from(&any).is_ok();
        *message = cleared;
        is_written
    }

    fn find(&self, name: &str) -> Option<MessageDescriptor> {
        let mut found = self.pools.iter().map(|pool| pool.get_message_by_name(name));
        found.find_map(|it| it)
    }

    /// Whether no message of the type has a marked field, or an Any, at any depth.
    fn is_plain(&self, descriptor: &MessageDescriptor) -> bool {
        let mut plain = self.plain.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = plain.get(descriptor.full_name()) {
            return *known;
        }
        let found = !reaches_marked(descriptor, &mut HashSet::new());
        plain.insert(descriptor.full_name().to_owned(), found);
        found
    }
}

fn reaches_marked(descriptor: &MessageDescriptor, seen: &mut HashSet<String>) -> bool {
    if descriptor.full_name() == ANY {
        return true;
    }
    if !seen.insert(descriptor.full_name().to_owned()) {
        return false;
    }
    descriptor.fields().any(|field| {
        is_marked(&field)
            || match field.kind() {
                Kind::Message(inner) => reaches_marked(&inner, seen),
                _ => false,
            }
    })
}

fn may_hold_marked(field: &FieldDescriptor) -> bool {
    is_marked(field) || matches!(field.kind(), Kind::Message(_))
}

/// Whether the proto says that the field's value is not for people and logs.
fn is_marked(field: &FieldDescriptor) -> bool {
    let options = field.options();
    let marked = options.get_field_by_name("debug_redact");
    marked.and_then(|it| it.as_bool()).unwrap_or_default()
}

#[cfg(test)]
mod tests;
