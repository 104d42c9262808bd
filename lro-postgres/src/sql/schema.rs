//! Which version of the schema is there, and how it gets to the newest.

mod live;

use std::future::Future;
use std::time::Duration;

use deadpool_postgres::{Object, Pool};
use lro_core::store::{StoreError, StoreErrorKind};
use tokio_postgres::Client;
use tokio_postgres::types::Type;

use crate::error::Fault;
use crate::sql::text::quote;

/// Step n takes the schema from version n to version n + 1. None is ever edited.
const MIGRATIONS: [Step; 8] = [
    Step {
        sql: include_str!("schema/1_operation.sql"),
        alters: false,
        index: None,
        fill: None,
    },
    Step {
        sql: include_str!("schema/2_lists.sql"),
        alters: true,
        // For lists of a state or a method. One for both, and for done operations as for others: whatever
        // an UPDATE of an indexed column changes, it makes an entry in each index.
        index: Some(Index {
            name: "operation_by_state",
            // An expression, so that no other index is in this order.
            columns: "operation (parent, method, state, (create_time + 0), uid)",
        }),
        fill: Some(include_str!("schema/2_lists_fill.sql")),
    },
    Step {
        sql: include_str!("schema/3_secret.sql"),
        alters: false,
        index: None,
        fill: None,
    },
    Step {
        sql: include_str!("schema/4_losses.sql"),
        alters: true,
        index: Some(Index {
            name: "operation_suspect",
            columns: "operation (suspect_time, uid) WHERE suspect_time IS NOT NULL",
        }),
        fill: None,
    },
    Step {
        sql: include_str!("schema/5_history.sql"),
        alters: true,
        index: None,
        fill: None,
    },
    Step {
        sql: include_str!("schema/6_steps.sql"),
        alters: true,
        index: None,
        fill: None,
    },
    Step {
        sql: include_str!("schema/7_children.sql"),
        alters: true,
        index: None,
        fill: None,
    },
    Step {
        sql: include_str!("schema/8_families.sql"),
        alters: false,
        // For lists of children. An operation without a parent has no entry in it.
        index: Some(Index {
            name: "operation_by_parent_operation",
            // An expression, so that no other index is in this order.
            columns: "operation (parent_operation, parent, (create_time + 0), uid) \
                      WHERE parent_operation IS NOT NULL",
        }),
        fill: None,
    },
];

/// `{schema}` in its texts stands for the schema. Every step is idempotent.
struct Step {
    sql: &'static str,
    /// Whether its statements need the table of operations for themselves for a moment.
    alters: bool,
    /// Built while operations are written, where there are some.
    index: Option<Index>,
    /// Brings the next rows behind the uid `$1` up to date, and answers with the last of them.
    fill: Option<&'static str>,
}

struct Index {
    name: &'static str,
    columns: &'static str,
}

/// The first release that has all settings and statements that are used.
const RELEASE_MIN: i32 = 13;

/// The longest name of a schema, in bytes: with the prefix of its channel it is still an identifier.
pub(crate) const SCHEMA_MAX: usize = 59;

/// One migration at a time in a database, whichever schema it is for.
const LOCK: i64 = 0x6c72_6f5f_6d69_6772;

/// How long to pause before the lock is tried again. Waiting for it would hold a snapshot, and who
/// builds an index waits for those.
const LOCK_PAUSE: Duration = Duration::from_millis(50);

/// Sets the limits that a role or a database may bring along, as far as this version of PostgreSQL has
/// them, to `{value}`.
const LIMITS: &str = "SELECT set_config(name, {value}, {local}) FROM pg_settings WHERE name IN \
     ('statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout', \
     'transaction_timeout', 'idle_session_timeout')";

/// Lifts the limits for the transaction: a migration of a large table takes longer than any of them,
/// and has its own.
fn no_limits() -> String {
    LIMITS.replace("{value}", "'0'").replace("{local}", "true")
}

/// Lifts them for the session, and puts them back: a pooler may give it to others.
fn no_session_limits() -> [String; 2] {
    ["'0'", "reset_val"].map(|value| LIMITS.replace("{value}", value).replace("{local}", "false"))
}

