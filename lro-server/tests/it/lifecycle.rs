//! An operation from its start to its end.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use exporter::pb::ExportMetadata;
use lro_core::{ListOptions, Reason};
use lro_server::{HandlerError, Operations};
use tokio::sync::oneshot;
use tokio::time::Instant;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::support::{Typed, exported, name, start, wait};

#[tokio::test(start_paused = true)]
async fn a_body_runs_and_its_response_is_kept() {
    let (operations, exporter, worker) = start(async |request, operation| {
        operation.set_metadata(ExportMetadata {
            tables_done: 2,
            tables_total: 2,
        });
        Ok(exported(request.tables.len() as u32))
    })
    .await;
    let started = exporter.call(&["a", "b"]).await.unwrap();
    assert!(!started.done());
    assert_eq!(started.metadata().unwrap().unwrap().tables_total, 2);
    let done = wait(&operations, &started).await;
    assert_eq!(done.name(), started.name(), "spec:29");
    assert_eq!(done.outcome().unwrap().response().unwrap(), exported(2));
    let metadata = done.metadata().unwrap().unwrap();
    assert_eq!(metadata.tables_done, 2, "spec:30: kept when done");
    worker.drain().await;
}

/// spec:40 spec:134
#[tokio::test(start_paused = true)]
async fn a_start_that_is_refused_makes_no_operation() {
    let (operations, exporter, _worker) = start(async |_, _| Ok(exported(0))).await;
    let refused = exporter.call(&[]).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    let violations = refused.get_details_bad_request().unwrap().field_violations;
    assert_eq!(violations[0].field, "tables");
    let options = ListOptions::new();
    let list = operations.list(Default::default(), &options);
    let list = list.await.unwrap();
    assert!(list.operations.is_empty());
}

/// spec:27 spec:45
#[tokio::test(start_paused = true)]
async fn an_error_keeps_code_message_and_details() {
    let (operations, exporter, _worker) = start(async |_, _| {
        let status = Reason::LimitExceeded.status("too many rows", [("limit", "7")]);
        Err(status.into())
    })
    .await;
    let started = exporter.call(&["a"]).await.unwrap();
    let done = wait(&operations, &started).await;
    let error = done.error().unwrap();
    assert_eq!(error.code, Code::ResourceExhausted as i32);
    assert_eq!(error.message, "too many rows");
    use tonic_types::RpcStatusExt as _;
    let info = error.get_details_error_info().unwrap();
    assert_eq!(info.reason, "LIMIT_EXCEEDED");
    assert_eq!(info.metadata["limit"], "7");
}

/// spec:136
#[tokio::test(start_paused = true)]
async fn a_panic_is_internal_and_keeps_its_words_to_itself() {
    let (operations, exporter, _worker) = start(async |request, _| {
        if request.tables[0] == "bad" {
            panic!("the secret");
        }
        Ok(exported(1))
    })
    .await;
    let bad = exporter.call(&["bad"]).await.unwrap();
    let done = wait(&operations, &bad).await;
    let error = done.error().unwrap();
    assert_eq!(error.code, Code::Internal as i32);
    assert!(!format!("{error:?}").contains("secret"));
    let good = exporter.call(&["good"]).await.unwrap();
    assert!(wait(&operations, &good).await.error().is_none());
}

/// Waits for longer than the method's hour, which passes at once on paused time; each wait is cut at
/// the server's limit.
async fn wait_long(operations: &Operations, operation: &Typed) -> Typed {
    let begun = Instant::now();
    loop {
        let seen = operations.wait(&name(operation), None).await.unwrap();
        if seen.done {
            return seen.into();
        }
        assert!(
            begun.elapsed() < Duration::from_secs(2 * 60 * 60),
            "{seen:?}"
        );
    }
}

/// Panics when it is dropped.
#[derive(Debug)]
struct Spiteful;

impl Drop for Spiteful {
    fn drop(&mut self) {
        panic!("the handler's own");
    }
}

