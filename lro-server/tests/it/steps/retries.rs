//! Retries and timeouts of steps.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use lro_server::HandlerError;
use lro_server::steps::Retry;
use tokio::time::Instant;
use tonic::{Code, Status};

use super::{Trail, rows, store, wait};
use crate::support::{exported, name, start_on};

fn busy() -> HandlerError {
    HandlerError::retry(Status::unavailable("busy"))
}

/// steps:S22
#[tokio::test(start_paused = true)]
async fn a_step_is_retried_in_memory_and_across_suspensions() {
    let trail = Trail::default();
    let seen = trail.clone();
    let calls = std::sync::Arc::new(AtomicU32::new(0));
    let (store, node) = store();
    let (operations, exporter, _worker) = start_on(
        node,
        |it| it,
        move |_, operation| {
            let (trail, calls) = (trail.clone(), calls.clone());
            async move {
                trail.add("run");
                let flaky = operation.step("flaky", async || {
                    match calls.fetch_add(1, Ordering::SeqCst) {
                        0..4 => Err(busy()),
                        made => Ok(made),
                    }
                });
                let retry =
                    Retry::times(9).pause(Duration::from_millis(400), Duration::from_secs(60));
                let made = flaky.retry(retry).await?;
                Ok(exported(made))
            }
        },
    )
    .await;
    let begun = Instant::now();
    let started = exporter.call(&["a"]).await.unwrap();
    let done = wait(&operations, &started).await;
    assert_eq!(done.outcome().unwrap().response().unwrap(), exported(4));
    // 0.4 s and 0.8 s in memory, 1.6 s and 3.2 s suspended.
    let pauses = Duration::from_millis(400 + 800 + 1_600 + 3_200);
    assert!(begun.elapsed() >= pauses && begun.elapsed() < pauses + Duration::from_secs(1));
    assert_eq!(seen.events(), ["run"; 3]);
    let rows = rows(&store, &name(&started)).await;
    assert_eq!((rows.len(), rows[0].attempt), (1, 5), "{rows:?}");
    assert!(rows[0].last_error.is_none());
}

/// steps:S22
#[tokio::test(start_paused = true)]
async fn the_error_of_the_last_attempt_is_recorded() {
    let trail = Trail::default();
    let seen = trail.clone();
    let (_, node) = store();
    let (operations, exporter, _worker) = start_on(
        node,
        |it| it,
        move |_, operation| {
            let trail = trail.clone();
            async move {
                let failing = operation.step("failing", async || {
                    trail.add("attempt");
                    Err::<(), _>(busy())
                });
                let retry =
                    Retry::times(3).pause(Duration::from_millis(1), Duration::from_millis(1));
                let error = failing.retry(retry).await.unwrap_err();
                if operation.attempt() == 1 {
                    return Err(busy().after(Duration::ZERO));
                }
                Err(error.into())
            }
        },
    )
    .await;
    let started = exporter.call(&["a"]).await.unwrap();
    let done = wait(&operations, &started).await;
    assert_eq!(done.error().unwrap().code, Code::Unavailable as i32);
    assert_eq!(seen.events(), ["attempt"; 3]);
}

/// steps:S22
#[tokio::test(start_paused = true)]
async fn a_retryable_error_without_a_policy_runs_the_body_again() {
    let trail = Trail::default();
    let seen = trail.clone();
    let (_, node) = store();
    let (operations, exporter, _worker) = start_on(
        node,
        |it| it,
        move |_, operation| {
            let trail = trail.clone();
            async move {
                operation
                    .step("before", async || {
                        trail.add("before");
                        Ok::<_, Status>(())
                    })
                    .await?;
                // The status keeps the request for another attempt on its way through `?`.
                let step = async || -> Result<(), Status> {
                    operation
                        .step("flaky", async || {
                            trail.add("flaky");
                            match operation.attempt() {
                                1 => Err(busy().after(Duration::from_secs(7))),
                                _ => Ok(()),
                            }
                        })
                        .await
                };
                step().await?;
                Ok(exported(operation.attempt()))
            }
        },
    )
    .await;
    let begun = Instant::now();
    let started = exporter.call(&["a"]).await.unwrap();
    let done = wait(&operations, &started).await;
    assert_eq!(done.outcome().unwrap().response().unwrap(), exported(2));
    assert!(begun.elapsed() >= Duration::from_secs(7));
    assert_eq!(seen.events(), ["before", "flaky", "flaky"]);
}

/// steps:S23
#[tokio::test(start_paused = true)]
async fn an_attempt_that_takes_too_long_is_dropped_and_retried() {
    let trail = Trail::default();
    let seen = trail.clone();
    let (_, node) = store();
    let (operations, exporter, _worker) = start_on(
        node,
        |it| it,
        move |_, operation| {
            let trail = trail.clone();
            async move {
                let slow = operation.step("slow", async || {
                    trail.add("attempt");
                    std::future::pending::<Result<(), Status>>().await
                });
                let retry =
                    Retry::times(2).pause(Duration::from_millis(1), Duration::from_millis(1));
                slow.timeout(Duration::from_secs(60)).retry(retry).await?;
                Ok(exported(1))
            }
        },
    )
    .await;
    let started = exporter.call(&["a"]).await.unwrap();
    let done = wait(&operations, &started).await;
    let error = done.error().unwrap();
    assert_eq!(error.code, Code::DeadlineExceeded as i32);
    assert!(
        error.message.contains("`slow` took longer than 60s"),
        "{error:?}"
    );
    assert_eq!(seen.events(), ["attempt"; 2]);
}
