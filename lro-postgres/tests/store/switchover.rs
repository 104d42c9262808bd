//! Another server takes over, and connections to the one before live on.

use std::sync::Arc;
use std::time::Duration;

use lro_core::ParentName;
use lro_core::store::{ListQuery, OperationStore, StoreErrorKind};
use lro_postgres::PostgresStore;
use test_programs::postgres::Cluster;
use tokio::task::JoinSet;

use crate::fixture::*;
use crate::link::Link;

const POLL_INTERVAL: Duration = Duration::from_millis(200);

async fn with_standby() -> Option<(Arc<Cluster>, Arc<Cluster>)> {
    let primary = private_cluster().await?;
    let of = primary.clone();
    let standby = blocking(move || of.standby().unwrap()).await;
    Some((primary, Arc::new(standby)))
}

/// The operator makes the primary read-only and promotes the standby; then new connections lead there.
async fn switch(primary: &Arc<Cluster>, standby: &Arc<Cluster>) {
    let (primary, standby) = (primary.clone(), standby.clone());
    blocking(move || {
        primary.set("default_transaction_read_only", "on").unwrap();
        primary.wait_for_standby(&standby).unwrap();
        standby.promote().unwrap();
    })
    .await;
}

/// Starts one after the other until one is accepted. How many were refused.
async fn start_until_accepted(store: &PostgresStore, what: &str) -> usize {
    let starting = async {
        for n in 0.. {
            match try_start(store, &format!("operations/{what}-{n}")).await {
                Ok(_) => return n,
                Err(error) => {
                    assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error:?}");
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
        }
        0
    };
    let starting = tokio::time::timeout(lro_testing::EventLog::PATIENCE, starting);
    starting.await.expect("the new server is used")
}

/// How many of many starts fail.
async fn fail(store: &PostgresStore, what: &str, count: usize) -> usize {
    let mut tasks = JoinSet::new();
    for n in 0..count {
        let (store, name) = (store.clone(), format!("operations/{what}-{n}"));
        tasks.spawn(async move { try_start(&store, &name).await });
    }
    let answers = tasks.join_all().await;
    answers.iter().filter(|answer| answer.is_err()).count()
}

/// report:P1
#[tokio::test(flavor = "multi_thread")]
async fn connections_to_the_server_before_are_closed() {
    let Some((primary, standby)) = with_standby().await else {
        return;
    };
    let link = Link::to(&primary.url()).await;
    let store = PostgresStore::builder(&link.url).poll_interval(POLL_INTERVAL);
    let store = store.open().await.unwrap();
    until("it listens", async || store.is_listening()).await;
    assert_eq!(fail(&store, "before", 100).await, 0);
    switch(&primary, &standby).await;
    let error = try_start(&store, "operations/refused").await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error:?}");
    link.redirect(&standby.url());
    let refused = start_until_accepted(&store, "switching").await;
    assert!(refused < 30, "{refused} were refused");
    assert_eq!(fail(&store, "after", 200).await, 0);
    until("it listens to the new server", async || {
        let standby = standby.clone();
        let listeners = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_notify%' \
             OR query LIKE 'LISTEN%' OR query LIKE '%idle_session_timeout%'";
        let listeners = blocking(move || standby.sql(listeners).unwrap()).await;
        listeners != "0" && store.is_listening()
    })
    .await;
}

