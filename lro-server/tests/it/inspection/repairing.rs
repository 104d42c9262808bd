//! ForgetSteps and Unblock: what an operator does about operations that do not continue.

use std::sync::Arc;
use std::time::Duration;

use lro_core::inspection as pb;
use lro_core::inspection::steps_server::Steps as _;
use lro_core::store::{
    Command, MemoryStore, NewOperation, OperationRecord, OperationStore as _, StepKind,
    StepOutcome, StepQuery, StepWrite, Update, WorkerId,
};
use lro_core::{OperationName, pack};
use lro_server::Operations;
use lro_server::inspection::StepsService;
use tonic::{Code, Request, Status};
use tonic_types::StatusExt as _;
use uuid::Uuid;

use crate::support::faulty::{Node, TokioClock};

const LEASE: Duration = Duration::from_secs(20);

/// An operation that a worker runs, and that has recorded two steps.
struct Fixture {
    store: Arc<MemoryStore>,
    steps: StepsService,
    name: OperationName,
}

impl Fixture {
    async fn new() -> Self {
        let store = Arc::new(MemoryStore::with_clock(TokioClock::new()));
        let name: OperationName = "operations/1".parse().unwrap();
        let uid = Uuid::from_u128(1);
        let mut new = NewOperation::new(uid, name.clone(), "/s.S/M", pack(&()));
        new.claimed_by = Some((WorkerId::from_uuid(Uuid::from_u128(7)), LEASE));
        store.start(vec![new]).await.unwrap().remove(0).unwrap();
        let operations = Operations::new(Node::alone(&store));
        let fixture = Self {
            store,
            steps: operations.into(),
            name,
        };
        let rows = ["dump/users", "upload"].map(|key| StepWrite {
            outcome: Some(StepOutcome::Response(pack(&7_u32))),
            ..StepWrite::begun(key.parse().unwrap(), StepKind::Step)
        });
        let record = Command::Record {
            fence: 1,
            metadata: None,
        };
        fixture.update(record, rows.to_vec()).await;
        fixture
    }

    async fn update(&self, command: Command, steps: Vec<StepWrite>) {
        let update = Update::by_name(self.name.clone(), command).with_steps(steps);
        let mut answers = self.store.update(vec![update]).await.unwrap();
        answers.remove(0).unwrap();
    }

    async fn block(&self) {
        let block = Command::Block {
            fence: 1,
            message: "`scan` is new".into(),
            delay: Duration::from_secs(600),
            ready_by: None,
            metadata: None,
        };
        self.update(block, Vec::new()).await;
    }

    async fn record(&self) -> OperationRecord {
        self.store.get(&self.name).await.unwrap().unwrap()
    }

    async fn keys(&self) -> Vec<String> {
        let uid = self.record().await.uid;
        let rows = self.store.steps(StepQuery::all(uid, 0)).await.unwrap();
        rows.iter().map(|row| row.key.to_string()).collect()
    }

    async fn forget(&self, keys: &[&str]) -> Result<(), Status> {
        let request = pb::ForgetStepsRequest {
            name: self.name.to_string(),
            keys: keys.iter().map(|key| (*key).to_owned()).collect(),
        };
        self.steps
            .forget_steps(Request::new(request))
            .await
            .map(drop)
    }

    async fn unblock(&self) -> Result<(), Status> {
        let name = self.name.to_string();
        let request = Request::new(pb::UnblockRequest { name });
        self.steps.unblock(request).await.map(drop)
    }

    async fn listed(&self) -> pb::ListStepsResponse {
        let request = pb::ListStepsRequest {
            name: self.name.to_string(),
            ..Default::default()
        };
        let listed = self.steps.list_steps(Request::new(request)).await;
        listed.unwrap().into_inner()
    }
}

fn reason(error: &Status) -> String {
    error.get_details_error_info().unwrap().reason
}

/// steps:S15
#[tokio::test(start_paused = true)]
async fn a_blocked_operation_says_why_and_runs_at_once_when_it_is_unblocked() {
    let fixture = Fixture::new().await;
    let running = fixture.unblock().await.unwrap_err();
    assert_eq!(
        (running.code(), &*reason(&running)),
        (Code::FailedPrecondition, "OPERATION_NOT_BLOCKED")
    );
    fixture.block().await;
    let blocked = fixture.listed().await.blocked.unwrap();
    assert_eq!((&*blocked.reason, blocked.count), ("`scan` is new", 1));
    assert!(blocked.retry_time.is_some());
    let later = fixture.record().await.ready_time;
    fixture.unblock().await.unwrap();
    let record = fixture.record().await;
    assert!(record.ready_time < later && !record.is_blocked());
    assert_eq!(fixture.listed().await.blocked, None);
    assert_eq!(fixture.keys().await, ["dump/users", "upload"]);
}

/// steps:S15
#[tokio::test(start_paused = true)]
async fn steps_are_forgotten_while_nothing_runs_the_operation() {
    let fixture = Fixture::new().await;
    let running = fixture.forget(&["upload"]).await.unwrap_err();
    assert_eq!(
        (running.code(), &*reason(&running)),
        (Code::FailedPrecondition, "OPERATION_RUNNING")
    );
    fixture.block().await;
    for (keys, field) in [
        (&[][..], "keys"),
        (&["two words"], "keys[0]"),
        (&["x"; 1_001], "keys"),
    ] {
        let error = fixture.forget(keys).await.unwrap_err();
        assert_eq!(error.code(), Code::InvalidArgument, "{error}");
        let violations = error.get_details_bad_request().unwrap().field_violations;
        assert_eq!(violations[0].field, field, "{error}");
    }
    let unknown = fixture.forget(&["upload", "none"]).await.unwrap_err();
    assert_eq!(
        (unknown.code(), &*reason(&unknown)),
        (Code::NotFound, "STEP_NOT_FOUND")
    );
    assert_eq!(fixture.keys().await, ["dump/users", "upload"]);
    fixture.forget(&["upload"]).await.unwrap();
    assert_eq!(fixture.keys().await, ["dump/users"]);
    assert!(!fixture.record().await.is_blocked());
    fixture.update(Command::cancel(), Vec::new()).await;
    for error in [
        fixture.forget(&["dump/users"]).await,
        fixture.unblock().await,
    ] {
        let error = error.unwrap_err();
        assert_eq!(reason(&error), "OPERATION_DONE", "{error}");
    }
}
