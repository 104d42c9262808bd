//! Retention: a bounded number of rows at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use lro_core::OperationName;
use lro_core::store::StoreEvent;
use tokio_postgres::Row;
use tokio_postgres::types::Type;
use uuid::Uuid;

use crate::error::Fault;
use crate::holes::{KnownHoles, Range, around};
use crate::notify::events::Events;
use crate::sql::database::{Access, Database, Query};
use crate::sql::row::decode_state;
use crate::sql::statement;

/// Removes operations whose expiry time has passed.
#[derive(Debug)]
pub(crate) struct Purges {
    database: Arc<Database>,
    events: Arc<Events>,
    /// Operations whose pages cannot be read.
    holes: KnownHoles,
}

impl Purges {
    pub(crate) fn new(database: Arc<Database>, events: Arc<Events>) -> Self {
        Self {
            database,
            events,
            holes: KnownHoles::default(),
        }
    }

    /// Removes up to the given number of operations, except those that cannot be read. Returns the
    /// number removed.
    pub(crate) async fn purge(&self, limit: usize) -> Result<usize, Fault> {
        match self.purge_all(limit).await {
            Err(fault) if fault.may_be_damage() => self.purge_around(limit).await,
            result => result,
        }
    }

    async fn purge_all(&self, limit: usize) -> Result<usize, Fault> {
        let now = self.now();
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut attempts = self.database.attempts();
        loop {
            let purge = Query {
                sql: statement::PURGE,
                params: vec![(&now, Type::INT8), (&limit, Type::INT8)],
            };
            let result = self.run(Access::Write, purge).await;
            if !attempts.again(&result).await {
                return result;
            }
        }
    }

    async fn purge_around(&self, limit: usize) -> Result<usize, Fault> {
        let sql = self.database.made(statement::PURGE_WITHIN);
        let removed = AtomicUsize::new(0);
        let holes = around(self.holes.ranges(), async |range: Range| {
            let left = limit - removed.load(Ordering::Relaxed);
            let some = self.purge_range(&sql, range, left).await?;
            Ok(removed.fetch_add(some, Ordering::Relaxed) + some >= limit)
        });
        let holes = holes.await;
        let removed = removed.into_inner();
        match holes {
            Ok(holes) => {
                for key in &holes {
                    tracing::error!(
                        uid = %Uuid::from_u128(key.uid),
                        expire_time_micros = key.micros,
                        "an expired operation cannot be removed: its page is corrupt; skipping it"
                    );
                }
                self.holes.add(holes);
            }
            Err(fault) if removed > 0 => {
                tracing::warn!(?fault, "a purge stopped early; the next one continues");
            }
            Err(fault) => return Err(fault),
        }
        self.events.corrupt("purge", self.holes.count());
        Ok(removed)
    }

    async fn purge_range(&self, sql: &str, range: Range, limit: usize) -> Result<usize, Fault> {
        let now = self.now();
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let (from, to) = (
            Uuid::from_u128(range.from.uid),
            Uuid::from_u128(range.to.uid),
        );
        let purge = Query {
            sql,
            params: vec![
                (&now, Type::INT8),
                (&limit, Type::INT8),
                (&range.from.micros, Type::INT8),
                (&from, Type::UUID),
                (&range.to.micros, Type::INT8),
                (&to, Type::UUID),
            ],
        };
        self.run(Access::WriteInOrder, purge).await
    }

    async fn run(&self, access: Access, purge: Query<'_>) -> Result<usize, Fault> {
        let purge = [purge];
        let run = self.database.run(access, &purge);
        let result = self.database.in_time(run).await;
        self.events.publish_in_doubt(&result, &[StoreEvent::Missed]);
        let rows = result?;
        let removed: Vec<_> = rows[0].iter().filter_map(removal).collect();
        self.events.publish(&removed);
        Ok(rows[0].len())
    }

    /// The time of a clock that was passed in.
    fn now(&self) -> Option<i64> {
        let clock = self.database.clock.as_ref();
        clock.map(|clock| clock.now().as_micros())
    }
}

/// The event of a removed row. A corrupt row has none: no caller can know it by an invalid name.
fn removal(row: &Row) -> Option<StoreEvent> {
    let name = OperationName::from_stored(row.try_get(0).ok()?).ok()?;
    let state = decode_state(row.try_get(1).ok()?)?;
    Some(StoreEvent::removed(row.try_get(2).ok()?, name, state))
}
