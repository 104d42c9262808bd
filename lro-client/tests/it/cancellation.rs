//! Cancelling, deleting, and dropping.

use std::sync::Arc;
use std::time::Duration;

use lro_client::Cancellation;
use lro_core::pb;
use tokio::runtime::Handle;
use tokio::time::Instant;
use tonic::{Code, Status};

use crate::support;
use crate::support::{Fake, failed, response, running, succeeded};

const SECOND: Duration = Duration::from_secs(1);

/// Answers to cancelling, and to everything else.
fn fake(cancel: Result<(), Status>, state: Result<pb::Operation, Status>) -> Arc<Fake> {
    Fake::new(move |call| {
        std::future::ready(match call.method {
            "cancel" => cancel.clone().map(|()| running()),
            _ => state.clone(),
        })
    })
}

/// Until the tasks have done what they can.
async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn cancelling_leaves_the_poller_to_tell_what_came_of_it() {
    let fake = Fake::new(|call| async move {
        match call.method {
            "cancel" => Ok(running()),
            _ => Ok(failed(1, "")),
        }
    });
    let poller = fake.started();
    poller.cancel().await.unwrap();
    let error = poller.until_done().await.unwrap_err();
    assert_eq!(error.to_string(), "operation `operations/1` was cancelled");
    assert_eq!(fake.methods(), ["cancel", "wait"]);
}

#[tokio::test(start_paused = true)]
async fn cancel_and_wait_tells_what_came_of_it() {
    let server = fake(Ok(()), Ok(failed(1, "by another caller")));
    let ended = server.started().cancel_and_wait().await.unwrap();
    assert_eq!(ended, Cancellation::Cancelled);
    assert_eq!(server.methods(), ["cancel", "wait"]);

    let server = fake(Ok(()), Ok(succeeded()));
    let ended = server.started().cancel_and_wait().await.unwrap();
    assert_eq!(ended, Cancellation::Completed(response()));

    let server = fake(Ok(()), Ok(failed(5, "deleted")));
    let error = server.started().cancel_and_wait().await.unwrap_err();
    assert!(error.is_failed());
}

#[tokio::test(start_paused = true)]
async fn finished_operations_are_not_cancelled() {
    let server = fake(Err(Status::internal("asked")), Ok(succeeded()));
    let mut poller = server.started();
    poller.poll().await;
    let ended = poller.cancel_and_wait().await.unwrap();
    assert_eq!(ended, Cancellation::Completed(response()));
    assert_eq!(server.methods(), ["get"]);
}

#[tokio::test(start_paused = true)]
async fn a_server_without_cancellation_differs_from_a_failure() {
    let refusal = || Err(Status::unimplemented("no"));
    let server = fake(refusal(), Ok(running()));
    let error = server.started().cancel_and_wait().await.unwrap_err();
    assert!(error.is_cancel_failed() && !error.is_poll_failed() && !error.is_cancelled());
    assert_eq!(error.code(), Code::Unimplemented);
    assert_eq!(
        error.to_string(),
        "operation `operations/1` could not be cancelled: Unimplemented: no"
    );
    assert_eq!(error.into_poller().unwrap().name(), support::NAME);
    assert_eq!(server.methods(), ["cancel", "get"]);

    // It was done meanwhile, which some servers call a failed precondition.
    let late = Err(Status::failed_precondition("it is done"));
    let server = fake(late, Ok(succeeded()));
    let ended = server.started().cancel_and_wait().await.unwrap();
    assert_eq!(ended, Cancellation::Completed(response()));
}

#[tokio::test(start_paused = true)]
async fn the_time_limit_counts_from_the_cancelling_on() {
    let server = Fake::new(|_| std::future::pending());
    let began = Instant::now();
    let poller = server.started().time_limit(SECOND * 3);
    let error = poller.cancel_and_wait().await.unwrap_err();
    assert!(error.is_timeout());
    assert_eq!((began.elapsed(), error.elapsed()), (SECOND * 3, SECOND * 3));
}

#[tokio::test(start_paused = true)]
async fn deleting_asks_the_server() {
    let server = fake(Ok(()), Ok(running()));
    server.started().delete().await.unwrap();
    assert_eq!(server.methods(), ["delete"]);
}

#[tokio::test(start_paused = true)]
async fn dropping_cancels_when_it_is_asked_to() {
    let server = fake(Ok(()), Ok(running()));
    drop(server.started());
    let poller = server.started().cancel_on_drop(Handle::current());
    drop(poller.clone());
    settle().await;
    assert!(server.calls().is_empty());
    let waiting = tokio::time::timeout(SECOND / 100, poller.until_done());
    waiting.await.unwrap_err();
    settle().await;
    assert_eq!(server.methods().last(), Some(&"cancel"));
}

#[tokio::test(start_paused = true)]
async fn dropping_cancels_nothing_that_is_done() {
    let server = fake(Ok(()), Ok(succeeded()));
    let poller = server.started().cancel_on_drop(Handle::current());
    poller.until_done().await.unwrap();
    settle().await;
    assert_eq!(server.methods(), ["wait"]);
}

#[tokio::test(start_paused = true)]
async fn the_poller_of_an_error_cancels_too() {
    let server = fake(Ok(()), Ok(running()));
    let poller = server.started().cancel_on_drop(Handle::current());
    let mut poller = poller.time_limit(SECOND);
    let mut last = None;
    while let Some(update) = poller.next_update().await {
        last = Some(update);
    }
    drop(poller);
    settle().await;
    assert!(!server.methods().contains(&"cancel"));
    drop(last);
    settle().await;
    assert_eq!(server.methods().last(), Some(&"cancel"));
}
