//! The ends of children whose parents were locked, and cancellations of children that were.

use tokio_postgres::types::Type;

use super::Claims;
use crate::error::Fault;
use crate::group::family;
use crate::group::updates::queries;
use crate::group::work::Work;
use crate::sql::database::{Access, Query, Transaction, clock};
use crate::sql::statement;

/// The number of them that one claim applies.
const WAKES_MAX: i64 = 256;

impl Claims {
    /// Applies those whose operations are free now; the others stay. Removes those of operations that cannot be
    /// read.
    pub(super) async fn wake(&self) -> Result<(), Fault> {
        match self.wake_some(WAKES_MAX).await {
            Err(fault) if fault.is_lasting() => {}
            woken => return woken,
        }
        for _ in 0..WAKES_MAX {
            match self.wake_some(1).await {
                Err(fault) if fault.is_lasting() => {
                    tracing::error!(?fault, "a corrupt operation does not learn of its family");
                    self.remove_one().await?;
                }
                woken => woken?,
            }
        }
        Ok(())
    }

    async fn wake_some(&self, most: i64) -> Result<(), Fault> {
        let mut transaction = self.database.transaction(Access::WriteInOrder).await?;
        let (taken, mut work) = take(&mut transaction, most).await?;
        if taken.is_empty() {
            transaction.run_and_commit(&[]).await?;
            return Ok(());
        }
        let wakes = family::follow(&mut transaction, &mut work).await?;
        let written = work.columns();
        let mut steps = queries(&written);
        steps.extend(wakes.query());
        steps.push(remove(&taken));
        transaction.run_and_commit(&steps).await?;
        self.events.publish(&work.events);
        Ok(())
    }

    async fn remove_one(&self) -> Result<(), Fault> {
        let mut transaction = self.database.transaction(Access::WriteInOrder).await?;
        let (taken, _) = take(&mut transaction, 1).await?;
        let removed: &[Query<'_>] = &[remove(&taken)];
        let removed = if taken.is_empty() { &[] } else { removed };
        transaction.run_and_commit(removed).await?;
        Ok(())
    }
}

/// Locks the oldest ones. Gives their ids, and their updates as work to follow.
async fn take(transaction: &mut Transaction<'_>, most: i64) -> Result<(Vec<i64>, Work), Fault> {
    let take = Query {
        sql: statement::TAKE_WAKES,
        params: vec![(&most, Type::INT8)],
    };
    let mut rows = transaction.run(&[take, clock()]).await?;
    let mut work = Work::new(transaction.time(&rows.pop().unwrap_or_default())?);
    let mut taken: Vec<i64> = Vec::new();
    for row in rows.iter().flatten() {
        let id = row.try_get(0)?;
        taken.push(id);
        match family::decode(row.try_get(1)?) {
            Some(update) => work.follow_ups.push(update),
            None => tracing::error!(id, "skipping a wake: its row is corrupt"),
        }
    }
    Ok((taken, work))
}

fn remove(taken: &Vec<i64>) -> Query<'_> {
    Query {
        sql: statement::REMOVE_WAKES,
        params: vec![(taken, Type::INT8_ARRAY)],
    }
}
