//! Groups of several nodes that want the same names, on a server of their own, which counts deadlocks.

use lro_core::store::{NewOperation, OperationStore};
use lro_postgres::PostgresStore;
use test_programs::postgres::Cluster;
use tokio::task::{JoinSet, spawn_blocking};

use crate::fixture::*;

const GROUP: usize = 200;

/// Deadlocks are rare, so that they are provoked so often at most.
const ROUNDS_MAX: usize = 50;

async fn cluster() -> Option<Cluster> {
    test_programs::postgres::shared_or_skip()?;
    let cluster = spawn_blocking(|| Cluster::start().unwrap());
    Some(cluster.await.unwrap())
}

fn deadlocks(cluster: &Cluster) -> u64 {
    let count = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
    let count = tokio::task::block_in_place(|| cluster.sql(count).unwrap());
    count.parse().unwrap()
}

async fn nodes(cluster: &Cluster, count: usize) -> Vec<PostgresStore> {
    let mut nodes = Vec::new();
    for _ in 0..count {
        let store = PostgresStore::builder(cluster.url()).pool_size(4);
        nodes.push(store.notifications(false).open().await.unwrap());
    }
    nodes
}

/// Each node starts its group at once. Answers how many operations there are by that.
async fn start_all(nodes: &[PostgresStore], group: impl Fn(usize) -> Vec<NewOperation>) -> usize {
    let mut tasks = JoinSet::new();
    for (node, store) in nodes.iter().cloned().enumerate() {
        let group = group(node);
        tasks.spawn(async move { store.start(group).await.unwrap() });
    }
    let answers = tasks.join_all().await.concat();
    answers.iter().filter(|answer| answer.is_ok()).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_in_other_orders_do_not_wait_for_each_other() {
    let Some(cluster) = cluster().await else {
        return;
    };
    let nodes = nodes(&cluster, 4).await;
    for round in 0..10 {
        let started = start_all(&nodes, |node| {
            let names = (0..GROUP).map(|n| format!("operations/{round}-{n}"));
            let mut group: Vec<_> = names.map(|name| new(&name)).collect();
            if node % 2 == 1 {
                group.reverse();
            }
            group
        });
        assert_eq!(started.await, GROUP);
    }
    assert_eq!(deadlocks(&cluster), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_that_wait_for_each_other_are_started_again() {
    let Some(cluster) = cluster().await else {
        return;
    };
    let nodes = nodes(&cluster, 2).await;
    for round in 0..ROUNDS_MAX {
        // By the order of keys that are their own, they insert the names in two orders.
        let started = start_all(&nodes, |node| {
            let operation = |n| {
                let mut operation = new(&format!("operations/{round}-{n}"));
                let place = if node == 0 { n } else { GROUP - n };
                operation.exclusive_key = Some(format!("{round}-{node}-{place:03}"));
                operation
            };
            (0..GROUP).map(operation).collect()
        });
        assert_eq!(started.await, GROUP);
        if deadlocks(&cluster) > 0 {
            return;
        }
    }
    panic!("they never waited for each other");
}
