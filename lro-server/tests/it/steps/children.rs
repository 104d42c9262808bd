//! Children: operations that a body starts and waits for.

mod cancelling;
mod elsewhere;
#[cfg(feature = "inspection")]
mod inspecting;
mod misuse;
mod races;
mod sagas;

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};

use exporter::pb::{ExportRequest, ExportResponse};
use lro_core::OperationName;
use lro_core::store::{MemoryStore, OperationRecord, OperationState, StepKind};
use lro_server::steps::{Retry, Step};
use lro_server::{HandlerError, Operations, Worker, WorkerBuilder};
use tonic::{Code, Request, Response, Status};

use super::{HOUR, Node, Trail, keys, record, record_when, rows, store, suspended, wait};
use crate::support::{Context, Exporter, Metadata, Typed, exported, name, start_on};

type Body = Pin<Box<dyn Future<Output = Result<ExportResponse, HandlerError>> + Send>>;

/// The service, for the bodies of parents.
#[derive(Clone)]
struct Family {
    operations: Operations,
    exporter: Arc<OnceLock<Arc<Exporter>>>,
    trail: Trail,
    /// Its way to the store.
    way: Node,
}

impl Family {
    fn exporter(&self) -> &Arc<Exporter> {
        self.exporter.get().unwrap()
    }

    /// The child of a step, which exports this table: its body is chosen by that.
    fn child<'a>(
        &'a self,
        operation: &'a Context,
        step: &str,
        table: &'a str,
    ) -> Step<'a, ExportResponse> {
        operation.child(step, &self.operations, async move |request_id| {
            self.start(table, &request_id).await
        })
    }

    /// The rpc that starts a child, in this process.
    async fn start(&self, table: &str, request_id: &str) -> Result<Response<Operation>, Status> {
        self.trail.add(format!("start {table}"));
        let tables = vec![table.to_owned(), format!("request_id={request_id}")];
        let request = Request::new(ExportRequest { tables });
        exporter::pb::exporter_server::Exporter::export(&**self.exporter(), request).await
    }
}

type Operation = Typed;

/// A server in memory whose operations of the table `parent` run this body, and the others that of their table:
/// `good` and `bad` end at once, `slow`, `late` and `lingers` when they are cancelled, and `stubborn` an hour later.
struct Server {
    store: Arc<MemoryStore>,
    family: Family,
    _worker: Worker,
}

impl Server {
    async fn new<F, Fut>(parent: F) -> Self
    where
        F: Fn(Family, Context) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<ExportResponse, HandlerError>> + Send + 'static,
    {
        Self::with(|builder| builder, parent).await
    }

    async fn with<F, Fut>(settings: impl Fn(WorkerBuilder) -> WorkerBuilder, parent: F) -> Self
    where
        F: Fn(Family, Context) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<ExportResponse, HandlerError>> + Send + 'static,
    {
        let (store, node) = store();
        let exporter = Arc::new(OnceLock::<Arc<Exporter>>::new());
        let family = Arc::new(OnceLock::<Family>::new());
        let of_bodies = family.clone();
        let body = move |request: ExportRequest, operation: Context| -> Body {
            let family = of_bodies.get().unwrap().clone();
            match &*request.tables[0] {
                "parent" => Box::pin(parent(family, operation)),
                _ => Box::pin(child(family.trail, request.tables[0].clone(), operation)),
            }
        };
        let (operations, made, worker) = start_on(node.clone(), settings, body).await;
        exporter.set(made).ok().unwrap();
        let made = Family {
            operations,
            exporter,
            trail: Trail::default(),
            way: node,
        };
        family.set(made.clone()).ok().unwrap();
        Self {
            store,
            family: made,
            _worker: worker,
        }
    }

    async fn start(&self) -> Typed {
        self.family.exporter().call(&["parent"]).await.unwrap()
    }

    async fn wait(&self, operation: &Typed) -> Typed {
        wait(&self.family.operations, operation).await
    }

    async fn record(&self, operation: &Typed) -> OperationRecord {
        record(&self.store, &name(operation)).await
    }

    /// The child of a step of this operation.
    async fn child_of(&self, operation: &Typed, step: &str) -> OperationName {
        let rows = rows(&self.store, &name(operation)).await;
        let row = rows.iter().find(|row| row.key.as_str() == step);
        row.and_then(|row| row.child.as_ref()).unwrap().name.clone()
    }

    /// Returns the record of the child once it is as wanted.
    async fn child_when(
        &self,
        operation: &Typed,
        step: &str,
        is_wanted: impl Fn(&OperationRecord) -> bool,
    ) -> OperationRecord {
        let child = self.child_of(operation, step).await;
        record_when(&self.store, &child, is_wanted).await
    }

