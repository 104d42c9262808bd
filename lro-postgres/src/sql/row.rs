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
use sha2::{Digest as _, Sha256};
use tokio_postgres::Row;
use tokio_postgres::types::FromSql;
use uuid::Uuid;

use crate::error::Fault;
use crate::sql::text::unescape;

/// The columns for [`decode_head`], with the given expression for the metadata.
macro_rules! head_with {
    ($metadata:expr) => {
        concat!(
            "uid, name, method, state, revision, attempt, fence, max_attempts, on_crash, \
             retain_seconds, retain_nanos, lease_worker, lease_expire_time, create_time, ready_time, \
             start_time, update_time, cancel_time, delete_time, end_time, expire_time, ",
            $metadata,
            ", labels, origin, losses, suspect_time, attempt_time, history, steps, parent_step"
        )
    };
}
pub(crate) use head_with;

/// The columns that a command and the event of an end need, in the order of [`decode_head`].
macro_rules! head {
    () => {
        crate::sql::row::head_with!("metadata")
    };
}
pub(crate) use head;

/// The columns that lists show, in the order of [`decode_listed`].
macro_rules! listed {
    () => {
        concat!(crate::sql::row::head!(), ", result_kind, result")
    };
}
pub(crate) use listed;

/// The bytes of a record that lists show and that may be long.
macro_rules! payload_len {
    () => {
        "(coalesce(octet_length(metadata), 0) + coalesce(octet_length(result), 0))"
    };
}
pub(crate) use payload_len;

/// [`listed!`] without the metadata and the result of rows with more bytes of them than a block of
/// `$4` rows has room for: 4 MiB in all.
macro_rules! listed_in_block {
    () => {
        concat!(
            crate::sql::row::head_with!(concat!(
                "CASE WHEN ",
                crate::sql::row::payload_len!(),
                " <= 4194304 / $4::bigint THEN metadata END"
            )),
            ", result_kind, CASE WHEN ",
            crate::sql::row::payload_len!(),
            " <= 4194304 / $4::bigint THEN result END"
        )
    };
}
pub(crate) use listed_in_block;

/// The whole record, in the order of [`decode`].
macro_rules! columns {
    () => {
        concat!(
            crate::sql::row::head!(),
            ", request_id, request_fingerprint, exclusive_key, checkpoint, result_kind, result, \
             request"
        )
    };
}
pub(crate) use columns;

pub(crate) fn encode_labels(labels: &BTreeMap<String, String>) -> Option<Vec<u8>> {
    (!labels.is_empty()).then(|| lro_core::store::kit::encode_labels(labels))
}

pub(crate) fn encode_origin(origin: &Origin) -> Option<Vec<u8>> {
    (*origin != Origin::default()).then(|| origin.encode_to_vec())
}

pub(crate) fn encode_any(any: Option<&Any>) -> Option<Vec<u8>> {
    any.map(Message::encode_to_vec)
}

/// Which kind of result it is.
pub(crate) fn encode_kind(result: Option<&OperationResult>) -> Option<i16> {
    result.map(|result| result.kind_number().into())
}

pub(crate) fn encode_result(result: Option<&OperationResult>) -> Option<Vec<u8>> {
    result.map(OperationResult::encode)
}

pub(crate) fn encode_state(state: OperationState) -> i16 {
    i16::from(state.as_number())
}

pub(crate) fn decode_state(number: i16) -> Option<OperationState> {
    OperationState::from_number(u8::try_from(number).ok()?)
}

/// The unique digest of a request id, which counts within its method and parent.
pub(crate) fn request_digest(method: &str, parent: &str, id: &str) -> Vec<u8> {
    let mut digest = Sha256::new();
    for part in [method, parent] {
        digest.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        digest.update(part);
    }
    digest.update(id);
    digest.finalize().to_vec()
}

pub(crate) fn exclusive_digest(key: &str) -> Vec<u8> {
    Sha256::digest(key).to_vec()
}

/// Reads `head!()`. The fields that it lacks are empty: the request, the checkpoint and so on.
pub(crate) fn decode_head(row: &Row) -> Result<OperationRecord, Fault> {
    let mut fields = Fields::new(row);
    known(&mut fields).map_err(|fault| named(row, fault))
}

/// Reads `columns!()`.
pub(crate) fn decode(row: &Row) -> Result<OperationRecord, Fault> {
    let mut fields = Fields::new(row);
    whole(&mut fields).map_err(|fault| named(row, fault))
}

/// Reads `listed!()`: the public part of the record.
pub(crate) fn decode_listed(row: &Row) -> Result<OperationRecord, Fault> {
    let mut fields = Fields::new(row);
    let mut public_part = || {
        let mut record = known(&mut fields)?;
        record.result = fields.result()?;
        consistent(record)
    };
    public_part().map_err(|fault| named(row, fault))
}

fn named(row: &Row, fault: Fault) -> Fault {
    let Fault::Row(message) = fault else {
        return fault;
    };
    let name = row.try_get::<_, &str>(1).unwrap_or("?");
    Fault::row(format!("operation `{name}` cannot be read: {message}"))
}

