//! The table of operations.

mod write;

use std::collections::BTreeMap;

use lro_core::filter::nfc;
use lro_core::store::{Backlog, OperationRecord};
use lro_core::{OperationName, Timestamp};
use prost::Message as _;
use rusqlite::types::Value;
use rusqlite::{CachedStatement, Connection, OptionalExtension as _, Params, params};
use uuid::Uuid;

use crate::error::Fault;
use crate::row::{
    decode, encode_any, encode_kind, encode_labels, encode_origin, encode_result, encode_worker,
    micros,
};
use crate::statement;

/// The largest encoded request, in bytes, that is stored in its operation's row. A larger one is
/// stored apart, once, so that no later change of the operation writes it again.
pub(crate) const INLINE_REQUEST_MAX: usize = 512;

/// The statements, on one connection. Each writes all or nothing by itself, so that one that fails
/// leaves its neighbours in the transaction alone.
#[derive(Debug)]
pub(crate) struct Table<'c>(pub(crate) &'c Connection);

impl<'c> Table<'c> {
    /// Adds a record. `false`: an index refused it, and nothing was written.
    pub(crate) fn insert(&self, record: &OperationRecord) -> Result<bool, Fault> {
        let request = record.request.encode_to_vec();
        let is_plain = record.labels.is_empty() && record.parent_step.is_none();
        if is_plain && request.len() <= INLINE_REQUEST_MAX {
            return self.insert_row(record, Some(&request));
        }
        self.several(|| self.insert_several(record, &request))
    }

    /// Runs several statements, all or none of which have an effect.
    pub(crate) fn several<T>(&self, write: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
        self.0.prepare_cached("SAVEPOINT several")?.execute(())?;
        let written = write();
        // A rolled back transaction has no savepoint.
        if written.is_err() && !self.0.is_autocommit() {
            self.0
                .execute_batch("ROLLBACK TO several; RELEASE several")?;
        } else if written.is_ok() {
            self.0.prepare_cached("RELEASE several")?.execute(())?;
        }
        written
    }

    fn insert_several(&self, record: &OperationRecord, request: &[u8]) -> Result<bool, Fault> {
        let inline = request.len() <= INLINE_REQUEST_MAX;
        if !self.insert_row(record, inline.then_some(request))? {
            return Ok(false);
        }
        if !inline {
            let large = params![record.uid.as_bytes(), request];
            self.execute(statement::INSERT_LARGE_REQUEST, large)?;
        }
        if let Some(parent) = &record.parent_step {
            // In the form in which filters compare it: it serves lists.
            let name = nfc(parent.operation.as_str());
            let of = params![record.uid.as_bytes(), parent.encode(), name];
            self.execute(statement::INSERT_PARENT, of)?;
        }
        self.insert_labels(
            record.uid.as_bytes(),
            record.name.parent(),
            record.create_time.as_micros(),
            &record.labels,
        )?;
        Ok(true)
    }

    /// Writes labels for lists.
    pub(crate) fn insert_labels(
        &self,
        uid: &[u8],
        parent: &str,
        create_time: i64,
        labels: &BTreeMap<String, String>,
    ) -> Result<(), Fault> {
        for (key, value) in labels {
            let label = params![parent, nfc(key), nfc(value), create_time, uid];
            self.execute(statement::INSERT_LABEL, label)?;
        }
        Ok(())
    }

