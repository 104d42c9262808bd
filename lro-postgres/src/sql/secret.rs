//! Secrets that are created once and kept in the database.

use lro_core::store::StoreError;
use lro_core::store::kit::new_page_token_key;
use tokio_postgres::types::Type;

use crate::error::Fault;
use crate::sql::database::{Access, Database, Query};
use crate::sql::statement;

/// The key of page tokens. The migration has created it; if an operator has deleted it, the first
/// node that asks creates another, and all nodes agree on that.
pub(crate) async fn page_token_key(database: &Database) -> Result<[u8; 32], StoreError> {
    let fault = |fault: Fault| fault.to_error();
    if let Some(key) = read(database).await.map_err(fault)? {
        return Ok(key);
    }
    let key = new_page_token_key()?;
    create(database, &key).await.map_err(fault)?;
    // Another node may have been faster.
    let found = read(database).await.map_err(fault)?;
    found.ok_or_else(|| Fault::row("the page token key is missing").to_error())
}

async fn read(database: &Database) -> Result<Option<[u8; 32]>, Fault> {
    let rows = run(database, Access::Read, || Query {
        sql: statement::PAGE_TOKEN_KEY,
        params: Vec::new(),
    });
    let rows = rows.await?;
    let Some(row) = rows.first() else {
        return Ok(None);
    };
    let key = row.try_get::<_, &[u8]>(0)?.try_into();
    let message = "invalid value in operation_secret: `page_token_key` must have 32 bytes";
    Ok(Some(key.map_err(|_| Fault::row(message))?))
}

async fn create(database: &Database, key: &[u8; 32]) -> Result<(), Fault> {
    let key = &key[..];
    run(database, Access::Write, || Query {
        sql: statement::CREATE_PAGE_TOKEN_KEY,
        params: vec![(&key, Type::BYTEA)],
    })
    .await?;
    Ok(())
}

async fn run<'q>(
    database: &Database,
    access: Access,
    query: impl Fn() -> Query<'q>,
) -> Result<Vec<tokio_postgres::Row>, Fault> {
    let mut attempts = database.attempts();
    loop {
        let query = [query()];
        let result = database.in_time(database.run(access, &query)).await;
        if !attempts.again(&result).await {
            return Ok(result?.swap_remove(0));
        }
    }
}
