use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use lro_core::ParentName;
use lro_core::store::{
    Command, ListQuery, OperationRecord, OperationStore, Refusal, RequestId, StoreErrorKind, Update,
};
use lro_postgres::PostgresStore;
use lro_testing::ManualClock;
use test_programs::postgres::Cluster;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::fixture::*;
use crate::link::Link;
use crate::support::Schema;

#[tokio::test(flavor = "multi_thread")]
async fn a_row_locked_by_an_outsider_delays_no_other() {
    let Some(schema) = Schema::new() else { return };
    let store = schema.store().notifications(false).open().await.unwrap();
    for n in 0..20 {
        start(&store, &format!("operations/{n}")).await;
    }
    let held = claim(&store, 1, 20).await.operations;
    let pending = start(&store, "operations/pending").await;
    let outsider = schema.outsider().await;
    let lock = "BEGIN; SELECT FROM operation \
         WHERE name IN ('operations/7', 'operations/8', 'operations/pending') FOR UPDATE";
    outsider.batch_execute(lock).await.unwrap();
    let renew = Command::Renew {
        fence: 1,
        lease_duration: LEASE,
        metadata: None,
    };
    let mut tasks = JoinSet::new();
    for (n, record) in held.iter().enumerate() {
        let command = if n % 2 == 0 {
            renew.clone()
        } else {
            succeed(1)
        };
        let update = Update::by_uid(record.name.clone(), record.uid, command);
        let store = store.clone();
        tasks.spawn(async move { (update.name.clone(), store.update(vec![update]).await) });
    }
    for (name, answer) in tasks.join_all().await {
        let answer = answer.unwrap().remove(0);
        match name.as_str() {
            "operations/7" | "operations/8" => assert_eq!(answer, Err(Refusal::Locked)),
            name => assert!(answer.is_ok(), "{name}: {answer:?}"),
        }
    }
    assert!(
        claim(&store, 1, 1).await.operations.is_empty(),
        "it is passed over"
    );
    outsider.batch_execute("ROLLBACK").await.unwrap();
    update(&store, &pending, Command::cancel()).await.unwrap();
    update(&store, &held[7], succeed(1)).await.unwrap();
    update(&store, &held[8], renew).await.unwrap();
}