    fn insert_row(&self, record: &OperationRecord, request: Option<&[u8]>) -> Result<bool, Fault> {
        let request_id = record.request_id.as_ref();
        let result = record.result.as_ref();
        let lease = record.lease.as_ref();
        let inserted = self.execute(
            statement::INSERT,
            params![
                record.uid.as_bytes(),
                record.name.as_str(),
                record.method,
                record.state.as_number(),
                record.revision.cast_signed(),
                record.attempt,
                record.fence.cast_signed(),
                record.policy.max_attempts,
                record.policy.on_crash.as_number(),
                record.policy.retain.as_secs().cast_signed(),
                record.policy.retain.subsec_nanos(),
                encode_worker(record),
                lease.map(|lease| lease.expire_time.as_micros()),
                record.create_time.as_micros(),
                record.ready_time.as_micros(),
                micros(record.start_time),
                record.update_time.as_micros(),
                micros(record.cancel_time),
                micros(record.delete_time),
                micros(record.end_time),
                micros(record.expire_time),
                request_id.map(|request_id| request_id.id.as_str()),
                request_id.map(|request_id| request_id.fingerprint),
                record.exclusive_key,
                encode_labels(&record.labels),
                encode_origin(&record.origin),
                encode_any(record.metadata.as_ref()),
                encode_any(record.checkpoint.as_ref()),
                encode_kind(result),
                encode_result(result),
                record.losses,
                request,
                record.name.parent(),
            ],
        )?;
        Ok(inserted > 0)
    }

    /// The whole record of that name, unless it was deleted.
    pub(crate) fn get(&self, name: &OperationName) -> Result<Option<OperationRecord>, Fault> {
        self.record(statement::GET, params![name.as_str()])
    }

    pub(crate) fn insert_page_token_key(&self, key: &[u8; 32]) -> Result<(), Fault> {
        self.execute(statement::INSERT_PAGE_TOKEN_KEY, params![key])?;
        Ok(())
    }

    /// The key of page tokens, which the migration has created.
    pub(crate) fn page_token_key(&self) -> Result<[u8; 32], Fault> {
        let mut statement = self.0.prepare_cached(statement::PAGE_TOKEN_KEY)?;
        let key = statement.query_row((), |row| row.get(0)).optional()?;
        key.ok_or_else(|| Fault::row("the page token key is missing from the table `secret`"))
    }

