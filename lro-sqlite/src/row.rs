//! A record as a row, and back.

use std::collections::BTreeMap;
use std::time::Duration;

use lro_core::store::{
    ExecutionPolicy, History, Lease, OnCrash, OperationRecord, OperationResult, OperationState,
    Origin, ParentStep, RequestId, WorkerId,
};
use lro_core::{OperationName, Timestamp};
use prost::Message;
use prost_types::Any;
use rusqlite::Row;
use rusqlite::types::ValueRef;
use uuid::Uuid;

use crate::error::Fault;

/// The columns that a new record may have a value in.
macro_rules! inserted {
    () => {
        "uid, name, method, state, revision, attempt, fence, max_attempts, on_crash, \
         retain_seconds, retain_nanos, lease_worker, lease_expire_time, create_time, ready_time, \
         start_time, update_time, cancel_time, delete_time, end_time, expire_time, request_id, \
         request_fingerprint, exclusive_key, labels, origin, metadata, checkpoint, result_kind, result, \
         losses"
    };
}
pub(crate) use inserted;

/// The columns that [`decode`] reads, in its order, before the request.
macro_rules! columns {
    () => {
        concat!(
            crate::row::inserted!(),
            ", attempt_time, history, steps, parent_step"
        )
    };
}
pub(crate) use columns;

/// The columns for [`decode`] in lists, which show neither the request nor the checkpoint.
macro_rules! listed {
    () => {
        "uid, name, method, state, revision, attempt, fence, max_attempts, on_crash, \
         retain_seconds, retain_nanos, lease_worker, lease_expire_time, create_time, ready_time, \
         start_time, update_time, cancel_time, delete_time, end_time, expire_time, NULL, \
         NULL, NULL, labels, origin, metadata, NULL, result_kind, result, losses, attempt_time, \
         history, steps, parent_step, NULL"
    };
}
pub(crate) use listed;

pub(crate) fn encode_labels(labels: &BTreeMap<String, String>) -> Option<Vec<u8>> {
    (!labels.is_empty()).then(|| lro_core::store::kit::encode_labels(labels))
}

pub(crate) fn decode_labels(value: ValueRef<'_>) -> Option<BTreeMap<String, String>> {
    lro_core::store::kit::decode_labels(blob(value)?)
}

pub(crate) fn encode_origin(origin: &Origin) -> Option<Vec<u8>> {
    (*origin != Origin::default()).then(|| origin.encode_to_vec())
}

pub(crate) fn encode_any(any: Option<&Any>) -> Option<Vec<u8>> {
    any.map(Message::encode_to_vec)
}

/// Which kind of result it is.
pub(crate) fn encode_kind(result: Option<&OperationResult>) -> Option<i64> {
    result.map(|result| result.kind_number().into())
}

pub(crate) fn encode_result(result: Option<&OperationResult>) -> Option<Vec<u8>> {
    result.map(OperationResult::encode)
}

pub(crate) fn encode_worker(record: &OperationRecord) -> Option<[u8; 16]> {
    record.worker.map(|worker| worker.as_uuid().into_bytes())
}

pub(crate) fn encode_steps(record: &OperationRecord) -> Option<Vec<u8>> {
    record.steps.as_deref().map(Message::encode_to_vec)
}

pub(crate) fn micros(time: Option<Timestamp>) -> Option<i64> {
    time.map(Timestamp::as_micros)
}

/// Reads `columns!()` and then the request, which may be NULL for one that was not asked for.
pub(crate) fn decode(row: &Row<'_>) -> Result<OperationRecord, Fault> {
    let mut fields = Fields::new(row);
    decode_fields(&mut fields).map_err(|fault| match fault {
        Fault::Row(message) => {
            let name = row.get_ref(1).ok().and_then(|value| value.as_str().ok());
            let name = name.unwrap_or("?");
            Fault::row(format!("operation `{name}` cannot be read: {message}"))
        }
        fault => fault,
    })
}