/// A lock of the whole table, as of a migration by hand.
#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_takes_too_long_is_given_up() {
    let Some(schema) = Schema::new() else { return };
    let store = schema.store().statement_timeout(Duration::from_secs(1));
    let store = store.notifications(false).open().await.unwrap();
    start(&store, "operations/1").await;
    let outsider = schema.outsider().await;
    let lock = "BEGIN; LOCK TABLE operation";
    outsider.batch_execute(lock).await.unwrap();
    let error = store.get(&"operations/1".parse().unwrap()).await;
    assert!(error.unwrap_err().is_retryable());
    outsider.batch_execute("ROLLBACK").await.unwrap();
    assert!(get(&store, "operations/1").await.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_corrupt_operation_fails_alone() {
    let Some(schema) = Schema::new() else { return };
    let store = schema.store().notifications(false).open().await.unwrap();
    let names = ["operations/a", "operations/b", "operations/c"];
    for name in names {
        start(&store, name).await;
    }
    let outsider = schema.outsider().await;
    let damage = "UPDATE operation SET request = '\\xff' WHERE name = 'operations/b'";
    assert_eq!(outsider.execute(damage, &[]).await.unwrap(), 1);
    let mut tasks = JoinSet::new();
    for n in 0..60 {
        let (store, name) = (store.clone(), names[n % 3].parse().unwrap());
        tasks.spawn(async move { (n % 3, store.get(&name).await) });
    }
    for (n, answer) in tasks.join_all().await {
        match (n, answer) {
            (1, Err(error)) => assert_eq!(error.kind(), StoreErrorKind::Corrupt),
            (0 | 2, Ok(Some(_))) => {}
            (n, answer) => panic!("{}: {answer:?}", names[n]),
        }
    }
    let list = store.list(ListQuery::new(ParentName::default(), 9)).await;
    // Lists do not read requests.
    assert_eq!(list.unwrap().records.len(), 3);
    let damage = "UPDATE operation SET labels = '\\xff' WHERE name = 'operations/b'";
    assert_eq!(outsider.execute(damage, &[]).await.unwrap(), 1);
    let list = store.list(ListQuery::new(ParentName::default(), 9)).await;
    assert_eq!(list.unwrap().records.len(), 2);
    assert_eq!(claim(&store, 1, 9).await.operations.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unwritable_row_is_rejected_alone() {
    let Some(schema) = Schema::new() else { return };
    let store = schema.store().notifications(false).open().await.unwrap();
    for name in ["operations/a", "operations/b", "operations/c"] {
        start(&store, name).await;
    }
    let held = claim(&store, 1, 9).await.operations;
    let renew_all = async || {
        let renew = Command::Renew {
            fence: 1,
            lease_duration: LEASE,
            metadata: None,
        };
        let update = |record: &OperationRecord| {
            Update::by_uid(record.name.clone(), record.uid, renew.clone())
        };
        store
            .update(held.iter().map(update).collect())
            .await
            .unwrap()
    };
    let check_corrupt = async |why: &str| {
        let answers = renew_all().await;
        for (record, answer) in held.iter().zip(answers) {
            match (record.name.as_str(), answer) {
                ("operations/b", Err(Refusal::Corrupt(said))) => {
                    assert!(said.contains(why), "{said}");
                }
                ("operations/b", answer) => panic!("{answer:?}"),
                (name, answer) => assert!(answer.is_ok(), "{name}: {answer:?}"),
            }
        }
    };
    let outsider = schema.outsider().await;
    // No session can write it.
    let refuse = "ALTER TABLE operation ADD CONSTRAINT untouched \
         CHECK (name <> 'operations/b') NOT VALID";
    outsider.batch_execute(refuse).await.unwrap();
    check_corrupt("untouched").await;
    let allow = "ALTER TABLE operation DROP CONSTRAINT untouched";
    outsider.batch_execute(allow).await.unwrap();
    // The store cannot decode it.
    for damage in ["labels = '\\xff'", "labels = NULL, history = '\\xff'"] {
        let damage = format!("UPDATE operation SET {damage} WHERE name = 'operations/b'");
        assert_eq!(outsider.execute(&damage, &[]).await.unwrap(), 1);
        check_corrupt("operations/b").await;
    }
    let cancel = Update::by_name("operations/b".parse().unwrap(), Command::cancel());
    let answer = store.update(vec![cancel]).await.unwrap().remove(0);
    assert!(matches!(answer, Err(Refusal::Corrupt(_))), "{answer:?}");
}

/// A corrupt row whose lease has expired cannot be requeued, and is not retried all the time.
#[tokio::test(flavor = "multi_thread")]
async fn a_corrupt_lease_is_retried_later() {
    let Some(schema) = Schema::new() else { return };
    let clock = Arc::new(ManualClock::default());
    let store = schema.store().notifications(false);
    let store = store.clock(clock.clone()).open().await.unwrap();
    for name in ["operations/corrupt", "operations/odd", "operations/whole"] {
        start(&store, name).await;
    }
    assert_eq!(claim(&store, 1, 9).await.operations.len(), 3);
    let outsider = schema.outsider().await;
    let damage = "UPDATE operation SET labels = '\\xff' WHERE name = 'operations/corrupt'";
    assert_eq!(outsider.execute(damage, &[]).await.unwrap(), 1);
    let odd = "UPDATE operation SET state = 5 WHERE name = 'operations/odd'";
    assert_eq!(outsider.execute(odd, &[]).await.unwrap(), 1);
    clock.advance(LEASE * 2);
    let claimed = claim(&store, 2, 9).await;
    assert_eq!(claimed.operations.len(), 1);
    assert_eq!(claimed.next_in, Some(LEASE), "that of the other");
    assert_eq!(claim(&store, 2, 9).await.next_in, Some(LEASE));
}

/// Starts share a transaction. One conflicts with a corrupt row; the others get their own answers,
/// and none is reported to conflict with itself.
#[tokio::test(flavor = "multi_thread")]
async fn a_corrupt_holder_of_a_request_id_blocks_no_other_start() {
    let Some(schema) = Schema::new() else { return };
    let store = schema.store().notifications(false).open().await.unwrap();
    let with_request = |name: &str| {
        let mut operation = new(name);
        operation.request_id = Some(RequestId {
            id: "r".to_owned(),
            fingerprint: [7; 32],
        });
        operation
    };
    let started = store.start(vec![with_request("operations/holder")]).await;
    assert!(started.unwrap()[0].is_ok());
    let outsider = schema.outsider().await;
    let damage = "UPDATE operation SET labels = '\\xff'";
    assert_eq!(outsider.execute(damage, &[]).await.unwrap(), 1);
    let mut tasks = JoinSet::new();
    for n in 0..60 {
        let operation = match n % 20 {
            7 => with_request(&format!("operations/refused-{n}")),
            _ => new(&format!("operations/{n}")),
        };
        let store = store.clone();
        tasks.spawn(async move { (n, store.start(vec![operation]).await) });
    }
    for (n, answer) in tasks.join_all().await {
        match (n % 20, answer) {
            (7, Err(error)) => assert_eq!(error.kind(), StoreErrorKind::Corrupt),
            (7, answer) => panic!("{answer:?}"),
            (_, answer) => assert!(!answer.unwrap()[0].as_ref().unwrap().existing),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_are_cut_are_made_anew() {
    let Some(schema) = Schema::new() else { return };
    let name = format!("cut {}", schema.name());
    let store = schema.store().application_name(&name).notifications(false);
    let store = store.open().await.unwrap();
    start(&store, "operations/1").await;
    let outsider = schema.outsider().await;
    let cut = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity \
         WHERE application_name = left($1, 63)";
    assert!(!outsider.query(cut, &[&name]).await.unwrap().is_empty());
    // The first ones may still be handed a connection that was not seen to be closed.
    let found = tokio::time::timeout(lro_testing::EventLog::PATIENCE, async {
        loop {
            match store.get(&"operations/1".parse().unwrap()).await {
                Ok(found) => return found,
                Err(error) => assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error:?}"),
            }
        }
    });
    assert!(found.await.unwrap().is_some());
}

/// One that fell silent while a statement was prepared on it went back to the pool, and was used
/// again and again: a node was without its database until it was restarted.
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_falls_silent_is_not_used_again() {
    let Some(schema) = Schema::new() else { return };
    let link = Link::to(schema.url()).await;
    let store = PostgresStore::builder(&link.url).schema(schema.name());
    let store = store
        .pool_size(2)
        .statement_timeout(Duration::from_millis(500));
    let store = store.open().await.unwrap();
    // From here on statements are prepared, each when it is first used.
    while !store.is_listening() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    start(&store, "operations/1").await;
    link.silence();
    // Each of the pool's may be tried once.
    for _ in 0..2 {
        if let Ok(found) = store.get(&"operations/1".parse().unwrap()).await {
            assert!(found.is_some());
        }
    }
    assert!(get(&store, "operations/1").await.is_some());
}

/// Every acknowledged write survives two crashes of the server under load.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_crashes_loses_nothing_it_has_acknowledged() {
    if test_programs::postgres::shared_or_skip().is_none() {
        return;
    }
    let cluster = tokio::task::spawn_blocking(|| Cluster::start().unwrap());
    let cluster = Arc::new(cluster.await.unwrap());
    let store = PostgresStore::connect(cluster.url()).await.unwrap();
    let acknowledged = Arc::new(AtomicUsize::new(0));
    let progress = Arc::new(Notify::new());
    let mut tasks = JoinSet::new();
    let stop = Arc::new(AtomicUsize::new(0));
    for task in 0..4 {
        let (store, acknowledged, progress, stop) = (
            store.clone(),
            acknowledged.clone(),
            progress.clone(),
            stop.clone(),
        );
        tasks.spawn(async move {
            let mut names = Vec::new();
            for n in 0.. {
                if stop.load(Ordering::SeqCst) == 1 {
                    break;
                }
                let operation = new(&format!("operations/{task}-{n}"));
                match store.start(vec![operation]).await {
                    Ok(mut answers) => {
                        names.push(answers.remove(0).unwrap().record.name);
                        acknowledged.fetch_add(1, Ordering::SeqCst);
                        progress.notify_one();
                    }
                    Err(error) => {
                        assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error:?}");
                        tokio::task::yield_now().await;
                    }
                }
            }
            names
        });
    }
    for crash in 1..=3 {
        while acknowledged.load(Ordering::SeqCst) < 40 * crash {
            progress.notified().await;
        }
        if crash == 3 {
            break;
        }
        let cluster = cluster.clone();
        let restart = tokio::task::spawn_blocking(move || {
            match crash {
                1 => cluster.stop_immediate().unwrap(),
                _ => cluster.kill().unwrap(),
            }
            cluster.restart().unwrap();
        });
        restart.await.unwrap();
        acknowledged.store(40 * crash, Ordering::SeqCst);
    }
    stop.store(1, Ordering::SeqCst);
    let names = tasks.join_all().await.concat();
    assert!(names.len() > 80);
    let all = store.list(ListQuery::new(ParentName::default(), 1_000_000));
    let all = all.await.unwrap().records;
    let there: std::collections::HashSet<_> = all.iter().map(|record| &record.name).collect();
    let lost: Vec<_> = names.iter().filter(|name| !there.contains(name)).collect();
    assert!(lost.is_empty(), "{lost:?}");
}
