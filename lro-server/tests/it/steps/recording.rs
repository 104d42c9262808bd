//! Recorded steps, and their replay by a later run.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use lro_core::Reason;
use lro_core::store::{Command, StoreError, StoreErrorKind};
use lro_server::HandlerError;
use tonic::{Code, Status};

use super::{Trail, is_response, keys, rows, store, wait};
use crate::support::{exported, name, start_on};

/// The first run of a body asks for another one with this.
fn again() -> HandlerError {
    HandlerError::retry(Status::unavailable("again")).after(Duration::ZERO)
}

/// steps:S5 steps:S8
#[tokio::test(start_paused = true)]
async fn a_later_run_gets_the_recorded_response_and_does_not_run_the_closure() {
    let trail = Trail::default();
    let seen = trail.clone();
    let (store, node) = store();
    let (operations, exporter, _worker) = start_on(
        node,
        |it| it,
        move |_, operation| {
            let trail = trail.clone();
            async move {
                trail.add(format!("replaying: {}", operation.is_replaying()));
                let rows: u64 = operation
                    .step("dump", async || {
                        trail.add("dump");
                        Ok::<_, Status>(7)
                    })
                    .await?;
                trail.add(format!("replaying: {}", operation.is_replaying()));
                if operation.attempt() == 1 {
                    return Err(again());
                }
                Ok(exported(rows as u32))
            }
        },
    )
    .await;
    let started = exporter.call(&["a"]).await.unwrap();
    let done = wait(&operations, &started).await;
    assert_eq!(done.outcome().unwrap().response().unwrap(), exported(7));
    let events = [
        "replaying: false",
        "dump",
        "replaying: false",
        "replaying: true",
        "replaying: false",
    ];
    assert_eq!(seen.events(), events);
    let rows = rows(&store, &name(&started)).await;
    assert_eq!(keys(&rows), ["dump"]);
    assert!(
        is_response(&rows[0], &7_u64) && rows[0].sequential,
        "{rows:?}"
    );
}

/// steps:S5 steps:S7
#[tokio::test(start_paused = true)]
async fn a_recorded_error_comes_back_to_the_byte() {
    let trail = Trail::default();
    let seen = trail.clone();
    let (_, node) = store();
    let (operations, exporter, _worker) = start_on(
        node,
        |it| it,
        move |_, operation| {
            let trail = trail.clone();
            async move {
                let ended = operation.step("read", async || {
                    trail.add("read");
                    Err::<(), _>(Reason::LimitExceeded.status("too large", [("limit", "7")]))
                });
                let error = ended.await.unwrap_err();
                trail.add(format!(
                    "{:?} {} {:?}",
                    error.code(),
                    error.message(),
                    error.details()
                ));
                match operation.attempt() {
                    1 => Err(again()),
                    _ => Err(error.into()),
                }
            }
        },
    )
    .await;
    let started = exporter.call(&["a"]).await.unwrap();
    let done = wait(&operations, &started).await;
    assert_eq!(done.error().unwrap().code, Code::ResourceExhausted as i32);
    let events = seen.events();
    assert_eq!(events.len(), 3, "the closure ran once: {events:?}");
    assert_eq!(events[1], events[2]);
    assert!(
        events[1].starts_with("ResourceExhausted too large ["),
        "{events:?}"
    );
}

/// steps:S3 steps:S21
#[tokio::test(start_paused = true)]
async fn steps_side_by_side_share_commits_and_are_all_recorded() {
    let (store, node) = store();
    let commits = Trail::default();
    let seen = commits.clone();
    node.before_updates(move |updates| {
        for update in updates {
            if matches!(update.command, Command::Record { .. }) {
                commits.add(update.steps.len().to_string());
            }
        }
        Ok(())
    });
    let (operations, exporter, _worker) = start_on(
        node,
        |it| it,
        move |_, operation| async move {
            let step = |number: u32| {
                let operation = &operation;
                operation.step(format!("part/{number}"), move || async move {
                    Ok::<_, Status>(number)
                })
            };
            let parts = futures_util::future::try_join_all((0..20).map(step)).await?;
            Ok(exported(parts.iter().sum()))
        },
    )
    .await;
    let started = exporter.call(&["a"]).await.unwrap();
    let done = wait(&operations, &started).await;
    assert_eq!(done.outcome().unwrap().response().unwrap(), exported(190));
    assert_eq!(seen.events(), ["20"], "one commit");
    let rows = rows(&store, &name(&started)).await;
    assert_eq!(rows.len(), 20);
    assert_eq!(
        rows.iter().filter(|row| row.sequential).count(),
        1,
        "the first"
    );
}

/// steps:S20
#[tokio::test(start_paused = true)]
async fn at_most_256_closures_of_an_operation_run_at_a_time() {
    let (_, node) = store();
    let most = std::sync::Arc::new(AtomicU32::new(0));
    let seen = most.clone();
    let (operations, exporter, _worker) = start_on(
        node,
        |it| it,
        move |_, operation| {
            let most = most.clone();
            async move {
                let running = AtomicU32::new(0);
                let step = |number: u32| {
                    operation.step(format!("part/{number}"), async || {
                        most.fetch_max(
                            running.fetch_add(1, Ordering::SeqCst) + 1,
                            Ordering::SeqCst,
                        );
                        tokio::time::sleep(Duration::from_secs(1)).await;
                        running.fetch_sub(1, Ordering::SeqCst);
                        Ok::<_, Status>(())
                    })
                };
                futures_util::future::try_join_all((0..600).map(step)).await?;
                Ok(exported(1))
            }
        },
    )
    .await;
    let started = exporter.call(&["a"]).await.unwrap();
    let done = wait(&operations, &started).await;
    assert_eq!(done.outcome().unwrap().response().unwrap(), exported(1));
    assert_eq!(seen.load(Ordering::SeqCst), 256);
}

