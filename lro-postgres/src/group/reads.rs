//! Gets: those that wait at one moment share a round trip.

use std::collections::HashMap;
use std::sync::Arc;

use lro_core::store::{Backlog, OperationRecord, StepQuery, StepRow, StoreError};
use lro_core::{OperationName, Timestamp};
use tokio_postgres::types::Type;

use crate::error::Fault;
use crate::group::call::Serve;
use crate::sql::database::{Access, Database, Query};
use crate::sql::row::decode;
use crate::sql::statement;
use crate::sql::step::decode_step;

/// Serves gets.
#[derive(Debug)]
pub(crate) struct Gets {
    pub(crate) database: Arc<Database>,
}

impl Serve<OperationName, Option<OperationRecord>> for Gets {
    async fn serve(
        &self,
        names: &[OperationName],
    ) -> Result<Vec<Result<Option<OperationRecord>, StoreError>>, Fault> {
        let mut attempts = self.database.attempts();
        loop {
            let result = self.database.in_time(self.get_once(names)).await;
            if !attempts.again(&result).await {
                return result;
            }
        }
    }
}

impl Gets {
    async fn get_once(
        &self,
        names: &[OperationName],
    ) -> Result<Vec<Result<Option<OperationRecord>, StoreError>>, Fault> {
        let mut texts: Vec<&str> = names.iter().map(OperationName::as_str).collect();
        texts.sort_unstable();
        texts.dedup();
        let query = Query {
            sql: statement::GET,
            params: vec![(&texts, Type::TEXT_ARRAY)],
        };
        let rows = self.database.run(Access::Read, &[query]).await?;
        let mut found = HashMap::new();
        for row in &rows[0] {
            if let Some(name) = row.try_get::<_, Option<String>>(1)? {
                found.insert(name, decode(row));
            }
        }
        let found = |name: &OperationName| match found.get(name.as_str()) {
            Some(Ok(record)) => Ok(Some(record.clone()).filter(OperationRecord::is_visible)),
            Some(Err(fault)) => Err(fault.to_error()),
            None => Ok(None),
        };
        Ok(names.iter().map(found).collect())
    }
}

/// The record of that name, if it was deleted and has not finished.
pub(crate) async fn get_deleted(
    database: &Database,
    name: &OperationName,
) -> Result<Option<OperationRecord>, Fault> {
    let names = [name.as_str()];
    let names: &[&str] = &names;
    let query = Query {
        sql: statement::GET,
        params: vec![(&names, Type::TEXT_ARRAY)],
    };
    let rows = database.run(Access::Read, &[query]).await?;
    let Some(row) = rows[0].first() else {
        return Ok(None);
    };
    if row.try_get::<_, Option<&str>>(1)?.is_none() {
        return Ok(None);
    }
    Ok(Some(decode(row)?).filter(|record| !record.is_visible()))
}

/// The ready operations of each method; at most `limit` are counted.
pub(crate) async fn backlog(
    database: &Database,
    now: Timestamp,
    limit: usize,
) -> Result<Vec<Backlog>, Fault> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let now = now.as_micros();
    let query = Query {
        sql: statement::BACKLOG,
        params: vec![(&now, Type::INT8), (&limit, Type::INT8)],
    };
    let rows = database.run(Access::Read, &[query]).await?;
    let mut methods = Vec::new();
    for row in &rows[0] {
        let count = usize::try_from(row.try_get::<_, i64>(1)?).unwrap_or(0);
        let oldest = Timestamp::from_micros(row.try_get(2)?);
        methods.push(Backlog::new(row.try_get::<_, String>(0)?, count, oldest));
    }
    Ok(methods)
}

/// A page of the steps of an operation.
pub(crate) async fn steps(database: &Database, query: &StepQuery) -> Result<Vec<StepRow>, Fault> {
    let after = i64::try_from(query.after_seq).unwrap_or(i64::MAX);
    let limit = i64::try_from(query.limit).unwrap_or(i64::MAX);
    let epoch = i64::from(query.epoch);
    let page = Query {
        sql: statement::STEP_PAGE,
        params: vec![
            (&query.uid, Type::UUID),
            (&epoch, Type::INT8),
            (&after, Type::INT8),
            (&limit, Type::INT8),
        ],
    };
    let mut attempts = database.attempts();
    let rows = loop {
        let pages = [page.clone()];
        let result = database.in_time(database.run(Access::Read, &pages)).await;
        if !attempts.again(&result).await {
            break result?;
        }
    };
    let mut len = 0;
    let mut found = Vec::new();
    for row in &rows[0] {
        let row = decode_step(row)?;
        len += row.encoded_len();
        if len > query.max_bytes && !found.is_empty() {
            break;
        }
        found.push(row);
    }
    Ok(found)
}
