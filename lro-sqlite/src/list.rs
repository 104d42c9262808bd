//! A page of a list: its access path, and the part of the filter that SQL answers. Counts of what
//! lists show.

mod access;
mod condition;
mod count;
mod keys;

use lro_core::store::kit::PageBuilder;
use lro_core::store::{ListQuery, Page};
use rusqlite::Connection;

use self::access::AccessPath;
use self::condition::Where;
pub(crate) use self::count::count;
use crate::error::Fault;
use crate::table::Table;

/// The page, and how many corrupt operations it leaves out. All statements read one snapshot.
pub(crate) fn page(connection: &Connection, query: &ListQuery) -> Result<(Page, usize), Fault> {
    let mut left_out = 0;
    let snapshot = connection.unchecked_transaction()?;
    let mut page = PageBuilder::new(query);
    let condition = Where::of(query);
    let sql = condition.select();
    let mut rows = Table(connection).listed(&sql, condition.values())?;
    let mut access = AccessPath::choose(connection, query)?;
    while !page.is_complete() {
        let Some(key) = access.next()? else {
            page.finish();
            break;
        };
        match rows.get(key.uid) {
            Ok(Some(record)) => page.push(record),
            Ok(None) => page.pass(key),
            // Otherwise no list could continue behind it.
            Err(fault) if fault.is_corrupt() || matches!(fault, Fault::Row(_)) => {
                left_out += 1;
                tracing::error!(uid = %key.uid, ?fault, "skipping an operation in a list: its row or page is corrupt");
                page.pass(key);
            }
            Err(fault) => return Err(fault),
        }
        if access.is_exhausted() {
            page.stop();
        }
    }
    drop(rows);
    snapshot.finish()?;
    Ok((page.build(), left_out))
}
