//! A page of a list: which index leads to it, and what of the filter SQL answers. Counts of what
//! lists show.

mod access;
mod around;
mod condition;
mod count;
mod families;
mod labels;
#[cfg(test)]
mod plans;
pub(crate) mod statement;
mod steps;

use std::collections::HashMap;

use lro_core::Timestamp;
use lro_core::store::kit::PageBuilder;
use lro_core::store::{ListQuery, OperationRecord, Page, PageCursor};
use tokio_postgres::Row;
use tokio_postgres::types::Type;
use uuid::Uuid;

use self::access::{Below, Way};
use self::around::page_around;
use self::condition::Where;
pub(crate) use self::count::count;
use crate::error::Fault;
use crate::holes::KnownHoles;
use crate::notify::events::Events;
use crate::sql::database::{Access, Database, Query};
use crate::sql::row::decode_listed;

/// How many keys a statement reads where the first ones did not fill the page.
const BLOCK: usize = 250;

/// How many keys a statement reads at most.
const BLOCK_MAX: usize = 4_096;

/// How many bytes of metadata and results the rows of a statement have at most, unless there is a
/// single row. As in `listed_in_block!`.
const BYTES_MAX: i64 = 4_194_304;

/// A page. Each operation is looked at in one moment, and the page goes down the list's order: so one
/// that changes meanwhile is on it as it was or as it is.
///
/// Operations whose rows or pages are corrupt are left out.
pub(crate) async fn list(
    database: &Database,
    events: &Events,
    holes: &KnownHoles,
    query: &ListQuery,
) -> Result<Page, Fault> {
    let mut attempts = database.attempts();
    let mut result = loop {
        let result = database.in_time(page(database, query)).await;
        if !attempts.again(&result).await {
            break result;
        }
    };
    if matches!(&result, Err(fault) if fault.may_be_damage()) {
        result = page_around(database, holes, query).await;
    }
    let (page, left_out) = result?;
    events.corrupt("list", left_out);
    Ok(page)
}

/// The page, and how many operations were left out.
async fn page(database: &Database, query: &ListQuery) -> Result<(Page, usize), Fault> {
    let mut left_out = 0;
    let mut page = PageBuilder::new(query);
    if page.is_complete() {
        return Ok((page.build(), left_out));
    }
    let Some(way) = Way::choose(database, query).await? else {
        page.finish();
        return Ok((page.build(), left_out));
    };
    let condition = if way.is_exact {
        Where::default()
    } else {
        Where::of(query, way.parameters(), way.is_of_all())
    };
    if condition.is_never() {
        page.finish();
        return Ok((page.build(), left_out));
    }
    let rows = condition.sql().map(|sql| {
        let and = format!(" AND ({sql}) IS NOT FALSE");
        database.made(&way.rows().replace("{and}", &and))
    });
    // One more than the page takes tells whether there are more.
    let (mut wanted, mut left) = (query.limit.saturating_add(1), query.max_examined.max(1));
    while !page.is_complete() {
        let block = wanted.min(left).min(BLOCK_MAX);
        let below = Below::of(query, page.after());
        let limit = i64::try_from(block).unwrap_or(i64::MAX);
        let mut params = way.params(&below, &limit);
        params.extend(condition.params());
        let sql = rows.as_deref().unwrap_or(way.rows());
        let queries = [Query { sql, params }];
        let found = database.run(Access::ReadInOrder, &queries).await?.remove(0);
        left_out += take(database, query, &mut page, &found, block).await?;
        if found.len() < block {
            page.finish();
        }
        wanted = wanted.max(BLOCK);
        left -= block.min(left - 1);
    }
    Ok((page.build(), left_out))
}

/// Takes the rows of a block. The statement has left out the bytes of long ones. Returns how many are
/// corrupt.
async fn take(
    database: &Database,
    query: &ListQuery,
    page: &mut PageBuilder<'_>,
    found: &[Row],
    block: usize,
) -> Result<usize, Fault> {
    let mut rows = Vec::with_capacity(found.len());
    for row in found {
        rows.push(Found {
            key: key(row, row.len() - 2)?,
            bytes: match row.try_get::<_, Option<Uuid>>(0)? {
                Some(_) => Some(row.try_get(row.len() - 3)?),
                None => None,
            },
        });
    }
    let most = BYTES_MAX / i64::try_from(block).unwrap_or(i64::MAX);
    let (mut long, mut left_out) = (HashMap::new(), 0);
    for (at, (row, Found { key, bytes })) in found.iter().zip(&rows).enumerate() {
        if page.is_complete() {
            break;
        }
        match bytes {
            None => page.pass(*key),
            Some(bytes) if i64::from(*bytes) <= most => {
                left_out += push(page, decode_listed(row), *key);
            }
            Some(_) => {
                if !long.contains_key(&key.uid) {
                    let next = rows[at..]
                        .iter()
                        .filter(|row| row.bytes.is_some_and(|bytes| i64::from(bytes) > most));
                    long = read_long(database, &uids(next, query, page.room())).await?;
                }
                match long.remove(&key.uid) {
                    Some(record) => left_out += push(page, record, *key),
                    // It was deleted, or removed, meanwhile.
                    None => page.pass(*key),
                }
            }
        }
    }
    Ok(left_out)
}

/// A row of a block.
struct Found {
    key: PageCursor,
    /// How many bytes its metadata and result have. `None`: the condition refuses the row.
    bytes: Option<i32>,
}

/// The first rows, as many as have room on a page and in memory; at least one.
fn uids<'a>(rows: impl Iterator<Item = &'a Found>, query: &ListQuery, room: usize) -> Vec<Uuid> {
    let most = i64::try_from(query.max_bytes).map_or(BYTES_MAX, |bytes| bytes.min(BYTES_MAX));
    let mut sum = 0;
    let mut uids = Vec::new();
    for row in rows.take(room.saturating_add(1)) {
        sum += i64::from(row.bytes.unwrap_or_default());
        if sum > most && !uids.is_empty() {
            break;
        }
        uids.push(row.key.uid);
    }
    uids
}

async fn read_long(
    database: &Database,
    uids: &[Uuid],
) -> Result<HashMap<Uuid, Result<OperationRecord, Fault>>, Fault> {
    let query = Query {
        sql: statement::LISTED,
        params: vec![(&uids, Type::UUID_ARRAY)],
    };
    let rows = database.run(Access::ReadInOrder, &[query]).await?.remove(0);
    let records = rows
        .iter()
        .map(|row| Ok((row.try_get(0)?, decode_listed(row))));
    records.collect()
}

/// Pushes a record, or passes a corrupt one. Returns how many were left out.
fn push(
    page: &mut PageBuilder<'_>,
    record: Result<OperationRecord, Fault>,
    key: PageCursor,
) -> usize {
    match record {
        Ok(record) => {
            page.push(record);
            0
        }
        Err(fault) => {
            tracing::error!(
                uid = %key.uid,
                ?fault,
                "skipping an operation in a list: its row is corrupt"
            );
            page.pass(key);
            1
        }
    }
}

/// The key in the columns from this one on.
fn key(row: &Row, at: usize) -> Result<PageCursor, Fault> {
    Ok(PageCursor {
        create_time: Timestamp::from_micros(row.try_get(at)?),
        uid: row.try_get(at + 1)?,
    })
}