fn decode_fields(fields: &mut Fields<'_>) -> Result<OperationRecord, Fault> {
    let worker;
    let record = OperationRecord {
        uid: fields.required(uuid)?,
        name: fields.required(|value| OperationName::from_stored(text(value)?).ok())?,
        method: fields.required(string)?,
        state: fields.required(|value| OperationState::from_number(number(value)?))?,
        revision: fields.required(unsigned)?,
        attempt: fields.required(number)?,
        fence: fields.required(unsigned)?,
        policy: ExecutionPolicy {
            max_attempts: fields.required(number)?,
            on_crash: fields.required(|value| OnCrash::from_number(number(value)?))?,
            retain: {
                let seconds = fields.required(unsigned)?;
                let nanos = |value| number(value).filter(|nanos: &u32| *nanos < 1_000_000_000);
                Duration::new(seconds, fields.required(nanos)?)
            },
        },
        lease: {
            worker = fields.optional(uuid)?.map(WorkerId::from_uuid);
            let lease = |(worker, expire_time)| Lease {
                worker,
                expire_time,
            };
            worker.zip(fields.optional(time)?).map(lease)
        },
        worker,
        create_time: fields.required(time)?,
        ready_time: fields.required(time)?,
        start_time: fields.optional(time)?,
        update_time: fields.required(time)?,
        cancel_time: fields.optional(time)?,
        delete_time: fields.optional(time)?,
        end_time: fields.optional(time)?,
        expire_time: fields.optional(time)?,
        request_id: {
            let id = fields.optional(string)?;
            let fingerprint = fields.optional(|value| blob(value)?.try_into().ok())?;
            let request_id = |(id, fingerprint)| RequestId { id, fingerprint };
            id.zip(fingerprint).map(request_id)
        },
        exclusive_key: fields.optional(string)?,
        labels: fields.optional(decode_labels)?.unwrap_or_default(),
        origin: fields.optional(message)?.unwrap_or_default(),
        metadata: fields.optional(message)?,
        checkpoint: fields.optional(message)?,
        result: match fields.optional(number)? {
            None => fields.optional(|_| None)?,
            Some(kind) => {
                let result = |value| OperationResult::decode(kind, blob(value)?);
                Some(fields.required(result)?)
            }
        },
        losses: fields.required(number)?,
        attempt_time: fields.optional(time)?,
        history: fields.optional(history)?.unwrap_or_default(),
        steps: fields.optional(message)?.map(Box::new),
        parent_step: fields.optional(parent_step)?.map(Box::new),
        request: fields.optional(message)?.unwrap_or_default(),
    };
    if record.is_whole() {
        Ok(record)
    } else {
        Err(Fault::row("its columns contradict its state"))
    }
}

/// The columns of a row, one after the other.
pub(crate) struct Fields<'r> {
    row: &'r Row<'r>,
    at: usize,
}

impl<'r> Fields<'r> {
    pub(crate) fn new(row: &'r Row<'r>) -> Self {
        Self { row, at: 0 }
    }

    pub(crate) fn required<T>(
        &mut self,
        read: impl FnOnce(ValueRef<'r>) -> Option<T>,
    ) -> Result<T, Fault> {
        let at = self.at;
        self.optional(read)?.ok_or_else(|| self.wrong(at))
    }

    pub(crate) fn optional<T>(
        &mut self,
        read: impl FnOnce(ValueRef<'r>) -> Option<T>,
    ) -> Result<Option<T>, Fault> {
        let at = self.at;
        self.at += 1;
        match self.row.get_ref(at)? {
            ValueRef::Null => Ok(None),
            value => read(value).map(Some).ok_or_else(|| self.wrong(at)),
        }
    }

    fn wrong(&self, at: usize) -> Fault {
        let column = self.row.as_ref().column_name(at).unwrap_or("?");
        Fault::row(format!("column `{column}` holds what was never written"))
    }
}

fn integer(value: ValueRef<'_>) -> Option<i64> {
    value.as_i64().ok()
}

pub(crate) fn number<T: TryFrom<i64>>(value: ValueRef<'_>) -> Option<T> {
    integer(value)?.try_into().ok()
}

pub(crate) fn unsigned(value: ValueRef<'_>) -> Option<u64> {
    integer(value).map(i64::cast_unsigned)
}

pub(crate) fn time(value: ValueRef<'_>) -> Option<Timestamp> {
    integer(value).map(Timestamp::from_micros)
}

pub(crate) fn text(value: ValueRef<'_>) -> Option<&str> {
    value.as_str().ok()
}

fn string(value: ValueRef<'_>) -> Option<String> {
    text(value).map(str::to_owned)
}

pub(crate) fn blob(value: ValueRef<'_>) -> Option<&[u8]> {
    value.as_blob().ok()
}

fn uuid(value: ValueRef<'_>) -> Option<Uuid> {
    Uuid::from_slice(blob(value)?).ok()
}

fn parent_step(value: ValueRef<'_>) -> Option<ParentStep> {
    ParentStep::decode(blob(value)?)
}

fn history(value: ValueRef<'_>) -> Option<History> {
    History::decode(blob(value)?)
}

fn message<M: Message + Default>(value: ValueRef<'_>) -> Option<M> {
    M::decode(blob(value)?).ok()
}