    /// The ready operations of each method; at most `limit` are counted.
    pub(crate) fn backlog(&self, now: Timestamp, limit: usize) -> Result<Vec<Backlog>, Fault> {
        let mut statement = self.0.prepare_cached(statement::BACKLOG)?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = statement.query_map(params![now.as_micros(), limit], |row| {
            let count: u32 = row.get(1)?;
            let oldest = Timestamp::from_micros(row.get(2)?);
            Ok(Backlog::new(
                row.get::<_, String>(0)?,
                count as usize,
                oldest,
            ))
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The record of that name, if it was deleted and has not finished.
    pub(crate) fn get_deleted(
        &self,
        name: &OperationName,
    ) -> Result<Option<OperationRecord>, Fault> {
        self.record(statement::GET_DELETED, params![name.as_str()])
    }

    /// Reads visible records by uid with [`statement::LISTED`] and conditions, whose values these
    /// are.
    pub(crate) fn listed(&self, sql: &str, values: &[Value]) -> Result<Listed<'c>, Fault> {
        let mut statement = self.0.prepare_cached(sql)?;
        for (at, value) in values.iter().enumerate() {
            statement.raw_bind_parameter(2 + at, value)?;
        }
        Ok(Listed(statement))
    }

    /// The whole record.
    pub(crate) fn by_uid(&self, uid: Uuid) -> Result<Option<OperationRecord>, Fault> {
        self.record(statement::BY_UID, params![uid.as_bytes()])
    }

    /// The whole record that has the method, parent and request id of this one.
    pub(crate) fn by_request_id(
        &self,
        record: &OperationRecord,
    ) -> Result<Option<OperationRecord>, Fault> {
        let Some(request_id) = &record.request_id else {
            return Ok(None);
        };
        let key = params![record.method, record.name.parent(), request_id.id];
        self.record(statement::BY_REQUEST_ID, key)
    }

    /// The record without its request.
    pub(crate) fn to_change(&self, name: &OperationName) -> Result<Option<OperationRecord>, Fault> {
        self.record(statement::BY_NAME_TO_CHANGE, params![name.as_str()])
    }

    /// The record without its request.
    pub(crate) fn to_change_by_uid(&self, uid: Uuid) -> Result<Option<OperationRecord>, Fault> {
        self.record(statement::BY_UID_TO_CHANGE, params![uid.as_bytes()])
    }

    pub(crate) fn has_name(&self, name: &OperationName) -> Result<bool, Fault> {
        let mut statement = self.0.prepare_cached(statement::NAME_EXISTS)?;
        Ok(statement.exists(params![name.as_str()])?)
    }

    /// Which unfinished operation holds the key.
    pub(crate) fn name_by_exclusive_key(&self, key: &str) -> Result<Option<OperationName>, Fault> {
        self.name(statement::NAME_BY_EXCLUSIVE_KEY, params![key])
    }

    pub(crate) fn name_by_uid(&self, uid: Uuid) -> Result<Option<OperationName>, Fault> {
        self.name(statement::NAME_BY_UID, params![uid.as_bytes()])
    }

    /// The operations whose expiry time has come: uid, name and state as they are stored.
    pub(crate) fn expired(
        &self,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<(Vec<u8>, String, i64)>, Fault> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut statement = self.0.prepare_cached(statement::EXPIRED)?;
        let rows = statement.query_map(params![now.as_micros(), limit], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Their uids alone, from the index.
    pub(crate) fn expired_uids(&self, now: Timestamp, limit: usize) -> Result<Vec<Vec<u8>>, Fault> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut statement = self.0.prepare_cached(statement::EXPIRED_UIDS)?;
        let uids = statement.query_map(params![now.as_micros(), limit], |row| row.get(0))?;
        Ok(uids.collect::<Result<_, _>>()?)
    }

    /// One of them.
    pub(crate) fn expired_row(&self, uid: &[u8]) -> Result<Option<(Vec<u8>, String, i64)>, Fault> {
        let mut statement = self.0.prepare_cached(statement::EXPIRED_ROW)?;
        let row = statement.query_row(params![uid], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        });
        Ok(row.optional()?)
    }

    /// Gives free pages back to the file system: at most `most`, and those above `kept`.
    pub(crate) fn shrink(&self, kept: i64, most: i64) -> Result<(), Fault> {
        let free: i64 = self
            .0
            .pragma_query_value(None, "freelist_count", |row| row.get(0))?;
        let pages = free.saturating_sub(kept).min(most);
        if pages > 0 {
            // One row a page: the pragma must be read to its end.
            let pragma = format!("PRAGMA incremental_vacuum({pages})");
            let mut statement = self.0.prepare(&pragma)?;
            let mut rows = statement.query(())?;
            while rows.next()?.is_some() {}
        }
        Ok(())
    }

    pub(crate) fn execute(&self, sql: &'static str, values: impl Params) -> Result<usize, Fault> {
        Ok(self.0.prepare_cached(sql)?.execute(values)?)
    }

    fn record(
        &self,
        sql: &'static str,
        key: impl Params,
    ) -> Result<Option<OperationRecord>, Fault> {
        let mut statement = self.0.prepare_cached(sql)?;
        statement.query_and_then(key, decode)?.next().transpose()
    }

    fn name(&self, sql: &'static str, key: impl Params) -> Result<Option<OperationName>, Fault> {
        let mut statement = self.0.prepare_cached(sql)?;
        let name: Option<String> = statement.query_row(key, |row| row.get(0)).optional()?;
        name.map(|name| {
            let wrong = |_| Fault::row(format!("column `name` holds `{name}`"));
            OperationName::from_stored(&name).map_err(wrong)
        })
        .transpose()
    }
}

/// Reads one row of a list after the other.
pub(crate) struct Listed<'c>(CachedStatement<'c>);

impl Listed<'_> {
    /// The public part of the record, unless it is hidden or the conditions refuse it.
    pub(crate) fn get(&mut self, uid: Uuid) -> Result<Option<OperationRecord>, Fault> {
        self.0.raw_bind_parameter(1, uid.as_bytes())?;
        let mut rows = self.0.raw_query();
        rows.next()?.map(decode).transpose()
    }
}
