//! Sagas of runs whose lease is renewed.

use std::time::Duration;

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
