//! The service `lro.v1.Steps`.

use std::time::Duration;

use exporter::pb::ExportMetadata;
use lro_core::inspection as pb;
use lro_core::inspection::complete_promise_request::Outcome;
use lro_core::inspection::list_steps_request::View;
use lro_core::inspection::operation_record::Redaction;
use lro_core::inspection::step::{Kind, State};
use lro_core::inspection::steps_server::Steps as _;
use lro_core::pb::rpc;
use lro_core::store::MemoryStore;
use lro_core::{OperationName, pack};
use lro_server::inspection::StepsService;
use lro_server::{HandlerError, Operations, Worker};
use prost::Message as _;
use prost_types::Any;
use tonic::{Code, Request, Status};
use tonic_types::StatusExt as _;

use crate::support::{self, Context, exported, name, start_on, wait};

const HOUR: Duration = Duration::from_secs(3_600);

fn service(operations: &Operations) -> StepsService {
    operations.clone().into()
}

async fn list(
    operations: &Operations,
    request: pb::ListStepsRequest,
) -> Result<pb::ListStepsResponse, Status> {
    let answer = service(operations).list_steps(Request::new(request)).await;
    answer.map(tonic::Response::into_inner)
}

fn basic(name: &OperationName) -> pb::ListStepsRequest {
    pb::ListStepsRequest {
        name: name.to_string(),
        ..Default::default()
    }
}

fn full(name: &OperationName) -> pb::ListStepsRequest {
    pb::ListStepsRequest {
        view: View::Full.into(),
        ..basic(name)
    }
}

async fn complete(
    operations: &Operations,
    name: &OperationName,
    promise: &str,
    outcome: impl Into<Option<Outcome>>,
) -> Result<(), Status> {
    let request = Request::new(pb::CompletePromiseRequest {
        name: name.to_string(),
        promise: promise.to_owned(),
        outcome: outcome.into(),
    });
    let answer = service(operations).complete_promise(request).await;
    answer.map(|_| ())
}

fn fields(error: &Status) -> Vec<String> {
    let violations = error.get_details_bad_request().unwrap().field_violations;
    violations.into_iter().map(|it| it.field).collect()
}

fn reason(error: &Status) -> String {
    error.get_details_error_info().unwrap().reason
}

/// A body with a step, a step that fails, and a promise that it waits for in a scope.
async fn import(operation: Context) -> Result<u32, Status> {
    let dump = async || Ok::<u32, Status>(7);
    let rows = operation.step("dump", dump).await?;
    let refuse = async || -> Result<(), Status> {
        let (code, message) = (Code::FailedPrecondition, "the disk is full");
        let error = rpc::Status {
            code: code.into(),
            message: message.into(),
            details: vec![pack(&ExportMetadata {
                tables_done: 3,
                tables_total: 4,
            })],
        };
        let details = error.encode_to_vec().into();
        Err(Status::with_details(code, message, details))
    };
    operation.step("upload", refuse).await.unwrap_err();
    let escalation = operation.scope("escalation");
    let approved: bool = escalation.promise("approved").timeout(HOUR).await?;
    Ok(if approved { rows } else { 0 })
}

/// An operation that is suspended.
async fn suspended() -> (Operations, support::Typed, Worker) {
    let (operations, exporter, worker) = start_on(
        MemoryStore::new(),
        |worker| worker.suspend_after(Duration::ZERO),
        |_, operation| async move { Ok(exported(import(operation).await?)) },
    )
    .await;
    let started = exporter.call(&["a"]).await.unwrap();
    let waits = async || {
        let listed = list(&operations, basic(&name(&started))).await.unwrap();
        !listed.waiting_for.is_empty()
    };
    while !waits().await {
        tokio::task::yield_now().await;
    }
    (operations, started, worker)
}

