//! The threads that read.

use std::path::Path;
use std::sync::Arc;

use lro_core::store::{
    Backlog, CountQuery, Counts, ListQuery, OperationRecord, Page, StepQuery, StepRow, StoreError,
    StoreEvent,
};
use lro_core::{OperationName, Timestamp};
use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::error::Fault;
use crate::list;
use crate::ownership::Ownership;
use crate::queue::{Queue, Taken};
use crate::table::Table;
use crate::writer::{Observers, publish};

/// A call for a reader.
#[derive(Debug)]
pub(crate) enum Read {
    /// One record.
    Get(OperationName, Reply<Option<OperationRecord>>),
    /// One record that was deleted and has not finished.
    GetDeleted(OperationName, Reply<Option<OperationRecord>>),
    /// The ready operations of each method.
    Backlog(Timestamp, usize, Reply<Vec<Backlog>>),
    /// Recorded steps of one operation.
    Steps(StepQuery, Reply<Vec<StepRow>>),
    /// Many.
    List(ListQuery, Reply<Page>),
    /// How many there are, as of a time.
    Count(CountQuery, Timestamp, Reply<Counts>),
    /// The key of page tokens.
    PageTokenKey(Reply<[u8; 32]>),
}

type Reply<T> = oneshot::Sender<Result<T, StoreError>>;

/// Answers calls until the queue is closed. Each is its own snapshot, taken after the call came:
/// it holds whatever was committed before.
pub(crate) fn run(
    connection: &Connection,
    path: &Path,
    ownership: &Ownership,
    queue: &Arc<Queue<Read>>,
    observers: &Observers,
) {
    let table = Table(connection);
    while let Taken::Calls(calls) = queue.take(1, |_| 1, None) {
        for call in calls {
            match call {
                Read::Get(_, reply) | Read::GetDeleted(_, reply) if reply.is_closed() => {}
                Read::Backlog(_, _, reply) if reply.is_closed() => {}
                Read::Steps(_, reply) if reply.is_closed() => {}
                Read::List(_, reply) if reply.is_closed() => {}
                Read::Count(_, _, reply) if reply.is_closed() => {}
                Read::PageTokenKey(reply) => {
                    let key = ownership.check().and_then(|()| table.page_token_key());
                    answer(reply, key, path);
                }
                Read::Get(name, reply) => {
                    let record = ownership.check().and_then(|()| table.get(&name));
                    answer(reply, record, path);
                }
                Read::GetDeleted(name, reply) => {
                    let record = ownership.check();
                    let record = record.and_then(|()| table.get_deleted(&name));
                    answer(reply, record, path);
                }
                Read::Backlog(now, limit, reply) => {
                    answer(reply, table.backlog(now, limit), path);
                }
                Read::Steps(query, reply) => {
                    let steps = ownership.check().and_then(|()| table.step_page(&query));
                    answer(reply, steps, path);
                }
                Read::List(query, reply) => {
                    let page = ownership.check();
                    let page = page.and_then(|()| list::page(connection, &query));
                    let page = page.map(|(page, count)| {
                        if count > 0 {
                            let call = "list";
                            publish(observers, &[StoreEvent::Corrupt { call, count }]);
                        }
                        page
                    });
                    answer(reply, page, path);
                }
                Read::Count(query, now, reply) => {
                    let counts = ownership.check();
                    let counts = counts.and_then(|()| list::count(connection, &query, now));
                    answer(reply, counts, path);
                }
            }
        }
    }
}

fn answer<T>(reply: Reply<T>, result: Result<T, Fault>, path: &Path) {
    // A caller that has left loses nothing by that.
    let _ = reply.send(result.map_err(|fault| fault.to_error(path)));
}
