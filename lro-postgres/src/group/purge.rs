//! Retention: a bounded number of rows at a time.

use lro_core::OperationName;
use lro_core::store::StoreEvent;
use tokio_postgres::Row;
use tokio_postgres::types::Type;

use crate::error::Fault;
use crate::notify::events::Events;
use crate::sql::database::{Access, Database, Query};
use crate::sql::row::decode_state;
use crate::sql::statement;

/// Removes up to the given number of operations whose expiry time has passed. Returns the number
/// removed.
pub(crate) async fn purge(
    database: &Database,
    events: &Events,
    limit: usize,
) -> Result<usize, Fault> {
    let now = database.clock.as_ref().map(|clock| clock.now().as_micros());
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut attempts = database.attempts();
    let rows = loop {
        let purge = [Query {
            sql: statement::PURGE,
            params: vec![(&now, Type::INT8), (&limit, Type::INT8)],
        }];
        let run = database.run(Access::Write, &purge);
        let result = database.in_time(run).await;
        if !attempts.again(&result).await {
            events.publish_in_doubt(&result, &[StoreEvent::Missed]);
            break result?;
        }
    };
    let removed: Vec<_> = rows[0].iter().filter_map(removal).collect();
    events.publish(&removed);
    Ok(rows[0].len())
}

/// The event of a removed row. A corrupt row has none: no caller can know it by an invalid name.
fn removal(row: &Row) -> Option<StoreEvent> {
    let name = OperationName::from_stored(row.try_get(0).ok()?).ok()?;
    let state = decode_state(row.try_get(1).ok()?)?;
    Some(StoreEvent::removed(row.try_get(2).ok()?, name, state))
}