/// steps:S4
#[tokio::test]
async fn recorded_steps_are_listed_without_their_values() {
    let (operations, started, _worker) = suspended().await;
    let listed = list(&operations, basic(&name(&started))).await.unwrap();
    let [dump, upload, approved] = &*listed.steps else {
        panic!("{listed:?}");
    };
    assert_eq!((&*dump.key, dump.sequence), ("dump", 1));
    assert_eq!((dump.kind(), dump.state()), (Kind::Step, State::Done));
    assert_eq!(dump.value_type, "google.protobuf.UInt32Value");
    assert_eq!((dump.value_bytes, &dump.value), (2, &None));
    assert_eq!((dump.attempt, dump.operation_attempt), (1, 1));
    assert!(dump.sequential && dump.end_time.is_some());

    assert_eq!(upload.state(), State::Failed);
    let error = upload.error.as_ref().unwrap();
    assert_eq!(error.code, Code::FailedPrecondition as i32);
    assert_eq!(
        (&*error.message, error.details.len()),
        ("the disk is full", 0)
    );

    assert_eq!(approved.key, "escalation/approved");
    assert_eq!(
        (&*approved.scope, &*approved.display_name),
        ("escalation", "approved")
    );
    assert_eq!(
        (approved.kind(), approved.state()),
        (Kind::Promise, State::Waiting)
    );
    assert!(approved.wake_time.is_some() && approved.end_time.is_none());

    assert_eq!(listed.waiting_for, ["escalation/approved"]);
    assert_eq!((listed.total_size, listed.blocked), (3, None));
    assert_eq!(listed.next_page_token, "");
    operations.cancel(&name(&started)).await.unwrap();
    let listed = list(&operations, basic(&name(&started))).await.unwrap();
    assert_eq!(listed.steps[2].state(), State::Orphaned);
    assert!(listed.waiting_for.is_empty());
}

#[tokio::test]
async fn the_full_view_has_values_and_details() {
    let (operations, started, _worker) = suspended().await;
    let listed = list(&operations, full(&name(&started))).await.unwrap();
    assert_eq!(listed.steps[0].value, Some(pack(&7_u32)));
    assert_eq!(listed.steps[0].value_redaction(), Redaction::Unspecified);
    // No proto of this server describes the detail, so that its marks are not known.
    let [detail] = &*listed.steps[1].error.as_ref().unwrap().details else {
        panic!("{listed:?}");
    };
    assert!(detail.type_url.ends_with("ExportMetadata") && detail.value.is_empty());
    assert_eq!(listed.steps[1].value_redaction(), Redaction::Withheld);
    let unredacted = pb::ListStepsRequest {
        unredacted: true,
        ..full(&name(&started))
    };
    let listed = list(&operations, unredacted).await.unwrap();
    let [detail] = &*listed.steps[1].error.as_ref().unwrap().details else {
        panic!("{listed:?}");
    };
    assert!(!detail.value.is_empty());
}

#[tokio::test]
async fn steps_come_in_pages() {
    let (operations, started, _worker) = suspended().await;
    let name = name(&started);
    let (mut keys, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = pb::ListStepsRequest {
            page_size: 1,
            page_token: page_token.clone(),
            ..basic(&name)
        };
        let page = list(&operations, request).await.unwrap();
        assert_eq!((page.steps.len(), page.total_size), (1, 3));
        keys.extend(page.steps.into_iter().map(|step| step.key));
        match page.next_page_token {
            end if end.is_empty() => break,
            next => page_token = next,
        }
    }
    assert_eq!(keys, ["dump", "upload", "escalation/approved"]);

    let wrong = |change: fn(&mut pb::ListStepsRequest)| {
        let mut request = basic(&name);
        change(&mut request);
        let operations = operations.clone();
        async move {
            let error = list(&operations, request).await.unwrap_err();
            assert_eq!(error.code(), Code::InvalidArgument);
            fields(&error)
        }
    };
    assert_eq!(wrong(|it| it.page_size = -1).await, ["page_size"]);
    assert_eq!(
        wrong(|it| it.page_token = "AAAA".into()).await,
        ["page_token"]
    );
    assert_eq!(wrong(|it| it.view = 9).await, ["view"]);
    assert_eq!(wrong(|it| it.unredacted = true).await, ["unredacted"]);
    assert_eq!(wrong(|it| it.name = "x".into()).await, ["name"]);
    let missing = "operations/none".parse().unwrap();
    let missing = list(&operations, basic(&missing)).await.unwrap_err();
    assert_eq!(missing.code(), Code::NotFound);
}

