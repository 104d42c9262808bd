//! Declarations of a method for its durable calls: promises, a lifetime, and their order.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use exporter::pb::{self, ExportMetadata, ExportRequest, ExportResponse, GetTableRequest, Table};
use lro_core::Operation;
use lro_server::{
    HandlerError, OperationContext, Operations, Worker, WorkerBuildError, long_running,
};
use tokio::time::Instant;
use tonic::{Code, Request, Response, Status};
use tonic_types::StatusExt as _;

use super::{HOUR, Trail, keys, record, rows, store, wait};
use crate::support::faulty::Node;
use crate::support::{exported, name};

type Context = OperationContext<ExportMetadata>;
type Body = Pin<Box<dyn Future<Output = Result<ExportResponse, HandlerError>> + Send>>;

pub(super) struct Declaring {
    operations: Operations,
    body: Box<dyn Fn(Context) -> Body + Send + Sync>,
}

#[long_running]
impl pb::exporter_server::Exporter for Declaring {
    #[long_running(
        response = ExportResponse,
        metadata = ExportMetadata,
        lifetime = "3h",
        promise("approved" = u32, "paid" = bool),
        steps = "by_name"
    )]
    async fn export(
        &self,
        _request: ExportRequest,
        operation: OperationContext<ExportMetadata>,
    ) -> Result<ExportResponse, HandlerError> {
        (self.body)(operation).await
    }

    async fn get_table(
        &self,
        _request: Request<GetTableRequest>,
    ) -> Result<Response<Table>, Status> {
        Err(Status::unimplemented("none"))
    }
}

/// A worker that hosts the method with this body. A cancelled body is dropped at once.
pub(super) async fn host<F, Fut>(
    node: Node,
    body: F,
) -> (Operations, Arc<Declaring>, Result<Worker, WorkerBuildError>)
where
    F: Fn(Context) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<ExportResponse, HandlerError>> + Send + 'static,
{
    let operations = Operations::new(node);
    let declaring = Arc::new(Declaring {
        operations: operations.clone(),
        body: Box::new(move |operation| Box::pin(body(operation))),
    });
    let worker = Worker::builder(&operations).host(declaring.clone());
    let worker = worker.start().await;
    (operations, declaring, worker)
}

impl Declaring {
    pub(super) async fn start(&self) -> Operation<ExportResponse, ExportMetadata> {
        let request = Request::new(ExportRequest::default());
        let started = pb::exporter_server::Exporter::export(self, request).await;
        started.unwrap().into_inner()
    }
}

fn reason(error: &Status) -> String {
    error.get_details_error_info().unwrap().reason
}

/// steps:P4
#[tokio::test(start_paused = true)]
async fn undeclared_promises_and_wrong_types_are_refused() {
    let (_, node) = store();
    let (operations, declaring, worker) = host(node, |operation| async move {
        let other = operation.promise::<u32>("other").await.unwrap_err();
        assert_eq!(
            (other.code(), &*reason(&other)),
            (Code::Internal, "PROMISE_UNDECLARED")
        );
        let wrong = operation.promise::<u32>("paid").await.unwrap_err();
        assert!(wrong.message().contains("google.protobuf.BoolValue"));
        let scope = operation.scope("escalation");
        let (rows, more) = tokio::join!(
            operation.promise::<u32>("approved"),
            scope.promise::<u32>("approved"),
        );
        Ok(exported(rows? + more?))
    })
    .await;
    let _worker = worker.unwrap();
    let started = declaring.start().await;
    let name = name(&started);
    for error in [
        operations.complete(&name, "other", &1_u32).await,
        operations.complete(&name, "approved", &true).await,
        operations
            .fail(&name, "other", &Status::aborted("no"))
            .await,
    ] {
        let error = error.unwrap_err();
        assert_eq!(error.code(), Code::InvalidArgument, "{error}");
        let violations = error.get_details_bad_request().unwrap().field_violations;
        assert_eq!(violations[0].field, "promise");
    }
    for key in ["approved", "escalation/approved"] {
        operations.complete(&name, key, &2_u32).await.unwrap();
    }
    let done = wait(&operations, &started).await;
    assert_eq!(done.outcome().unwrap().response().unwrap(), exported(4));
}

/// steps:S16
#[tokio::test(start_paused = true)]
async fn by_name_a_new_call_may_come_before_recorded_ones() {
    let trail = Trail::default();
    let seen = trail.clone();
    let (store, node) = store();
    let (operations, declaring, worker) = host(node, move |operation| {
        let trail = trail.clone();
        async move {
            let operation = &operation;
            let step = async |name: &str| -> Result<(), Status> {
                let run = async || {
                    trail.add(name);
                    Ok::<_, Status>(())
                };
                operation.step(name, run).await
            };
            if operation.attempt() == 1 {
                step("old").await?;
                step("kept").await?;
                let again = HandlerError::retry(Status::unavailable("again"));
                return Err(again.after(Duration::ZERO));
            }
            step("new").await?;
            step("kept").await?;
            Ok(exported(1))
        }
    })
    .await;
    let _worker = worker.unwrap();
    let started = declaring.start().await;
    wait(&operations, &started).await.outcome().unwrap();
    assert_eq!(seen.events(), ["old", "kept", "new"]);
    assert_eq!(
        keys(&rows(&store, &name(&started)).await),
        ["old", "kept", "new"]
    );
    let summary = record(&store, &name(&started)).await.steps.unwrap();
    assert_eq!(summary.unreached, ["old"]);
}

/// steps:W4 steps:S15
#[tokio::test(start_paused = true)]
async fn a_lifetime_ends_a_wait() {
    let (_, node) = store();
    let (operations, declaring, worker) = host(node, |operation| async move {
        operation.sleep("first", HOUR).await?;
        operation.sleep("second", 5 * HOUR).await?;
        Ok(exported(1))
    })
    .await;
    let _worker = worker.unwrap();
    let begun = Instant::now();
    let started = declaring.start().await;
    let done = wait(&operations, &started).await;
    let error = done.outcome().unwrap().error().unwrap();
    assert_eq!(error.code, Code::DeadlineExceeded as i32);
    let lived = begun.elapsed();
    assert!(
        lived >= 3 * HOUR && lived < 3 * HOUR + Duration::from_secs(5),
        "{lived:?}"
    );
}

/// steps:P4
#[tokio::test]
async fn a_worker_does_not_start_on_a_store_that_keeps_no_steps() {
    let (_, node) = store();
    let node = node.without_steps();
    let (_, _, worker) = host(node, |_| async { Ok(exported(1)) }).await;
    let error = worker.unwrap_err().to_string();
    assert!(
        error.contains("`promise`") && error.contains("Export"),
        "{error}"
    );
}
