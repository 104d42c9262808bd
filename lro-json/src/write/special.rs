//! The well-known types.

use prost_reflect::{DynamicMessage, ReflectMessage as _, Value};
use prost_types::{Duration, Timestamp};

use super::{Slot, Writer};
use crate::error::WriteError;
use crate::read::MAX_DEPTH;
use crate::well_known::{WellKnown, of_type_url};
use crate::{field_mask, time};

impl Writer<'_> {
    pub(super) fn special(
        &mut self,
        known: WellKnown,
        message: &DynamicMessage,
        depth: usize,
    ) -> Result<(), WriteError> {
        match known {
            WellKnown::Any => {
                self.any(message, depth);
                Ok(())
            }
            WellKnown::Timestamp => {
                let (seconds, nanos) = seconds_and_nanos(message);
                let written = time::write_timestamp(&Timestamp { seconds, nanos });
                self.time(
                    written,
                    "a timestamp outside of the years 1 to 9999",
                    seconds,
                    nanos,
                )
            }
            WellKnown::Duration => {
                let (seconds, nanos) = seconds_and_nanos(message);
                let written = time::write_duration(&Duration { seconds, nanos });
                self.time(
                    written,
                    "a duration over 10,000 years or of mixed signs",
                    seconds,
                    nanos,
                )
            }
            WellKnown::FieldMask => {
                let paths = message.get_field_by_number(1);
                let paths = paths
                    .as_deref()
                    .and_then(Value::as_list)
                    .unwrap_or_default();
                let paths = paths
                    .iter()
                    .filter_map(Value::as_str)
                    .map(field_mask::write);
                self.text.string(&paths.collect::<Vec<_>>().join(","));
                Ok(())
            }
            // Their only field stands for them.
            WellKnown::Wrapper | WellKnown::Struct | WellKnown::ListValue => {
                match message.descriptor().get_field(1) {
                    Some(field) => self.slot(&Slot::of(&field), &message.get_field(&field), depth),
                    None => Err(self.fault("a well-known type without its field")),
                }
            }
            WellKnown::Value => match message.fields().next() {
                Some((field, value)) => self.slot(&Slot::of(&field), value, depth),
                None => {
                    self.text.raw("null");
                    Ok(())
                }
            },
        }
    }

    fn time(
        &mut self,
        written: Option<String>,
        reason: &str,
        seconds: i64,
        nanos: i32,
    ) -> Result<(), WriteError> {
        match written {
            Some(text) => {
                self.text.string(&text);
                Ok(())
            }
            None => Err(self.fault(format!("{reason}: {seconds} s and {nanos} ns"))),
        }
    }

    /// Writes an Any: the fields of its content if its type is known and its bytes are valid, its
    /// bytes in base64 otherwise.
    fn any(&mut self, any: &DynamicMessage, depth: usize) {
        let type_url = any.get_field_by_number(1);
        let type_url = type_url
            .as_deref()
            .and_then(Value::as_str)
            .unwrap_or_default();
        let bytes = any.get_field_by_number(2);
        let bytes = bytes
            .as_deref()
            .and_then(Value::as_bytes)
            .cloned()
            .unwrap_or_default();
        if type_url.is_empty() && bytes.is_empty() {
            return self.text.raw("{}");
        }
        let content = of_type_url(self.types, type_url)
            .and_then(|message| DynamicMessage::decode(message, bytes.clone()).ok());
        if let Some(content) = content {
            let (mark, steps, opaque) = (self.text.mark(), self.path.len(), self.opaque);
            self.begin_any(type_url);
            if self.content(&content, depth + 1).is_ok() {
                return self.text.end('}');
            }
            self.text.back_to(mark);
            self.path.truncate(steps);
            self.opaque = opaque;
        }
        self.opaque += 1;
        self.begin_any(type_url);
        self.text.key("value");
        self.text.base64(&bytes);
        self.text.end('}');
    }

    fn begin_any(&mut self, type_url: &str) {
        self.text.begin('{');
        self.text.key("@type");
        self.text.string(type_url);
    }

    /// Writes the content of an Any, behind its type.
    fn content(&mut self, content: &DynamicMessage, depth: usize) -> Result<(), WriteError> {
        if depth > MAX_DEPTH {
            return Err(self.fault("nested too deep"));
        }
        if WellKnown::of(&content.descriptor()).is_some() {
            self.text.key("value");
            self.message(content, depth)
        } else {
            self.members(content, depth)
        }
    }
}

fn seconds_and_nanos(message: &DynamicMessage) -> (i64, i32) {
    let seconds = message
        .get_field_by_number(1)
        .and_then(|value| value.as_i64());
    let nanos = message
        .get_field_by_number(2)
        .and_then(|value| value.as_i32());
    (seconds.unwrap_or_default(), nanos.unwrap_or_default())
}
