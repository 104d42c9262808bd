//! Sagas that undo what they have done, wherever their process dies.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use lro_server::{HandlerError, OperationContext, testing};
use tonic::Status;

/// A provider of networks and disks, which outlives the processes of a body.
#[derive(Debug, Default)]
struct Cloud {
    resources: Mutex<BTreeSet<String>>,
    /// Each first time that something was deleted, in order.
    deleted: Mutex<Vec<String>>,
    failures: AtomicU32,
}

impl Cloud {
    async fn create(&self, what: &str) -> Result<String, Status> {
        tokio::task::yield_now().await;
        self.resources.lock().unwrap().insert(what.to_owned());
        tokio::task::yield_now().await;
        Ok(what.to_owned())
    }

    async fn delete(&self, what: &str) -> Result<(), Status> {
        tokio::task::yield_now().await;
        self.resources.lock().unwrap().remove(what);
        let mut deleted = self.deleted.lock().unwrap();
        if !deleted.iter().any(|it| it == what) {
            deleted.push(what.to_owned());
        }
        Ok(())
    }

    fn resources(&self) -> Vec<String> {
        self.resources.lock().unwrap().iter().cloned().collect()
    }

    fn deleted(&self) -> Vec<String> {
        self.deleted.lock().unwrap().clone()
    }
}

/// Steps in sequence and side by side, a sleep that suspends, and a check that decides.
async fn provision(
    cloud: &Cloud,
    operation: OperationContext<()>,
    is_healthy: bool,
) -> Result<String, HandlerError> {
    let saga = operation.saga();
    saga.run(async {
        let make = async || cloud.create("network").await;
        let network = saga
            .step("network", make, async |_| cloud.delete("network").await)
            .await?;
        operation
            .sleep("settle", Duration::from_secs(60 * 60))
            .await?;
        let nodes = ["a", "b"].map(|zone| {
            let make = move || async move { cloud.create(zone).await };
            let undo = move |_: Option<String>| async move { cloud.delete(zone).await };
            saga.step(format!("node/{zone}"), make, undo)
        });
        operation.all(2, nodes).await?;
        let disk = async || cloud.create("disk").await;
        saga.step("disk", disk, async |disk: Option<String>| {
            assert!(disk.is_none_or(|disk| disk == "disk"));
            cloud.delete("disk").await
        })
        .await?;
        let health = async || Ok::<_, Status>(is_healthy);
        if !operation.step("health", health).await? {
            return Err(Status::failed_precondition("unhealthy").into());
        }
        Ok(network)
    })
    .await
}

/// steps:U1 steps:U2 steps:U3 steps:U4 steps:U5
#[test]
fn a_saga_that_fails_leaves_nothing_wherever_its_process_dies() {
    let report = testing::crash_everywhere(Cloud::default, |cloud, operation| async move {
        provision(&cloud, operation, false).await
    })
    .seeds(2)
    .check(|cloud| {
        assert_eq!(cloud.resources(), [""; 0]);
        let deleted = cloud.deleted();
        assert_eq!(
            (deleted.len(), &*deleted[0], &*deleted[3]),
            (4, "disk", "network")
        );
    })
    .run();
    assert!(report.crash_points > 40, "{report:?}");
}

/// steps:U2
#[test]
fn a_saga_that_succeeds_leaves_everything_wherever_its_process_dies() {
    testing::crash_everywhere(Cloud::default, |cloud, operation| async move {
        provision(&cloud, operation, true).await
    })
    .seeds(2)
    .check(|cloud| {
        assert_eq!(cloud.resources(), ["a", "b", "disk", "network"]);
        assert_eq!(cloud.deleted(), [""; 0]);
    })
    .run();
}

/// steps:U1 steps:U6
#[test]
fn undos_are_repeated_and_one_that_fails_does_not_stop_the_others() {
    let body = |cloud: std::sync::Arc<Cloud>, operation: OperationContext<()>| async move {
        let cloud = &*cloud;
        let saga = operation.saga();
        let ended: Result<(), _> = saga
            .run(async {
                let make = async || cloud.create("network").await;
                let flaky =
                    async |_: Option<String>| match cloud.failures.fetch_add(1, Ordering::SeqCst) {
                        0 | 1 => Err(Status::unavailable("busy")),
                        _ => cloud.delete("network").await,
                    };
                saga.step("network", make, flaky).await?;
                let make = async || cloud.create("disk").await;
                let fails = async |_: Option<String>| Err::<(), _>(Status::internal("stuck"));
                saga.step("disk", make, fails).await?;
                Err(Status::failed_precondition("unhealthy").into())
            })
            .await;
        // The body may continue after its saga has failed.
        let error = ended.unwrap_err();
        operation
            .step("report", async || cloud.create("report").await)
            .await?;
        Err::<(), _>(error)
    };
    testing::crash_everywhere(Cloud::default, body)
        .seeds(1)
        .check(|cloud| {
            assert_eq!(cloud.resources(), ["disk", "report"]);
            assert_eq!(cloud.deleted(), ["network"]);
        })
        .run();
}

