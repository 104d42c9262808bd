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

/// A transaction that has failed, and the wakes that it had taken.
struct Failed {
    fault: Fault,
    taken: Vec<i64>,
}

impl From<Fault> for Failed {
    fn from(fault: Fault) -> Self {
        Self {
            fault,
            taken: Vec::new(),
        }
    }
}

impl Claims {
    /// Applies those whose operations are free now; the others stay. Removes those of operations that cannot be
    /// read. A failure does not fail the claim, which may have taken operations: a later one tries again.
    pub(super) async fn wake(&self) {
        if let Err(fault) = self.wake_all().await {
            tracing::warn!(
                ?fault,
                "cannot apply the ends of children to their parents; trying again"
            );
        }
    }

    async fn wake_all(&self) -> Result<(), Fault> {
        if self.wake_some(WAKES_MAX).await.is_ok() {
            return Ok(());
        }
        for _ in 0..WAKES_MAX {
            match self.wake_some(1).await {
                Ok(0) => break,
                Ok(_) => {}
                Err(Failed { fault, taken }) => {
                    let step = match () {
                        () if fault.is_lasting() => remove(&taken),
                        // The page may be repaired. Until then, others are not held up.
                        () if fault.may_be_damage() => move_to_end(&taken),
                        () => return Err(fault),
                    };
                    tracing::error!(?fault, "a corrupt operation does not learn of its family");
                    let transaction = self.database.transaction(Access::WriteInOrder).await?;
                    transaction.run_and_commit(&[step]).await?;
                }
            }
        }
        Ok(())
    }

    /// Returns how many it has taken.
    async fn wake_some(&self, most: i64) -> Result<usize, Failed> {
        let mut transaction = self.database.transaction(Access::WriteInOrder).await?;
        let (taken, mut work) = take(&mut transaction, most).await?;
        if taken.is_empty() {
            transaction.run_and_commit(&[]).await?;
            return Ok(0);
        }
        let count = taken.len();
        let applied = async {
            let wakes = family::follow(&mut transaction, &mut work).await?;
            let written = work.columns();
            let mut steps = queries(&written);
            steps.extend(wakes.query());
            steps.push(remove(&taken));
            transaction.run_and_commit(&steps).await
        };
        if let Err(fault) = applied.await {
            return Err(Failed { fault, taken });
        }
        self.events.publish(&work.events);
        Ok(count)
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

fn move_to_end(taken: &Vec<i64>) -> Query<'_> {
    Query {
        sql: statement::MOVE_WAKES,
        params: vec![(taken, Type::INT8_ARRAY)],
    }
}
