//! A record as a row, and back.

use std::collections::BTreeMap;
use std::time::Duration;

use lro_core::pb::rpc::Status;
use lro_core::{
    ExecutionPolicy, Lease, OnCrash, OperationName, OperationRecord, OperationResult,
    OperationState, Origin, RequestId, Timestamp, WorkerId,
};
use prost::Message;
use prost_types::Any;
use sha2::{Digest as _, Sha256};
use tokio_postgres::Row;
use tokio_postgres::types::FromSql;
use uuid::Uuid;

use crate::error::Fault;
use crate::text::unescape;

/// What a command needs to know of a record, in the order of [`decode_head`].
macro_rules! head {
    () => {
        "uid, name, method, state, revision, attempt, fence, max_attempts, on_crash, \
         retain_seconds, retain_nanos, lease_worker, lease_expire_time, create_time, ready_time, \
         start_time, update_time, cancel_time, delete_time, end_time, expire_time, metadata"
    };
}
pub(crate) use head;

/// The whole record, in the order of [`decode`].
macro_rules! columns {
    () => {
        concat!(
            crate::row::head!(),
            ", request_id, request_fingerprint, exclusive_key, labels, origin, checkpoint, \
             result_kind, result, request"
        )
    };
}
pub(crate) use columns;

pub(crate) const RESPONSE: i16 = 0;
pub(crate) const ERROR: i16 = 1;

/// A map in field 1: labels as they are stored.
#[derive(Clone, PartialEq, Message)]
struct Labels {
    #[prost(btree_map = "string, string", tag = "1")]
    labels: BTreeMap<String, String>,
}

pub(crate) fn encode_labels(labels: &BTreeMap<String, String>) -> Option<Vec<u8>> {
    let encode = |labels| Labels { labels }.encode_to_vec();
    (!labels.is_empty()).then(|| encode(labels.clone()))
}

pub(crate) fn encode_origin(origin: &Origin) -> Option<Vec<u8>> {
    (*origin != Origin::default()).then(|| origin.encode_to_vec())
}

pub(crate) fn encode_any(any: Option<&Any>) -> Option<Vec<u8>> {
    any.map(Message::encode_to_vec)
}

/// Its kind and its bytes.
pub(crate) fn encode_result(result: Option<&OperationResult>) -> (Option<i16>, Option<Vec<u8>>) {
    match result {
        None => (None, None),
        Some(OperationResult::Response(any)) => (Some(RESPONSE), Some(any.encode_to_vec())),
        Some(OperationResult::Error(status)) => (Some(ERROR), Some(status.encode_to_vec())),
    }
}

pub(crate) fn encode_on_crash(on_crash: OnCrash) -> i16 {
    match on_crash {
        OnCrash::Resume => 0,
        OnCrash::Abort => 1,
    }
}

pub(crate) fn encode_state(state: OperationState) -> i16 {
    i16::from(state.as_number())
}

pub(crate) fn decode_state(number: i16) -> Option<OperationState> {
    OperationState::from_number(u8::try_from(number).ok()?)
}

/// What is unique of a request id: it counts within its method and parent.
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

/// Reads `head!()`. What it does not hold is empty: the request, labels, checkpoint and the like.
pub(crate) fn decode_head(row: &Row) -> Result<OperationRecord, Fault> {
    let mut fields = Fields { row, at: 0 };
    known(&mut fields).map_err(|fault| named(row, fault))
}

/// Reads `columns!()`.
pub(crate) fn decode(row: &Row) -> Result<OperationRecord, Fault> {
    let mut fields = Fields { row, at: 0 };
    whole(&mut fields).map_err(|fault| named(row, fault))
}

fn named(row: &Row, fault: Fault) -> Fault {
    let Fault::Row(message) = fault else {
        return fault;
    };
    let name = row.try_get::<_, &str>(1).unwrap_or("?");
    Fault::row(format!("operation `{name}` cannot be read: {message}"))
}

