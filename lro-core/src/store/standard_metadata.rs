//! The standard metadata fields, filled in where an operation is shown.

use prost::encoding::{DecodeContext, WireType, decode_key, encode_key, encode_varint, skip_field};
use prost_types::Any;

use super::StepKind;
use super::record::OperationRecord;
use crate::clock::Timestamp;
use crate::method::{LongRunningMethod, MetadataFields};
use crate::payload::{TYPE_URL_PREFIX, type_name};

/// Which standard fields an operation's metadata declares, and the texts that go into them: kept
/// with the operation, so that any server of the store can show it, whether it knows the method or
/// not.
///
/// ```
/// use lro_core::LongRunningMethod;
/// use lro_core::store::StandardMetadata;
///
/// # enum Export {}
/// # impl LongRunningMethod for Export {
/// #     type Request = ();
/// #     type Response = ();
/// #     type Metadata = ();
/// #     const PATH: &'static str = "/exporter.v1.Exporter/Export";
/// # }
/// // `Empty` declares none of the standard fields.
/// assert_eq!(StandardMetadata::of::<Export>(""), None);
/// ```
///
/// It is a `prost::Message` so that a store can keep it as bytes.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct StandardMetadata {
    /// The full name of the metadata message.
    #[prost(string, tag = "1")]
    pub type_name: String,
    /// The number of `create_time`, 0 for none; so are the others.
    #[prost(uint32, tag = "2")]
    pub create_time: u32,
    /// The number of `start_time`.
    #[prost(uint32, tag = "3")]
    pub start_time: u32,
    /// The number of `update_time`.
    #[prost(uint32, tag = "4")]
    pub update_time: u32,
    /// The number of `end_time`.
    #[prost(uint32, tag = "5")]
    pub end_time: u32,
    /// The number of `requested_cancellation`.
    #[prost(uint32, tag = "6")]
    pub requested_cancellation: u32,
    /// The fields that never change, encoded: target, verb, api_version.
    #[prost(bytes = "vec", tag = "7")]
    pub fixed: Vec<u8>,
    /// The number of `current_step`.
    #[prost(uint32, tag = "8")]
    pub current_step: u32,
    /// The number of `waiting_for`.
    #[prost(uint32, tag = "9")]
    pub waiting_for: u32,
    /// The number of `steps_done`.
    #[prost(uint32, tag = "10")]
    pub steps_done: u32,
    /// The number of `blocked_reason`.
    #[prost(uint32, tag = "11")]
    pub blocked_reason: u32,
}

impl StandardMetadata {
    /// The standard fields of an operation of the method `M` on `target`. `None` if the metadata
    /// message declares no standard field.
    pub fn of<M: LongRunningMethod>(target: &str) -> Option<Self> {
        let fields = M::METADATA_FIELDS;
        if fields == MetadataFields::NONE {
            return None;
        }
        let mut fixed = Vec::new();
        encode_string(fields.target, target, &mut fixed);
        encode_string(fields.verb, M::VERB, &mut fixed);
        encode_string(fields.api_version, M::API_VERSION, &mut fixed);
        Some(Self {
            type_name: <M::Metadata as prost::Name>::full_name(),
            create_time: fields.create_time,
            start_time: fields.start_time,
            update_time: fields.update_time,
            end_time: fields.end_time,
            requested_cancellation: fields.requested_cancellation,
            fixed,
            current_step: fields.current_step,
            waiting_for: fields.waiting_for,
            steps_done: fields.steps_done,
            blocked_reason: fields.blocked_reason,
        })
    }

    /// The metadata of a handler, with the name of the durable call that is under way in place of the one that it had;
    /// without one if there is none. Unchanged if it is of another type, or if the type has no field for it.
    ///
    /// ```
    /// use lro_core::store::StandardMetadata;
    ///
    /// let standard = StandardMetadata { type_name: "a.Progress".into(), current_step: 9, ..Default::default() };
    /// let uploading = standard.with_current_step(None, "upload");
    /// assert_eq!(uploading.value, *b"\x4a\x06upload");
    /// assert_eq!(standard.with_current_step(Some(uploading), "").value, *b"");
    /// ```
    pub fn with_current_step(&self, metadata: Option<Any>, step: &str) -> Any {
        let mut metadata = metadata.unwrap_or_else(|| self.empty());
        if self.current_step == 0 || type_name(&metadata.type_url) != self.type_name {
            return metadata;
        }
        if let Some(others) = without(self.current_step, &metadata.value) {
            metadata.value = others;
        }
        encode_string(self.current_step, step, &mut metadata.value);
        metadata
    }

