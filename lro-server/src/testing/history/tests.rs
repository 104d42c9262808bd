//! The rows that a store has recorded come back from their export.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests too")]

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use lro_core::inspection as pb;
use lro_core::inspection::steps_server::Steps as _;
use lro_core::store::{
    Claim, Command, MemoryStore, NewOperation, OperationStore as _, StepKey, StepKind, StepOutcome,
    StepQuery, StepRow, StepWake, StepWrite, Suspects, Update, WorkerId,
};
use lro_core::{Clock as _, OperationName, pack};
use lro_json::WriteOptions;
use proptest::prelude::*;
use prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage};
use prost_types::Any;
use tonic::{Request, Status};
use uuid::Uuid;

use super::{BEGIN, History, LEASE, METHOD};
use crate::Operations;
use crate::handler::error::to_plain_rpc_status;
use crate::inspection::StepsService;
use crate::testing::clock::SkippingClock;

/// A write of a run or of a caller.
#[derive(Clone, Debug)]
struct Act {
    after: u64,
    key: usize,
    begun_ago: u64,
    attempt: u32,
    sequential: bool,
    end: u8,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = (
        1..50_u64,
        0..8_usize,
        0..100_u64,
        0..3_u32,
        any::<bool>(),
        0..8_u8,
    );
    let act = act.prop_map(|(after, key, begun_ago, attempt, sequential, end)| Act {
        after,
        key,
        begun_ago,
        attempt,
        sequential,
        end,
    });
    prop::collection::vec(act, 0..30)
}

const KINDS: [StepKind; 8] = [
    StepKind::Step,
    StepKind::Promise,
    StepKind::Sleep,
    StepKind::SagaStep,
    StepKind::Promise,
    StepKind::Undo,
    StepKind::First,
    StepKind::Saga,
];

impl Act {
    fn kind(&self) -> StepKind {
        KINDS[self.key]
    }

    fn key(&self) -> StepKey {
        format!("scope/call-{}", self.key).parse().unwrap()
    }

    fn outcome(&self) -> Option<StepOutcome> {
        let error = Status::aborted("not now");
        match self.end {
            0 => Some(StepOutcome::Response(pack(&7_u32))),
            1 => Some(StepOutcome::Error(to_plain_rpc_status(&error))),
            2 => Some(StepOutcome::Abandoned),
            _ => None,
        }
    }

    fn into_command(self, fence: u64) -> (Command, Vec<StepWrite>) {
        let key = self.key();
        if let (StepKind::Promise, 3) = (self.kind(), self.end) {
            let outcome = StepOutcome::Response(pack(&true));
            return (Command::Complete { key, outcome }, Vec::new());
        }
        let is_step = matches!(self.kind(), StepKind::Step | StepKind::SagaStep);
        let attempt = if is_step { self.attempt } else { 0 };
        let wakes = matches!(self.kind(), StepKind::Sleep | StepKind::Promise) || attempt > 1;
        let error = Status::unavailable("busy");
        let write = StepWrite {
            attempt,
            sequential: self.sequential,
            begun_ago: Duration::from_micros(self.begun_ago),
            wake: wakes.then_some(StepWake::After(Duration::from_secs(60))),
            outcome: self.outcome(),
            last_error: (attempt > 1).then(|| to_plain_rpc_status(&error)),
            ..StepWrite::begun(key, self.kind())
        };
        let metadata = None;
        (Command::Record { fence, metadata }, vec![write])
    }
}

/// The rows that a store keeps of these acts, and their export.
async fn recorded(acts: Vec<Act>) -> (Vec<StepRow>, pb::ListStepsResponse) {
    let clock = Arc::new(SkippingClock::new(BEGIN));
    let store = MemoryStore::with_clock(clock.clone());
    let (uid, name): (_, OperationName) = (Uuid::nil(), "operations/1".parse().unwrap());
    let new = NewOperation::new(uid, name.clone(), METHOD, Any::default());
    store.start(vec![new]).await.unwrap()[0].as_ref().unwrap();
    let claim = Claim {
        worker: WorkerId::from_uuid(uid),
        methods: [(METHOD.to_owned(), 1)].into(),
        limit: 1,
        lease_duration: LEASE,
        suspects: Suspects::default(),
        expires_leases: false,
    };
    let fence = store.claim(claim).await.unwrap().operations[0].fence;
    for act in acts {
        clock.skip_to(clock.now().saturating_add(Duration::from_micros(act.after)));
        let (command, steps) = act.into_command(fence);
        let update = Update::by_uid(name.clone(), uid, command).with_steps(steps);
        // A refusal records nothing.
        let _ = store.update(vec![update]).await.unwrap();
    }
    let rows = store.steps(StepQuery::all(uid, 0)).await.unwrap();
    let service: StepsService = Operations::new(store).into();
    let list = pb::ListStepsRequest {
        name: name.to_string(),
        view: pb::list_steps_request::View::Full.into(),
        unredacted: true,
        ..Default::default()
    };
    let listed = service.list_steps(Request::new(list)).await.unwrap();
    (rows, listed.into_inner())
}

fn json(listed: &pb::ListStepsResponse) -> String {
    let mut types = DescriptorPool::global();
    let set = lro_core::inspection::FILE_DESCRIPTOR_SET;
    types.decode_file_descriptor_set(set).unwrap();
    let message = types
        .get_message_by_name("lro.v1.ListStepsResponse")
        .unwrap();
    let message = DynamicMessage::decode(message, &*listed.encode_to_vec()).unwrap();
    WriteOptions::new().write(&message).unwrap().json
}

proptest! {
    #[test]
    fn an_export_makes_the_rows_that_the_store_had(acts in acts()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (rows, listed) = runtime.block_on(recorded(acts));
        let history = History::from_json(&json(&listed), &[]).unwrap();
        prop_assert_eq!(history.len(), rows.len());
        let rows: HashMap<_, _> = rows.into_iter().map(|row| (row.key.clone(), row)).collect();
        prop_assert_eq!(history.rows().unwrap(), rows);
    }
}
