//! Suspended operations: what they hold, and how they continue.

use std::time::Duration;

use lro_core::store::{Command, OperationState};
use lro_server::Worker;
use tokio::time::Instant;
use tonic::{Code, Status};

use super::{HOUR, Trail, keys, record, rows, store, suspended, wait};
use crate::support::faulty::Node;
use crate::support::{exported, name, start_on};

/// steps:W1 steps:W2 steps:W4 steps:W5
#[tokio::test(start_paused = true)]
async fn a_long_sleep_holds_no_slot_and_ends_not_early() {
    let trail = Trail::default();
    let seen = trail.clone();
    let (store, node) = store();
    let one_slot = |it: lro_server::WorkerBuilder| it.concurrency(1);
    let (operations, exporter, worker) = start_on(node, one_slot, move |request, operation| {
        let trail = trail.clone();
        async move {
            if request.tables[0] == "other" {
                return Ok(exported(2));
            }
            trail.add(format!("attempt {}", operation.attempt()));
            operation.sleep("night", HOUR).await?;
            trail.add("morning");
            Ok(exported(1))
        }
    })
    .await;
    let begun = Instant::now();
    let started = exporter.call(&["a"]).await.unwrap();
    let other = exporter.call(&["other"]).await.unwrap();
    wait(&operations, &other).await;
    assert!(
        begun.elapsed() < Duration::from_secs(1),
        "the only slot is free"
    );
    let waiting = record(&store, &name(&started)).await;
    assert!(
        waiting.is_suspended() && waiting.lease.is_none(),
        "{waiting:?}"
    );
    assert_eq!(
        (waiting.state, waiting.attempt),
        (OperationState::Pending, 0)
    );
    let done = wait(&operations, &started).await;
    assert_eq!(done.outcome().unwrap().response().unwrap(), exported(1));
    assert!(begun.elapsed() >= HOUR && begun.elapsed() < HOUR + Duration::from_secs(2));
    assert_eq!(seen.events(), ["attempt 1", "attempt 1", "morning"]);
    let rows = rows(&store, &name(&started)).await;
    assert_eq!(keys(&rows), ["night"]);
    assert!(rows[0].is_finished(), "it rides on the end: {rows:?}");
    worker.drain().await;
}

/// steps:W5 steps:S6
#[tokio::test(start_paused = true)]
async fn a_short_sleep_stays_in_memory_and_is_recorded_with_the_next_commit() {
    let (store, node) = store();
    let commits = Trail::default();
    let seen = commits.clone();
    node.before_updates(move |updates| {
        for update in updates.iter().filter(|it| it.uses_steps()) {
            commits.add(match update.command {
                Command::Suspend { .. } => "suspend",
                _ => "record",
            });
        }
        Ok(())
    });
    let (operations, exporter, _worker) = start_on(
        node,
        |it| it,
        |_, operation| async move {
            operation.sleep("short", Duration::from_millis(300)).await?;
            operation.sleep("none", Duration::ZERO).await?;
            operation.step("a", async || Ok::<_, Status>(())).await?;
            Ok(exported(1))
        },
    )
    .await;
    let started = exporter.call(&["a"]).await.unwrap();
    wait(&operations, &started).await;
    assert_eq!(seen.events(), ["record"]);
    let rows = rows(&store, &name(&started)).await;
    assert_eq!(keys(&rows), ["short", "none", "a"]);
    assert!(rows.iter().all(lro_core::store::StepRow::is_finished));
}

/// Found by `torture family-fleet --locks`: the run was polled with each renewal, and began to wait anew.
/// steps:W1
#[tokio::test(start_paused = true)]
async fn renewals_of_the_lease_do_not_keep_a_wait_in_memory() {
    let (store, _) = store();
    // A run of a store that is not its node's alone looks at its lease.
    let node = Node::new(&store);
    let patient = |it: lro_server::WorkerBuilder| {
        let lease = Duration::from_secs(30);
        it.lease_duration(lease).suspend_after(2 * lease)
    };
    let (_operations, exporter, _worker) = start_on(node, patient, |_, operation| async move {
        operation.promise::<u64>("approved").await?;
        Ok(exported(1))
    })
    .await;
    let begun = Instant::now();
    let started = exporter.call(&["a"]).await.unwrap();
    suspended(&store, &name(&started)).await;
    assert!(begun.elapsed() < Duration::from_secs(65));
}

/// steps:W1 steps:W3
#[tokio::test(start_paused = true)]
async fn a_sleep_beside_a_running_closure_does_not_suspend() {
    let trail = Trail::default();
    let seen = trail.clone();
    let (_, node) = store();
    let (operations, exporter, _worker) = start_on(
        node,
        |it| it,
        move |_, operation| {
            let trail = trail.clone();
            async move {
                trail.add("run");
                let work = operation.step("work", async || {
                    trail.add("work");
                    tokio::time::sleep(HOUR).await;
                    Ok::<_, Status>(())
                });
                let (slept, worked) = tokio::join!(operation.sleep("sleep", HOUR * 2), work);
                slept.and(worked)?;
                Ok(exported(1))
            }
        },
    )
    .await;
    let begun = Instant::now();
    let started = exporter.call(&["a"]).await.unwrap();
    wait(&operations, &started).await;
    assert_eq!(
        seen.events(),
        ["run", "work", "run"],
        "suspended after the closure"
    );
    assert!(begun.elapsed() >= HOUR * 2 && begun.elapsed() < HOUR * 2 + Duration::from_secs(2));
}

