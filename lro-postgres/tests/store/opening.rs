use std::time::Duration;

use lro_core::store::{OperationStore, StoreErrorKind};
use lro_postgres::{PostgresStore, PostgresStoreBuilder};
use tokio::task::JoinSet;

use crate::fixture::*;
use crate::link::Link;
use crate::support::Schema;

#[track_caller]
fn check(
    error: Result<PostgresStore, lro_core::store::StoreError>,
    kind: StoreErrorKind,
    words: &str,
) {
    let error = error.unwrap_err();
    assert_eq!(error.kind(), kind, "{error:?}");
    assert!(format!("{error:?}").contains(words), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_nodes_migrate_at_once() {
    let Some(schema) = Schema::new() else { return };
    let mut tasks = JoinSet::new();
    for _ in 0..8 {
        let store = schema.store().notifications(false).open();
        tasks.spawn(async move { store.await.unwrap() });
    }
    let stores = tasks.join_all().await;
    let record = start(&stores[0], "operations/1").await;
    for store in &stores {
        assert_eq!(get(store, "operations/1").await.as_ref(), Some(&record));
    }
    let outsider = schema.outsider().await;
    let versions = outsider.query("SELECT version FROM operation_schema", &[]);
    assert_eq!(versions.await.unwrap().len(), 1);
}

/// report:W2
#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_ask_at_once_agree_on_one_page_token_key() {
    let Some(schema) = Schema::new() else { return };
    let mut opening = JoinSet::new();
    for _ in 0..4 {
        let store = schema.store().notifications(false).open();
        opening.spawn(async move { store.await.unwrap() });
    }
    let stores = opening.join_all().await;
    let ask = async || {
        let mut asking = JoinSet::new();
        for store in &stores {
            let store = store.clone();
            asking.spawn(async move { store.page_token_key().await.unwrap() });
        }
        let mut keys = asking.join_all().await;
        keys.dedup();
        assert_eq!(keys.len(), 1, "{keys:?}");
        keys[0]
    };
    let created = ask().await;
    // An operator changes the key by deleting it.
    let outsider = schema.outsider().await;
    let deleted = outsider.execute("DELETE FROM operation_secret", &[]).await;
    assert_eq!(deleted.unwrap(), 1);
    let changed = ask().await;
    assert_ne!(changed, created);
    assert_eq!(ask().await, changed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_schema_is_refused_and_left_as_it_is() {
    let Some(schema) = Schema::new() else { return };
    let open = || schema.store().notifications(false).open();
    drop(open().await.unwrap());
    let outsider = schema.outsider().await;
    let newer = "UPDATE operation_schema SET version = 77";
    outsider.execute(newer, &[]).await.unwrap();
    check(open().await, StoreErrorKind::Unusable, "has version 77");
    let version = outsider.query_one("SELECT version FROM operation_schema", &[]);
    assert_eq!(version.await.unwrap().get::<_, i64>(0), 77);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_of_another_program_is_left_alone() {
    let Some(schema) = Schema::new() else { return };
    let outsider = schema.outsider().await;
    let make = format!(
        "CREATE SCHEMA \"{0}\"; CREATE TABLE operation (x int)",
        schema.name()
    );
    outsider.batch_execute(&make).await.unwrap();
    let opened = schema.store().notifications(false).open().await;
    check(opened, StoreErrorKind::Unusable, "already exists");
    let columns = outsider.query("SELECT x FROM operation", &[]).await;
    assert!(columns.unwrap().is_empty(), "it is as it was");
}

#[tokio::test(flavor = "multi_thread")]
async fn failed_connections_name_the_reason() {
    let Some(schema) = Schema::new() else { return };
    use StoreErrorKind::*;
    let url = schema.url();
    let open = |url: &str| PostgresStore::connect(url.to_owned());
    check(open("no url").await, Unusable, "cannot be read");
    let unknown = url.replace("postgres:", "stranger:");
    check(open(&unknown).await, Unusable, "stranger");
    let missing = url.replace("/postgres?", "/missing?");
    check(open(&missing).await, Unusable, "missing");
    let port = url.split('@').nth(1).unwrap().split('/').next().unwrap();
    let closed = url.replace(port, "127.0.0.1:1");
    check(open(&closed).await, Unavailable, "PostgreSQL");
    let long = "x".repeat(60);
    let opened = PostgresStore::builder(url).schema(long).open().await;
    check(opened, Unusable, "59 bytes");
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_is_not_given_up_silently() {
    let Some(schema) = Schema::new() else { return };
    let url = schema.url().replace("sslmode=disable", "sslmode=require");
    // The server of the tests has no certificate.
    let opened = PostgresStore::connect(url).await;
    check(opened, StoreErrorKind::Unavailable, "TLS");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_that_is_there_is_used() {
    let Some(schema) = Schema::new() else { return };
    let config: tokio_postgres::Config = schema.url().parse().unwrap();
    let manager = deadpool_postgres::Manager::new(config, tokio_postgres::NoTls);
    let pool = lro_postgres::Pool::builder(manager)
        .max_size(3)
        .build()
        .unwrap();
    let polling: PostgresStoreBuilder = PostgresStore::builder_with_pool(pool.clone());
    let polling = polling.schema(schema.name()).open().await.unwrap();
    let listening = PostgresStore::builder_with_pool(pool.clone()).notifications_url(schema.url());
    let listening = listening.schema(schema.name()).open().await.unwrap();
    let record = start(&polling, "operations/1").await;
    assert_eq!(get(&listening, "operations/1").await, Some(record));
    while !listening.is_listening() {
        tokio::task::yield_now().await;
    }
    assert!(!polling.is_listening());
    assert!(pool.status().size <= 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_work_without_being_prepared() {
    let Some(schema) = Schema::new() else { return };
    let store = schema
        .store()
        .prepared_statements(false)
        .open()
        .await
        .unwrap();
    start(&store, "operations/1").await;
    let held = claim(&store, 1, 1).await.operations.remove(0);
    update(&store, &held, succeed(1)).await.unwrap();
    assert!(get(&store, "operations/1").await.unwrap().state.is_done());
    assert_eq!(store.purge(9).await.unwrap(), 0);
    let outsider = schema.outsider().await;
    let prepared = outsider.query("SELECT name FROM pg_prepared_statements", &[]);
    assert!(prepared.await.unwrap().len() <= 1, "its own");
}

/// Connections are taken, and nothing is ever said on them.
async fn silent_server() -> (String, tokio::task::AbortHandle) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let serving = tokio::spawn(async move {
        let mut taken = Vec::new();
        while let Ok((connection, _)) = listener.accept().await {
            taken.push(connection);
        }
    });
    let url = format!("postgresql://app@127.0.0.1:{port}/app");
    (url, serving.abort_handle())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_says_nothing_is_given_up() {
    let (url, serving) = silent_server().await;
    let short = Duration::from_millis(200);
    let own = PostgresStore::builder(&url).connect_timeout(short);
    let said = "asked for a connection and did not answer";
    check(own.open().await, StoreErrorKind::Unavailable, said);
    let patient = PostgresStore::builder(&url).open_timeout(short);
    check(patient.open().await, StoreErrorKind::Unavailable, said);
    // A pool without a timeout of its own.
    let pool = |url: &str| {
        let manager = deadpool_postgres::Manager::new(url.parse().unwrap(), tokio_postgres::NoTls);
        lro_postgres::Pool::builder(manager).max_size(2).build()
    };
    let given = PostgresStore::builder_with_pool(pool(&url).unwrap()).open_timeout(short);
    check(given.open().await, StoreErrorKind::Unavailable, said);
    serving.abort();
    // Connections that the pool has opened before are not used: another runtime drives them.
    let Some(schema) = Schema::new() else { return };
    let link = Link::to(schema.url()).await;
    let pool = pool(&link.url).unwrap();
    drop(pool.get().await.unwrap());
    link.silence();
    let given = PostgresStore::builder_with_pool(pool.clone()).schema(schema.name());
    let given = given.open_timeout(short).notifications(false);
    drop(given.clone().open().await.unwrap());
    // A server that takes too long for an answer.
    let outsider = schema.outsider().await;
    let lock = "BEGIN; LOCK TABLE operation_schema";
    outsider.batch_execute(lock).await.unwrap();
    let said = "asked for the version of the schema and did not answer within 200ms";
    check(given.open().await, StoreErrorKind::Unavailable, said);
    assert_eq!(pool.status().size, 0, "that connection is not used again");
}
