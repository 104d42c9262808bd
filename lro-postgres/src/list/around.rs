//! A page of a list when pages of the table cannot be read: it leaves out the operations on them.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use lro_core::store::kit::PageBuilder;
use lro_core::store::{ListQuery, Page, PageCursor};
use tokio_postgres::types::{ToSql, Type};
use uuid::Uuid;

use super::access::Below;
use super::{key, push, statement};
use crate::error::Fault;
use crate::holes::{Key, KnownHoles, Range, around};
use crate::sql::database::{Access, Database, Query};
use crate::sql::row::decode_listed;

/// How many rows a statement reads: no more bytes than fit into memory, however long they are.
const BLOCK: i64 = 16;

/// The page, and how many operations were left out. It reads the operations of the parent, or all of
/// them, in the order of lists: by keys of the opposite order, so that ranges begin with the newest.
pub(super) async fn page_around(
    database: &Database,
    holes: &KnownHoles,
    query: &ListQuery,
) -> Result<(Page, usize), Fault> {
    let parent = query.parent.exact();
    let parent = parent.as_ref().map(|parent| parent.as_str().to_owned());
    let sql = database.made(match parent {
        Some(_) => statement::LISTED_OF_PARENT_WITHIN,
        None => statement::LISTED_WITHIN,
    });
    let builder = Mutex::new(PageBuilder::new(query));
    let page = || lock(&builder);
    let left_out = AtomicUsize::new(0);
    let found = around(holes.ranges(), async |range: Range| {
        loop {
            if page().is_complete() {
                return Ok(true);
            }
            let from = range.from.max(begin(query, page().after()));
            if from >= range.to {
                return Ok(false);
            }
            let (first, last) = (from.opposite(), range.to.opposite());
            let uids = (Uuid::from_u128(first.uid), Uuid::from_u128(last.uid));
            let mut params: Vec<(&(dyn ToSql + Sync), Type)> = vec![
                (&first.micros, Type::INT8),
                (&uids.0, Type::UUID),
                (&last.micros, Type::INT8),
                (&uids.1, Type::UUID),
                (&BLOCK, Type::INT8),
            ];
            params.extend(parent.as_ref().map(|parent| (parent as _, Type::TEXT)));
            let queries = [Query { sql: &sql, params }];
            let rows = database.run(Access::ReadInOrder, &queries);
            let rows = database.in_time(rows).await?.remove(0);
            for row in &rows {
                let key = key(row, row.len() - 2)?;
                left_out.fetch_add(
                    push(&mut page(), decode_listed(row), key),
                    Ordering::Relaxed,
                );
            }
            if i64::try_from(rows.len()).is_ok_and(|count| count < BLOCK) {
                return Ok(false);
            }
        }
    });
    let found = found.await?;
    for key in found.iter().map(|key| key.opposite()) {
        tracing::error!(
            uid = %Uuid::from_u128(key.uid),
            create_time_micros = key.micros,
            "an operation cannot be read: its page is corrupt; lists leave it out"
        );
    }
    holes.add(found);
    page().finish();
    let page = builder.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok((page.build(), left_out.into_inner() + holes.count()))
}

/// Where the rest of the page begins, in the opposite order.
fn begin(query: &ListQuery, after: Option<PageCursor>) -> Key {
    let below = Below::of(query, after).key();
    below.opposite().next()
}

fn lock<'m, 'q>(page: &'m Mutex<PageBuilder<'q>>) -> MutexGuard<'m, PageBuilder<'q>> {
    page.lock().unwrap_or_else(PoisonError::into_inner)
}