impl std::fmt::Display for Spiteful {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("spiteful")
    }
}

impl std::error::Error for Spiteful {}

#[tokio::test(start_paused = true)]
async fn a_panic_in_a_drop_changes_no_end() {
    let (operations, exporter, worker) = start(async |request, operation| {
        match &*request.tables[0] {
            "hangs" => {
                let _spiteful = Spiteful;
                std::future::pending().await
            }
            // The payload of the panic panics itself.
            "panics" => std::panic::panic_any(Spiteful),
            "fails" | "gives up" => {
                if request.tables[0] == "gives up" {
                    operation.cancelled().await;
                }
                let mut status = Status::not_found("no such table");
                status.set_source(std::sync::Arc::new(Spiteful));
                Err(status.into())
            }
            _ => Ok(exported(1)),
        }
    })
    .await;
    // More than may run at a time: no slot is lost either.
    for (table, cancelled, code) in [
        ("hangs", true, Code::Cancelled),
        ("hangs", false, Code::DeadlineExceeded),
        ("panics", false, Code::Internal),
        ("fails", false, Code::NotFound),
        ("gives up", true, Code::NotFound),
    ] {
        let started = exporter.call(&[table]).await.unwrap();
        tokio::task::yield_now().await;
        if cancelled {
            operations.cancel(&name(&started)).await.unwrap();
        }
        let done = wait_long(&operations, &started).await;
        assert_eq!(done.error().unwrap().code, code as i32, "{table}");
    }
    let started = exporter.call(&["works"]).await.unwrap();
    assert!(wait(&operations, &started).await.error().is_none());
    worker.drain().await;
}

#[tokio::test(start_paused = true)]
async fn a_retryable_error_runs_the_body_again() {
    let (operations, exporter, _worker) = start(async |request, operation| {
        let wanted: u32 = request.tables[0].parse().unwrap();
        if operation.attempt() < wanted {
            let busy = Status::unavailable("busy");
            return Err(HandlerError::retry(busy).after(Duration::from_millis(1)));
        }
        Ok(exported(operation.attempt()))
    })
    .await;
    let started = exporter.call(&["3"]).await.unwrap();
    let done = wait(&operations, &started).await;
    assert_eq!(done.outcome().unwrap().response().unwrap(), exported(3));
    let started = exporter.call(&["4"]).await.unwrap();
    let done = wait(&operations, &started).await;
    let error = done.error().unwrap();
    assert_eq!(error.code, Code::Unavailable as i32, "after 3 attempts");
}

#[tokio::test(start_paused = true)]
async fn a_timeout_ends_the_operation() {
    let (operations, exporter, _worker) = start(async |_, _| std::future::pending().await).await;
    let started = exporter.call(&["a"]).await.unwrap();
    let done = wait_long(&operations, &started).await;
    assert_eq!(done.error().unwrap().code, Code::DeadlineExceeded as i32);
}

#[tokio::test(start_paused = true)]
async fn no_more_bodies_run_than_allowed_and_the_rest_follow() {
    static RUNNING: AtomicU32 = AtomicU32::new(0);
    static MOST: AtomicU32 = AtomicU32::new(0);
    let (operations, exporter, worker) = start(async |_, _| {
        let running = RUNNING.fetch_add(1, Ordering::SeqCst) + 1;
        MOST.fetch_max(running, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(10)).await;
        RUNNING.fetch_sub(1, Ordering::SeqCst);
        Ok(exported(1))
    })
    .await;
    let mut started = Vec::new();
    for _ in 0..9 {
        started.push(exporter.call(&["a"]).await.unwrap());
    }
    for operation in &started {
        wait(&operations, operation).await;
    }
    assert_eq!(MOST.load(Ordering::SeqCst), 2, "the method's concurrency");
    worker.drain().await;
}

