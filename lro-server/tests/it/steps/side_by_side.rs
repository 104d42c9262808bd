//! Durable calls side by side: races, fan-outs, and promises beside closures.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use lro_core::store::StepOutcome;
use lro_server::HandlerError;
use lro_server::steps::{Either, Step};
use tonic::{Code, Status};

use super::{HOUR, Trail, keys, rows, store, suspended, wait};
use crate::support::{exported, name, start_on};

/// A run asks for another one with this.
fn again() -> HandlerError {
    HandlerError::retry(Status::unavailable("again")).after(Duration::ZERO)
}

/// steps:S12
#[tokio::test(start_paused = true)]
async fn the_winner_of_a_race_is_recorded_and_the_loser_is_abandoned() {
    let trail = Trail::default();
    let seen = trail.clone();
    let (store, node) = store();
    let (operations, exporter, _worker) = start_on(
        node,
        |it| it,
        move |_, operation| {
            let trail = trail.clone();
            async move {
                let slow = operation.step("slow", async || {
                    trail.add("slow");
                    pending::<Result<u32, Status>>().await
                });
                let fast = operation.step("fast", async || {
                    trail.add("fast");
                    Ok::<_, Status>(7_u32)
                });
                let Either::Right(won) = operation.first("race", slow, fast).await? else {
                    return Err(Status::internal("the slow one has won").into());
                };
                operation
                    .step("after", async || {
                        trail.add("after");
                        Ok::<_, Status>(())
                    })
                    .await?;
                if operation.attempt() == 1 {
                    return Err(again());
                }
                Ok(exported(won?))
            }
        },
    )
    .await;
    let started = exporter.call(&["a"]).await.unwrap();
    let done = wait(&operations, &started).await;
    assert_eq!(done.outcome().unwrap().response().unwrap(), exported(7));
    assert_eq!(seen.events(), ["slow", "fast", "after"]);
    let rows = rows(&store, &name(&started)).await;
    // A row of the loser never stands without the winner.
    assert_eq!(keys(&rows), ["fast", "race", "slow", "after"]);
    assert_eq!(rows[2].outcome, Some(StepOutcome::Abandoned));
}

/// An error without a row wins nothing: the run is repeated, and so is the race. steps:S12
#[tokio::test(start_paused = true)]
async fn a_retryable_error_is_no_recorded_win() {
    let trail = Trail::default();
    let seen = trail.clone();
    let (store, node) = store();
    let (operations, exporter, _worker) = start_on(
        node,
        |it| it,
        move |_, operation| {
            let trail = trail.clone();
            async move {
                let attempt = operation.attempt();
                let flaky = operation.step("flaky", async || match attempt {
                    1 => Err(again()),
                    _ => Ok(3_u32),
                });
                let slow = operation.sleep("slow", HOUR);
                trail.add("race");
                match operation.first("race", flaky, slow).await? {
                    Either::Left(rows) => Ok(exported(rows.map_err(|_| again())?)),
                    Either::Right(_) => Err(Status::internal("the sleep has won").into()),
                }
            }
        },
    )
    .await;
    let started = exporter.call(&["a"]).await.unwrap();
    let done = wait(&operations, &started).await;
    assert_eq!(done.outcome().unwrap().response().unwrap(), exported(3));
    assert_eq!(seen.events(), ["race", "race"]);
    assert!(keys(&rows(&store, &name(&started)).await).contains(&"race"));
}

/// steps:S12 steps:P3
#[tokio::test(start_paused = true)]
async fn a_race_of_waits_is_suspended_and_decided_for_good() {
    let (store, node) = store();
    let (operations, exporter, _worker) = start_on(
        node,
        |it| it,
        |_, operation| async move {
            let approved = operation.promise::<u32>("approved");
            let patience = operation.sleep("patience", HOUR);
            let won = operation.first("answer", approved, patience).await?;
            operation.sleep("night", HOUR).await?;
            match won {
                Either::Left(rows) => Ok(exported(rows?)),
                Either::Right(_) => Ok(exported(0)),
            }
        },
    )
    .await;
    let late = exporter.call(&["late"]).await.unwrap();
    let done = wait(&operations, &late).await;
    assert_eq!(done.outcome().unwrap().response().unwrap(), exported(0));
    let started = exporter.call(&["in time"]).await.unwrap();
    let name = name(&started);
    suspended(&store, &name).await;
    operations
        .complete(&name, "approved", &5_u32)
        .await
        .unwrap();
    let done = wait(&operations, &started).await;
    assert_eq!(done.outcome().unwrap().response().unwrap(), exported(5));
}

