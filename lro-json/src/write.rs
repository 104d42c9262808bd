//! Writes dynamic messages as ProtoJSON.

mod special;
mod text;

use std::borrow::Cow;

use prost_reflect::{
    DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MapKey, ReflectMessage as _, Value,
};

use crate::error::{WriteError, path_part, quoted};
use crate::read::MAX_DEPTH;
use crate::well_known::{NULL_VALUE, WellKnown};
use text::Text;

/// How JSON is written. By default compact, without default values, enums by name.
#[derive(Clone, Debug, Default)]
pub struct WriteOptions {
    enums_as_numbers: bool,
    default_values: bool,
    pretty: bool,
    redact: bool,
    types: Option<DescriptorPool>,
}

/// A message as JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Written {
    /// The text. It is the same for equal messages: fields stand in the order of their numbers, map
    /// entries in the order of their keys.
    pub json: String,
    /// How many values of type `google.protobuf.Any` were written as base64, because their type is
    /// unknown or their bytes are not a valid message of it.
    pub opaque: usize,
}

impl WriteOptions {
    /// The options that the specification asks for.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether enums are written as numbers. By default they are names, unless a number has none.
    #[must_use]
    pub fn enums_as_numbers(mut self, numbers: bool) -> Self {
        self.enums_as_numbers = numbers;
        self
    }

    /// Whether fields without presence are written even when they hold their default, and lists and
    /// maps when they are empty. By default they are left out.
    #[must_use]
    pub fn default_values(mut self, write: bool) -> Self {
        self.default_values = write;
        self
    }

    /// Whether the text is indented, by two spaces a level. By default it is compact.
    #[must_use]
    pub fn pretty(mut self, pretty: bool) -> Self {
        self.pretty = pretty;
        self
    }

    /// Whether the value of a field with the option `debug_redact` is replaced by the text
    /// `<redacted>`, whatever its type is: for people and logs. Such a document cannot be read back.
    /// By default all values are written.
    #[must_use]
    pub fn redact(mut self, redact: bool) -> Self {
        self.redact = redact;
        self
    }

    /// The types that a `google.protobuf.Any` may hold. By default those of the message's own pool.
    #[must_use]
    pub fn types(mut self, types: DescriptorPool) -> Self {
        self.types = Some(types);
        self
    }

    /// Writes a message.
    ///
    /// # Errors
    ///
    /// When a timestamp or a duration outside of any `Any` is out of its range.
    pub fn write(&self, message: &DynamicMessage) -> Result<Written, WriteError> {
        let descriptor = message.descriptor();
        let types = self
            .types
            .as_ref()
            .unwrap_or_else(|| descriptor.parent_pool());
        let mut writer = Writer::new(self, types);
        writer.message(message, 0)?;
        Ok(writer.finish())
    }

    /// Writes the value of one field alone, as a response that stands for that field. An unset message
    /// is `null`.
    ///
    /// # Errors
    ///
    /// Those of [`write`](Self::write).
    pub fn write_field(
        &self,
        message: &DynamicMessage,
        field: &FieldDescriptor,
    ) -> Result<Written, WriteError> {
        let types = self.types.as_ref().unwrap_or_else(|| field.parent_pool());
        let mut writer = Writer::new(self, types);
        let unset_message = matches!(field.kind(), Kind::Message(_))
            && !(field.is_list() || field.is_map() || message.has_field(field));
        if unset_message {
            writer.text.raw("null");
        } else {
            writer.path.push(field.name().to_owned());
            writer.slot(&Slot::of(field), &message.get_field(field), 0)?;
        }
        Ok(writer.finish())
    }
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
}

/// One text under way.
struct Writer<'w> {
    options: &'w WriteOptions,
    types: &'w DescriptorPool,
    text: Text,
    /// The steps from the outermost message to here.
    path: Vec<String>,
    opaque: usize,
}

impl<'w> Writer<'w> {
    fn new(options: &'w WriteOptions, types: &'w DescriptorPool) -> Self {
        Self {
            options,
            types,
            text: Text::new(options.pretty),
            path: Vec::new(),
            opaque: 0,
        }
    }

    fn finish(self) -> Written {
        Written {
            json: self.text.into_string(),
            opaque: self.opaque,
        }
    }

    fn fault(&self, reason: impl Into<String>) -> WriteError {
        WriteError::new(self.path.concat(), reason)
    }

    /// Writes a message. `depth` counts messages around it, also through an Any.
    fn message(&mut self, message: &DynamicMessage, depth: usize) -> Result<(), WriteError> {
        if depth > MAX_DEPTH {
            return Err(self.fault(format!("nested deeper than {MAX_DEPTH} messages")));
        }
        match WellKnown::of(&message.descriptor()) {
            Some(known) => self.special(known, message, depth),
            None => {
                self.text.begin('{');
                self.members(message, depth)?;
                self.text.end('}');
                Ok(())
            }
        }
    }

    /// Writes a message's fields, in the order of their numbers, then its extensions.
    fn members(&mut self, message: &DynamicMessage, depth: usize) -> Result<(), WriteError> {
        for field in self.fields_of(message) {
            if self.options.redact && is_redacted(&field) {
                self.text.key(field.json_name());
                self.text.raw(REDACTED);
                continue;
            }
            self.member(
                field.json_name(),
                field.name(),
                &Slot::of(&field),
                &message.get_field(&field),
                depth,
            )?;
        }
        for (extension, value) in message.extensions() {
            let name = format!("[{}]", extension.full_name());
            let slot = Slot {
                kind: extension.kind(),
                is_list: extension.is_list(),
                is_map: extension.is_map(),
            };
            self.member(&name, &name, &slot, value, depth)?;
        }
        Ok(())
    }