/// spec:126 spec:127
#[tokio::test(start_paused = true)]
async fn a_request_id_makes_one_operation() {
    let (_operations, exporter, _worker) = start(async |_, _| Ok(exported(1))).await;
    let first = exporter.call(&["request_id=1"]).await.unwrap();
    let again = exporter.call(&["request_id=1"]).await.unwrap();
    assert_eq!(first.name(), again.name());
    let other = exporter.call(&["request_id=1", "b"]).await.unwrap_err();
    assert_eq!(other.code(), Code::InvalidArgument);
    let info = other.get_details_error_info().unwrap();
    assert_eq!(info.reason, "REQUEST_ID_REUSED");
}

/// spec:132
#[tokio::test(start_paused = true)]
async fn an_exclusive_key_admits_one_unfinished_operation() {
    let (release, released) = oneshot::channel::<()>();
    let released = tokio::sync::Mutex::new(Some(released));
    let released = std::sync::Arc::new(released);
    let (operations, exporter, _worker) = start(move |_, _| {
        let released = released.clone();
        async move {
            if let Some(released) = released.lock().await.take() {
                released.await.ok();
            }
            Ok(exported(1))
        }
    })
    .await;
    let first = exporter.call(&["exclusive_key=k"]).await.unwrap();
    let second = exporter.call(&["exclusive_key=k"]).await.unwrap_err();
    assert_eq!(second.code(), Code::Aborted);
    assert!(second.message().contains(first.name()), "{second:?}");
    release.send(()).unwrap();
    wait(&operations, &first).await;
    exporter.call(&["exclusive_key=k"]).await.unwrap();
}

/// spec:153
#[tokio::test(start_paused = true)]
async fn a_chosen_operation_id_is_taken_once_and_checked() {
    let (_operations, exporter, _worker) = start(async |_, _| Ok(exported(1))).await;
    let first = exporter.call(&["operation_id=mine"]).await.unwrap();
    assert_eq!(first.name(), "operations/mine");
    let again = exporter.call(&["operation_id=mine"]).await.unwrap_err();
    assert_eq!(again.code(), Code::AlreadyExists);
    let bad = exporter.call(&["operation_id=a/b"]).await.unwrap_err();
    assert_eq!(bad.code(), Code::InvalidArgument);
}

/// spec:70
#[tokio::test(start_paused = true)]
async fn a_caller_that_goes_away_does_not_undo_its_start() {
    let (operations, exporter, _worker) = start(async |_, _| Ok(exported(1))).await;
    let mut call = Box::pin(exporter.call(&["operation_id=orphan"]));
    // Polled once, so that the start is under way, then dropped.
    assert!(futures_util::poll!(&mut call).is_pending());
    drop(call);
    tokio::task::yield_now().await;
    let name = "operations/orphan".parse().unwrap();
    assert!(operations.wait(&name, None).await.unwrap().done);
}

/// spec:66 spec:73
#[tokio::test(start_paused = true)]
async fn a_deleted_operation_runs_on_unseen() {
    let (ended_sender, mut ended) = tokio::sync::mpsc::unbounded_channel();
    let (release, _) = tokio::sync::broadcast::channel::<()>(1);
    let releaser = release.clone();
    let (operations, exporter, _worker) = start(move |_, operation| {
        let mut released = releaser.subscribe();
        let ended = ended_sender.clone();
        async move {
            released.recv().await.ok();
            ended.send(operation.is_cancelled()).ok();
            Ok(exported(1))
        }
    })
    .await;
    let started = exporter.call(&["a"]).await.unwrap();
    tokio::task::yield_now().await;
    operations.delete(&name(&started)).await.unwrap();
    let absent = operations.get(&name(&started)).await.unwrap_err();
    assert_eq!(absent.code(), Code::NotFound);
    let again = operations.delete(&name(&started)).await.unwrap_err();
    assert_eq!(again.code(), Code::NotFound, "spec:74");
    release.send(()).unwrap();
    assert_eq!(ended.recv().await, Some(false), "delete does not cancel");
}
