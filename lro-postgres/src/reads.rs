//! Gets, of which those that wait at one moment share a round trip, and lists.

use std::collections::HashMap;
use std::sync::Arc;

use lro_core::{ListQuery, OperationName, OperationRecord, Page, PageBuilder, ParentName};
use tokio_postgres::types::{ToSql, Type};
use uuid::Uuid;

use crate::call::Serve;
use crate::database::{Access, Database, Query};
use crate::error::Fault;
use crate::row::decode;
use crate::statement;

/// Serves gets.
#[derive(Debug)]
pub(crate) struct Gets {
    pub(crate) database: Arc<Database>,
}

impl Serve<OperationName, Option<OperationRecord>> for Gets {
    async fn serve(
        &self,
        names: Vec<OperationName>,
    ) -> Result<Vec<Option<OperationRecord>>, Fault> {
        let mut attempts = self.database.attempts();
        loop {
            let result = self.database.in_time(self.get_once(&names)).await;
            if !attempts.again(&result).await {
                return result;
            }
        }
    }
}

impl Gets {
    async fn get_once(
        &self,
        names: &[OperationName],
    ) -> Result<Vec<Option<OperationRecord>>, Fault> {
        let mut texts: Vec<&str> = names.iter().map(OperationName::as_str).collect();
        texts.sort_unstable();
        texts.dedup();
        let query = Query {
            sql: statement::GET,
            params: vec![(&texts, Type::TEXT_ARRAY)],
        };
        let rows = self.database.run(Access::Read, &[query]).await?;
        let mut found = HashMap::new();
        for row in &rows[0] {
            let record = decode(row)?;
            if record.is_visible() {
                found.insert(record.name.clone(), record);
            }
        }
        Ok(names.iter().map(|name| found.get(name).cloned()).collect())
    }
}

/// A page, read in one moment.
pub(crate) async fn list(database: &Database, query: &ListQuery) -> Result<Page, Fault> {
    let mut attempts = database.attempts();
    loop {
        let result = database.in_time(list_once(database, query)).await;
        if !attempts.again(&result).await {
            return result;
        }
    }
}

async fn list_once(database: &Database, query: &ListQuery) -> Result<Page, Fault> {
    let parent = query.parent.exact();
    let parent = parent.as_ref().map(ParentName::as_str);
    let mut page = PageBuilder::new(query);
    let mut transaction = database.transaction(Access::ReadInOrder).await?;
    while let Some(limit) = page.wanted() {
        let after = page.after();
        let time = after.map_or(i64::MAX, |after| after.create_time.as_micros());
        let uid = after.map_or(Uuid::max(), |after| after.uid);
        let most = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut params: Vec<(&(dyn ToSql + Sync), Type)> =
            vec![(&time, Type::INT8), (&uid, Type::UUID), (&most, Type::INT8)];
        let sql = match &parent {
            Some(parent) => {
                params.push((parent, Type::TEXT));
                statement::LIST
            }
            None => statement::LIST_ALL,
        };
        let rows = transaction.run(&[Query { sql, params }]).await?;
        let records = rows[0].iter().map(decode);
        page.take(limit, records.collect::<Result<_, _>>()?);
    }
    transaction.run_and_commit(&[]).await?;
    Ok(page.build())
}
