//! Bodies that use sagas in ways that cannot be undone.

use std::time::Duration;

use futures_util::FutureExt as _;
use lro_core::Reason;

use super::sagas::{error, make};
use super::{Trail, store, wait};
use crate::support::{exported, start_on};

/// steps:E4 steps:E5
#[tokio::test(start_paused = true)]
async fn a_body_that_drops_its_saga_fails_and_says_what_is_left() {
    let trail = Trail::default();
    let (_, node) = store();
    let (operations, exporter, _worker) = start_on(
        node,
        |it| it,
        move |_, operation| {
            let trail = trail.clone();
            async move {
                let (trail, operation) = (&trail, &operation);
                let saga = operation.saga();
                let run = saga.run(async {
                    make(&saga, trail, "network").await?;
                    std::future::pending::<()>().await;
                    Ok(())
                });
                tokio::select! {
                    biased;
                    _ = run => {}
                    () = tokio::time::sleep(Duration::from_secs(1)) => {}
                }
                Ok(exported(1))
            }
        },
    )
    .await;
    let started = exporter.call(&["a"]).await.unwrap();
    let done = wait(&operations, &started).await;
    assert!(Reason::HandlerMisbehaved.is_told_by(&error(&done)));
}

/// steps:E8
#[tokio::test(start_paused = true)]
async fn misuse_of_a_saga_is_refused() {
    let trail = Trail::default();
    let seen = trail.clone();
    let (_, node) = store();
    let (operations, exporter, _worker) = start_on(
        node,
        |it| it,
        move |_, operation| {
            let trail = trail.clone();
            async move {
                let (trail, operation) = (&trail, &operation);
                let saga = operation.saga();
                let outside = make(&saga, trail, "outside").await.unwrap_err();
                trail.add(outside.message().split(" of ").next().unwrap());
                saga.run(async {
                    let reserved = make(&saga, trail, "undo").await.unwrap_err();
                    trail.add(format!("{:?}", reserved.code()));
                    make(&saga, trail, "network").await?;
                    let forgets = operation.checkpoint_and_forget(&()).await.unwrap_err();
                    trail.add(format!("{:?}", forgets.code()));
                    let inner = operation.scope("inner");
                    let inner = inner.saga();
                    let nested = inner.run(async { Ok(()) }).now_or_never().unwrap();
                    trail.add(format!("{:?}", nested.unwrap_err().status().code()));
                    Ok(())
                })
                .await?;
                let again = saga.run(async { Ok(()) }).await.unwrap_err();
                trail.add(format!("{:?}", again.status().code()));
                // The end of the saga is written with the new epoch.
                operation.checkpoint_and_forget(&()).await?;
                Ok(exported(1))
            }
        },
    )
    .await;
    let started = exporter.call(&["a"]).await.unwrap();
    let done = wait(&operations, &started).await;
    assert_eq!(done.outcome().unwrap().response().unwrap(), exported(1));
    let events = [
        "the step `outside`",
        "Internal",
        "make network",
        "FailedPrecondition",
        "FailedPrecondition",
        "FailedPrecondition",
    ];
    assert_eq!(seen.events(), events);
}
