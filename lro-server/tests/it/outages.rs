//! Outages of PostgreSQL that are longer than leases, while no process dies.

use std::time::Duration;

use lro_core::store::OperationStore as _;
use lro_postgres::PostgresStore;
use lro_server::{Operations, Worker};
use test_programs::postgres::Cluster;
use tokio::sync::mpsc;

use crate::support::{Exporter, exported, name, wait};

/// The shortest there is.
const LEASE: Duration = Duration::from_secs(1);

/// Says when it is dropped.
struct Stopped(mpsc::UnboundedSender<()>);

impl Drop for Stopped {
    fn drop(&mut self) {
        self.0.send(()).ok();
    }
}

/// report:N2: the loss of the worker that ran a single operation would use up an attempt, and those of
/// the other would be suspects.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_of_postgres_costs_a_living_worker_no_attempt() {
    if test_programs::postgres::shared_or_skip().is_none() {
        return;
    }
    let cluster = tokio::task::spawn_blocking(|| Cluster::start().unwrap());
    let cluster = cluster.await.unwrap();
    let (begun, mut begins) = mpsc::unbounded_channel();
    let (stopped, mut stops) = mpsc::unbounded_channel();
    let mut nodes = Vec::new();
    for _ in 0..2 {
        let store = PostgresStore::connect(cluster.url()).await.unwrap();
        let operations = Operations::new(store.clone());
        let (begun, stopped) = (begun.clone(), stopped.clone());
        let exporter = Exporter::new(&operations, move |_, operation| {
            let (begun, stopped) = (begun.clone(), stopped.clone());
            async move {
                if operation.fence() == 1 {
                    let _stopped = Stopped(stopped);
                    begun.send(()).ok();
                    std::future::pending::<()>().await;
                }
                Ok(exported(operation.attempt()))
            }
        });
        let worker = Worker::builder(&operations).host(exporter.clone());
        let worker = worker.lease_duration(LEASE).start().await.unwrap();
        nodes.push((store, operations, exporter, worker));
    }
    let mut started = Vec::new();
    // Each runs where it is started.
    for (node, table) in [(0, "a"), (0, "b"), (1, "c")] {
        started.push(nodes[node].2.call(&[table]).await.unwrap());
        begins.recv().await.unwrap();
    }
    let cluster = tokio::task::spawn_blocking(move || {
        cluster.stop_fast().unwrap();
        cluster
    });
    let cluster = cluster.await.unwrap();
    for _ in &started {
        stops.recv().await.unwrap();
    }
    let restart = tokio::task::spawn_blocking(move || {
        cluster.restart().unwrap();
        cluster
    });
    let _cluster = restart.await.unwrap();
    let (store, operations, ..) = &nodes[0];
    for operation in &started {
        let done = wait(operations, operation).await;
        assert!(done.done(), "{}", name(operation));
        let record = store.get(&name(operation)).await.unwrap().unwrap();
        assert_eq!((record.attempt, record.losses), (1, 0), "{}", record.name);
    }
    for (.., worker) in nodes {
        worker.drain().await;
    }
}
