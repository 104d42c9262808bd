use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use lro_core::ParentName;
use lro_core::filter::{Filter, Schema as FilterSchema};
use lro_core::store::{Command, ListQuery, OperationStore};
use lro_postgres::{PostgresStore, PostgresStoreBuilder};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_postgres::Client;

use crate::fixture::*;
use crate::support::Schema;

/// The schema as the first version left it.
pub(crate) const FIRST_VERSION: &str = "DROP INDEX operation_by_state, operation_suspect, operation_by_parent_operation; \
     DROP TRIGGER label_add ON operation; \
     DROP TRIGGER label_remove ON operation; DROP FUNCTION label_add, label_remove, label_entries, \
     label_text; DROP TABLE label, operation_secret; UPDATE operation_schema SET version = 1";

async fn start_labelled(store: &PostgresStore, n: usize) {
    let mut new = new(&format!("operations/{n}"));
    new.labels.insert("n".to_owned(), n.to_string());
    store.start(vec![new]).await.unwrap().remove(0).unwrap();
}

async fn found(store: &PostgresStore, text: &str) -> usize {
    let mut query = ListQuery::new(ParentName::default(), 1_000_000);
    query.filter = Filter::parse(text, &FilterSchema::default()).unwrap();
    store.list(query).await.unwrap().records.len()
}

async fn labels(outsider: &Client) -> i64 {
    let count = outsider.query_one("SELECT count(*) FROM label", &[]).await;
    count.unwrap().get(0)
}

async fn open(builder: PostgresStoreBuilder) -> PostgresStore {
    builder.notifications(false).open().await.unwrap()
}

