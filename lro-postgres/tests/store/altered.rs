//! An operator alters the table while processes use it.

use lro_core::ParentName;
use lro_core::store::{ListQuery, OperationStore};
use lro_postgres::PostgresStore;

use crate::fixture::*;
use crate::support::Schema;

/// Of several columns, at both ends of what statements answer with.
const ALTER: &str = "ALTER TABLE operation ALTER COLUMN name TYPE varchar(5000) COLLATE \"C\", \
     ALTER COLUMN method TYPE varchar(5000) COLLATE \"C\"";

/// All kinds of calls succeed at once after the ALTER.
async fn no_call_fails(store: &PostgresStore, alter: impl AsyncFnOnce()) {
    // Each statement is prepared where it can be.
    start(store, "operations/1").await;
    start(store, "operations/2").await;
    let held = claim(store, 1, 1).await.operations.remove(0);
    let list = || store.list(ListQuery::new(ParentName::default(), 9));
    assert_eq!(list().await.unwrap().records.len(), 2);
    assert!(get(store, "operations/1").await.is_some());
    assert_eq!(store.purge(9).await.unwrap(), 0);
    alter().await;
    update(store, &held, succeed(held.fence)).await.unwrap();
    assert!(get(store, "operations/1").await.is_some());
    assert_eq!(list().await.unwrap().records.len(), 2);
    let other = claim(store, 1, 1).await.operations.remove(0);
    let cancel =
        lro_core::store::Update::by_name(other.name.clone(), lro_core::store::Command::cancel());
    store.update(vec![cancel]).await.unwrap().remove(0).unwrap();
    update(store, &other, succeed(other.fence)).await.unwrap();
    start(store, "operations/3").await;
    assert_eq!(store.purge(9).await.unwrap(), 0);
}

/// report:P4
#[tokio::test(flavor = "multi_thread")]
async fn statements_are_prepared_anew() {
    let Some(schema) = Schema::new() else { return };
    let store = schema.store().open().await.unwrap();
    until("it prepares statements", async || store.is_listening()).await;
    let outsider = schema.outsider().await;
    no_call_fails(&store, async || {
        outsider.batch_execute(ALTER).await.unwrap();
    })
    .await;
}

/// report:P4
///
/// A store that prepares statements without having listened.
#[tokio::test(flavor = "multi_thread")]
async fn statements_are_prepared_anew_without_a_listener() {
    let Some(schema) = Schema::new() else { return };
    let store = schema
        .store()
        .notifications(false)
        .prepared_statements(true);
    let store = store.open().await.unwrap();
    let outsider = schema.outsider().await;
    no_call_fails(&store, async || {
        outsider.batch_execute(ALTER).await.unwrap();
    })
    .await;
}

/// report:P4
///
/// Behind PgBouncer the store prepares nothing unless its builder says so. Then the pooler loses the
/// statements, and the store notices.
#[tokio::test(flavor = "multi_thread")]
async fn behind_a_pooler_no_call_fails() {
    let Some(cluster) = private_cluster().await else {
        return;
    };
    let Some(pooler) = pooler(&cluster, cluster.port()).await else {
        return;
    };
    for prepares in [false, true] {
        let schema = format!("prepares_{prepares}");
        let store = PostgresStore::builder(pooler.url()).schema(&schema);
        let store = store.notifications(false).prepared_statements(prepares);
        let store = store.open().await.unwrap();
        let alter = format!("SET search_path = {schema}; {ALTER}");
        let cluster = cluster.clone();
        let alter = async || {
            blocking(move || cluster.sql(&alter).unwrap()).await;
        };
        no_call_fails(&store, alter).await;
    }
}

/// report:P4
///
/// An end is worth repeating whatever the operator can put right.
#[tokio::test(flavor = "multi_thread")]
async fn an_end_outlasts_a_table_that_is_away() {
    let Some(schema) = Schema::new() else { return };
    let store = schema.store().open().await.unwrap();
    start(&store, "operations/1").await;
    let held = claim(&store, 1, 1).await.operations.remove(0);
    let outsider = schema.outsider().await;
    let away = "ALTER TABLE operation RENAME TO away";
    outsider.batch_execute(away).await.unwrap();
    let end = || {
        let command = succeed(held.fence);
        let update = lro_core::store::Update::by_uid(held.name.clone(), held.uid, command);
        store.update(vec![update])
    };
    for _ in 0..3 {
        assert!(end().await.unwrap_err().is_retryable());
    }
    let back = "ALTER TABLE away RENAME TO operation";
    outsider.batch_execute(back).await.unwrap();
    end().await.unwrap().remove(0).unwrap();
}

/// A call that waits for the ALTER sees the table that it leaves: its snapshot is not older than its lock.
async fn nothing_vanishes_while_the_table_is_rewritten(notifications: bool) {
    let Some(schema) = Schema::new() else { return };
    let builder = schema.store().notifications(notifications);
    let store = builder.open().await.unwrap();
    if notifications {
        until("it uses sessions", async || store.is_listening()).await;
    }
    start(&store, "operations/1").await;
    let (mut operator, witness) = (schema.outsider().await, schema.outsider().await);
    let alter = operator.transaction().await.unwrap();
    let rewrite = "ALTER TABLE operation ALTER COLUMN attempt TYPE bigint USING attempt + 0";
    alter.batch_execute(rewrite).await.unwrap();
    let found = tokio::spawn({
        let store = store.clone();
        async move { get(&store, "operations/1").await }
    });
    let listed = tokio::spawn({
        let store = store.clone();
        let query = ListQuery::new(ParentName::default(), 9);
        async move { store.list(query).await }
    });
    let waiting =
        "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'operation'::regclass";
    until("both wait for the lock", async || {
        let row = witness.query_one(waiting, &[]).await.unwrap();
        row.get::<_, i64>(0) >= 2
    })
    .await;
    alter.commit().await.unwrap();
    assert!(found.await.unwrap().is_some());
    assert_eq!(listed.await.unwrap().unwrap().records.len(), 1);
}

/// report:P4
#[tokio::test(flavor = "multi_thread")]
async fn nothing_vanishes_while_the_table_is_rewritten_with_sessions() {
    nothing_vanishes_while_the_table_is_rewritten(true).await;
}

/// report:P4
#[tokio::test(flavor = "multi_thread")]
async fn nothing_vanishes_while_the_table_is_rewritten_without_sessions() {
    nothing_vanishes_while_the_table_is_rewritten(false).await;
}
