//! The database that all processes share.

use std::time::Duration;

use lro_core::store::StoreError;
use lro_postgres::{PostgresStore, PostgresStoreBuilder};

use crate::millis;

/// Where it is.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Database {
    /// The database, as a URL: postgresql://user:password@host/database.
    #[arg(long)]
    database: String,
    /// The schema in it that all processes of one fleet share; made by the first of them.
    #[arg(long, default_value = "fleet")]
    schema: String,
    /// How often to look for changes of other processes when notifications do not arrive, in
    /// milliseconds.
    #[arg(long, value_parser = millis, default_value = "1000")]
    poll_interval: Duration,
    /// Do without notifications, as behind a pooler in transaction mode.
    #[arg(long)]
    no_notifications: bool,
}

impl Database {
    /// Connects, and makes the schema unless it is there.
    pub(crate) async fn open(&self) -> Result<PostgresStore, StoreError> {
        let store: PostgresStoreBuilder = PostgresStore::builder(&self.database);
        store
            .schema(&self.schema)
            .poll_interval(self.poll_interval)
            .notifications(!self.no_notifications)
            .open()
            .await
    }
}