/// steps:W6
#[tokio::test(start_paused = true)]
async fn a_promise_wakes_a_body_whose_closure_runs() {
    let trail = Trail::default();
    let seen = trail.clone();
    let (_, node) = store();
    let (operations, exporter, _worker) = start_on(
        node,
        |it| it,
        move |_, operation| {
            let trail = trail.clone();
            async move {
                let stop = operation.promise::<u32>("stop");
                let work = operation.step("work", async || {
                    trail.add("work");
                    pending::<Result<(), Status>>().await
                });
                match operation.first("end", stop, work).await? {
                    Either::Left(rows) => Ok(exported(rows?)),
                    Either::Right(_) => Err(Status::internal("the work has ended").into()),
                }
            }
        },
    )
    .await;
    let started = exporter.call(&["a"]).await.unwrap();
    seen.reached(1).await;
    let name = name(&started);
    operations.complete(&name, "stop", &9_u32).await.unwrap();
    let done = wait(&operations, &started).await;
    assert_eq!(done.outcome().unwrap().response().unwrap(), exported(9));
    assert_eq!(seen.events(), ["work"]);
}

/// steps:S20
#[tokio::test(start_paused = true)]
async fn a_fan_out_keeps_its_limit_and_the_order_of_the_responses() {
    let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let seen = most.clone();
    let (store, node) = store();
    let (operations, exporter, _worker) = start_on(
        node,
        |it| it,
        move |_, operation| {
            let (running, most) = (running.clone(), most.clone());
            async move {
                let (running, most) = (&running, &most);
                let pages = (0..20_u32).map(|page| {
                    operation.step(format!("render/{page}"), move || async move {
                        let now = running.fetch_add(1, Ordering::Relaxed) + 1;
                        most.fetch_max(now, Ordering::Relaxed);
                        // Later ones end earlier.
                        tokio::time::sleep(Duration::from_millis(u64::from(40 - page))).await;
                        running.fetch_sub(1, Ordering::Relaxed);
                        Ok::<_, Status>(page)
                    })
                });
                let pages = operation.all(3, pages).await?;
                assert_eq!(pages, (0..20).collect::<Vec<_>>());
                Ok(exported(pages.len() as u32))
            }
        },
    )
    .await;
    let started = exporter.call(&["a"]).await.unwrap();
    let done = wait(&operations, &started).await;
    assert_eq!(done.outcome().unwrap().response().unwrap(), exported(20));
    assert_eq!(seen.load(Ordering::Relaxed), 3);
    assert_eq!(rows(&store, &name(&started)).await.len(), 20);
}

/// steps:S20 steps:S5
#[tokio::test(start_paused = true)]
async fn the_first_error_of_a_fan_out_ends_it_again_in_a_later_run() {
    let trail = Trail::default();
    let seen = trail.clone();
    let (_, node) = store();
    let (operations, exporter, _worker) = start_on(
        node,
        |it| it,
        move |_, operation| {
            let trail = trail.clone();
            async move {
                let trail = &trail;
                let work = |n: u32| -> Step<'_, u32> {
                    operation.step(format!("work/{n}"), move || async move {
                        trail.add(format!("work/{n}"));
                        match n {
                            1 => Err(Status::not_found("page 1")),
                            _ => pending().await,
                        }
                    })
                };
                let ended = operation.all(2, (0..4).map(work)).await;
                let error = ended.unwrap_err();
                assert_eq!((error.code(), error.message()), (Code::NotFound, "page 1"));
                operation
                    .step("report", async || Ok::<_, Status>(()))
                    .await?;
                if operation.attempt() == 1 {
                    return Err(again());
                }
                Ok(exported(1))
            }
        },
    )
    .await;
    let started = exporter.call(&["a"]).await.unwrap();
    wait(&operations, &started).await.outcome().unwrap();
    assert_eq!(seen.events(), ["work/0", "work/1"]);
}

/// steps:S6
#[tokio::test(start_paused = true)]
async fn a_lazy_row_is_durable_before_the_next_closure_begins() {
    let (store, node) = store();
    let looked = store.clone();
    let (operations, exporter, _worker) = start_on(
        node,
        |it| it,
        move |_, operation| {
            let store = looked.clone();
            async move {
                let count = async || Ok::<_, Status>(4_u32);
                let before = operation.time();
                let first = operation.step("first", count).lazy().await?;
                assert_eq!(operation.time(), before);
                let (store, name) = (&store, operation.name());
                assert!(rows(store, name).await.is_empty(), "it waits for a commit");
                let check = async || {
                    assert_eq!(keys(&rows(store, name).await), ["first"]);
                    Ok::<_, Status>(())
                };
                operation.step("second", check).await?;
                let last = operation.step("last", count).lazy().await?;
                Ok(exported(first + last))
            }
        },
    )
    .await;
    let started = exporter.call(&["a"]).await.unwrap();
    let done = wait(&operations, &started).await;
    assert_eq!(done.outcome().unwrap().response().unwrap(), exported(8));
    let rows = rows(&store, &name(&started)).await;
    assert_eq!(keys(&rows), ["first", "second", "last"]);
}
