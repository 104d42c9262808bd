//! A server that its operator has made read-only.

use lro_core::store::{OperationStore, StoreErrorKind};
use lro_postgres::PostgresStore;

use crate::fixture::*;

/// report:P2
///
/// The setting counts for sessions that were open before, too.
async fn is_obeyed(url: &str, is_direct: bool, set: impl AsyncFn(&'static str)) {
    let store = PostgresStore::connect(url).await.unwrap();
    start(&store, "operations/before").await;
    if is_direct {
        until("it listens, and prepares statements", async || {
            store.is_listening()
        })
        .await;
        start(&store, "operations/prepared").await;
    }
    let held = claim(&store, 1, 1).await.operations.remove(0);
    set("on").await;
    for n in 0..20 {
        let error = try_start(&store, &format!("operations/{n}")).await;
        let error = error.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error:?}");
        assert!(error.to_string().contains("read-only"), "{error}");
        // Reads are served.
        assert!(get(&store, "operations/before").await.is_some());
    }
    let update_all = || {
        let command = succeed(held.fence);
        let update = lro_core::store::Update::by_uid(held.name.clone(), held.uid, command);
        store.update(vec![update])
    };
    assert!(update_all().await.unwrap_err().is_retryable());
    // A store can be opened, too.
    let reader = PostgresStore::connect(url).await.unwrap();
    assert!(get(&reader, "operations/before").await.is_some());
    set("off").await;
    update_all().await.unwrap().remove(0).unwrap();
    start(&store, "operations/after").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_set_read_only_takes_no_writes() {
    let Some(cluster) = private_cluster().await else {
        return;
    };
    let set = async |value: &'static str| {
        let cluster = cluster.clone();
        let set = move || cluster.set("default_transaction_read_only", value).unwrap();
        blocking(set).await;
    };
    is_obeyed(&cluster.url(), true, set).await;
    let Some(pooler) = pooler(&cluster, cluster.port()).await else {
        return;
    };
    let truncate = cluster.clone();
    blocking(move || truncate.sql("DROP SCHEMA lro CASCADE").unwrap()).await;
    is_obeyed(pooler.url(), false, set).await;
}