    fn empty(&self) -> Any {
        Any {
            type_url: format!("{TYPE_URL_PREFIX}{}", self.type_name),
            value: Vec::new(),
        }
    }

    /// The record's metadata with the standard fields in it.
    ///
    /// They are appended to the encoded message: a reader takes the last value of a field, so what
    /// the engine knows replaces whatever the handler wrote, and nothing needs to be decoded. Times
    /// that have not been reached, and the cancellation flag of an operation that no caller
    /// cancelled, stay unchanged.
    pub(crate) fn fill(&self, record: &OperationRecord) -> Option<Any> {
        let mut metadata = match &record.metadata {
            Some(metadata) if type_name(&metadata.type_url) != self.type_name => {
                return Some(metadata.clone());
            }
            Some(metadata) => metadata.clone(),
            None => self.empty(),
        };
        let value = &mut metadata.value;
        value.extend_from_slice(&self.fixed);
        encode_time(self.create_time, Some(record.create_time), value);
        encode_time(self.start_time, record.start_time, value);
        encode_time(self.update_time, Some(record.update_time), value);
        encode_time(self.end_time, record.end_time, value);
        if self.requested_cancellation != 0 && record.cancel_time.is_some() {
            encode_key(self.requested_cancellation, WireType::Varint, value);
            encode_varint(1, value);
        }
        self.fill_steps(record, value);
        Some(metadata)
    }

    /// The fields about durable calls, from their summary: no row is read.
    fn fill_steps(&self, record: &OperationRecord, value: &mut Vec<u8>) {
        let Some(steps) = &record.steps else {
            return;
        };
        let is_suspended = record.is_suspended();
        if self.steps_done != 0 {
            // The waits of undos are no steps of the body, as their rows are not.
            let of_saga = |kind: Option<StepKind>| kind.is_some_and(StepKind::is_of_saga);
            let waits = steps.waits_with_kinds().filter(|(_, kind)| !of_saga(*kind));
            let waits = if is_suspended { waits.count() } else { 0 };
            let waits = u32::try_from(waits).unwrap_or(u32::MAX);
            let done = steps.rows.saturating_sub(steps.saga_rows);
            encode_key(self.steps_done, WireType::Varint, value);
            encode_varint(done.saturating_sub(waits).into(), value);
        }
        if let Some((key, kind)) = steps.waits_with_kinds().next().filter(|_| is_suspended) {
            encode_string(self.current_step, key, value);
            let waiting_for = match kind {
                Some(StepKind::Promise) => format!("promise:{key}"),
                Some(StepKind::Sleep) => format!("sleep:{key}"),
                _ => format!("step:{key}"),
            };
            encode_string(self.waiting_for, &waiting_for, value);
        }
        if let Some(blocked) = &steps.blocked {
            encode_string(self.blocked_reason, &blocked.message, value);
        }
    }
}

/// The fields of an encoded message but this one; `None` if the bytes are no message.
fn without(number: u32, encoded: &[u8]) -> Option<Vec<u8>> {
    let mut rest = encoded;
    let mut others = Vec::with_capacity(encoded.len());
    while !rest.is_empty() {
        let field = rest;
        let (tag, wire_type) = decode_key(&mut rest).ok()?;
        skip_field(wire_type, tag, &mut rest, DecodeContext::default()).ok()?;
        if tag != number {
            others.extend_from_slice(&field[..field.len() - rest.len()]);
        }
    }
    Some(others)
}

fn encode_string(number: u32, text: &str, buf: &mut Vec<u8>) {
    if number != 0 && !text.is_empty() {
        encode_bytes(number, text.as_bytes(), buf);
    }
}

fn encode_time(number: u32, time: Option<Timestamp>, buf: &mut Vec<u8>) {
    let Some(time) = time.filter(|_| number != 0) else {
        return;
    };
    let time = prost_types::Timestamp::from(time);
    // A reader merges messages field by field, so that both are written even when they are zero.
    let mut fields = Vec::with_capacity(16);
    encode_key(1, WireType::Varint, &mut fields);
    encode_varint(time.seconds as u64, &mut fields);
    encode_key(2, WireType::Varint, &mut fields);
    encode_varint(time.nanos as u64, &mut fields);
    encode_bytes(number, &fields, buf);
}

fn encode_bytes(number: u32, bytes: &[u8], buf: &mut Vec<u8>) {
    encode_key(number, WireType::LengthDelimited, buf);
    encode_varint(bytes.len() as u64, buf);
    buf.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests;