pub(crate) fn check_name(schema: &str) -> Result<(), StoreError> {
    if schema.is_empty() || schema.len() > SCHEMA_MAX || schema.contains(char::is_control) {
        let message = format!("`{schema}` cannot be a schema: give 1 to {SCHEMA_MAX} bytes");
        return Err(StoreError::new(StoreErrorKind::Unusable, message));
    }
    Ok(())
}

/// Brings the schema to the newest version. Many nodes may do so at once: one of them does it.
///
/// Each query waits `patience` for an answer. A step that takes longer, as in a large table,
/// continues as long as the server answers other queries.
pub(crate) async fn migrate(
    pool: &Pool,
    schema: &str,
    patience: Duration,
) -> Result<(), StoreError> {
    let migration = Migration {
        pool,
        schema,
        quoted: quote(schema),
        patience,
    };
    let connecting = async { Ok(pool.get().await?) };
    let client = migration.in_time("a connection", connecting).await;
    let client = client.map_err(to_error)?;
    let result = migration.run(&client).await;
    if result.is_err() {
        // It may be silent, or within a transaction: that ends with it.
        drop(Object::take(client));
    }
    result
}

struct Migration<'a> {
    pool: &'a Pool,
    schema: &'a str,
    quoted: String,
    patience: Duration,
}

impl Migration<'_> {
    async fn run(&self, client: &Client) -> Result<(), StoreError> {
        let encoding = self.in_time("its encoding", encoding(client)).await;
        check_encoding(&encoding.map_err(to_error)?)?;
        let release = self.in_time("its version", release(client)).await;
        check_release(release.map_err(to_error)?)?;
        loop {
            // Without the lock: as a rule there is nothing to do.
            let version = self.version(client).await.map_err(to_error)?;
            let Some(seen) = check_version(version, self.schema)? else {
                return Ok(());
            };
            self.step(client, seen).await.map_err(to_error)?;
        }
    }

    /// One step under the lock, unless another node was faster.
    async fn step(&self, client: &Client, seen: usize) -> Result<(), Fault> {
        let is_live = self.is_live(client, &MIGRATIONS[seen]).await?;
        loop {
            let begin = format!("BEGIN ISOLATION LEVEL READ COMMITTED; {}", no_limits());
            self.execute(client, &begin).await?;
            let lock = "SELECT pg_try_advisory_xact_lock($1::bigint)";
            let locking = async { first(&client.query_typed(lock, &[(&LOCK, Type::INT8)]).await?) };
            if self.in_time("the lock of migrations", locking).await? {
                break;
            }
            self.execute(client, "ROLLBACK").await?;
            tokio::time::sleep(LOCK_PAUSE).await;
        }
        let exists = self.in_time("the schema", exists(client, self.schema));
        let quoted = &self.quoted;
        if !exists.await? {
            self.execute(client, &format!("CREATE SCHEMA {quoted}"))
                .await?;
        }
        let path = format!("SET LOCAL search_path = {quoted}");
        self.execute(client, &path).await?;
        let version = self.version(client).await?.unwrap_or(0);
        if usize::try_from(version) == Ok(seen) {
            let next = seen + 1;
            self.apply(client, &MIGRATIONS[seen], is_live).await?;
            self.execute(
                client,
                &format!(
                    "CREATE TABLE IF NOT EXISTS operation_schema (version bigint NOT NULL); \
                     DELETE FROM operation_schema; INSERT INTO operation_schema VALUES ({next})"
                ),
            )
            .await?;
            tracing::info!(
                schema = self.schema,
                version = next,
                "the schema of operations was migrated"
            );
        }
        self.execute(client, "COMMIT").await
    }

    /// In the transaction that holds the lock, unless others write to the table meanwhile.
    async fn apply(&self, client: &Client, step: &Step, is_live: bool) -> Result<(), Fault> {
        if is_live {
            return self.apply_live(client, step).await;
        }
        self.execute(client, &self.text(step.sql)).await?;
        if let Some(index) = &step.index {
            self.execute(client, &self.create("", index)).await?;
        }
        self.in_time("a step of a migration", self.fill(client, step, true))
            .await
    }

    /// Whether there are operations already, and a step that would take its time with them, or wait for
    /// those who use them. Asked
    /// before the transaction, which is to hold no lock on the table.
    async fn is_live(&self, client: &Client, step: &Step) -> Result<bool, Fault> {
        if !step.alters && step.index.is_none() && step.fill.is_none() {
            return Ok(false);
        }
        let has_rows = self.text("SELECT EXISTS (SELECT FROM {schema}.operation)");
        let asking = async { first(&client.query_typed(&has_rows, &[]).await?) };
        self.in_time("whether there are operations", asking).await
    }

    /// The statement that makes an index.
    fn create(&self, how: &str, index: &Index) -> String {
        let (name, columns) = (index.name, index.columns);
        format!("CREATE INDEX {how} {name} ON {}.{columns}", self.quoted)
    }

    fn text(&self, sql: &str) -> String {
        sql.replace("{schema}", &self.quoted)
    }

    /// Statements that need not wait for anybody.
    async fn execute(&self, client: &Client, sql: &str) -> Result<(), Fault> {
        let run = async { Ok(client.batch_execute(sql).await?) };
        self.in_time("a step of a migration", run).await
    }

    async fn version(&self, client: &Client) -> Result<Option<i64>, Fault> {
        let version = version(client, &self.quoted);
        self.in_time("the version of the schema", version).await
    }

    async fn in_time<T>(
        &self,
        what: &'static str,
        answer: impl Future<Output = Result<T, Fault>>,
    ) -> Result<T, Fault> {
        let answer = tokio::time::timeout(self.patience, answer).await;
        answer.unwrap_or(Err(Fault::Silence(what, self.patience)))
    }
}

