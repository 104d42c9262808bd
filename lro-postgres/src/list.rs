//! A page of a list: which index leads to it, and what of the filter SQL answers.

mod access;
mod condition;
mod labels;
#[cfg(test)]
mod plans;
pub(crate) mod statement;

use lro_core::Timestamp;
use lro_core::store::kit::PageBuilder;
use lro_core::store::{ListQuery, Page, PageCursor};
use tokio_postgres::Row;
use uuid::Uuid;

use self::access::{Below, Way};
use self::condition::Where;
use crate::database::{Access, Database, Query};
use crate::error::Fault;
use crate::row::decode;

/// How many keys a statement reads where the first ones did not fill the page.
const BLOCK: usize = 250;

/// A page. Each operation is looked at in one moment, and the page goes down the list's order: so one
/// that changes meanwhile is on it as it was or as it is.
pub(crate) async fn list(database: &Database, query: &ListQuery) -> Result<Page, Fault> {
    let mut attempts = database.attempts();
    loop {
        let result = database.in_time(page(database, query)).await;
        if !attempts.again(&result).await {
            return result;
        }
    }
}

async fn page(database: &Database, query: &ListQuery) -> Result<Page, Fault> {
    let mut page = PageBuilder::new(query);
    if page.is_complete() {
        return Ok(page.build());
    }
    let Some(way) = Way::choose(database, query).await? else {
        page.finish();
        return Ok(page.build());
    };
    let condition = match way.is_exact {
        true => Where::default(),
        false => Where::of(query, way.parameters(), way.is_of_all()),
    };
    if condition.is_never() {
        page.finish();
        return Ok(page.build());
    }
    let rows = condition.sql().map(|sql| {
        let and = format!(" AND ({sql}) IS NOT FALSE");
        database.made(&way.rows().replace("{and}", &and))
    });
    // One more than the page takes tells whether there are more.
    let (mut wanted, mut left) = (query.limit.saturating_add(1), query.examine_max.max(1));
    while !page.is_complete() {
        let block = wanted.min(left);
        let below = Below::of(query, page.after());
        let limit = i64::try_from(block).unwrap_or(i64::MAX);
        let mut params = way.params(&below, &limit);
        params.extend(condition.params());
        let sql = rows.as_deref().unwrap_or(way.rows());
        let queries = [Query { sql, params }];
        let found = database.run(Access::ReadInOrder, &queries).await?.remove(0);
        for row in &found {
            let is_whole = row.try_get::<_, Option<Uuid>>(0)?.is_some();
            match is_whole.then(|| decode(row)) {
                Some(Ok(record)) => page.push(record),
                Some(Err(fault)) => {
                    tracing::error!(?fault, "a damaged operation is not listed");
                    page.pass(key(row, row.len() - 2)?);
                }
                None => page.pass(key(row, row.len() - 2)?),
            }
        }
        if found.len() < block {
            page.finish();
        }
        wanted = wanted.max(BLOCK);
        left -= block.min(left - 1);
    }
    Ok(page.build())
}

/// The key in the columns from this one on.
fn key(row: &Row, at: usize) -> Result<PageCursor, Fault> {
    Ok(PageCursor {
        create_time: Timestamp::from_micros(row.try_get(at)?),
        uid: row.try_get(at + 1)?,
    })
}
