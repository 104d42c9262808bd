//! Which version of the schema is there, and how it gets to the newest.

use deadpool_postgres::Pool;
use lro_core::{StoreError, StoreErrorKind};
use tokio_postgres::Client;
use tokio_postgres::types::Type;

use crate::error::Fault;
use crate::text::quote;

/// Step n takes the schema from version n to version n + 1. None is ever edited.
const MIGRATIONS: [&str; 1] = [include_str!("migrations/1_operation.sql")];

/// The longest name of a schema, in bytes: with the prefix of its channel it is still an identifier.
pub(crate) const SCHEMA_MAX: usize = 59;

/// One migration at a time in a database, whichever schema it is for.
const LOCK: i64 = 0x6c72_6f5f_6d69_6772;

pub(crate) fn check_name(schema: &str) -> Result<(), StoreError> {
    if schema.is_empty() || schema.len() > SCHEMA_MAX || schema.contains(char::is_control) {
        let message = format!("`{schema}` cannot be a schema: give 1 to {SCHEMA_MAX} bytes");
        return Err(StoreError::new(StoreErrorKind::Unusable, message));
    }
    Ok(())
}

/// Brings the schema to the newest version. Many nodes may do so at once: one of them does it.
pub(crate) async fn migrate(pool: &Pool, schema: &str) -> Result<(), StoreError> {
    let client = pool
        .get()
        .await
        .map_err(|error| Fault::from(error).to_error())?;
    check_encoding(&client).await?;
    loop {
        // Without the lock: as a rule there is nothing to do.
        let version = version(&client, schema).await.map_err(to_error)?;
        let Some(known) = check_version(version, schema)? else {
            return Ok(());
        };
        let step = step(&client, schema, known).await;
        if let Err(fault) = step {
            // What counts is the first failure; a connection that is gone has rolled back as well.
            let _ = client.batch_execute("ROLLBACK").await;
            return Err(to_error(fault));
        }
    }
}

/// One step in one transaction, unless another node was faster.
async fn step(client: &Client, schema: &str, version_seen: usize) -> Result<(), Fault> {
    client
        .batch_execute("BEGIN ISOLATION LEVEL READ COMMITTED")
        .await?;
    let lock = "SELECT pg_advisory_xact_lock($1::bigint)";
    client.query_typed(lock, &[(&LOCK, Type::INT8)]).await?;
    let quoted = quote(schema);
    if !exists(client, schema).await? {
        client
            .batch_execute(&format!("CREATE SCHEMA {quoted}"))
            .await?;
    }
    let path = format!("SET LOCAL search_path = {quoted}");
    client.batch_execute(&path).await?;
    if version(client, schema).await? == i64::try_from(version_seen).ok()
        || version_seen == 0 && version(client, schema).await?.is_none()
    {
        let next = version_seen + 1;
        client.batch_execute(MIGRATIONS[version_seen]).await?;
        client
            .batch_execute(&format!(
                "CREATE TABLE IF NOT EXISTS operation_schema (version bigint NOT NULL); \
                 DELETE FROM operation_schema; INSERT INTO operation_schema VALUES ({next})"
            ))
            .await?;
        tracing::info!(
            schema,
            version = next,
            "the schema of operations was migrated"
        );
    }
    client.batch_execute("COMMIT").await?;
    Ok(())
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

async fn version(client: &Client, schema: &str) -> Result<Option<i64>, Fault> {
    let table = format!("{}.operation_schema", quote(schema));
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

async fn check_encoding(client: &Client) -> Result<(), StoreError> {
    let encoding = client.query_typed("SHOW server_encoding", &[]).await;
    let encoding: String = encoding
        .map_err(Fault::from)
        .and_then(|rows| first(&rows))
        .map_err(to_error)?;
    match encoding.as_str() {
        "UTF8" => Ok(()),
        other => Err(StoreError::new(
            StoreErrorKind::Unusable,
            format!("the database has the encoding {other}: operations need one with UTF8"),
        )),
    }
}

fn first<T: for<'a> tokio_postgres::types::FromSql<'a>>(
    rows: &[tokio_postgres::Row],
) -> Result<T, Fault> {
    let row = rows.first().ok_or_else(|| Fault::row("a row is missing"))?;
    Ok(row.try_get(0)?)
}

#[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` gives")]
fn to_error(fault: Fault) -> StoreError {
    fault.to_error()
}
