//! The names of durable calls: repetitions, scopes, and what is refused.

use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use super::{keys, rows, store, wait};
use crate::support::{Context, exported, name, start_on};

async fn quick(operation: &Context, name: &str) -> Result<(), Status> {
    operation.step(name, async || Ok::<_, Status>(())).await
}

fn reason(error: &Status) -> String {
    error.get_details_error_info().unwrap().reason
}

/// steps:S1 steps:S2
#[tokio::test(start_paused = true)]
async fn names_repeat_in_loops_and_vectors_and_are_counted() {
    let (store, node) = store();
    let (operations, exporter, _worker) = start_on(
        node,
        |it| it,
        |_, operation| async move {
            for _ in 0..3 {
                quick(&operation, "loop").await?;
            }
            let pages = (0..3).map(|_| operation.step("page", async || Ok::<_, Status>(())));
            futures_util::future::try_join_all(pages).await?;
            let scope = operation.scope("left").scope("inner");
            quick(&scope, "page").await?;
            Ok(exported(1))
        },
    )
    .await;
    let started = exporter.call(&["a"]).await.unwrap();
    wait(&operations, &started).await;
    let rows = rows(&store, &name(&started)).await;
    let expected = [
        "loop",
        "loop#2",
        "loop#3",
        "page",
        "page#2",
        "page#3",
        "left/inner/page",
    ];
    assert_eq!(keys(&rows), expected);
}

/// steps:S2
#[tokio::test(start_paused = true)]
async fn a_name_that_two_branches_use_is_refused_at_the_first_run() {
    let (_, node) = store();
    let (operations, exporter, _worker) = start_on(
        node,
        |it| it,
        |_, operation| async move {
            let branch = async |side: &str, seconds: u64| -> Result<(), Status> {
                let own = operation.step(side, async || {
                    tokio::time::sleep(Duration::from_secs(seconds)).await;
                    Ok::<_, Status>(())
                });
                own.await?;
                quick(&operation, "shared").await
            };
            let (left, right) = tokio::join!(branch("left", 1), branch("right", 2));
            let error = left.and(right).unwrap_err();
            assert_eq!(error.code(), Code::Internal);
            assert!(error.message().contains("operation.scope("), "{error}");
            Err(error.into())
        },
    )
    .await;
    let started = exporter.call(&["a"]).await.unwrap();
    let done = wait(&operations, &started).await;
    let error = done.error().unwrap();
    assert!(error.message.contains("side by side"), "{error:?}");
}

/// steps:S1 steps:S10
#[tokio::test(start_paused = true)]
async fn malformed_names_and_calls_inside_closures_are_refused() {
    let (_, node) = store();
    let (operations, exporter, _worker) = start_on(
        node,
        |it| it,
        |_, operation| async move {
            let error = quick(&operation, "two words").await.unwrap_err();
            assert_eq!(reason(&error), "STEP_NAME_INVALID");
            let inner = &operation;
            let nested = operation.step("outer", async move || quick(inner, "inner").await);
            let error = nested.await.unwrap_err();
            assert_eq!(
                (error.code(), &*reason(&error)),
                (Code::FailedPrecondition, "STEP_NESTED")
            );
            quick(&operation, "inner").await?;
            Ok(exported(1))
        },
    )
    .await;
    let started = exporter.call(&["a"]).await.unwrap();
    let done = wait(&operations, &started).await;
    assert_eq!(done.outcome().unwrap().response().unwrap(), exported(1));
}
