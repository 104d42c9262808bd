//! Runtimes that are blocked for longer than `max_runtime_stall`.

use lro_server::serve::{ServeLimits, Server};
use tonic::Streaming;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

use super::*;
use crate::serve::served::Served;
use crate::telemetry::Collected;

async fn until(health: &mut Streaming<HealthCheckResponse>, status: ServingStatus) {
    let changed = async { while health.message().await.unwrap().unwrap().status() != status {} };
    tokio::time::timeout(PATIENCE, changed).await.unwrap();
}

/// A deadlock does not hold operations for ever, and the log, a metric and the health say so. The
/// body that blocked past its lease also has an answer, which is not written over the one of the
/// next run.
fn a_stalled_runtime_loses_its_leases<S: OperationStore + Clone>(
    inside: Runtime,
    threads: u128,
    store: impl Future<Output = S>,
) {
    let (log, collected) = (Log::default(), Collected::new());
    let operations = |store: S| collected.operations(store);
    let mut scene = Scene::new(inside, store, 2 * LEASE, &log, operations);
    let limits = ServeLimits::default().health_interval(Duration::from_millis(10));
    let server = Server::builder(&scene.operations).limits(limits);
    let (served, mut health) = scene.outside.block_on(async {
        let served = Served::start(server).await;
        let service = String::new();
        let request = HealthCheckRequest { service };
        let mut health = served.connect().await.health();
        let mut health = health.watch(request).await.unwrap().into_inner();
        until(&mut health, ServingStatus::Serving).await;
        (served, health)
    });
    let mut names = scene.start("sleep", 2);
    names.extend(scene.start("block", threads));
    let rival = scene.rival();

    let not_serving = until(&mut health, ServingStatus::NotServing);
    scene.outside.block_on(not_serving);
    let lines = log.lines_with("runtime stalled");
    let [line] = &lines[..] else {
        panic!("{lines:#?}");
    };
    assert!(
        line.contains("ERROR") && line.contains("max_runtime_stall=2s"),
        "{line}"
    );
    for blocking in &names[2..] {
        assert!(line.contains(blocking.as_str()), "{line}");
    }
    assert!(!line.contains(names[0].as_str()), "{line}");
    collected.check(&[("lro.runtime.stalls ", 1)]);
    for name in &names {
        scene.wait_until(name, |record| record.fence == 2);
    }

    scene.service.released.set();
    let serving = until(&mut health, ServingStatus::Serving);
    scene.outside.block_on(serving);
    assert_eq!(log.lines_with("runtime polls tasks again").len(), 1);
    collected.check(&[("lro.runtime.stalls ", 1)]);
    scene.release();
    let operations = Operations::new(scene.store.clone());
    for name in &names {
        let done = scene.outside.block_on(operations.wait(name, None)).unwrap();
        assert!(done.done, "{done:?}");
        scene.assert_responded(name, 2);
    }
    scene.outside.block_on(async {
        drop(health);
        served.stop().await;
        rival.drain().await;
    });
}

/// report:N1
#[test]
fn a_stalled_runtime_loses_its_leases_in_memory() {
    a_stalled_runtime_loses_its_leases(current_thread(), 1, memory());
}

/// report:N1
#[test]
fn a_stalled_runtime_loses_its_leases_in_sqlite() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("operations.db");
    a_stalled_runtime_loses_its_leases(two_threads(), 2, async {
        SqliteStore::open(path).await.unwrap()
    });
}

/// report:N1
#[test]
fn a_stalled_runtime_loses_its_leases_in_postgres() {
    let Some(cluster) = test_programs::postgres::shared_or_skip() else {
        return;
    };
    let inside = two_threads();
    let schema = format!("stalled {}", std::process::id());
    let opened = PostgresStore::builder(cluster.url()).schema(schema).open();
    let store = inside.block_on(opened).unwrap();
    a_stalled_runtime_loses_its_leases(inside, 2, async { store });
}