    fn events(&self) -> Vec<String> {
        self.family.trail.events()
    }

    /// The worker of this operation loses it to one that never ends it.
    async fn hold(&self, operation: &OperationName) {
        use lro_core::store::{Claim, OperationStore as _, WorkerId};
        let held = record(&self.store, operation).await;
        let release = lro_core::store::Command::Release {
            fence: held.fence,
            metadata: None,
        };
        let update = lro_core::store::Update::by_name(operation.clone(), release);
        let claim = Claim {
            worker: WorkerId::from_uuid(uuid::Uuid::from_u128(1)),
            methods: [(held.method.clone(), 1)].into(),
            limit: 1,
            lease_duration: HOUR * 24,
            suspects: lro_core::store::Suspects::default(),
            expires_leases: false,
        };
        self.store
            .update(vec![update])
            .await
            .unwrap()
            .remove(0)
            .unwrap();
        let claimed = self.store.claim(claim).await.unwrap();
        assert_eq!(&claimed.operations[0].name, operation);
    }

    async fn cancel(&self, name: &OperationName) {
        self.family.operations.cancel(name).await.unwrap();
    }
}

async fn child(
    trail: Trail,
    table: String,
    operation: Context,
) -> Result<ExportResponse, HandlerError> {
    trail.add(format!("run {table}"));
    match &*table {
        "good" => Ok(exported(7)),
        "bad" => Err(Status::failed_precondition("the table is locked").into()),
        "late" => {
            operation.cancelled().await;
            Ok(exported(3))
        }
        "lingers" => {
            operation.cancelled().await;
            // Within the grace period.
            tokio::time::sleep(std::time::Duration::from_secs(4)).await;
            trail.add(format!("stop {table}"));
            Ok(exported(5))
        }
        "stubborn" => {
            operation.cancelled().await;
            // Longer than the grace period.
            tokio::time::sleep(HOUR).await;
            Ok(exported(1))
        }
        _ => {
            operation.cancelled().await;
            trail.add(format!("stop {table}"));
            Err(Status::cancelled("tidied up").into())
        }
    }
}

fn response(done: &Typed) -> ExportResponse {
    let outcome = done.outcome().unwrap();
    outcome.response().unwrap_or_else(|| panic!("{done:?}"))
}

/// steps:C2 steps:C5
#[tokio::test(start_paused = true)]
async fn a_parent_gets_the_response_of_its_child() {
    let server = Server::new(async |family: Family, operation: Context| {
        let child = family.child(&operation, "export", "good").await?;
        Ok(exported(child.tables_exported + 1))
    })
    .await;
    let started = server.start().await;
    let done = server.wait(&started).await;
    assert_eq!(response(&done), exported(8));
    let rows = rows(&server.store, &name(&started)).await;
    assert_eq!(keys(&rows), ["export"]);
    assert_eq!(rows[0].kind, StepKind::Child);
    let child = server.child_of(&started, "export").await;
    let child = record(&server.store, &child).await;
    let parent_step = child.parent_step.as_deref().unwrap();
    assert_eq!(parent_step.operation, name(&started));
    assert_eq!(parent_step.key.as_str(), "export");
    assert_eq!(child.state, OperationState::Succeeded);
    assert!(!server.record(&started).await.owes());
}

#[tokio::test(start_paused = true)]
async fn a_parent_gets_the_error_of_its_child_with_its_details() {
    let server = Server::new(async |family: Family, operation: Context| {
        let error = family.child(&operation, "export", "bad").await.unwrap_err();
        assert_eq!(error.code(), Code::FailedPrecondition);
        assert_eq!(error.message(), "the table is locked");
        // A later call passes the recorded error.
        operation.sleep("night", HOUR).await?;
        Ok(exported(1))
    })
    .await;
    let started = server.start().await;
    assert_eq!(response(&server.wait(&started).await), exported(1));
    assert_eq!(server.events(), ["start bad", "run bad"]);
}

