//! Children whose starts and ends cross with what the body does.

use std::task::Poll;

use futures_util::FutureExt as _;
use lro_server::steps::Either;

use super::*;

/// Polls a future once, and drops it.
async fn poll_once(future: impl Future) {
    let mut future = std::pin::pin!(future);
    std::future::poll_fn(|context| {
        let _ = future.as_mut().poll(context);
        Poll::Ready(())
    })
    .await;
}

/// The start continues when its call is dropped: the run learns of the child before it ends.
///
/// steps:C11
#[tokio::test(start_paused = true)]
async fn a_start_that_is_dropped_under_way_does_not_fail_the_parent() {
    let server = Server::new(async |family: Family, operation: Context| {
        // Until the start is in a task of its own.
        poll_once(family.child(&operation, "slow", "slow")).await;
        Ok(exported(1))
    })
    .await;
    let started = server.start().await;
    assert_eq!(response(&server.wait(&started).await), exported(1));
    let child = server
        .child_when(&started, "slow", |it| it.state.is_done())
        .await;
    assert_eq!(child.state, OperationState::Cancelled);
}

/// steps:U1
#[tokio::test(start_paused = true)]
async fn a_saga_stops_a_child_whose_start_was_dropped_under_way() {
    let server = Server::new(async |family: Family, operation: Context| {
        let (family, saga) = (&family, operation.saga());
        saga.run(async {
            for (table, events) in [("slow", 1), ("late", 2)] {
                // Until its closure has begun, whose start is in a task of its own then.
                tokio::select! {
                    biased;
                    ended = sagas::child(&saga, family, table) => panic!("{ended:?}"),
                    () = family.trail.reached(events) => {}
                }
            }
            Err(Status::aborted("enough").into())
        })
        .await
    })
    .await;
    let started = server.start().await;
    let done = server.wait(&started).await;
    assert_eq!(done.error().unwrap().code, Code::Aborted as i32);
    let events = server.events();
    // The other child finds no free slot: it is cancelled before it runs.
    let last = ["run slow", "stop slow", "undo late None", "undo slow None"];
    assert_eq!(events[events.len() - 4..], last, "{events:?}");
    assert!(!server.record(&started).await.owes());
}

/// The ends of the others are not read any more when the body returns.
#[tokio::test(start_paused = true)]
async fn a_body_that_takes_the_first_of_several_children_succeeds() {
    let server = Server::new(async |family: Family, operation: Context| {
        let (family, operation) = (&family, &operation);
        let names: Vec<_> = (0..6).map(|child| format!("good/{child}")).collect();
        let children = names
            .iter()
            .map(|name| family.child(operation, name, "good").boxed());
        let (first, _, others) = futures_util::future::select_all(children).await;
        let slow = family.child(operation, "slow", "slow");
        tokio::select! {
            biased;
            ended = slow => panic!("{ended:?}"),
            () = family.trail.reached(10) => {}
        }
        drop(others);
        Ok(first?)
    })
    .await;
    let started = server.start().await;
    assert_eq!(response(&server.wait(&started).await), exported(7));
}

/// steps:C6 steps:S23
#[tokio::test(start_paused = true)]
async fn a_child_of_a_saga_that_takes_too_long_is_stopped_before_the_undo() {
    let server = Server::new(async |family: Family, operation: Context| {
        let (family, saga) = (&family, operation.saga());
        saga.run(async {
            let late = sagas::child(&saga, family, "late").timeout(HOUR / 2);
            // It succeeds although it was cancelled, and so does the step.
            assert_eq!(late.await?, exported(3));
            let slow = sagas::child(&saga, family, "slow").timeout(HOUR / 4);
            assert_eq!(slow.await.unwrap_err().code(), Code::Cancelled);
            Err(Status::aborted("enough").into())
        })
        .await
    })
    .await;
    let started = server.start().await;
    server.wait(&started).await;
    let events = server.events();
    let end = ["stop slow", "undo slow None", "undo late Some(3)"];
    assert_eq!(events[events.len() - 3..], end, "{events:?}");
}

/// steps:C6 steps:S12
#[tokio::test(start_paused = true)]
async fn a_child_of_a_saga_that_has_lost_a_race_is_stopped_before_the_undo() {
    let server = Server::new(async |family: Family, operation: Context| {
        let (family, saga) = (&family, operation.saga());
        saga.run(async {
            // It needs a while to stop, and has succeeded then.
            let lingers = sagas::child(&saga, family, "lingers");
            let patience = operation.sleep("patience", HOUR / 4);
            let first = operation.first("which", lingers, patience).await?;
            assert!(matches!(first, Either::Right(Ok(()))));
            Err(Status::aborted("enough").into())
        })
        .await
    })
    .await;
    let started = server.start().await;
    let done = server.wait(&started).await;
    assert_eq!(done.error().unwrap().code, Code::Aborted as i32);
    let events = [
        "start lingers",
        "run lingers",
        "stop lingers",
        "undo lingers Some(5)",
    ];
    assert_eq!(server.events(), events);
}

/// A plain child in the block of a saga may use what the undos remove.
#[tokio::test(start_paused = true)]
async fn a_saga_stops_the_plain_children_of_its_block_before_it_undoes() {
    let server = Server::new(async |family: Family, operation: Context| {
        let (family, saga) = (&family, operation.saga());
        let operation = &operation;
        saga.run(async {
            sagas::child(&saga, family, "good").await?;
            let fails = async {
                family.trail.reached(4).await;
                Err::<(), _>(Status::aborted("enough"))
            };
            tokio::try_join!(family.child(operation, "plain", "slow"), fails)?;
            Ok(exported(1))
        })
        .await
    })
    .await;
    let started = server.start().await;
    server.wait(&started).await;
    let events = server.events();
    assert_eq!(
        events[events.len() - 2..],
        ["stop slow", "undo good Some(7)"],
        "{events:?}"
    );
}

/// steps:E8
#[tokio::test(start_paused = true)]
async fn an_epoch_ends_without_the_children_that_the_body_has_dropped() {
    let server = Server::new(async |family: Family, operation: Context| {
        let (family, operation) = (&family, &operation);
        if operation.restore::<u32>()?.is_none() {
            let slow = family.child(operation, "child", "slow");
            tokio::select! {
                biased;
                ended = slow => panic!("{ended:?}"),
                () = family.trail.reached(2) => {}
            }
            operation.checkpoint_and_forget(&1_u32).await?;
        }
        // The same name, in another epoch: another child.
        Ok(family.child(operation, "child", "good").await?)
    })
    .await;
    let started = server.start().await;
    assert_eq!(response(&server.wait(&started).await), exported(7));
    assert_eq!(server.family.trail.count_of("stop slow"), 1);
    assert_eq!(server.record(&started).await.attempt, 1);
}
