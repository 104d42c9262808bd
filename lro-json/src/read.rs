//! Reads ProtoJSON into dynamic messages.

mod any;
mod json;
mod message;
mod place;
mod special;

use prost_reflect::{
    DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, Value,
};

use crate::error::ReadError;
use crate::well_known::WellKnown;
use crate::{field_mask, scalar, time};

/// How deep JSON and messages may be nested: 100 levels, the limit of protobuf's own decoders.
pub const MAX_DEPTH: usize = 100;

/// How JSON is read. All options are off by default.
#[derive(Clone, Debug, Default)]
pub struct ReadOptions {
    ignore_unknown_fields: bool,
    types: Option<DescriptorPool>,
}

impl ReadOptions {
    /// The options that the specification asks for.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether fields that the message does not have are ignored. By default they are errors.
    #[must_use]
    pub fn ignore_unknown_fields(mut self, ignore: bool) -> Self {
        self.ignore_unknown_fields = ignore;
        self
    }

    /// The types that a `google.protobuf.Any` may hold. By default those of the message's own pool.
    #[must_use]
    pub fn types(mut self, types: DescriptorPool) -> Self {
        self.types = Some(types);
        self
    }

    /// Reads a message.
    ///
    /// # Errors
    ///
    /// When the bytes are not one JSON text in UTF-8, are nested deeper than [`MAX_DEPTH`], or do not
    /// fit the message.
    pub fn read(
        &self,
        message: &MessageDescriptor,
        json: &[u8],
    ) -> Result<DynamicMessage, ReadError> {
        let text = check(json)?;
        let types = self.types.as_ref().unwrap_or_else(|| message.parent_pool());
        message::read(self, types, message, text)
    }

    /// Reads the value of one field, as a body that stands for that field. `None` for `null`, which
    /// leaves the field unset.
    ///
    /// # Errors
    ///
    /// Those of [`read`](Self::read); paths begin with the field's name.
    pub fn read_field(
        &self,
        field: &FieldDescriptor,
        json: &[u8],
    ) -> Result<Option<Value>, ReadError> {
        let text = check(json)?;
        let types = self.types.as_ref().unwrap_or_else(|| field.parent_pool());
        message::read_field(self, types, field, text)
    }

    /// Reads one value of a field from plain text, as in a path or a query: for a repeated field one
    /// element. Timestamps, durations, field masks and wrappers have such a form; a field mask may be in
    /// snake case.
    ///
    /// # Errors
    ///
    /// When the text does not fit the field, or the field's type has no form as plain text.
    pub fn read_text(&self, field: &FieldDescriptor, text: &str) -> Result<Value, ReadError> {
        from_text(&field.kind(), text).map_err(|reason| ReadError::new(field.name(), reason))
    }

    /// Reads one entry of a map from plain text.
    ///
    /// # Errors
    ///
    /// When the field is no map of scalars, or the texts do not fit it.
    pub fn read_map_entry(
        &self,
        field: &FieldDescriptor,
        key: &str,
        value: &str,
    ) -> Result<(prost_reflect::MapKey, Value), ReadError> {
        let fault = |reason: String| ReadError::new(field.name(), reason);
        let Kind::Message(entry) = field.kind() else {
            return Err(fault("not a map".to_owned()));
        };
        if !field.is_map() {
            return Err(fault("not a map".to_owned()));
        }
        let key = scalar::map_key(&entry.map_entry_key_field().kind(), key).map_err(fault)?;
        let value =
            scalar::from_text(&entry.map_entry_value_field().kind(), value).map_err(fault)?;
        Ok((key, value))
    }
}

/// The bytes as text, if they are UTF-8 and not nested too deep.
fn check(json: &[u8]) -> Result<&str, ReadError> {
    let text = str::from_utf8(json).map_err(|error| {
        ReadError::new("", format!("not UTF-8 at byte {}", error.valid_up_to()))
    })?;
    if json::depth(text) > MAX_DEPTH {
        return Err(ReadError::new(
            "",
            format!("nested deeper than {MAX_DEPTH} levels"),
        ));
    }
    Ok(text)
}

fn from_text(kind: &Kind, text: &str) -> Result<Value, String> {
    let Kind::Message(message) = kind else {
        return scalar::from_text(kind, text);
    };
    match WellKnown::of(message) {
        Some(WellKnown::FieldMask) => match field_mask::read_either(text) {
            Some(paths) => Ok(Value::Message(special::mask(message, paths))),
            None => Err(special::unexpected(WellKnown::FieldMask, text)),
        },
        Some(WellKnown::Timestamp) => match time::read_timestamp(text) {
            Some(time) => Ok(Value::Message(special::time(
                message,
                time.seconds,
                time.nanos,
            ))),
            None => Err(special::unexpected(WellKnown::Timestamp, text)),
        },
        Some(WellKnown::Duration) => match time::read_duration(text) {
            Some(time) => Ok(Value::Message(special::time(
                message,
                time.seconds,
                time.nanos,
            ))),
            None => Err(special::unexpected(WellKnown::Duration, text)),
        },
        Some(WellKnown::Wrapper) => {
            let mut wrapper = DynamicMessage::new(message.clone());
            if let Some(field) = message.get_field(1) {
                wrapper.set_field(&field, scalar::from_text(&field.kind(), text)?);
            }
            Ok(Value::Message(wrapper))
        }
        _ => scalar::from_text(kind, text),
    }
}
