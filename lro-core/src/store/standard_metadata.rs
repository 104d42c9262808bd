//! The standard metadata fields, filled in where an operation is shown.

use prost::encoding::{WireType, encode_key, encode_varint};
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
            None => Any {
                type_url: format!("{TYPE_URL_PREFIX}{}", self.type_name),
                value: Vec::new(),
            },
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
            let waits = if is_suspended { steps.waits.len() } else { 0 };
            let waits = u32::try_from(waits).unwrap_or(u32::MAX);
            encode_key(self.steps_done, WireType::Varint, value);
            encode_varint(steps.rows.saturating_sub(waits).into(), value);
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
mod tests {
    use std::collections::HashMap;
    use std::time::Duration;

    use prost::{Message, Name};
    use uuid::Uuid;

    use super::*;
    use crate::store::{
        Blocked, Command, NewOperation, StepKind, StepOutcome, StepWrite, WorkerId,
    };
    use crate::{pack, unpack};

    /// As Google's services declare it.
    #[derive(Clone, PartialEq, prost::Message)]
    struct OperationMetadata {
        #[prost(message, optional, tag = "1")]
        create_time: Option<prost_types::Timestamp>,
        #[prost(message, optional, tag = "2")]
        end_time: Option<prost_types::Timestamp>,
        #[prost(string, tag = "3")]
        target: String,
        #[prost(string, tag = "4")]
        verb: String,
        #[prost(bool, tag = "6")]
        requested_cancellation: bool,
        #[prost(string, tag = "7")]
        api_version: String,
        #[prost(string, tag = "8")]
        current_step: String,
        #[prost(string, tag = "9")]
        waiting_for: String,
        #[prost(int32, tag = "10")]
        steps_done: i32,
        #[prost(string, tag = "11")]
        blocked_reason: String,
        #[prost(uint32, tag = "20")]
        own: u32,
    }

    impl Name for OperationMetadata {
        const NAME: &'static str = "OperationMetadata";
        const PACKAGE: &'static str = "shelf.v1";
    }

    struct CreateShelf;

    impl LongRunningMethod for CreateShelf {
        type Request = ();
        type Response = ();
        type Metadata = OperationMetadata;
        const PATH: &'static str = "/shelf.v1.Shelves/CreateShelf";
        const METADATA_FIELDS: MetadataFields = MetadataFields {
            create_time: 1,
            end_time: 2,
            target: 3,
            verb: 4,
            requested_cancellation: 6,
            api_version: 7,
            current_step: 8,
            waiting_for: 9,
            steps_done: 10,
            blocked_reason: 11,
            ..MetadataFields::NONE
        };
        const VERB: &'static str = "create";
        const API_VERSION: &'static str = "v1";
    }

    fn record() -> OperationRecord {
        let name = "operations/1".parse().unwrap();
        let mut new = NewOperation::new(Uuid::nil(), name, CreateShelf::PATH, pack(&()));
        new.origin.standard_metadata = StandardMetadata::of::<CreateShelf>("shelves/1");
        OperationRecord::new(new, Timestamp::from_micros(5_000_000))
    }

    fn shown(record: &OperationRecord) -> OperationMetadata {
        unpack(&record.to_operation().metadata.unwrap()).unwrap()
    }

    /// spec:31 spec:67
    #[test]
    fn the_engine_fills_in_what_it_knows() {
        let mut record = record();
        let expected = OperationMetadata {
            create_time: Some(Timestamp::from_micros(5_000_000).into()),
            target: "shelves/1".into(),
            verb: "create".into(),
            api_version: "v1".into(),
            ..Default::default()
        };
        assert_eq!(
            shown(&record),
            expected,
            "without any metadata of the handler's"
        );
        record.metadata = Some(pack(&OperationMetadata {
            own: 7,
            // The engine knows better, in every part of it.
            create_time: Some(prost_types::Timestamp {
                seconds: 9,
                nanos: 9,
            }),
            ..Default::default()
        }));
        record
            .apply(Command::cancel(), Timestamp::from_micros(6_000_001))
            .unwrap();
        let expected = OperationMetadata {
            own: 7,
            end_time: Some(Timestamp::from_micros(6_000_001).into()),
            requested_cancellation: true,
            ..expected
        };
        assert_eq!(shown(&record), expected);
    }

    #[test]
    fn steps_are_told_from_their_summary() {
        let now = Timestamp::from_micros(6_000_000);
        let mut record = record();
        assert_eq!(shown(&record).steps_done, 0);
        let claim = Command::Claim {
            worker: WorkerId::from_uuid(Uuid::from_u128(7)),
            lease_duration: Duration::from_secs(20),
        };
        record.apply(claim, now).unwrap();
        let dump = StepWrite {
            outcome: Some(StepOutcome::Response(pack(&()))),
            ..StepWrite::begun("dump".parse().unwrap(), StepKind::Step)
        };
        let approved = StepWrite::begun("approved".parse().unwrap(), StepKind::Promise);
        let suspend = Command::Suspend {
            fence: 1,
            waits: vec![approved.key.clone()],
            ready_by: None,
            metadata: None,
        };
        let stored = HashMap::new();
        record
            .apply_with_steps(suspend, vec![dump, approved], &stored, now)
            .unwrap();
        let suspended = shown(&record);
        assert_eq!(suspended.steps_done, 1);
        assert_eq!(suspended.current_step, "approved");
        assert_eq!(suspended.waiting_for, "promise:approved");
        assert_eq!(suspended.blocked_reason, "");

        record.steps.as_mut().unwrap().blocked = Some(Blocked {
            message: "`scan` is new".into(),
            count: 1,
        });
        assert_eq!(shown(&record).blocked_reason, "`scan` is new");
    }

    #[test]
    fn metadata_of_another_type_is_left_alone() {
        let mut record = record();
        record.metadata = Some(pack(&()));
        assert_eq!(record.to_operation().metadata, Some(pack(&())));
    }

    #[test]
    fn it_is_kept_as_bytes() {
        let standard = StandardMetadata::of::<CreateShelf>("shelves/1").unwrap();
        let bytes = standard.encode_to_vec();
        assert_eq!(StandardMetadata::decode(&*bytes), Ok(standard));
    }
}