/// steps:S8
#[tokio::test(start_paused = true)]
async fn a_step_at_most_once_that_was_interrupted_is_not_run_again() {
    let trail = Trail::default();
    let seen = trail.clone();
    let (store, node) = store();
    let settings = |it: lro_server::WorkerBuilder| it.drain_timeout(Duration::from_secs(1));
    let body = move |_, operation: crate::support::Context| {
        let trail = trail.clone();
        async move {
            let mail = operation.step("mail", async || {
                trail.add("mail");
                std::future::pending::<Result<(), Status>>().await
            });
            mail.at_most_once().await?;
            Ok(exported(1))
        }
    };
    let (operations, exporter, worker) = start_on(node, settings, body.clone()).await;
    let started = exporter.call(&["a"]).await.unwrap();
    seen.reached(1).await;
    worker.drain().await;
    let begun = rows(&store, &name(&started)).await;
    assert!(
        keys(&begun) == ["mail"] && begun[0].outcome.is_none(),
        "{begun:?}"
    );
    let next = lro_server::Worker::builder(&operations).host(exporter.clone());
    let _next = next.start().await.unwrap();
    let done = wait(&operations, &started).await;
    let error = done.error().unwrap();
    assert_eq!(error.code, Code::Aborted as i32, "{error:?}");
    assert!(error.message.contains("may or may not"), "{error:?}");
    assert_eq!(seen.events(), ["mail"]);
}

/// steps:L2
#[tokio::test(start_paused = true)]
async fn a_response_that_is_too_large_is_the_recorded_error_of_the_step() {
    let trail = Trail::default();
    let seen = trail.clone();
    let (_, node) = store();
    let (operations, exporter, _worker) = start_on(
        node,
        |it| it,
        move |_, operation| {
            let trail = trail.clone();
            async move {
                let large = operation.step("large", async || {
                    trail.add("run");
                    Ok::<_, Status>("x".repeat(2 << 20))
                });
                let error = large.await.unwrap_err();
                trail.add(error.message());
                match operation.attempt() {
                    1 => Err(again()),
                    _ => Err(error.into()),
                }
            }
        },
    )
    .await;
    let started = exporter.call(&["a"]).await.unwrap();
    let done = wait(&operations, &started).await;
    assert_eq!(done.error().unwrap().code, Code::ResourceExhausted as i32);
    let events = seen.events();
    assert!(events.len() == 3 && events[1] == events[2], "{events:?}");
}

/// steps:S6 steps:S9
#[tokio::test(start_paused = true)]
async fn a_step_waits_for_its_row_while_the_store_is_away() {
    let trail = Trail::default();
    let seen = trail.clone();
    let (store, node) = store();
    let tries = Trail::default();
    let tried = tries.clone();
    node.before_updates(move |updates| {
        let is_record = |it: &lro_core::store::Update| matches!(it.command, Command::Record { .. });
        if updates.iter().any(is_record) {
            tries.add("record");
            if tries.events().len() < 4 {
                return Err(StoreError::new(StoreErrorKind::Unavailable, "cut off"));
            }
        }
        Ok(())
    });
    let (operations, exporter, _worker) = start_on(
        node,
        |it| it,
        move |_, operation| {
            let trail = trail.clone();
            async move {
                operation
                    .step("a", async || {
                        trail.add("a");
                        Ok::<_, Status>(())
                    })
                    .await?;
                trail.add("after");
                Ok(exported(1))
            }
        },
    )
    .await;
    let started = exporter.call(&["a"]).await.unwrap();
    tried.reached(3).await;
    assert_eq!(seen.events(), ["a"], "the row is not yet durable");
    wait(&operations, &started).await;
    assert_eq!(seen.events(), ["a", "after"]);
    assert_eq!(rows(&store, &name(&started)).await.len(), 1);
}

/// steps:S10
#[tokio::test(start_paused = true)]
async fn a_task_that_a_run_leaves_behind_makes_no_durable_calls_after_it() {
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let sender = std::sync::Arc::new(std::sync::Mutex::new(Some(sender)));
    let (_, node) = store();
    let (operations, exporter, _worker) = start_on(
        node,
        |it| it,
        move |_, operation| {
            let sender = sender.lock().unwrap().take().unwrap();
            async move {
                operation.step("a", async || Ok::<_, Status>(())).await?;
                let context = operation.clone();
                let (ended, has_ended) = tokio::sync::oneshot::channel::<()>();
                tokio::spawn(async move {
                    has_ended.await.unwrap_err();
                    // Until the run itself has ended, too.
                    tokio::task::yield_now().await;
                    let late = context.step("late", async || Ok::<_, Status>(())).await;
                    sender.send(late).unwrap();
                });
                drop(ended);
                Ok(exported(1))
            }
        },
    )
    .await;
    let started = exporter.call(&["a"]).await.unwrap();
    wait(&operations, &started).await;
    assert_eq!(receiver.await.unwrap().unwrap_err().code(), Code::Aborted);
}