/// steps:W4
#[tokio::test(start_paused = true)]
async fn suspensions_use_up_no_attempts_and_a_timeout_limits_each_run() {
    let (_, node) = store();
    // At most 3 attempts, and 1 hour for each run.
    let (operations, exporter, _worker) = start_on(
        node,
        |it| it,
        |_, operation| async move {
            for night in 0..6 {
                operation.sleep(format!("night/{night}"), HOUR).await?;
            }
            Ok(exported(operation.attempt()))
        },
    )
    .await;
    let started = exporter.call(&["a"]).await.unwrap();
    let done = wait(&operations, &started).await;
    assert_eq!(done.outcome().unwrap().response().unwrap(), exported(1));
}

/// steps:E3
#[tokio::test(start_paused = true)]
async fn a_suspended_operation_is_cancelled_at_once() {
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
                operation.sleep("night", HOUR).await?;
                Ok(exported(1))
            }
        },
    )
    .await;
    let begun = Instant::now();
    let started = exporter.call(&["a"]).await.unwrap();
    seen.reached(1).await;
    suspended(&store, &name(&started)).await;
    operations.cancel(&name(&started)).await.unwrap();
    let done = wait(&operations, &started).await;
    assert_eq!(done.error().unwrap().code, Code::Cancelled as i32);
    assert!(begun.elapsed() < Duration::from_secs(1));
    assert_eq!(seen.events(), ["run"]);
}

/// steps:W8
#[tokio::test(start_paused = true)]
async fn a_drain_suspends_what_waits_and_lets_closures_finish() {
    let trail = Trail::default();
    let seen = trail.clone();
    let (store, node) = store();
    let body = move |request: exporter::pb::ExportRequest, operation: crate::support::Context| {
        let trail = trail.clone();
        async move {
            if request.tables[0] == "waits" {
                trail.add("waits");
                operation.sleep("short", Duration::from_millis(900)).await?;
                return Ok(exported(1));
            }
            let first = operation.step("first", async || {
                trail.add("first");
                tokio::time::sleep(Duration::from_secs(5)).await;
                Ok::<_, Status>(())
            });
            first.await?;
            let second = operation.step("second", async || {
                trail.add("second");
                Ok::<_, Status>(())
            });
            second.await?;
            Ok(exported(2))
        }
    };
    let (operations, exporter, worker) = start_on(node, |it| it, body).await;
    let waits = exporter.call(&["waits"]).await.unwrap();
    let works = exporter.call(&["works"]).await.unwrap();
    seen.reached(2).await;
    let begun = Instant::now();
    worker.drain().await;
    let took = begun.elapsed();
    assert!(
        took >= Duration::from_secs(5) && took < Duration::from_secs(6),
        "{took:?}"
    );
    assert_eq!(seen.count_of("second"), 0, "nothing new begins");
    assert!(record(&store, &name(&waits)).await.is_suspended());
    assert_eq!(keys(&rows(&store, &name(&works)).await), ["first"]);
    let next = Worker::builder(&operations).host(exporter.clone());
    let _next = next.start().await.unwrap();
    wait(&operations, &waits).await;
    wait(&operations, &works).await;
    assert_eq!((seen.count_of("first"), seen.count_of("second")), (1, 1));
}

/// steps:W5 steps:W8
#[tokio::test(start_paused = true)]
async fn a_sleep_beside_a_closure_survives_a_drain() {
    let trail = Trail::default();
    let seen = trail.clone();
    let (_, node) = store();
    let settings = |it: lro_server::WorkerBuilder| it.drain_timeout(Duration::from_secs(1));
    let body = move |_, operation: crate::support::Context| {
        let trail = trail.clone();
        async move {
            let work = operation.step("work", async || {
                trail.add("work");
                tokio::time::sleep(HOUR / 2).await;
                Ok::<_, Status>(())
            });
            let (slept, worked) = tokio::join!(operation.sleep("sleep", HOUR), work);
            slept.and(worked)?;
            Ok(exported(1))
        }
    };
    let (operations, exporter, worker) = start_on(node, settings, body).await;
    let begun = Instant::now();
    let started = exporter.call(&["a"]).await.unwrap();
    seen.reached(1).await;
    tokio::time::sleep(HOUR / 4).await;
    worker.drain().await;
    let next = Worker::builder(&operations).host(exporter.clone());
    let _next = next.start().await.unwrap();
    wait(&operations, &started).await;
    assert_eq!(seen.events(), ["work"; 2]);
    let took = begun.elapsed();
    assert!(
        took >= HOUR && took < HOUR + Duration::from_secs(5),
        "{took:?}"
    );
}

/// steps:S11
#[tokio::test(start_paused = true)]
async fn time_and_uuids_are_the_same_in_every_run() {
    let trail = Trail::default();
    let seen = trail.clone();
    let (_, node) = store();
    let (operations, exporter, _worker) = start_on(
        node,
        |it| it,
        move |_, operation| {
            let trail = trail.clone();
            async move {
                let mut facts = vec![format!("{:?} {}", operation.time(), operation.uuid("disk"))];
                for night in ["a", "b"] {
                    let step = operation.step(format!("step/{night}"), async || {
                        tokio::time::sleep(Duration::from_secs(7)).await;
                        Ok::<_, Status>(())
                    });
                    step.await?;
                    facts.push(format!("{:?}", operation.time()));
                    operation.sleep(night, HOUR).await?;
                    facts.push(format!("{:?}", operation.time()));
                    operation
                        .sleep(format!("short/{night}"), Duration::from_millis(5))
                        .await?;
                    facts.push(format!("{:?}", operation.time()));
                    trail.add(facts.join(", "));
                }
                Ok(exported(1))
            }
        },
    )
    .await;
    let started = exporter.call(&["a"]).await.unwrap();
    wait(&operations, &started).await;
    let events = seen.events();
    assert_eq!(events.len(), 3, "{events:?}");
    assert_eq!(events[0], events[1]);
    assert!(events[2].starts_with(&events[0]), "{events:?}");
}
