//! Promises: values from outside.

use std::time::Duration;

use lro_server::Operations;
use tokio::time::Instant;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use super::{HOUR, Trail, store, suspended, wait};
use crate::support::{exported, name, start_on};

fn reason(error: &Status) -> String {
    error.get_details_error_info().unwrap().reason
}

/// steps:P1 steps:W2 steps:W6
#[tokio::test(start_paused = true)]
async fn a_value_wakes_a_suspended_operation_and_the_first_one_counts() {
    let trail = Trail::default();
    let seen = trail.clone();
    let (store, node) = store();
    let (operations, exporter, _worker) = start_on(
        node,
        |it| it,
        move |_, operation| {
            let trail = trail.clone();
            async move {
                trail.add("run");
                let rows: u32 = operation.promise("approved").await?;
                operation.sleep("night", HOUR).await?;
                Ok(exported(rows))
            }
        },
    )
    .await;
    let started = exporter.call(&["a"]).await.unwrap();
    let name = name(&started);
    suspended(&store, &name).await;
    let begun = Instant::now();
    operations
        .complete(&name, "approved", &7_u32)
        .await
        .unwrap();
    operations
        .complete(&name, "approved", &7_u32)
        .await
        .unwrap();
    let other = operations
        .complete(&name, "approved", &8_u32)
        .await
        .unwrap_err();
    assert_eq!(
        (other.code(), &*reason(&other)),
        (Code::AlreadyExists, "PROMISE_COMPLETED")
    );
    let done = wait(&operations, &started).await;
    assert_eq!(done.outcome().unwrap().response().unwrap(), exported(7));
    assert!(begun.elapsed() < HOUR + Duration::from_secs(2));
    assert_eq!(seen.events(), ["run"; 3]);
    let late = operations
        .complete(&name, "other", &1_u32)
        .await
        .unwrap_err();
    assert_eq!(
        (late.code(), &*reason(&late)),
        (Code::FailedPrecondition, "OPERATION_DONE")
    );
}

/// steps:P2
#[tokio::test(start_paused = true)]
async fn a_value_may_come_before_the_body_asks_and_as_an_error() {
    let (_, node) = store();
    let (operations, exporter, _worker) = start_on(
        node,
        |it| it,
        |_, operation| async move {
            operation.sleep("night", HOUR).await?;
            let early: u32 = operation.promise("early").await?;
            let error = operation.promise::<u32>("refused").await.unwrap_err();
            assert_eq!(
                (error.code(), error.message()),
                (Code::PermissionDenied, "legal said no")
            );
            Ok(exported(early))
        },
    )
    .await;
    let started = exporter.call(&["a"]).await.unwrap();
    let name = name(&started);
    operations.complete(&name, "early", &3_u32).await.unwrap();
    let why = Status::permission_denied("legal said no");
    operations.fail(&name, "refused", &why).await.unwrap();
    let done = wait(&operations, &started).await;
    assert_eq!(done.outcome().unwrap().response().unwrap(), exported(3));
}

/// steps:P5 steps:S23
#[tokio::test(start_paused = true)]
async fn a_timeout_is_recorded_and_final() {
    let trail = Trail::default();
    let seen = trail.clone();
    let (store, node) = store();
    let (operations, exporter, _worker) = start_on(
        node,
        |it| it,
        move |_, operation| {
            let trail = trail.clone();
            async move {
                let late = operation.promise::<u32>("approved").timeout(HOUR).await;
                trail.add(format!("{:?}", late.unwrap_err().code()));
                operation.sleep("night", HOUR).await?;
                Ok(exported(1))
            }
        },
    )
    .await;
    let started = exporter.call(&["a"]).await.unwrap();
    let name = name(&started);
    suspended(&store, &name).await;
    seen.reached(1).await;
    let late = operations
        .complete(&name, "approved", &1_u32)
        .await
        .unwrap_err();
    assert_eq!(
        (late.code(), &*reason(&late)),
        (Code::FailedPrecondition, "PROMISE_EXPIRED")
    );
    wait(&operations, &started).await;
    assert_eq!(seen.events(), ["DeadlineExceeded"; 2]);
}

/// steps:P1 steps:E6
#[tokio::test(start_paused = true)]
async fn what_cannot_be_completed_says_why() {
    let (store, node) = store();
    let (operations, exporter, _worker) = start_on(
        node,
        |it| it,
        |_, operation| async move {
            operation.step("step", async || Ok::<_, Status>(())).await?;
            operation.sleep("night", HOUR).await?;
            Ok(exported(1))
        },
    )
    .await;
    let started = exporter.call(&["a"]).await.unwrap();
    let name = name(&started);
    suspended(&store, &name).await;
    let complete = async |operations: &Operations, promise: &str| {
        operations
            .complete(&name, promise, &1_u32)
            .await
            .unwrap_err()
            .code()
    };
    assert_eq!(
        complete(&operations, "two words").await,
        Code::InvalidArgument
    );
    assert_eq!(complete(&operations, "step").await, Code::InvalidArgument);
    let large = "x".repeat(100 << 10);
    let large = operations
        .complete(&name, "large", &large)
        .await
        .unwrap_err();
    assert_eq!(large.code(), Code::ResourceExhausted);
    operations.delete(&name).await.unwrap();
    assert_eq!(complete(&operations, "approved").await, Code::NotFound);
}
