use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lro_core::ParentName;
use lro_core::store::{ListQuery, OperationState, OperationStore, StoreErrorKind, StoreEvent};
use lro_postgres::PostgresStore;
use lro_testing::EventLog;
use test_programs::postgres::{Cluster, Pooler};

use crate::fixture::*;
use crate::link::Link;
use crate::support::Schema;

const POLL_INTERVAL: Duration = Duration::from_millis(300);

/// A server with PgBouncer before it.
async fn pooled() -> Option<(Cluster, Pooler)> {
    test_programs::postgres::shared_or_skip()?;
    let starting = tokio::task::spawn_blocking(|| {
        let cluster = Cluster::start().unwrap();
        Pooler::start_or_skip(&cluster).map(|pooler| (cluster, pooler))
    });
    starting.await.unwrap()
}

/// The log of this process.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn start() -> Self {
        let log = Self::default();
        let writer = log.clone();
        tracing_subscriber::fmt()
            .with_writer(move || writer.clone())
            .with_ansi(false)
            .init();
        log
    }

    fn count(&self, words: &str) -> usize {
        String::from_utf8_lossy(&self.0.lock().unwrap())
            .matches(words)
            .count()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

async fn is_done(store: &PostgresStore, name: &str) -> bool {
    let name = name.parse().unwrap();
    match store.get(&name).await {
        Ok(found) => found.is_some_and(|record| record.state == OperationState::Succeeded),
        Err(error) => {
            assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error:?}");
            false
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn through_a_pooler_everything_works_but_notifications() {
    let Some((cluster, pooler)) = pooled().await else {
        return;
    };
    let log = Log::start();
    let open = || {
        let builder = PostgresStore::builder(pooler.url());
        builder.poll_interval(POLL_INTERVAL).open()
    };
    let (first, second) = (open().await.unwrap(), open().await.unwrap());
    let started = start(&first, "operations/1").await;
    let held = claim(&second, 1, 1).await.operations.remove(0);
    assert_eq!(held.uid, started.uid);
    // More at once than the pooler has connections.
    let mut tasks = tokio::task::JoinSet::new();
    for n in 2..40 {
        let store = if n % 2 == 0 {
            first.clone()
        } else {
            second.clone()
        };
        tasks.spawn(async move { start(&store, &format!("operations/{n}")).await });
    }
    assert_eq!(tasks.join_all().await.len(), 38);
    let list = first.list(ListQuery::new(ParentName::default(), 100)).await;
    assert_eq!(list.unwrap().records.len(), 39);

    let deaf = "notifications do not arrive (is there a pooler";
    until("both say that they are deaf", async || log.count(deaf) == 2).await;
    assert!(!first.is_listening() && !second.is_listening());
    assert_eq!(first.event_gap(), Some(POLL_INTERVAL));
    update(&second, &held, succeed(1)).await.unwrap();
    assert!(is_done(&first, "operations/1").await);

    // The pooler's connections are lost.
    let cut = tokio::task::spawn_blocking(move || {
        let cut = cluster.terminate_backends().unwrap();
        (cluster, cut)
    });
    let (cluster, cut) = cut.await.unwrap();
    assert!(cut > 0);
    until("it is connected again", async || {
        is_done(&first, "operations/1").await
    })
    .await;
    start(&first, "operations/later").await;
    assert_eq!(log.count(deaf), 2, "it is said once by each");
    assert_eq!(log.count("prepared statements get lost"), 0);
    drop((first, second, cluster));
}

#[tokio::test(flavor = "multi_thread")]
async fn past_a_pooler_notifications_are_heard() {
    let Some((cluster, pooler)) = pooled().await else {
        return;
    };
    let builder = PostgresStore::builder(pooler.url());
    let store = builder.notifications_url(cluster.url()).open();
    let store = store.await.unwrap();
    let heard = Arc::new(EventLog::new());
    store.observe(heard.clone());
    until("it hears", async || store.is_listening()).await;
    let other = PostgresStore::connect(pooler.url()).await.unwrap();
    let record = start(&other, "operations/1").await;
    let ready = StoreEvent::Ready {
        method: METHOD.to_owned(),
        ready_time: record.ready_time,
    };
    heard.wait_for("it is ready", |event| *event == ready).await;
    let held = claim(&store, 1, 1).await.operations.remove(0);
    update(&other, &held, succeed(1)).await.unwrap();
    heard
        .wait_for_change(&record.name, |state, _| state == OperationState::Succeeded)
        .await;
}

/// The way to the listener ends without a word, and there is no other.
#[tokio::test(flavor = "multi_thread")]
async fn a_listener_that_is_deaf_is_noticed() {
    let Some(schema) = Schema::new() else { return };
    let link = Link::to(schema.url()).await;
    let store = schema.store().notifications_url(&link.url);
    let store = store.poll_interval(POLL_INTERVAL).open().await.unwrap();
    let heard = Arc::new(EventLog::new());
    store.observe(heard.clone());
    until("it hears", async || store.is_listening()).await;
    assert_eq!(store.event_gap(), Some(POLL_INTERVAL * 5));
    heard.clear();
    link.silence();
    link.close();
    heard
        .wait_for("it looks again", |event| *event == StoreEvent::Missed)
        .await;
    assert!(!store.is_listening());
    assert_eq!(store.event_gap(), Some(POLL_INTERVAL));
    // Everything else continues, and other processes are notified.
    let other = schema.store().open().await.unwrap();
    let also_heard = Arc::new(EventLog::new());
    other.observe(also_heard.clone());
    until("the other hears", async || other.is_listening()).await;
    // The notifications that could not be sent arrive as "anything may have changed"; later ones
    // arrive one by one.
    until("a notification of a ready operation arrives", async || {
        start(&store, &format!("operations/{}", uuid::Uuid::now_v7())).await;
        let is_ready = |event: &StoreEvent| matches!(event, StoreEvent::Ready { .. });
        also_heard.events().iter().any(is_ready)
    })
    .await;
}
