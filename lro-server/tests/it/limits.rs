//! Limits on sizes and counts reject calls at the entrance, without harm to operations.

use std::time::Duration;

use exporter::pb::{ExportMetadata, ExportResponse};
use futures_util::poll;
use lro_core::ListOptions;
use lro_core::store::MemoryStore;
use lro_server::{HandlerError, Limits, Operations, Worker};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::support::{Exporter, exported, name, wait};

/// Numbers below 128 fit, [`LARGE`] ones do not.
const TIGHT: usize = 4;
const LARGE: u32 = u32::MAX;

fn tight() -> Operations {
    let limits = Limits::default()
        .max_metadata_len(TIGHT)
        .max_checkpoint_len(TIGHT)
        .max_response_len(TIGHT);
    Operations::builder(MemoryStore::new())
        .limits(limits)
        .build()
}

fn metadata(tables_done: u32) -> ExportMetadata {
    ExportMetadata {
        tables_done,
        tables_total: 1,
    }
}

#[tokio::test]
async fn oversized_output_is_dropped_or_rejected_and_the_run_continues() {
    let operations = tight();
    let exporter = Exporter::new(&operations, |_, operation| async move {
        operation.set_metadata(metadata(1));
        operation.set_metadata(metadata(LARGE));
        assert_eq!(
            operation.metadata()?.unwrap(),
            metadata(1),
            "the last that fitted"
        );
        operation.checkpoint(&exported(1)).await?;
        let refused = operation.checkpoint(&exported(LARGE)).await.unwrap_err();
        assert_eq!(refused.code(), Code::ResourceExhausted);
        let details = refused.get_error_details();
        assert_eq!(details.error_info().unwrap().reason, "LIMIT_EXCEEDED");
        let violations = &details.bad_request().unwrap().field_violations;
        assert_eq!(violations[0].field, "checkpoint");
        let kept: ExportResponse = operation.restore()?.unwrap();
        assert_eq!(kept, exported(1), "the last that fitted");
        Ok(exported(2))
    });
    let _worker = Worker::builder(&operations)
        .host(exporter.clone())
        .start()
        .await
        .unwrap();
    let started = exporter.call(&["a"]).await.unwrap();
    let done = wait(&operations, &started).await;
    assert_eq!(done.outcome().unwrap().response().unwrap(), exported(2));
    assert_eq!(done.metadata().unwrap().unwrap(), metadata(1));
}

/// report:S4
#[tokio::test]
async fn a_response_that_is_too_large_is_an_error_that_says_so() {
    let operations = tight();
    let exporter = Exporter::new(&operations, |_, operation| async move {
        assert_eq!(operation.max_response_len(), TIGHT);
        operation.check_response(&exported(1))?;
        let refused = operation.check_response(&exported(LARGE)).unwrap_err();
        assert_eq!(refused.code(), Code::ResourceExhausted);
        Ok(exported(LARGE))
    });
    let _worker = Worker::builder(&operations)
        .host(exporter.clone())
        .start()
        .await
        .unwrap();
    let started = exporter.call(&["a"]).await.unwrap();
    let done = operations.wait(&name(&started), None).await.unwrap();
    let Some(lro_core::pb::operation::Result::Error(error)) = done.result else {
        panic!("{done:?}");
    };
    assert_eq!(error.code, Code::ResourceExhausted as i32);
    let names_the_setting = error.message.contains("Limits::max_response_len");
    assert!(names_the_setting, "{error:?}");
    assert_eq!(error.details.len(), 1, "an ErrorInfo");
}

#[tokio::test]
async fn an_error_that_is_too_large_ends_the_operation_all_the_same() {
    let operations = tight();
    let exporter = Exporter::new(&operations, |_, _| async {
        Err(HandlerError::from(Status::not_found(
            "shelf ".repeat(1_000),
        )))
    });
    let _worker = Worker::builder(&operations)
        .host(exporter.clone())
        .start()
        .await
        .unwrap();
    let started = exporter.call(&["a"]).await.unwrap();
    let done = operations.wait(&name(&started), None).await.unwrap();
    let Some(lro_core::pb::operation::Result::Error(error)) = done.result else {
        panic!("{done:?}");
    };
    assert_eq!(
        (error.code, &*error.message),
        (Code::NotFound as i32, "shel")
    );
}

#[tokio::test]
async fn a_start_that_brings_too_much_makes_no_operation() {
    let operations = Operations::new(MemoryStore::new());
    let exporter = Exporter::new(&operations, |_, _| async { Ok(exported(0)) });
    for (table, field) in [
        (format!("request_id={}", "x".repeat(129)), "request_id"),
        (
            format!("exclusive_key={}", "x".repeat(513)),
            "exclusive_key",
        ),
        (format!("operation_id={}", "x".repeat(64)), "operation_id"),
        (format!("label={}", "x".repeat(64)), "labels"),
    ] {
        let refused = exporter.call(&[&table]).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{table}");
        let details = refused.get_error_details();
        assert_eq!(details.error_info().unwrap().reason, "INVALID_FIELD");
        let violations = &details.bad_request().unwrap().field_violations;
        assert_eq!(violations[0].field, field);
    }
    let options = ListOptions::new();
    let all = operations.list("".parse().unwrap(), &options);
    let all = all.await.unwrap();
    assert_eq!(all.operations, []);
}

/// spec:59
#[tokio::test(start_paused = true)]
async fn excess_waiters_get_the_latest_state_immediately() {
    let limits = Limits::default()
        .max_waiters_per_operation(2)
        .max_waiters(3);
    let operations = Operations::builder(MemoryStore::new())
        .limits(limits)
        .build();
    // Without a worker, they stay as they are.
    let exporter = Exporter::new(&operations, |_, _| async { Ok(exported(0)) });
    let (a, b) = (
        exporter.call(&["a"]).await.unwrap(),
        exporter.call(&["b"]).await.unwrap(),
    );
    let (a, b) = (name(&a), name(&b));
    let wait = |name| Box::pin(operations.wait(name, None));
    let (mut first, mut second, mut third) = (wait(&a), wait(&a), wait(&b));
    assert!(poll!(&mut first).is_pending() && poll!(&mut second).is_pending());
    let begun = tokio::time::Instant::now();
    assert!(!wait(&a).await.unwrap().done);
    assert!(poll!(&mut third).is_pending());
    assert!(!wait(&b).await.unwrap().done);
    assert_eq!(begun.elapsed(), Duration::ZERO);
    drop(first);
    assert!(poll!(&mut wait(&a)).is_pending(), "there is room again");
    drop((second, third));
}
