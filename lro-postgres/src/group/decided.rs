//! Changes that are decided on held records: which these are, and how they are written.

use std::collections::HashMap;

use lro_core::store::{StoreEvent, Update};
use lro_core::{OperationName, Timestamp};
use tokio_postgres::types::Type;
use uuid::Uuid;

use crate::error::Fault;
use crate::notify::events::Events;
use crate::sql::batch::Columns;
use crate::sql::database::{Access, Database};

/// The updates that are the only ones for their operations, each with its place.
pub(crate) fn alone(updates: &[Update]) -> Vec<(usize, &Update)> {
    let mut counts: HashMap<&OperationName, usize> = HashMap::new();
    for update in updates {
        *counts.entry(&update.name).or_default() += 1;
    }
    let updates = updates.iter().enumerate();
    updates
        .filter(|(_, update)| counts.get(&update.name) == Some(&1))
        .collect()
}

/// Rows that were as they were taken to be, and are written.
pub(crate) struct Written {
    /// When each was written.
    pub(crate) times: HashMap<Uuid, Timestamp>,
    /// Whether other processes were notified of all.
    pub(crate) told: bool,
}

/// Runs a statement that writes unchanged rows in a transaction of its own. Its last parameter is the
/// time, and it answers with the uid and the time of each row that it has written.
pub(crate) async fn write(
    database: &Database,
    events: &Events,
    sql: &'static str,
    columns: &Columns,
    expected: &[StoreEvent],
) -> Result<Written, Fault> {
    let clock = database.clock.as_ref().map(|clock| clock.now().as_micros());
    let mut query = columns.query(sql);
    query.params.push((&clock, Type::INT8));
    let mut attempts = database.attempts();
    let (rows, told) = loop {
        let write = async {
            let transaction = database.transaction(Access::Write).await?;
            let hint = events.at_once(expected, &transaction);
            let told = hint.is_some();
            let rows = transaction.run_commit_and_tell(std::slice::from_ref(&query), hint);
            Ok((rows.await?, told))
        };
        let result = database.in_time(write).await;
        if !attempts.again(&result).await {
            events.publish_in_doubt(&result, expected);
            break result?;
        }
    };
    let mut times = HashMap::new();
    for row in rows.iter().flatten() {
        times.insert(row.try_get(0)?, Timestamp::from_micros(row.try_get(1)?));
    }
    Ok(Written { times, told })
}