fn known(fields: &mut Fields<'_>) -> Result<OperationRecord, Fault> {
    let worker: Option<WorkerId>;
    let mut record = OperationRecord {
        uid: fields.get()?,
        name: fields.read(|name: &str| OperationName::from_stored(name).ok())?,
        method: fields.read(unescape)?,
        state: fields.read(decode_state)?,
        revision: fields.read(unsigned)?,
        attempt: fields.read(small)?,
        fence: fields.read(unsigned)?,
        policy: ExecutionPolicy {
            max_attempts: fields.read(small)?,
            on_crash: fields.read(|number: i16| OnCrash::from_number(number.try_into().ok()?))?,
            retain: {
                let seconds = fields.read(unsigned)?;
                let nanos = |nanos: i32| u32::try_from(nanos).ok().filter(|n| *n < 1_000_000_000);
                Duration::new(seconds, fields.read(nanos)?)
            },
        },
        lease: {
            worker = fields.get::<Option<Uuid>>()?.map(WorkerId::from_uuid);
            let expire_time = fields.time()?;
            let lease = |(worker, expire_time)| Lease {
                worker,
                expire_time,
            };
            worker.zip(expire_time).map(lease)
        },
        worker,
        create_time: fields.read(time)?,
        ready_time: fields.read(time)?,
        start_time: fields.time()?,
        update_time: fields.read(time)?,
        cancel_time: fields.time()?,
        delete_time: fields.time()?,
        end_time: fields.time()?,
        expire_time: fields.time()?,
        metadata: fields.message()?,
        labels: {
            let labels = fields.read_optional(lro_core::store::kit::decode_labels)?;
            labels.unwrap_or_default()
        },
        origin: fields.message()?.unwrap_or_default(),
        losses: fields.read(small)?,
        attempt_time: None,
        history: History::default(),
        steps: None,
        parent_step: None,
        request: Any::default(),
        checkpoint: None,
        result: None,
        request_id: None,
        exclusive_key: None,
    };
    if let Some(ready_time) = fields.time()? {
        record.ready_time = ready_time;
    }
    record.attempt_time = fields.time()?;
    if let Some(history) = fields.read_optional(History::decode)? {
        record.history = history;
    }
    record.steps = fields.message()?.map(Box::new);
    record.parent_step = fields.read_optional(ParentStep::decode)?.map(Box::new);
    Ok(record)
}

/// The column `ready_time`: larger than every time for a suspect, so that claims of other operations
/// do not find it.
pub(crate) fn ready_time(record: &OperationRecord) -> i64 {
    suspect_time(record).map_or(record.ready_time.as_micros(), |_| i64::MAX)
}

/// When a pending operation with losses is ready.
pub(crate) fn suspect_time(record: &OperationRecord) -> Option<Timestamp> {
    let waits = record.state == OperationState::Pending && record.losses > 0;
    waits.then_some(record.ready_time)
}

fn whole(fields: &mut Fields<'_>) -> Result<OperationRecord, Fault> {
    let mut record = known(fields)?;
    record.request_id = {
        let id = fields.read_optional(unescape)?;
        let fingerprint = fields.read_optional(|bytes: &[u8]| bytes.try_into().ok())?;
        let request_id = |(id, fingerprint)| RequestId { id, fingerprint };
        id.zip(fingerprint).map(request_id)
    };
    record.exclusive_key = fields.read_optional(unescape)?;
    record.checkpoint = fields.message()?;
    record.result = fields.result()?;
    record.request = fields.read(message)?;
    consistent(record)
}

fn consistent(record: OperationRecord) -> Result<OperationRecord, Fault> {
    if record.is_whole() {
        Ok(record)
    } else {
        Err(Fault::row("its columns contradict its state"))
    }
}

/// The columns of a row, one after the other.
pub(crate) struct Fields<'r> {
    row: &'r Row,
    at: usize,
}

impl<'r> Fields<'r> {
    pub(crate) fn new(row: &'r Row) -> Self {
        Self { row, at: 0 }
    }

    pub(crate) fn get<T: FromSql<'r>>(&mut self) -> Result<T, Fault> {
        let at = self.at;
        self.at += 1;
        self.row.try_get(at).map_err(|_| self.wrong(at))
    }

    pub(crate) fn read<C: FromSql<'r>, T>(
        &mut self,
        read: impl FnOnce(C) -> Option<T>,
    ) -> Result<T, Fault> {
        let at = self.at;
        self.get()
            .and_then(|value| read(value).ok_or_else(|| self.wrong(at)))
    }

    pub(crate) fn read_optional<C: FromSql<'r>, T>(
        &mut self,
        read: impl FnOnce(C) -> Option<T>,
    ) -> Result<Option<T>, Fault> {
        let at = self.at;
        match self.get::<Option<C>>()? {
            None => Ok(None),
            Some(value) => read(value).map(Some).ok_or_else(|| self.wrong(at)),
        }
    }

    fn result(&mut self) -> Result<Option<OperationResult>, Fault> {
        let kind = self.read_optional(|number: i16| u8::try_from(number).ok())?;
        match kind {
            None => self.read_optional(|_: &[u8]| None),
            Some(kind) => {
                let result = self.read(|bytes: &[u8]| OperationResult::decode(kind, bytes))?;
                Ok(Some(result))
            }
        }
    }

    pub(crate) fn time(&mut self) -> Result<Option<Timestamp>, Fault> {
        self.read_optional(time)
    }

    fn message<M: Message + Default>(&mut self) -> Result<Option<M>, Fault> {
        self.read_optional(message)
    }

    fn wrong(&self, at: usize) -> Fault {
        let column = self
            .row
            .columns()
            .get(at)
            .map_or("?", |column| column.name());
        Fault::row(format!("column `{column}` holds what was never written"))
    }
}

pub(crate) fn unsigned(value: i64) -> Option<u64> {
    Some(value.cast_unsigned())
}

pub(crate) fn small(value: i64) -> Option<u32> {
    value.try_into().ok()
}

pub(crate) fn time(value: i64) -> Option<Timestamp> {
    Some(Timestamp::from_micros(value))
}

fn message<M: Message + Default>(bytes: &[u8]) -> Option<M> {
    M::decode(bytes).ok()
}
