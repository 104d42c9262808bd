//! Sagas of runs whose lease is renewed, and of runs that end with their worker.

use std::time::Duration;

use lro_server::Worker;
use tonic::Status;

use super::sagas::{error, is_incomplete, make};
use super::{HOUR, Trail, shared_store, store, suspended, wait};
use crate::support::{exported, name, start_on};

/// steps:U4 steps:U6
#[tokio::test(start_paused = true)]
async fn steps_that_the_block_does_not_reach_are_given_up_although_the_lease_is_renewed() {
    let trail = Trail::default();
    let (store, node) = shared_store();
    let (operations, exporter, _worker) = start_on(
        node,
        // Renewed more often than a run that undoes gives up.
        |it| it.lease_duration(Duration::from_secs(15)),
        move |_, operation| {
            let trail = trail.clone();
            async move {
                let (trail, operation) = (&trail, &operation);
                let saga = operation.saga();
                saga.run(async {
                    if trail.count_of("make network") == 0 {
                        make(&saga, trail, "network").await?;
                        operation.sleep("night", HOUR).await?;
                    }
                    std::future::pending().await
                })
                .await
            }
        },
    )
    .await;
    let started = exporter.call(&["a"]).await.unwrap();
    suspended(&store, &name(&started)).await;
    operations.cancel(&name(&started)).await.unwrap();
    let done = tokio::time::timeout(HOUR, wait(&operations, &started)).await;
    let error = error(&done.expect("it ends"));
    assert!(is_incomplete(&error), "{error:?}");
}

/// steps:U3 steps:E4
#[tokio::test(start_paused = true)]
async fn a_block_that_fails_while_the_worker_drains_is_undone_before_the_body_continues() {
    let trail = Trail::default();
    let seen = trail.clone();
    let (_, node) = store();
    let (operations, exporter, worker) = start_on(
        node,
        |it| it.drain_timeout(Duration::from_millis(100)),
        move |_, operation| {
            let trail = trail.clone();
            async move {
                let (trail, operation) = (&trail, &operation);
                let saga = operation.saga();
                let made = saga.run(async {
                    make(&saga, trail, "network").await?;
                    let refused = async || {
                        trail.add("refused");
                        // In the grace period of the drain.
                        tokio::time::sleep(Duration::from_secs(1)).await;
                        Err::<(), _>(Status::failed_precondition("no disks"))
                    };
                    operation.step("disk", refused).await?;
                    Ok(())
                });
                match made.await {
                    Ok(()) => Ok(exported(1)),
                    Err(_) => Ok(exported(2)),
                }
            }
        },
    )
    .await;
    let started = exporter.call(&["a"]).await.unwrap();
    seen.reached(2).await;
    worker.drain().await;
    let second = Worker::builder(&operations).host(exporter.clone());
    let _second = second.start().await.unwrap();
    let done = wait(&operations, &started).await;
    assert_eq!(done.outcome().unwrap().response().unwrap(), exported(2));
    let events = seen.events();
    assert_eq!(events, ["make network", "refused", "undo network network"]);
}
