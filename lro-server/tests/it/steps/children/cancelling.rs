//! Children whose parents are cancelled, fail, or return without them.

use std::time::Duration;

use super::*;
use lro_core::Reason;
use lro_server::steps::OnCancel;

/// steps:C6
#[tokio::test(start_paused = true)]
async fn a_cancelled_parent_cancels_its_children_and_ends_after_them() {
    for (table, running) in [("slow", false), ("stubborn", false), ("slow", true)] {
        let server = Server::new(move |family: Family, operation: Context| async move {
            let child = family.child(&operation, "child", table);
            let work = async {
                match running {
                    true => {
                        operation
                            .step("work", std::future::pending::<Result<_, Status>>)
                            .await
                    }
                    false => Ok(()),
                }
            };
            tokio::try_join!(child, work)?;
            Ok(exported(1))
        })
        .await;
        let started = server.start().await;
        server.family.trail.reached(2).await;
        if !running {
            suspended(&server.store, &name(&started)).await;
        }
        server.cancel(&name(&started)).await;
        let done = server.wait(&started).await;
        assert_eq!(done.error().unwrap().code, Code::Cancelled as i32);
        let parent = server.record(&started).await;
        assert!(!parent.owes());
        let child = server.child_of(&started, "child").await;
        let child = record(&server.store, &child).await;
        assert_eq!(child.state, OperationState::Cancelled, "{table}");
        assert!(child.end_time <= parent.end_time, "{table}");
        let stops = server.family.trail.count_of("stop slow");
        assert_eq!(stops, usize::from(table == "slow"));
    }
}

/// steps:C6
#[tokio::test(start_paused = true)]
async fn a_parent_waits_for_a_cancelled_child_as_long_as_its_worker_says() {
    for (max, is_given_up) in [(Some(0), true), (Some(2), true), (None, false)] {
        let max = max.map(Duration::from_secs);
        let settings = move |builder: WorkerBuilder| match max {
            Some(max) => builder.child_cancel_max(max),
            None => builder,
        };
        let server = Server::with(settings, async |family: Family, operation: Context| {
            Ok(family.child(&operation, "child", "lingers").await?)
        })
        .await;
        let started = server.start().await;
        suspended(&server.store, &name(&started)).await;
        server.cancel(&name(&started)).await;
        let done = server.wait(&started).await;
        let error = done.error().unwrap();
        let is_told = Reason::UndoIncomplete.is_told_by(error);
        assert_eq!(is_told, is_given_up, "{max:?}: {error:?}");
        let child = server.child_of(&started, "child").await;
        let child = record(&server.store, &child).await;
        assert_eq!(child.state.is_done(), !is_given_up, "{max:?}");
    }
}

/// steps:C6 steps:E4
#[tokio::test(start_paused = true)]
async fn a_parent_that_fails_or_panics_ends_after_its_children_with_its_own_error() {
    for panics in [false, true] {
        let server = Server::new(move |family: Family, operation: Context| async move {
            let slow = family.child(&operation, "slow", "slow");
            let fails = async {
                family.trail.reached(2).await;
                assert!(!panics, "a mistake of the body");
                Err::<(), _>(Status::failed_precondition("no more"))
            };
            tokio::try_join!(slow, fails)?;
            Ok(exported(1))
        })
        .await;
        let started = server.start().await;
        let done = server.wait(&started).await;
        let error = done.error().unwrap();
        match panics {
            true => assert_eq!(error.code, Code::Internal as i32),
            false => assert_eq!(error.message, "no more"),
        }
        assert!(!Reason::UndoIncomplete.is_told_by(error), "{error:?}");
        let child = server.child_of(&started, "slow").await;
        let child = record(&server.store, &child).await;
        assert_eq!(child.state, OperationState::Cancelled);
        assert!(child.end_time <= server.record(&started).await.end_time);
    }
}