/// Nodes of the previous version continue meanwhile; one of them died and left half of the
/// migration.
#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_is_in_use_is_migrated() {
    let Some(schema) = Schema::new() else { return };
    let old = open(schema.store()).await;
    for n in 0..50 {
        start_labelled(&old, n).await;
    }
    let outsider = schema.outsider().await;
    let half = "CREATE INDEX operation_by_state ON operation (parent); \
         UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'operation_by_state'::regclass";
    let half = format!("{FIRST_VERSION}; {half}");
    outsider.batch_execute(&half).await.unwrap();
    let (stop, progress) = (Arc::new(AtomicBool::new(false)), Arc::new(Notify::new()));
    let (stops, told, writer) = (stop.clone(), progress.clone(), old.clone());
    let writing = tokio::spawn(async move {
        for n in 50.. {
            if stops.load(Ordering::SeqCst) {
                return n;
            }
            start_labelled(&writer, n).await;
            told.notify_one();
        }
        0
    });
    progress.notified().await;
    let mut opening = JoinSet::new();
    for _ in 0..4 {
        opening.spawn(open(schema.store()));
    }
    let stores = opening.join_all().await;
    progress.notified().await;
    stop.store(true, Ordering::SeqCst);
    let count = writing.await.unwrap();
    for store in &stores {
        assert_eq!(found(store, "labels:n").await, count);
        assert_eq!(found(store, "labels.n = 7").await, 1);
        assert_eq!(found(store, "state = PENDING").await, count);
    }
    assert_eq!(labels(&outsider).await, i64::try_from(count).unwrap());
    let valid = "SELECT indisvalid FROM pg_index \
         WHERE indexrelid = 'operation_by_state'::regclass AND indnatts = 5";
    let valid = outsider.query_one(valid, &[]).await.unwrap();
    assert!(valid.get::<_, bool>(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_of_one_connection_migrates_too() {
    let Some(schema) = Schema::new() else { return };
    let old = open(schema.store()).await;
    start_labelled(&old, 1).await;
    let outsider = schema.outsider().await;
    outsider.batch_execute(FIRST_VERSION).await.unwrap();
    let config: tokio_postgres::Config = schema.url().parse().unwrap();
    let manager = deadpool_postgres::Manager::new(config, tokio_postgres::NoTls);
    let pool = lro_postgres::Pool::builder(manager).max_size(1).build();
    let store = PostgresStore::builder_with_pool(pool.unwrap()).schema(schema.name());
    assert_eq!(found(&open(store).await, "labels.n = 1").await, 1);
}

/// A session that holds the table for a while does not make all others wait for long.
#[tokio::test(flavor = "multi_thread")]
async fn a_migration_waits_for_who_holds_the_table() {
    let Some(schema) = Schema::new() else { return };
    let old = open(schema.store()).await;
    start_labelled(&old, 1).await;
    let outsider = schema.outsider().await;
    outsider.batch_execute(FIRST_VERSION).await.unwrap();
    let held = "BEGIN; LOCK TABLE operation IN ROW EXCLUSIVE MODE";
    outsider.batch_execute(held).await.unwrap();
    let opening = tokio::spawn(open(schema.store()));
    let watcher = schema.outsider().await;
    let waits = "SELECT FROM pg_locks WHERE NOT granted AND relation = 'operation'::regclass";
    while watcher.query(waits, &[]).await.unwrap().is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // Behind a lock that waits, others wait: not longer than that one does.
    start_labelled(&old, 2).await;
    assert!(!opening.is_finished());
    outsider.batch_execute("COMMIT").await.unwrap();
    assert_eq!(found(&opening.await.unwrap(), "labels:n").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn labels_go_with_their_operations() {
    let Some(schema) = Schema::new() else { return };
    let store = open(schema.store()).await;
    for n in 0..3 {
        start_labelled(&store, n).await;
    }
    let outsider = schema.outsider().await;
    assert_eq!(labels(&outsider).await, 3);
    let deleted = get(&store, "operations/0").await.unwrap();
    update(&store, &deleted, Command::cancel()).await.unwrap();
    update(&store, &deleted, Command::delete()).await.unwrap();
    assert_eq!(labels(&outsider).await, 2);
    let expired = get(&store, "operations/1").await.unwrap();
    update(&store, &expired, Command::cancel()).await.unwrap();
    let expire = "UPDATE operation SET expire_time = 1 WHERE expire_time IS NOT NULL";
    assert_eq!(outsider.execute(expire, &[]).await.unwrap(), 1);
    assert_eq!(store.purge(9).await.unwrap(), 1);
    assert_eq!(labels(&outsider).await, 1);
    // Bytes that are no labels do not stop the migration.
    let damage = "UPDATE operation SET labels = '\\x0aff0a036e'";
    assert_eq!(outsider.execute(damage, &[]).await.unwrap(), 1);
    assert_eq!(
        outsider
            .execute("DELETE FROM operation", &[])
            .await
            .unwrap(),
        1
    );
}

/// report:P3
///
/// The limits of a role are those of its everyday statements; a migration waits for an old snapshot
/// for longer than any of them.
#[tokio::test(flavor = "multi_thread")]
async fn limits_of_a_role_do_not_stop_a_migration() {
    let Some(cluster) = private_cluster().await else {
        return;
    };
    let Some(pooler) = pooler(&cluster, cluster.port()).await else {
        return;
    };
    let ours = [
        "statement_timeout",
        "lock_timeout",
        "idle_in_transaction_session_timeout",
    ];
    let limit = ours.map(|name| format!("ALTER DATABASE postgres SET {name} = '300ms'"));
    let urls = [cluster.url(), pooler.url().to_owned()];
    for (number, url) in urls.into_iter().enumerate() {
        let schema = format!("limited_{number}");
        let builder = || PostgresStore::builder(&url).schema(&schema);
        let old = open(builder()).await;
        for n in 0..20 {
            start_labelled(&old, n).await;
        }
        drop(old);
        let sql = format!(
            "SET search_path = {schema}; {FIRST_VERSION}; {}",
            limit.join("; ")
        );
        let limited = cluster.clone();
        blocking(move || {
            limited.sql(&sql).unwrap();
            // Connections that the pooler keeps have no limits yet.
            limited.terminate_backends().unwrap()
        })
        .await;
        let (outsider, connection) = tokio_postgres::connect(&cluster.url(), tokio_postgres::NoTls)
            .await
            .unwrap();
        tokio::spawn(connection);
        let snapshot = "SET idle_in_transaction_session_timeout = 0; SET statement_timeout = 0; \
             BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM pg_class";
        outsider.batch_execute(snapshot).await.unwrap();
        let opening = tokio::spawn(open(builder()));
        // A transaction sees the activity of one moment.
        let (watcher, connection) = tokio_postgres::connect(&cluster.url(), tokio_postgres::NoTls)
            .await
            .unwrap();
        tokio::spawn(connection);
        let waits = "SELECT FROM pg_stat_activity WHERE query LIKE 'CREATE INDEX CONCURRENTLY%' \
             AND state = 'active' AND clock_timestamp() - query_start > interval '1 second'";
        until("the index waits for longer than the limits", async || {
            assert!(!opening.is_finished(), "{url}");
            !watcher.query(waits, &[]).await.unwrap().is_empty()
        })
        .await;
        outsider.batch_execute("COMMIT").await.unwrap();
        let store = opening.await.unwrap();
        assert_eq!(found(&store, "labels:n").await, 20, "{url}");
        // A pooler's sessions are as they were for everybody else.
        let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls)
            .await
            .unwrap();
        tokio::spawn(connection);
        let shown = client.query_one("SHOW statement_timeout", &[]).await;
        assert_eq!(shown.unwrap().get::<_, String>(0), "300ms", "{url}");
        let lift = ours.map(|name| format!("ALTER DATABASE postgres RESET {name}"));
        let lifted = cluster.clone();
        blocking(move || lifted.sql(&lift.join("; ")).unwrap()).await;
    }
}