/// The number of steps that were done, unless it is all of them.
fn check_version(version: Option<i64>, schema: &str) -> Result<Option<usize>, StoreError> {
    let version = version.unwrap_or(0);
    let known = MIGRATIONS.len();
    match usize::try_from(version) {
        Ok(version) if version < known => Ok(Some(version)),
        Ok(version) if version == known => Ok(None),
        _ => Err(StoreError::new(
            StoreErrorKind::Unusable,
            format!(
                "schema `{schema}` has version {version}, and this program knows versions up to \
                 {known}: it was made by a newer one; use that, or another schema"
            ),
        )),
    }
}

async fn version(client: &Client, quoted: &str) -> Result<Option<i64>, Fault> {
    let table = format!("{quoted}.operation_schema");
    let exists = "SELECT to_regclass($1::text) IS NOT NULL";
    let rows = client.query_typed(exists, &[(&table, Type::TEXT)]).await?;
    if !first::<bool>(&rows)? {
        return Ok(None);
    }
    let rows = client
        .query_typed(&format!("SELECT version FROM {table}"), &[])
        .await?;
    first(&rows).map(Some)
}

async fn exists(client: &Client, schema: &str) -> Result<bool, Fault> {
    let exists = "SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1::text)";
    let rows = client.query_typed(exists, &[(&schema, Type::TEXT)]).await?;
    first(&rows)
}

async fn encoding(client: &Client) -> Result<String, Fault> {
    first(&client.query_typed("SHOW server_encoding", &[]).await?)
}

fn check_encoding(encoding: &str) -> Result<(), StoreError> {
    match encoding {
        "UTF8" => Ok(()),
        other => Err(StoreError::new(
            StoreErrorKind::Unusable,
            format!("the database has the encoding {other}: operations need one with UTF8"),
        )),
    }
}

async fn release(client: &Client) -> Result<i32, Fault> {
    let release = "SELECT current_setting('server_version_num')::integer";
    first(&client.query_typed(release, &[]).await?)
}

fn check_release(release: i32) -> Result<(), StoreError> {
    if release < RELEASE_MIN * 10_000 {
        let message = format!(
            "the server is PostgreSQL {}: operations need {RELEASE_MIN} or later",
            release / 10_000
        );
        return Err(StoreError::new(StoreErrorKind::Unusable, message));
    }
    Ok(())
}

fn first<T: for<'a> tokio_postgres::types::FromSql<'a>>(
    rows: &[tokio_postgres::Row],
) -> Result<T, Fault> {
    let row = rows.first().ok_or_else(|| Fault::row("a row is missing"))?;
    Ok(row.try_get(0)?)
}

#[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` gives")]
fn to_error(fault: Fault) -> StoreError {
    fault.to_opening_error()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_that_is_too_old_is_refused_in_words() {
        assert!(check_release(130_000).is_ok() && check_release(180_001).is_ok());
        let error = check_release(120_022).unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Unusable);
        let message = "the server is PostgreSQL 12: operations need 13 or later";
        assert_eq!(error.to_string(), message);
    }
}