/// A retryable error is no end: the children of the run are those of the next one.
#[tokio::test(start_paused = true)]
async fn a_parent_that_runs_again_keeps_its_children() {
    let server = Server::new(move |family: Family, operation: Context| async move {
        family.trail.add("run parent");
        let is_first = family.trail.count_of("run parent") == 1;
        let slow = family.child(&operation, "slow", "slow");
        let busy = async {
            match is_first {
                true => {
                    family.trail.reached(3).await;
                    Err(HandlerError::retry(Status::unavailable("busy")))
                }
                false => Ok(()),
            }
        };
        let slow = async {
            match slow.await {
                Err(error) if error.code() == Code::Cancelled => Ok(()),
                other => panic!("{other:?}"),
            }
        };
        tokio::try_join!(slow, busy)?;
        Ok(exported(1))
    })
    .await;
    let started = server.start().await;
    suspended(&server.store, &name(&started)).await;
    assert_eq!(server.family.trail.count_of("start slow"), 1);
    let child = server.child_of(&started, "slow").await;
    assert!(record(&server.store, &child).await.state.is_running());
    server.cancel(&child).await;
    assert_eq!(response(&server.wait(&started).await), exported(1));
}

/// steps:C11
#[tokio::test(start_paused = true)]
async fn a_child_that_the_body_returns_without_is_cancelled_and_not_waited_for() {
    let server = Server::new(move |family: Family, operation: Context| async move {
        let stubborn = family.child(&operation, "stubborn", "stubborn");
        let ready = async {
            family.trail.reached(2).await;
        };
        tokio::select! {
            ended = stubborn => panic!("{ended:?}"),
            () = ready => {}
        }
        Ok(exported(1))
    })
    .await;
    let started = server.start().await;
    assert_eq!(response(&server.wait(&started).await), exported(1));
    let child = server.child_of(&started, "stubborn").await;
    let running = record(&server.store, &child).await;
    assert_eq!(running.state, OperationState::Cancelling);
    let child = record_when(&server.store, &child, |it| it.state.is_done()).await;
    assert_eq!(child.state, OperationState::Cancelled);
}

/// steps:C6
#[tokio::test(start_paused = true)]
async fn a_child_that_is_left_continues_without_its_parent() {
    let server = Server::new(move |family: Family, operation: Context| async move {
        let slow = family.child(&operation, "slow", "slow");
        slow.on_cancel(OnCancel::Leave).await?;
        Ok(exported(1))
    })
    .await;
    let started = server.start().await;
    suspended(&server.store, &name(&started)).await;
    server.cancel(&name(&started)).await;
    let done = server.wait(&started).await;
    assert_eq!(done.error().unwrap().code, Code::Cancelled as i32);
    let child = server.child_of(&started, "slow").await;
    assert_eq!(
        record(&server.store, &child).await.state,
        OperationState::Running
    );
}

/// A child that does not stop: its own grace period is longer than a parent waits.
///
/// steps:C6
#[tokio::test(start_paused = true)]
async fn a_parent_waits_ten_minutes_for_a_child_that_does_not_stop() {
    let server = Server::new(move |family: Family, operation: Context| async move {
        family.child(&operation, "slow", "slow").await?;
        Ok(exported(1))
    })
    .await;
    let started = server.start().await;
    suspended(&server.store, &name(&started)).await;
    // No worker is there to stop it.
    let child = server.child_of(&started, "slow").await;
    server.hold(&child).await;
    let cancelled_at = tokio::time::Instant::now();
    server.cancel(&name(&started)).await;
    let done = server.wait(&started).await;
    let error = done.error().unwrap();
    assert_eq!(error.code, Code::Cancelled as i32);
    assert!(Reason::UndoIncomplete.is_told_by(error), "{error:?}");
    let waited = cancelled_at.elapsed();
    assert!(waited >= HOUR / 6 && waited < HOUR / 5, "{waited:?}");
}
