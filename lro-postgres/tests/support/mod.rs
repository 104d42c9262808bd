//! A schema for each test, in the server that all of them share.

#![allow(dead_code, reason = "each test program uses a part")]

use lro_postgres::PostgresStoreBuilder;
use tokio_postgres::NoTls;
use uuid::Uuid;

/// The name of a schema that is not there, and goes when this is dropped.
#[derive(Debug)]
pub(crate) struct Schema {
    url: String,
    name: String,
}

impl Schema {
    /// `None`, which is said, where there is no PostgreSQL.
    pub(crate) fn new() -> Option<Self> {
        let cluster = test_programs::postgres::shared_or_skip()?;
        Some(Self {
            // Answers do not depend on how often the disk syncs.
            url: format!("{}&options=-c%20synchronous_commit%3Doff", cluster.url()),
            name: format!("test {}", Uuid::now_v7().simple()),
        })
    }

    /// As an operator's psql would.
    pub(crate) async fn outsider(&self) -> tokio_postgres::Client {
        let (client, connection) = tokio_postgres::connect(&self.url, NoTls)
            .await
            .expect("a connection");
        tokio::spawn(connection);
        let path = format!("SET search_path = \"{}\"", self.name);
        client.batch_execute(&path).await.expect("the search path");
        client
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// A store in it. With few connections: many tests share the server.
    pub(crate) fn store(&self) -> PostgresStoreBuilder {
        let store = lro_postgres::PostgresStore::builder(&self.url);
        store.schema(&self.name).pool_size(4)
    }
}

impl Drop for Schema {
    fn drop(&mut self) {
        let (url, name) = (self.url.clone(), self.name.clone());
        // A runtime of its own: this may be dropped within another one.
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(async {
                // A server that a test has stopped takes the schema along.
                let Ok((client, connection)) = tokio_postgres::connect(&url, NoTls).await else {
                    return;
                };
                let connection = tokio::spawn(connection);
                let drop = format!("DROP SCHEMA IF EXISTS \"{name}\" CASCADE");
                let _ = client.batch_execute(&drop).await;
                connection.abort();
            });
        });
        let _ = dropping.join();
    }
}
