//! Steps on a table that others write to meanwhile, for hours if need be.

use std::future::Future;
use std::time::Duration;

use futures_util::future::join3;
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{ToSql, Type};
use uuid::Uuid;

use super::{Index, Migration, Step, first, no_limits, no_session_limits};
use crate::error::Fault;

/// How long writers may be held up by a step that needs the table for a moment, half of the time after
/// which their own statements give up; and how often it is tried, for those who hold the table longer
/// than that.
const TABLE_LOCK_TIMEOUT: Duration = Duration::from_secs(1);
const TABLE_LOCK_PAUSE: Duration = Duration::from_secs(1);
const TABLE_LOCK_TRIES: u32 = 45;

/// The query that shows that the server is alive. It takes no snapshot and releases that of the
/// statement before it: an index build waits for every transaction that holds one.
const QUESTION: &str = "SHOW server_version_num";

impl Migration<'_> {
    /// The step on a second connection, while the first one keeps the lock of migrations and shows
    /// that the server is there. A pool that has but one does all at once, and writers wait.
    pub(super) async fn apply_live(&self, keeper: &Client, step: &Step) -> Result<(), Fault> {
        if self.pool.status().max_size < 2 {
            keeper.batch_execute(&self.text(step.sql)).await?;
            if let Some(index) = &step.index {
                keeper.batch_execute(&self.create("", index)).await?;
            }
            return self.fill(keeper, step, true).await;
        }
        self.execute(keeper, QUESTION).await?;
        let connecting = async { Ok(self.pool.get().await?) };
        let client = self.in_time("a second connection", connecting).await?;
        let work = async {
            self.lock_and_execute(&client, &self.text(step.sql)).await?;
            if let Some(index) = &step.index {
                self.build(&client, index).await?;
            }
            self.fill(&client, step, false).await
        };
        let done = self.while_alive(keeper, work).await;
        if done.is_err() {
            drop(deadpool_postgres::Object::take(client));
        }
        done
    }

    /// Statements that need the table for themselves for a moment, in a transaction.
    async fn lock_and_execute(&self, client: &Client, sql: &str) -> Result<(), Fault> {
        let millis = TABLE_LOCK_TIMEOUT.as_millis();
        let limits = no_limits();
        let all = format!("BEGIN; {limits}; SET LOCAL lock_timeout = {millis}; {sql}; COMMIT");
        let mut tries = 1;
        loop {
            match client.batch_execute(&all).await {
                Err(error)
                    if error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE)
                        && tries < TABLE_LOCK_TRIES =>
                {
                    client.batch_execute("ROLLBACK").await?;
                    tries += 1;
                    tracing::info!(
                        schema = self.schema,
                        "a migration waits for the table of operations"
                    );
                    tokio::time::sleep(TABLE_LOCK_PAUSE).await;
                }
                result => return Ok(result?),
            }
        }
    }

    /// Builds an index without blocking other sessions, unless it exists. An index left by an
    /// aborted build exists but is unusable.
    async fn build(&self, client: &Client, index: &Index) -> Result<(), Fault> {
        let name = format!("{}.{}", self.quoted, index.name);
        let valid = "SELECT coalesce((SELECT i.indisvalid FROM pg_index AS i \
             WHERE i.indexrelid = to_regclass($1::text)), FALSE)";
        let rows = client.query_typed(valid, &[(&name, Type::TEXT)]).await?;
        if first(&rows)? {
            return Ok(());
        }
        let drop = format!("DROP INDEX CONCURRENTLY IF EXISTS {name}");
        without_limits(client, &drop).await?;
        without_limits(client, &self.create("CONCURRENTLY", index)).await
    }

    /// In the transaction that is under way, or each few rows in one of their own.
    pub(super) async fn fill(
        &self,
        client: &Client,
        step: &Step,
        in_transaction: bool,
    ) -> Result<(), Fault> {
        let Some(fill) = step.fill.map(|fill| self.text(fill)) else {
            return Ok(());
        };
        let (begin, commit) = if in_transaction {
            (String::new(), "")
        } else {
            (format!("BEGIN; {}", no_limits()), "COMMIT")
        };
        let mut last = Uuid::nil();
        loop {
            let params: [(&(dyn ToSql + Sync), Type); 1] = [(&last, Type::UUID)];
            let (begun, rows, committed) = join3(
                client.batch_execute(&begin),
                client.query_typed(&fill, &params),
                client.batch_execute(commit),
            )
            .await;
            begun?;
            let rows = rows?;
            committed?;
            if rows.is_empty() {
                return Ok(());
            }
            last = first(&rows)?;
        }
    }

    /// Waits for work that may take long, as long as the server answers on another connection.
    async fn while_alive<T>(
        &self,
        keeper: &Client,
        work: impl Future<Output = Result<T, Fault>>,
    ) -> Result<T, Fault> {
        let asking = async {
            loop {
                tokio::time::sleep(self.patience / 2).await;
                if let Err(fault) = self.execute(keeper, QUESTION).await {
                    return fault;
                }
            }
        };
        tokio::select! {
            done = work => done,
            fault = asking => Err(fault),
        }
    }
}

/// A statement that cannot be in a transaction, and takes longer than the limits of the role. The three
/// go out together, so that a pooler runs them on one connection.
async fn without_limits(client: &Client, sql: &str) -> Result<(), Fault> {
    let [lift, restore] = no_session_limits();
    let (lifted, done, restored) = join3(
        client.batch_execute(&lift),
        client.batch_execute(sql),
        client.batch_execute(&restore),
    )
    .await;
    lifted?;
    done?;
    Ok(restored?)
}
