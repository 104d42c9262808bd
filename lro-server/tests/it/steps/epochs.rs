//! Bodies that forget their steps with a checkpoint.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use lro_core::store::{OperationStore as _, StepQuery};
use lro_server::HandlerError;
use tokio::sync::Notify;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use super::{HOUR, Trail, keys, record, store, suspended, wait};
use crate::support::{exported, name, start_on};

/// steps:E8
#[tokio::test(start_paused = true)]
async fn a_body_forgets_its_steps_and_continues_from_the_checkpoint() {
    let trail = Trail::default();
    let seen = trail.clone();
    let (store, node) = store();
    let (operations, exporter, _worker) = start_on(
        node,
        |it| it,
        move |_, operation| {
            let trail = trail.clone();
            async move {
                let mut day = operation.restore::<u32>()?.unwrap_or_default();
                trail.add(format!("from day {day} at {:?}", operation.time()));
                while day < 3 {
                    operation
                        .step("import", async || {
                            trail.add(format!("import {day} {}", operation.uuid("batch")));
                            Ok::<_, Status>(())
                        })
                        .await?;
                    operation.sleep("night", HOUR).await?;
                    day += 1;
                    operation.checkpoint_and_forget(&day).await?;
                    trail.add(format!("from day {day} at {:?}", operation.time()));
                }
                let given: u32 = operation.promise("given").await?;
                Ok(exported(day + given))
            }
        },
    )
    .await;
    let started = exporter.call(&["a"]).await.unwrap();
    let name = name(&started);
    suspended(&store, &name).await;
    operations.complete(&name, "given", &7_u32).await.unwrap();
    let done = wait(&operations, &started).await;
    assert_eq!(done.outcome().unwrap().response().unwrap(), exported(10));
    let mut imports = seen.events();
    imports.retain(|event| event.starts_with("import"));
    assert_eq!(imports.len(), 3, "{imports:?}");
    imports.dedup_by_key(|event| event.split_once(' ').unwrap().1[2..].to_owned());
    assert_eq!(
        imports.len(),
        3,
        "each epoch has its own UUIDs: {imports:?}"
    );
    // The run after a wait begins at the time at which the checkpoint was saved.
    for day in 1..3 {
        let prefix = format!("from day {day} ");
        let mut times = seen.events();
        times.retain(|event| event.starts_with(&prefix));
        assert!(
            times.len() >= 2 && times.iter().all(|it| *it == times[0]),
            "{times:?}"
        );
    }
    let record = record(&store, &name).await;
    let epoch = record.steps.unwrap().epoch;
    assert_eq!(epoch, 3);
    let rows = store
        .steps(StepQuery::all(record.uid, epoch))
        .await
        .unwrap();
    assert_eq!(keys(&rows), ["given"]);
}

/// steps:E8, steps:P2
#[tokio::test(start_paused = true)]
async fn a_promise_that_came_while_the_body_ran_stays_until_it_asks() {
    let (begun, read) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (_store, node) = store();
    let seen = begun.clone();
    let (operations, exporter, _worker) = start_on(
        node,
        |it| it,
        move |_, operation| {
            let (begun, read) = (begun.clone(), read.clone());
            async move {
                if operation.restore::<u32>()?.is_none() {
                    // The run stays in memory until it has read the promises.
                    let first = async {
                        let value = operation.promise::<u32>("first").await;
                        read.notify_one();
                        value
                    };
                    let work = operation.step("work", async || {
                        begun.notify_one();
                        read.notified().await;
                        Ok::<_, Status>(())
                    });
                    let (first, work) = tokio::join!(first, work);
                    work?;
                    assert!(!operation.is_replaying());
                    operation.checkpoint_and_forget(&first?).await?;
                }
                let first = operation.restore::<u32>()?.unwrap_or_default();
                let second: u32 = operation.promise("second").await?;
                Ok(exported(first + second))
            }
        },
    )
    .await;
    let started = exporter.call(&["a"]).await.unwrap();
    let name = name(&started);
    seen.notified().await;
    operations.complete(&name, "second", &2_u32).await.unwrap();
    operations.complete(&name, "first", &1_u32).await.unwrap();
    let done = wait(&operations, &started).await;
    assert_eq!(done.outcome().unwrap().response().unwrap(), exported(3));
}

/// steps:E8
#[tokio::test(start_paused = true)]
async fn a_call_under_way_is_not_forgotten() {
    let (_, node) = store();
    let (operations, exporter, _worker) = start_on(
        node,
        |it| it,
        |_, operation| async move {
            let mut work = operation.step("work", async || pending::<Result<(), Status>>().await);
            let briefly = tokio::time::timeout(Duration::from_millis(5), &mut work);
            assert!(briefly.await.is_err());
            let refused = operation.checkpoint_and_forget(&1_u32).await.unwrap_err();
            let reason = refused.get_details_error_info().unwrap().reason;
            assert_eq!(
                (refused.code(), &*reason),
                (Code::FailedPrecondition, "STEP_UNDER_WAY")
            );
            drop(work);
            operation.checkpoint_and_forget(&1_u32).await?;
            Ok::<_, HandlerError>(exported(operation.restore::<u32>()?.unwrap()))
        },
    )
    .await;
    let started = exporter.call(&["a"]).await.unwrap();
    let done = wait(&operations, &started).await;
    assert_eq!(done.outcome().unwrap().response().unwrap(), exported(1));
}