/// report:P1
///
/// The pooler keeps connections of its own to the server before. A client that leaves it within a
/// transaction makes it close the connection of that transaction.
#[tokio::test(flavor = "multi_thread")]
async fn a_pooler_is_made_to_close_its_connections() {
    let Some((primary, standby)) = with_standby().await else {
        return;
    };
    let link = Link::to(&primary.url()).await;
    let Some(pooler) = pooler(&primary, link.port).await else {
        return;
    };
    let store = PostgresStore::builder(pooler.url()).notifications(false);
    let store = store.open().await.unwrap();
    assert_eq!(fail(&store, "before", 100).await, 0);
    switch(&primary, &standby).await;
    assert!(try_start(&store, "operations/refused").await.is_err());
    link.redirect(&standby.url());
    let refused = start_until_accepted(&store, "switching").await;
    assert!(refused < 30, "{refused} were refused");
    // Those of the pooler's connections that were idle meanwhile.
    let failed = fail(&store, "soon", 200).await;
    assert!(failed < 100, "{failed} failed");
    start_until_accepted(&store, "then").await;
    assert_eq!(fail(&store, "after", 200).await, 0);
}

/// report:P1
///
/// Several servers in the URL: whichever takes writes is used.
#[tokio::test(flavor = "multi_thread")]
async fn target_session_attrs_finds_the_server_that_takes_writes() {
    let Some((primary, standby)) = with_standby().await else {
        return;
    };
    let both = format!("127.0.0.1:{},127.0.0.1:{}", standby.port(), primary.port());
    let url = primary.url();
    let url = url.replace(&format!("127.0.0.1:{}", primary.port()), &both);
    let url = format!("{url}&target_session_attrs=read-write");
    let store = PostgresStore::connect(&url).await.unwrap();
    let before = start(&store, "operations/before").await;
    let (old, new) = (primary.clone(), standby.clone());
    // In order: what was acknowledged is there.
    blocking(move || {
        old.stop_fast().unwrap();
        new.promote().unwrap();
    })
    .await;
    start_until_accepted(&store, "after").await;
    assert_eq!(get(&store, "operations/before").await, Some(before));
}

/// report:P1
///
/// A node that only reads, and one that finds no work, write nothing that a read-only server could
/// refuse.
async fn reads_are_up_to_date(store: &PostgresStore, primary: &Arc<Cluster>, link: &Link) {
    let standby = primary.clone();
    let standby = Arc::new(blocking(move || standby.standby().unwrap()).await);
    start(store, "operations/before").await;
    let held = claim(store, 1, 1).await.operations;
    assert_eq!(held.len(), 1);
    assert_eq!(fail(store, "done", 20).await, 0);
    let claimed = claim(store, 1, 20).await.operations;
    assert_eq!(claimed.len(), 20);
    switch(primary, &standby).await;
    link.redirect(&standby.url());
    let other = PostgresStore::builder(standby.url()).notifications(false);
    let other = other.open().await.unwrap();
    for n in 0..10 {
        let name = format!("operations/after-{n}");
        let started = start(&other, &name).await;
        // Each kind of read finds it with the connection that comes first.
        match n % 3 {
            0 => assert_eq!(get(store, &name).await, Some(started)),
            1 => {
                let page = store
                    .list(ListQuery::new(ParentName::default(), 100))
                    .await
                    .unwrap();
                let listed = page.records.iter().any(|record| record.uid == started.uid);
                assert!(listed, "{name} is not listed");
            }
            _ => {
                let claimed = claim(store, 1, 3).await.operations;
                assert_eq!(claimed.len(), 3, "{claimed:?}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_leave_the_server_before() {
    let Some(primary) = private_cluster().await else {
        return;
    };
    let link = Link::to(&primary.url()).await;
    let store = PostgresStore::builder(&link.url).poll_interval(POLL_INTERVAL);
    let store = store.open().await.unwrap();
    until("it listens", async || store.is_listening()).await;
    reads_are_up_to_date(&store, &primary, &link).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_through_a_pooler_leave_the_server_before() {
    let Some(primary) = private_cluster().await else {
        return;
    };
    let link = Link::to(&primary.url()).await;
    let Some(pooler) = pooler(&primary, link.port).await else {
        return;
    };
    let store = PostgresStore::builder(pooler.url()).notifications(false);
    let store = store.open().await.unwrap();
    reads_are_up_to_date(&store, &primary, &link).await;
}
