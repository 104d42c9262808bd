//! Steps on threads that may block.

use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lro_server::HandlerError;
use lro_server::steps::{Retry, StepGuard};
use tonic::{Code, Status};

use super::declared::host;
use super::{Trail, is_response, rows, store, wait};
use crate::support::{exported, name, start_on};

/// steps:S24
#[tokio::test]
async fn a_blocking_step_is_recorded_and_asked_to_stop_after_its_timeout() {
    let trail = Trail::default();
    let seen = trail.clone();
    let (store, node) = store();
    let (operations, exporter, _worker) = start_on(
        node,
        |it| it,
        move |_, operation| {
            let trail = trail.clone();
            async move {
                let pages = ["a".to_owned(), "b".to_owned()];
                let count = move |_: &StepGuard| Ok::<_, Status>(pages.len() as u32);
                let pages = operation.step_blocking("count", count).await?;
                let heeds = move |guard: &StepGuard| -> Result<u32, HandlerError> {
                    trail.add("heeds");
                    while !guard.is_stopped() {
                        std::thread::yield_now();
                    }
                    Err(Status::cancelled("stopped").into())
                };
                let retry = Retry::times(2).pause(Duration::ZERO, Duration::ZERO);
                let late = operation
                    .step_blocking("heeds", heeds)
                    .timeout(Duration::from_millis(10))
                    .retry(retry)
                    .await
                    .unwrap_err();
                assert_eq!(late.code(), Code::DeadlineExceeded);
                let finishes = |guard: &StepGuard| {
                    while !guard.is_stopped() {
                        std::thread::yield_now();
                    }
                    Ok::<_, Status>(5_u32)
                };
                let late = operation
                    .step_blocking("finishes", finishes)
                    .timeout(Duration::from_millis(10))
                    .await?;
                Ok(exported(pages + late))
            }
        },
    )
    .await;
    let started = exporter.call(&["a"]).await.unwrap();
    let done = wait(&operations, &started).await;
    assert_eq!(done.outcome().unwrap().response().unwrap(), exported(7));
    assert_eq!(seen.events(), ["heeds", "heeds"]);
    let rows = rows(&store, &name(&started)).await;
    assert!(is_response(&rows[0], &2_u32), "{rows:?}");
}

/// steps:S24
#[tokio::test]
async fn an_operation_ends_when_its_blocking_step_has_returned() {
    let (begun, has_begun) = mpsc::channel();
    let (finish, may_finish) = mpsc::channel::<()>();
    let may_finish = Arc::new(Mutex::new(may_finish));
    let trail = Trail::default();
    let seen = trail.clone();
    let (_, node) = store();
    let (operations, declaring, worker) = host(node, move |operation| {
        let (begun, may_finish) = (begun.clone(), may_finish.clone());
        let trail = trail.clone();
        async move {
            let work = move |guard: &StepGuard| -> Result<(), Status> {
                begun.send(()).unwrap();
                may_finish.lock().unwrap().recv().unwrap();
                assert!(guard.is_stopped());
                trail.add("returned");
                Ok(())
            };
            operation.step_blocking("work", work).await?;
            Ok(exported(1))
        }
    })
    .await;
    let _worker = worker.unwrap();
    let started = declaring.start().await;
    tokio::task::spawn_blocking(move || has_begun.recv().unwrap())
        .await
        .unwrap();
    let name = name(&started);
    operations.cancel(&name).await.unwrap();
    let waited = operations
        .wait(&name, Some(Duration::from_millis(50)))
        .await;
    assert!(!waited.unwrap().done, "its thread still runs");
    finish.send(()).unwrap();
    let done = wait(&operations, &started).await;
    assert_eq!(seen.events(), ["returned"]);
    let error = done.outcome().unwrap().error().unwrap();
    assert_eq!(error.code, Code::Cancelled as i32);
}