/// steps:W2 steps:W6
#[tokio::test(start_paused = true)]
async fn a_parent_holds_no_slot_while_it_waits() {
    let server = Server::new(async |family: Family, operation: Context| {
        family.trail.add("run parent");
        Ok(family
            .child(&operation, "export", "slow")
            .await
            .or_else(|error| {
                (error.code() == Code::Cancelled)
                    .then(|| exported(9))
                    .ok_or(error)
            })?)
    })
    .await;
    // As many as the worker has slots: the second child needs that of its parent.
    let mut parents = Vec::new();
    for _ in 0..2 {
        let parent = server.start().await;
        suspended(&server.store, &name(&parent)).await;
        parents.push(parent);
        let waiting = server.record(parents.last().unwrap()).await;
        assert_eq!((waiting.worker, &waiting.lease), (None, &None));
    }
    for parent in &parents {
        let child = server.child_of(parent, "export").await;
        server.cancel(&child).await;
        assert_eq!(response(&server.wait(parent).await), exported(9));
    }
    // Once, and once more after the wait.
    assert_eq!(server.family.trail.count_of("run parent"), 4);
    assert_eq!(server.family.trail.count_of("start slow"), 2);
}

/// steps:C1
#[tokio::test(start_paused = true)]
async fn a_child_has_the_same_request_id_in_every_attempt() {
    let server = Server::new(async |family: Family, operation: Context| {
        let refuse_once = async |step: &'static str| {
            let family = &family;
            let start = async move |request_id: String| {
                family.trail.add(request_id.clone());
                match family.trail.count_of(&request_id) {
                    1 => Err(HandlerError::retry(Status::unavailable("busy"))),
                    _ => Ok(family.start("good", &request_id).await?),
                }
            };
            let retry = Retry::times(2).pause(HOUR / 1_800, HOUR);
            operation
                .child(step, &family.operations, start)
                .retry(retry)
                .await
        };
        refuse_once("a").await?;
        refuse_once("b").await?;
        Ok(exported(1))
    })
    .await;
    let started = server.start().await;
    // The pauses suspend the operation.
    assert_eq!(response(&server.wait(&started).await), exported(1));
    let ids = [
        server.child_of(&started, "a").await,
        server.child_of(&started, "b").await,
    ];
    let mut request_ids = Vec::new();
    for child in &ids {
        let record = record(&server.store, child).await;
        request_ids.push(record.request_id.unwrap().id);
    }
    assert_ne!(request_ids[0], request_ids[1]);
    for id in &request_ids {
        assert_eq!(server.family.trail.count_of(id), 2);
    }
    assert_eq!(
        uuid::Uuid::parse_str(&request_ids[0])
            .unwrap()
            .get_version_num(),
        4
    );
}

/// Lost races are not run again: the winner is recorded, and the child of the loser is cancelled.
///
/// steps:C11 steps:S12
#[tokio::test(start_paused = true)]
async fn the_loser_of_a_race_is_cancelled() {
    let server = Server::new(async |family: Family, operation: Context| {
        let child = family.child(&operation, "export", "slow");
        let patience = operation.sleep("patience", HOUR / 2);
        let first = operation.first("which", child, patience).await?;
        assert!(matches!(first, lro_server::steps::Either::Right(Ok(()))));
        operation.sleep("after", HOUR).await?;
        Ok(exported(1))
    })
    .await;
    let started = server.start().await;
    suspended(&server.store, &name(&started)).await;
    let child = server
        .child_when(&started, "export", |child| child.state.is_done())
        .await;
    assert_eq!(child.state, OperationState::Cancelled);
    let by = child.history.cancelled_by.unwrap();
    assert!(by.reason.contains(name(&started).as_str()), "{by:?}");
    assert_eq!(response(&server.wait(&started).await), exported(1));
}

/// steps:S23
#[tokio::test(start_paused = true)]
async fn a_child_that_takes_too_long_is_cancelled() {
    let server = Server::new(async |family: Family, operation: Context| {
        let child = family.child(&operation, "export", "slow").timeout(HOUR / 2);
        let error = child.await.unwrap_err();
        assert_eq!(error.code(), Code::DeadlineExceeded);
        Ok(exported(1))
    })
    .await;
    let started = server.start().await;
    assert_eq!(response(&server.wait(&started).await), exported(1));
    let child = server
        .child_when(&started, "export", |child| child.state.is_done())
        .await;
    assert_eq!(child.state, OperationState::Cancelled);
}

/// steps:C5
#[tokio::test(start_paused = true)]
async fn a_child_that_is_deleted_before_its_end_is_not_found() {
    let server = Server::new(async |family: Family, operation: Context| {
        let error = family
            .child(&operation, "export", "slow")
            .await
            .unwrap_err();
        assert_eq!(error.code(), Code::NotFound);
        Ok(exported(1))
    })
    .await;
    let started = server.start().await;
    suspended(&server.store, &name(&started)).await;
    let child = server.child_of(&started, "export").await;
    server.family.operations.delete(&child).await.unwrap();
    assert_eq!(response(&server.wait(&started).await), exported(1));
}