#[tokio::test]
async fn an_operation_without_steps_has_an_empty_list() {
    let (operations, exporter, _worker) = support::start(async |_, _| Ok(exported(1))).await;
    let started = exporter.call(&["a"]).await.unwrap();
    let listed = list(&operations, basic(&name(&started))).await.unwrap();
    assert!(listed.begin_time.is_some());
    let head = pb::ListStepsResponse {
        name: name(&started).to_string(),
        begin_time: listed.begin_time,
        ..Default::default()
    };
    assert_eq!(listed, head);
}

/// steps:S16
#[tokio::test]
async fn a_recorded_step_that_the_last_run_has_not_reached_is_orphaned() {
    let (operations, exporter, _worker) = support::start(|_, operation| async move {
        let run = async || Ok::<u32, Status>(7);
        if operation.attempt() == 1 {
            operation.step("old", run).await?;
            let again = HandlerError::retry(Status::unavailable("again"));
            return Err(again.after(Duration::ZERO));
        }
        Ok(exported(1))
    })
    .await;
    let started = exporter.call(&["a"]).await.unwrap();
    wait(&operations, &started).await;
    let listed = list(&operations, full(&name(&started))).await.unwrap();
    let [old] = &*listed.steps else {
        panic!("{listed:?}");
    };
    assert_eq!(
        (old.state(), &old.value),
        (State::Orphaned, &Some(pack(&7_u32)))
    );
    assert!(old.end_time.is_some());
}

/// steps:P1
#[tokio::test]
async fn a_promise_is_completed_by_rpc() {
    let (operations, started, _worker) = suspended().await;
    let name = name(&started);
    let promise = "escalation/approved";
    let value = |value: bool| Outcome::Response(pack(&value));
    complete(&operations, &name, promise, value(true))
        .await
        .unwrap();
    complete(&operations, &name, promise, value(true))
        .await
        .unwrap();
    let other = complete(&operations, &name, promise, value(false)).await;
    let other = other.unwrap_err();
    assert_eq!(
        (other.code(), &*reason(&other)),
        (Code::AlreadyExists, "PROMISE_COMPLETED")
    );
    let done = wait(&operations, &started).await;
    assert_eq!(done.outcome().unwrap().response().unwrap(), exported(7));
}

/// steps:P1
#[tokio::test]
async fn a_promise_ends_with_an_error_by_rpc() {
    let (operations, started, _worker) = suspended().await;
    let error = rpc::Status {
        code: Code::PermissionDenied as i32,
        message: "legal said no".into(),
        details: vec![pack(&3_u32)],
    };
    let outcome = Outcome::Error(error);
    let promise = "escalation/approved";
    complete(&operations, &name(&started), promise, outcome)
        .await
        .unwrap();
    let done = wait(&operations, &started).await;
    let error = done.outcome().unwrap().error().unwrap().clone();
    assert_eq!(error.message, "legal said no");
}

#[tokio::test]
async fn a_call_names_the_field_at_fault() {
    let (operations, started, _worker) = suspended().await;
    let name = name(&started);
    let untyped = Outcome::Response(Any::default());
    let of_code = |code| {
        Outcome::Error(rpc::Status {
            code,
            ..Default::default()
        })
    };
    let value = || Outcome::Response(pack(&true));
    for (promise, outcome, field) in [
        ("approved", None, "outcome"),
        ("approved", Some(untyped), "response.type_url"),
        ("approved", Some(of_code(0)), "error.code"),
        ("approved", Some(of_code(17)), "error.code"),
        ("", Some(value()), "promise"),
        ("two words", Some(value()), "promise"),
        ("dump", Some(value()), "promise"),
    ] {
        let error = complete(&operations, &name, promise, outcome).await;
        let error = error.unwrap_err();
        assert_eq!(error.code(), Code::InvalidArgument, "{error}");
        assert_eq!(fields(&error), [field], "{error}");
        assert_eq!(reason(&error), "INVALID_FIELD");
    }
    operations.delete(&name).await.unwrap();
    let missing = complete(&operations, &name, "approved", value()).await;
    assert_eq!(missing.unwrap_err().code(), Code::NotFound);
}
