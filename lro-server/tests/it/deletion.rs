//! Operations that are deleted while they run.

use std::sync::Arc;

use exporter::pb::exporter_methods::Export;
use exporter::pb::{ExportMetadata, ExportRequest, ExportResponse};
use lro_core::pb::CancelOperationRequest;
use lro_core::pb::operations_server::Operations as _;
use lro_core::store::{Actor, Command, MemoryStore, NewOperation, OperationStore, Update};
use lro_core::{LongRunningMethod as _, OperationName, pack};
use lro_server::access::{Access, Authorizer, Call, Caller, Principal};
use lro_server::registration::{Host, MethodOptions, Registration};
use lro_server::{
    OnDelete, OperationContext, Operations, OperationsService, Worker, WorkerBuilder,
};
use tokio::sync::mpsc;
use tonic::{Request, Status};
use uuid::Uuid;

use crate::support::exported;
use crate::support::faulty::{Node, TokioClock};

/// Bodies that run for ever, or answer at once, as their request says. Says when a body is called,
/// and when it is dropped.
struct Service {
    events: mpsc::UnboundedSender<(&'static str, OperationName)>,
}

struct Dropped(
    OperationName,
    mpsc::UnboundedSender<(&'static str, OperationName)>,
);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.1.send(("dropped", self.0.clone())).ok();
    }
}

thread_local! {
    static OPTIONS: std::cell::RefCell<MethodOptions> = MethodOptions::new().into();
}

impl Service {
    async fn run(
        self: Arc<Self>,
        request: ExportRequest,
        operation: OperationContext<ExportMetadata>,
    ) -> Result<ExportResponse, Status> {
        let name = operation.name().clone();
        self.events.send(("called", name.clone())).ok();
        if request.tables == ["forever"] {
            let _dropped = Dropped(name, self.events.clone());
            std::future::pending::<()>().await;
        }
        Ok(exported(1))
    }
}

impl Host<Export> for Service {
    fn register(registration: &mut Registration<Self>) {
        let options = OPTIONS.with(|options| options.borrow().clone());
        registration
            .method::<Export, ExportRequest, _, ExportMetadata, _, _, _>(options, Self::run);
    }
}

struct Scene {
    store: Node,
    operations: Operations,
    events: mpsc::UnboundedReceiver<(&'static str, OperationName)>,
    _worker: Worker,
    started: u128,
}

impl Scene {
    async fn new(options: MethodOptions, worker: impl Fn(WorkerBuilder) -> WorkerBuilder) -> Self {
        OPTIONS.with(|current| current.replace(options));
        let store = Arc::new(MemoryStore::with_clock(TokioClock::new()));
        let store = Node::lagging(&store, 0);
        let operations = Operations::new(store.clone());
        let (sender, events) = mpsc::unbounded_channel();
        let service = Arc::new(Service { events: sender });
        let builder = Worker::builder(&operations).host::<Export, _>(service);
        Self {
            store,
            operations,
            events,
            _worker: worker(builder).start().await.unwrap(),
            started: 0,
        }
    }

    async fn start(&mut self, kind: &str) -> OperationName {
        self.started += 1;
        let name: OperationName = format!("operations/{}", self.started).parse().unwrap();
        let request = pack(&ExportRequest {
            tables: vec![kind.to_owned()],
        });
        let uid = Uuid::from_u128(self.started);
        let new = NewOperation::new(uid, name.clone(), Export::PATH, request);
        self.store.start(vec![new]).await.unwrap();
        name
    }