fn known(fields: &mut Fields<'_>) -> Result<OperationRecord, Fault> {
    Ok(OperationRecord {
        uid: fields.get()?,
        name: fields.read(|name: &str| name.parse::<OperationName>().ok())?,
        method: fields.read(unescape)?,
        state: fields.read(decode_state)?,
        revision: fields.read(unsigned)?,
        attempt: fields.read(small)?,
        fence: fields.read(unsigned)?,
        policy: ExecutionPolicy {
            max_attempts: fields.read(small)?,
            on_crash: fields.read(|value: i16| match value {
                0 => Some(OnCrash::Resume),
                1 => Some(OnCrash::Abort),
                _ => None,
            })?,
            retain: {
                let seconds = fields.read(unsigned)?;
                let nanos = |nanos: i32| u32::try_from(nanos).ok().filter(|n| *n < 1_000_000_000);
                Duration::new(seconds, fields.read(nanos)?)
            },
        },
        lease: {
            let worker: Option<Uuid> = fields.get()?;
            let expire_time = fields.time()?;
            let lease = |(worker, expire_time)| Lease {
                worker: WorkerId::from_uuid(worker),
                expire_time,
            };
            worker.zip(expire_time).map(lease)
        },
        create_time: fields.read(time)?,
        ready_time: fields.read(time)?,
        start_time: fields.time()?,
        update_time: fields.read(time)?,
        cancel_time: fields.time()?,
        delete_time: fields.time()?,
        end_time: fields.time()?,
        expire_time: fields.time()?,
        metadata: fields.message()?,
        request: Any::default(),
        checkpoint: None,
        result: None,
        labels: BTreeMap::new(),
        origin: Origin::default(),
        request_id: None,
        exclusive_key: None,
    })
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
    let labels: Option<Labels> = fields.message()?;
    record.labels = labels.map(|labels| labels.labels).unwrap_or_default();
    record.origin = fields.message()?.unwrap_or_default();
    record.checkpoint = fields.message()?;
    record.result = match fields.get::<Option<i16>>()? {
        None => fields.read_optional(|_: &[u8]| None)?,
        Some(RESPONSE) => Some(OperationResult::Response(fields.read(message)?)),
        Some(ERROR) => Some(OperationResult::Error(fields.read(message::<Status>)?)),
        Some(other) => return Err(Fault::row(format!("column `result_kind` holds {other}"))),
    };
    record.request = fields.read(message)?;
    check(&record)?;
    Ok(record)
}

/// What the state machine promises of every record.
fn check(record: &OperationRecord) -> Result<(), Fault> {
    let done = record.state.is_done();
    let whole = done == record.result.is_some()
        && done == record.end_time.is_some()
        && done == record.expire_time.is_some()
        && record.state.is_running() == record.lease.is_some();
    match whole {
        true => Ok(()),
        false => Err(Fault::row("its columns contradict its state")),
    }
}

/// The columns of a row, one after the other.
struct Fields<'r> {
    row: &'r Row,
    at: usize,
}

impl<'r> Fields<'r> {
    fn get<T: FromSql<'r>>(&mut self) -> Result<T, Fault> {
        let at = self.at;
        self.at += 1;
        self.row.try_get(at).map_err(|_| self.wrong(at))
    }

    fn read<C: FromSql<'r>, T>(&mut self, read: impl FnOnce(C) -> Option<T>) -> Result<T, Fault> {
        let at = self.at;
        self.get()
            .and_then(|value| read(value).ok_or_else(|| self.wrong(at)))
    }

    fn read_optional<C: FromSql<'r>, T>(
        &mut self,
        read: impl FnOnce(C) -> Option<T>,
    ) -> Result<Option<T>, Fault> {
        let at = self.at;
        match self.get::<Option<C>>()? {
            None => Ok(None),
            Some(value) => read(value).map(Some).ok_or_else(|| self.wrong(at)),
        }
    }

    fn time(&mut self) -> Result<Option<Timestamp>, Fault> {
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

fn unsigned(value: i64) -> Option<u64> {
    Some(value.cast_unsigned())
}

fn small(value: i64) -> Option<u32> {
    value.try_into().ok()
}

fn time(value: i64) -> Option<Timestamp> {
    Some(Timestamp::from_micros(value))
}

fn message<M: Message + Default>(bytes: &[u8]) -> Option<M> {
    M::decode(bytes).ok()
}