    fn fields_of(&self, message: &DynamicMessage) -> Vec<FieldDescriptor> {
        if self.options.default_values {
            let descriptor = message.descriptor();
            let shown =
                |field: &FieldDescriptor| !field.supports_presence() || message.has_field(field);
            let mut fields: Vec<_> = descriptor.fields().filter(shown).collect();
            fields.sort_by_key(FieldDescriptor::number);
            fields
        } else {
            let mut fields: Vec<_> = message.fields().map(|(field, _)| field).collect();
            fields.sort_by_key(FieldDescriptor::number);
            fields
        }
    }

    fn member(
        &mut self,
        json_name: &str,
        name: &str,
        slot: &Slot,
        value: &Value,
        depth: usize,
    ) -> Result<(), WriteError> {
        let separator = if self.path.is_empty() { "" } else { "." };
        self.path.push(format!("{separator}{}", path_part(name)));
        self.text.key(json_name);
        self.slot(slot, value, depth)?;
        self.path.pop();
        Ok(())
    }

    fn slot(&mut self, slot: &Slot, value: &Value, depth: usize) -> Result<(), WriteError> {
        match (value, &slot.kind) {
            (Value::Map(map), Kind::Message(entry)) if slot.is_map => {
                let kind = entry.map_entry_value_field().kind();
                let mut entries: Vec<_> = map.iter().collect();
                entries.sort_by_key(|(key, _)| *key);
                self.text.begin('{');
                for (key, value) in entries {
                    let key = key_text(key);
                    self.path.push(format!("[{}]", quoted(&key)));
                    self.text.key(&key);
                    self.value(&kind, value, depth + 1)?;
                    self.path.pop();
                }
                self.text.end('}');
                Ok(())
            }
            (Value::List(list), kind) if slot.is_list => {
                self.text.begin('[');
                for (index, value) in list.iter().enumerate() {
                    self.path.push(format!("[{index}]"));
                    self.text.element();
                    self.value(kind, value, depth)?;
                    self.path.pop();
                }
                self.text.end(']');
                Ok(())
            }
            (value, kind) => self.value(kind, value, depth),
        }
    }

    fn value(&mut self, kind: &Kind, value: &Value, depth: usize) -> Result<(), WriteError> {
        match value {
            Value::Bool(value) => self.text.raw(if *value { "true" } else { "false" }),
            Value::I32(value) => self.text.raw(&value.to_string()),
            Value::U32(value) => self.text.raw(&value.to_string()),
            // More than the 53 bits that every reader of JSON keeps.
            Value::I64(value) => self.text.string(&value.to_string()),
            Value::U64(value) => self.text.string(&value.to_string()),
            // Its shortest text is above the maximum to readers that compare it as a double.
            Value::F32(value) if value.abs() == f32::MAX => self.text.float(f64::from(*value)),
            Value::F32(value) => self.text.float(*value),
            Value::F64(value) => self.text.float(*value),
            Value::String(value) => self.text.string(value),
            Value::Bytes(value) => self.text.base64(value),
            Value::EnumNumber(number) => self.enumeration(kind, *number),
            Value::Message(message) => return self.message(message, depth + 1),
            Value::List(_) | Value::Map(_) => {
                return Err(self.fault("a list or a map within a list or a map"));
            }
        }
        Ok(())
    }

    fn enumeration(&mut self, kind: &Kind, number: i32) {
        let descriptor = kind.as_enum();
        if descriptor.is_some_and(|descriptor| descriptor.full_name() == NULL_VALUE) {
            return self.text.raw("null");
        }
        let value = descriptor.and_then(|descriptor| descriptor.get_value(number));
        match value {
            Some(value) if !self.options.enums_as_numbers => self.text.string(value.name()),
            _ => self.text.raw(&number.to_string()),
        }
    }
}

/// Stands for a value that is not shown.
const REDACTED: &str = "\"<redacted>\"";

/// Whether the proto says, with the option `debug_redact`, that the value of a field is not for
/// people and logs.
///
/// ```
/// let timestamp = "google.protobuf.Timestamp";
/// let pool = prost_reflect::DescriptorPool::global();
/// let timestamp = pool.get_message_by_name(timestamp).expect("is well known");
/// assert!(timestamp.fields().all(|field| !lro_json::is_redacted(&field)));
/// ```
pub fn is_redacted(field: &FieldDescriptor) -> bool {
    let options = field.options();
    let redacts = options.get_field_by_name("debug_redact");
    redacts.and_then(|it| it.as_bool()).unwrap_or_default()
}

/// The text of a map's key.
fn key_text(key: &MapKey) -> Cow<'_, str> {
    match key {
        MapKey::Bool(key) => Cow::Owned(key.to_string()),
        MapKey::I32(key) => Cow::Owned(key.to_string()),
        MapKey::I64(key) => Cow::Owned(key.to_string()),
        MapKey::U32(key) => Cow::Owned(key.to_string()),
        MapKey::U64(key) => Cow::Owned(key.to_string()),
        MapKey::String(key) => Cow::Borrowed(key),
    }
}