    /// Starts operations that never end, and waits until they run.
    async fn run_for_ever(&mut self, count: usize) -> Vec<OperationName> {
        let mut names = Vec::new();
        for _ in 0..count {
            names.push(self.start("forever").await);
        }
        for _ in 0..count {
            assert_eq!(self.events.recv().await.unwrap().0, "called");
        }
        names
    }
}

/// report:S3
#[tokio::test(start_paused = true)]
async fn deleted_operations_that_never_end_leave_their_slots_to_others() {
    let mut scene = Scene::new(MethodOptions::new().concurrency(100), |worker| worker).await;
    let names = scene.run_for_ever(100).await;
    for name in &names {
        scene.operations.delete(name).await.unwrap();
    }
    let next = scene.start("short").await;
    assert!(scene.operations.wait(&next, None).await.unwrap().done);
    assert_eq!(scene.events.recv().await.unwrap().0, "called");

    assert!(scene.events.try_recv().is_err(), "they run on");
    for name in &names {
        scene.operations.cancel(name).await.unwrap();
        assert_eq!(
            scene.events.recv().await.unwrap(),
            ("dropped", name.clone())
        );
    }
}

/// report:S3
#[tokio::test(start_paused = true)]
async fn of_too_many_deleted_operations_the_one_deleted_first_is_cancelled() {
    let mut scene = Scene::new(MethodOptions::new(), |worker| worker.concurrency(2)).await;
    let mut deleted = Vec::new();
    for round in 0..5_usize {
        let names = scene.run_for_ever(2).await;
        for name in &names {
            scene.operations.delete(name).await.unwrap();
        }
        deleted.extend(names);
        let before = &deleted[round.saturating_sub(1) * 2..round * 2];
        for cancelled in before {
            let event = scene.events.recv().await.unwrap();
            assert_eq!(event, ("dropped", cancelled.clone()));
        }
    }
    let next = scene.start("short").await;
    assert!(scene.operations.wait(&next, None).await.unwrap().done);
}

/// report:S3
#[tokio::test(start_paused = true)]
async fn a_method_may_cancel_what_is_deleted() {
    let options = MethodOptions::new().on_delete(OnDelete::Cancel);
    let mut scene = Scene::new(options, |worker| worker).await;
    let names = scene.run_for_ever(1).await;
    let (sender, mut cancelled) = mpsc::unbounded_channel();
    scene.store.before_updates(move |updates| {
        for update in updates {
            if let Command::Cancel(actor) = &update.command {
                sender.send(actor.clone()).ok();
            }
        }
        Ok(())
    });
    let ada = Actor {
        principal: "ada".to_owned(),
        reason: "wrong bucket".to_owned(),
    };
    let delete = Update::by_name(names[0].clone(), Command::Delete(ada.clone()));
    scene.store.update(vec![delete]).await.unwrap();
    let event = scene.events.recv().await.unwrap();
    assert_eq!(event, ("dropped", names[0].clone()));
    // The caller that deleted it is the one that cancelled it.
    assert_eq!(cancelled.recv().await.unwrap(), ada);
}

/// Lets callers cancel who say that they may.
#[derive(Debug)]
struct MayCancel;

#[tonic::async_trait]
impl Authorizer for MayCancel {
    async fn authenticate(&self, caller: &Caller<'_>) -> Result<Principal, Status> {
        Ok(Principal::new(caller.header("x-user").unwrap_or_default()))
    }

    async fn authorize(&self, call: &Call<'_>) -> Result<Access, Status> {
        Ok(Access::allowed_if(call.principal().name() == "ada"))
    }
}

/// report:S3
#[tokio::test(start_paused = true)]
async fn a_caller_with_permission_cancels_a_deleted_operation_by_its_name() {
    let mut scene = Scene::new(MethodOptions::new(), |worker| worker).await;
    let names = scene.run_for_ever(1).await;
    scene.operations.delete(&names[0]).await.unwrap();
    let front_end = Operations::builder(scene.store.clone()).authorizer(MayCancel);
    let front_end = OperationsService::from(front_end.build());
    let cancel = async |user: &'static str| {
        let name = names[0].to_string();
        let mut request = Request::new(CancelOperationRequest { name });
        request
            .metadata_mut()
            .insert("x-user", user.parse().unwrap());
        front_end.cancel_operation(request).await
    };
    let denied = cancel("bob").await.unwrap_err();
    assert_eq!(denied.code(), tonic::Code::PermissionDenied);
    assert!(scene.events.try_recv().is_err(), "it runs on");
    cancel("ada").await.unwrap();
    let event = scene.events.recv().await.unwrap();
    assert_eq!(event, ("dropped", names[0].clone()));
}