/// steps:U4
#[test]
fn sagas_follow_each_other_and_run_side_by_side() {
    let body = |cloud: std::sync::Arc<Cloud>, operation: OperationContext<()>| async move {
        let cloud = &*cloud;
        let kept = operation.saga();
        kept.run(async {
            let make = async || cloud.create("kept").await;
            kept.step("kept", make, async |_| cloud.delete("kept").await)
                .await?;
            Ok(())
        })
        .await?;
        let branch = async |name: &'static str, fails: bool| {
            let operation = operation.scope(name);
            let saga = operation.saga();
            saga.run(async {
                let make = move || async move { cloud.create(name).await };
                let undo = move |_: Option<String>| async move { cloud.delete(name).await };
                saga.step("made", make, undo).await?;
                operation.sleep("nap", Duration::from_secs(60)).await?;
                match fails {
                    true => Err(Status::aborted(name).into()),
                    false => Ok(()),
                }
            })
            .await
        };
        let (left, right) = tokio::join!(branch("left", true), branch("right", false));
        let left: Result<(), HandlerError> = left;
        right?;
        left
    };
    testing::crash_everywhere(Cloud::default, body)
        .seeds(2)
        .check(|cloud| {
            assert_eq!(cloud.resources(), ["kept", "right"]);
            assert_eq!(cloud.deleted(), ["left"]);
        })
        .run();
}

/// A node of a zone, which one zone does not have, and whose undo fails twice in another one.
async fn nodes(
    cloud: &Cloud,
    operation: OperationContext<()>,
    in_branches: bool,
) -> Result<(), HandlerError> {
    let saga = operation.saga();
    saga.run(async {
        let node = |zone: &'static str| {
            let make = move || async move {
                let made = cloud.create(zone).await;
                match zone {
                    "full" => Err(Status::resource_exhausted("the zone is full")),
                    _ => made,
                }
            };
            let undo = move |_: Option<String>| async move {
                let is_busy = zone == "busy" && cloud.failures.fetch_add(1, Ordering::SeqCst) < 2;
                match is_busy {
                    true => Err(Status::unavailable("busy")),
                    false => cloud.delete(zone).await,
                }
            };
            saga.step(format!("node/{zone}"), make, undo)
        };
        if in_branches {
            let branch = async |zone| node(zone).await;
            tokio::try_join!(branch("full"), branch("busy"), branch("free"))?;
        } else {
            operation.all(3, ["full", "busy", "free"].map(node)).await?;
        }
        Ok(())
    })
    .await
}

/// The body drops the steps beside one that fails, also when it is replayed. steps:U1 steps:U4
#[test]
fn steps_beside_one_that_fails_are_undone_wherever_the_process_dies() {
    for in_branches in [false, true] {
        testing::crash_everywhere(Cloud::default, move |cloud, operation| async move {
            nodes(&cloud, operation, in_branches).await
        })
        .seeds(4)
        .check(|cloud| assert_eq!(cloud.resources(), [""; 0]))
        .run();
    }
}

/// The body drops a saga when another one has failed: its next run undoes it, too. steps:U4 steps:E4
#[test]
fn a_saga_beside_one_that_fails_is_undone_wherever_the_process_dies() {
    let body = |cloud: std::sync::Arc<Cloud>, operation: OperationContext<()>| async move {
        let cloud = &*cloud;
        let branch = async |name: &'static str, fails: bool| -> Result<(), HandlerError> {
            let operation = operation.scope(name);
            let saga = operation.saga();
            saga.run(async {
                let make = move || async move { cloud.create(name).await };
                let undo = move |_: Option<String>| async move { cloud.delete(name).await };
                saga.step("made", make, undo).await?;
                if fails {
                    return Err(Status::aborted(name).into());
                }
                operation.sleep("nap", Duration::from_secs(60)).await?;
                Ok(())
            })
            .await
        };
        tokio::try_join!(branch("left", true), branch("right", false))?;
        Ok::<(), HandlerError>(())
    };
    testing::crash_everywhere(Cloud::default, body)
        .seeds(2)
        .check(|cloud| assert_eq!(cloud.resources(), [""; 0]))
        .run();
}

/// steps:E3 steps:U4
#[test]
fn a_saga_that_is_cancelled_leaves_nothing_wherever_its_process_dies() {
    let report = testing::crash_everywhere(Cloud::default, |cloud, operation| async move {
        provision(&cloud, operation, true).await
    })
    .cancel_at("settle")
    .seeds(2)
    .check(|cloud| {
        assert_eq!(cloud.resources(), [""; 0]);
        assert_eq!(cloud.deleted(), ["network"]);
    })
    .run();
    assert!(report.crash_points > 10, "{report:?}");
}
