//! The cost of a run on the server.

use std::time::Duration;

use tokio_postgres::Client;

use super::raw::connect;

/// Reads the counters of one database. Nothing else may run on its server meanwhile.
pub(crate) struct Meter {
    client: Client,
}

/// Counters, or their growth.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Reading {
    pub(crate) transactions: i64,
    pub(crate) wal_bytes: i64,
}

impl Meter {
    pub(crate) async fn connect(url: &str) -> anyhow::Result<Self> {
        Ok(Self {
            client: connect(url).await?,
        })
    }

    pub(crate) async fn read(&self) -> anyhow::Result<Reading> {
        let row = self
            .client
            .query_one(
                "SELECT xact_commit + xact_rollback, \
                 pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint \
                 FROM pg_stat_database WHERE datname = current_database()",
                &[],
            )
            .await?;
        Ok(Reading {
            transactions: row.try_get(0)?,
            wal_bytes: row.try_get(1)?,
        })
    }

    /// Reads them when all other sessions have closed: a backend reports its last transactions when
    /// it exits.
    pub(crate) async fn read_after(&self) -> anyhow::Result<Reading> {
        self.others_have_left().await?;
        self.read().await
    }

    /// All transactions of a database, once no session uses it any more.
    pub(crate) async fn transactions_of(&self, database: &str) -> anyhow::Result<i64> {
        self.others_have_left().await?;
        let sql = "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = $1";
        Ok(self.client.query_one(sql, &[&database]).await?.try_get(0)?)
    }

    async fn others_have_left(&self) -> anyhow::Result<()> {
        let others = "SELECT count(*) FROM pg_stat_activity \
                      WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()";
        loop {
            let row = self.client.query_one(others, &[]).await?;
            if row.try_get::<_, i64>(0)? == 0 {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// The average size of a row, as it is stored.
    pub(crate) async fn row_bytes(&self, schema: &str) -> anyhow::Result<i64> {
        let sql = format!(
            "SELECT coalesce(avg(pg_column_size(o.*)), 0)::bigint FROM {schema}.operation o"
        );
        Ok(self.client.query_one(&sql, &[]).await?.try_get(0)?)
    }

    /// Statements, one after the other.
    pub(crate) async fn run(&self, sql: &str) -> anyhow::Result<()> {
        Ok(self.client.batch_execute(sql).await?)
    }
}

impl Reading {
    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            transactions: self.transactions - before.transactions,
            wal_bytes: self.wal_bytes - before.wal_bytes,
        }
    }
}
