use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use exporter::pb::{ExportRequest, FILE_DESCRIPTOR_SET};
use lro_core::inspection::attempt::Outcome;
use lro_core::inspection::operation_record::{Redaction, State};
use lro_core::inspection::waiting::Cause;
use lro_core::store::MemoryStore;
use lro_server::{HandlerError, Operations};
use prost::Message as _;
use tokio::sync::Notify;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::inspection::describe;
use crate::support::{self, Exporter, exported, name, wait};

#[tokio::test]
async fn a_record_tells_what_the_standard_does_not() {
    let runs = AtomicUsize::new(0);
    let (operations, exporter, worker) = support::start(move |_, _| {
        let first = runs.fetch_add(1, Ordering::Relaxed) == 0;
        async move {
            match first {
                true => {
                    let error = Status::unavailable("the database restarts");
                    Err(HandlerError::retry(error).after(Duration::ZERO))
                }
                false => Ok(exported(1)),
            }
        }
    })
    .await;
    let tables = ["env=prod", "exclusive_key=table/users", "principal=ada"];
    let started = exporter.call(&tables).await.unwrap();
    wait(&operations, &started).await;
    let record = describe(&operations, started.name()).await.unwrap();
    assert_eq!(record.state(), State::Succeeded);
    assert_eq!(record.method, "/exporter.v1.Exporter/Export");
    assert_eq!((record.attempt, record.losses), (2, 0));
    assert_eq!(record.labels["env"], "prod");
    assert_eq!(record.principal, "ada");
    assert_eq!(record.exclusive_key, "table/users");
    let policy = record.policy.unwrap();
    assert_eq!((policy.max_attempts, policy.resumes_after_crash), (3, true));
    assert_eq!(policy.retain.unwrap().seconds, 60);
    let [first, second] = &*record.attempts else {
        panic!("{:?}", record.attempts);
    };
    assert_eq!((first.number, first.outcome()), (1, Outcome::Retried));
    let error = first.error.as_ref().unwrap();
    assert_eq!(error.code, Code::Unavailable as i32);
    assert_eq!(error.message, "the database restarts");
    assert_eq!((second.number, second.outcome()), (2, Outcome::Succeeded));
    assert_eq!(second.end_time, record.end_time);
    assert!(!second.worker.is_empty());
    assert_eq!((record.lease, record.waiting), (None, None));
    let standard = operations.get(&name(&started)).await.unwrap();
    assert_eq!(record.operation, Some(standard));
    worker.drain().await;
}

#[tokio::test]
async fn an_operation_says_why_it_waits() {
    let operations = Operations::new(MemoryStore::new());
    let release = std::sync::Arc::new(Notify::new());
    let until = release.clone();
    let exporter = Exporter::new(&operations, move |_, _| {
        let until = until.clone();
        async move {
            until.notified().await;
            Ok(exported(1))
        }
    });
    let cause = async |name: &str| {
        let record = describe(&operations, name).await.unwrap();
        record.waiting.map(|waiting| waiting.cause())
    };
    let first = exporter.call(&["a"]).await.unwrap();
    assert_eq!(cause(first.name()).await, Some(Cause::NoWorker));
    let worker = lro_server::Worker::builder(&operations).host(exporter.clone());
    let worker = worker.start().await.unwrap();
    let second = exporter.call(&["b"]).await.unwrap();
    let third = exporter.call(&["c"]).await.unwrap();
    // The method has two slots, for whichever of them.
    let mut causes = Vec::new();
    while causes
        .iter()
        .filter(|it: &&Option<Cause>| it.is_none())
        .count()
        < 2
    {
        causes.clear();
        for operation in [&first, &second, &third] {
            causes.push(cause(operation.name()).await);
        }
        tokio::task::yield_now().await;
    }
    assert!(causes.contains(&Some(Cause::NoFreeSlot)), "{causes:?}");
    for operation in [&first, &second, &third] {
        operations.cancel(&name(operation)).await.unwrap();
        release.notify_one();
    }
    for operation in [&first, &second, &third] {
        wait(&operations, operation).await;
        assert_eq!(cause(operation.name()).await, None);
    }
    worker.drain().await;
}

/// A server cannot tell which fields of a message are marked if it does not know the proto.
#[tokio::test]
async fn a_request_of_an_unknown_type_is_withheld() {
    let request = ExportRequest {
        tables: vec!["a".into()],
    };
    for described in [false, true] {
        let mut builder = Operations::builder(MemoryStore::new());
        if described {
            builder = builder.file_descriptor_set(FILE_DESCRIPTOR_SET).unwrap();
        }
        let operations = builder.build();
        let exporter = Exporter::new(&operations, async |_, _| Ok(exported(1)));
        let started = exporter.call(&["a"]).await.unwrap();
        let record = describe(&operations, started.name()).await.unwrap();
        let stored = record.request.clone().unwrap();
        assert!(stored.type_url.ends_with("/exporter.v1.ExportRequest"));
        if described {
            assert_eq!(record.request_redaction(), Redaction::Unspecified);
            assert_eq!(stored.value, request.encode_to_vec());
        } else {
            assert_eq!(record.request_redaction(), Redaction::Withheld);
            assert!(stored.value.is_empty());
        }
    }
}

#[tokio::test]
async fn a_cancelled_operation_says_who_and_why() {
    use lro_core::inspection::Actor;
    use lro_core::pb::CancelOperationRequest;
    use lro_core::pb::operations_server::Operations as _;
    let operations = Operations::new(MemoryStore::new());
    let exporter = Exporter::new(&operations, async |_, _| Ok(exported(1)));
    let started = exporter.call(&["a"]).await.unwrap();
    let mut cancel = tonic::Request::new(CancelOperationRequest {
        name: started.name().to_owned(),
    });
    let reason = "wrong bucket".parse().unwrap();
    cancel.metadata_mut().insert("lro-reason", reason);
    let standard = lro_server::OperationsService::from(operations.clone());
    standard.cancel_operation(cancel).await.unwrap();
    let record = describe(&operations, started.name()).await.unwrap();
    let reason = "wrong bucket".to_owned();
    let principal = String::new();
    assert_eq!(record.cancelled_by, Some(Actor { principal, reason }));
    assert_eq!(record.state(), State::Cancelled);
    assert!(record.cancel_time.is_some());
}

#[tokio::test]
async fn errors_say_what_is_wrong() {
    let operations = Operations::new(MemoryStore::new());
    let missing = describe(&operations, "operations/1").await.unwrap_err();
    assert_eq!(missing.code(), Code::NotFound);
    let info = missing.get_details_error_info().unwrap();
    assert_eq!(info.reason, "OPERATION_NOT_FOUND");
    let malformed = describe(&operations, "no name").await.unwrap_err();
    assert_eq!(malformed.code(), Code::InvalidArgument);
    let violations = malformed.get_details_bad_request().unwrap();
    assert_eq!(violations.field_violations[0].field, "name");
}
