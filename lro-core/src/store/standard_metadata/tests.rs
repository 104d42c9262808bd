//! The standard fields as callers see them.

use std::collections::HashMap;
use std::time::Duration;

use prost::{Message, Name};
use uuid::Uuid;

use super::*;
use crate::store::{Blocked, Command, NewOperation, StepKind, StepOutcome, StepWrite, WorkerId};
use crate::{pack, unpack};

/// As Google's services declare it.
#[derive(Clone, PartialEq, prost::Message)]
struct OperationMetadata {
    #[prost(message, optional, tag = "1")]
    create_time: Option<prost_types::Timestamp>,
    #[prost(message, optional, tag = "2")]
    end_time: Option<prost_types::Timestamp>,
    #[prost(string, tag = "3")]
    target: String,
    #[prost(string, tag = "4")]
    verb: String,
    #[prost(bool, tag = "6")]
    requested_cancellation: bool,
    #[prost(string, tag = "7")]
    api_version: String,
    #[prost(string, tag = "8")]
    current_step: String,
    #[prost(string, tag = "9")]
    waiting_for: String,
    #[prost(int32, tag = "10")]
    steps_done: i32,
    #[prost(string, tag = "11")]
    blocked_reason: String,
    #[prost(uint32, tag = "20")]
    own: u32,
}

impl Name for OperationMetadata {
    const NAME: &'static str = "OperationMetadata";
    const PACKAGE: &'static str = "shelf.v1";
}

struct CreateShelf;

impl LongRunningMethod for CreateShelf {
    type Request = ();
    type Response = ();
    type Metadata = OperationMetadata;
    const PATH: &'static str = "/shelf.v1.Shelves/CreateShelf";
    const METADATA_FIELDS: MetadataFields = MetadataFields {
        create_time: 1,
        end_time: 2,
        target: 3,
        verb: 4,
        requested_cancellation: 6,
        api_version: 7,
        current_step: 8,
        waiting_for: 9,
        steps_done: 10,
        blocked_reason: 11,
        ..MetadataFields::NONE
    };
    const VERB: &'static str = "create";
    const API_VERSION: &'static str = "v1";
}

fn record() -> OperationRecord {
    let name = "operations/1".parse().unwrap();
    let mut new = NewOperation::new(Uuid::nil(), name, CreateShelf::PATH, pack(&()));
    new.origin.standard_metadata = StandardMetadata::of::<CreateShelf>("shelves/1");
    OperationRecord::new(new, Timestamp::from_micros(5_000_000))
}

fn shown(record: &OperationRecord) -> OperationMetadata {
    unpack(&record.to_operation().metadata.unwrap()).unwrap()
}

/// spec:31 spec:67
#[test]
fn the_engine_fills_in_what_it_knows() {
    let mut record = record();
    let expected = OperationMetadata {
        create_time: Some(Timestamp::from_micros(5_000_000).into()),
        target: "shelves/1".into(),
        verb: "create".into(),
        api_version: "v1".into(),
        ..Default::default()
    };
    assert_eq!(
        shown(&record),
        expected,
        "without any metadata of the handler's"
    );
    record.metadata = Some(pack(&OperationMetadata {
        own: 7,
        // The engine knows better, in every part of it.
        create_time: Some(prost_types::Timestamp {
            seconds: 9,
            nanos: 9,
        }),
        ..Default::default()
    }));
    record
        .apply(Command::cancel(), Timestamp::from_micros(6_000_001))
        .unwrap();
    let expected = OperationMetadata {
        own: 7,
        end_time: Some(Timestamp::from_micros(6_000_001).into()),
        requested_cancellation: true,
        ..expected
    };
    assert_eq!(shown(&record), expected);
}

#[test]
fn steps_are_told_from_their_summary() {
    let now = Timestamp::from_micros(6_000_000);
    let mut record = record();
    assert_eq!(shown(&record).steps_done, 0);
    let claim = Command::Claim {
        worker: WorkerId::from_uuid(Uuid::from_u128(7)),
        lease_duration: Duration::from_secs(20),
    };
    record.apply(claim, now).unwrap();
    let dump = StepWrite {
        outcome: Some(StepOutcome::Response(pack(&()))),
        ..StepWrite::begun("dump".parse().unwrap(), StepKind::Step)
    };
    let approved = StepWrite::begun("approved".parse().unwrap(), StepKind::Promise);
    let suspend = Command::Suspend {
        fence: 1,
        waits: vec![approved.key.clone()],
        ready_by: None,
        metadata: None,
    };
    let stored = HashMap::new();
    record
        .apply_with_steps(suspend, vec![dump, approved], &stored, now)
        .unwrap();
    let suspended = shown(&record);
    assert_eq!(suspended.steps_done, 1);
    assert_eq!(suspended.current_step, "approved");
    assert_eq!(suspended.waiting_for, "promise:approved");
    assert_eq!(suspended.blocked_reason, "");

    record.steps.as_mut().unwrap().blocked = Some(Blocked {
        message: "`scan` is new".into(),
        count: 1,
    });
    assert_eq!(shown(&record).blocked_reason, "`scan` is new");
}

#[test]
fn rows_of_sagas_and_undos_are_no_steps() {
    let now = Timestamp::from_micros(6_000_000);
    let mut record = record();
    let claim = Command::Claim {
        worker: WorkerId::from_uuid(Uuid::from_u128(7)),
        lease_duration: Duration::from_secs(20),
    };
    record.apply(claim, now).unwrap();
    let write = |key: &str, kind| StepWrite {
        outcome: Some(StepOutcome::Response(pack(&()))),
        ..StepWrite::begun(key.parse().unwrap(), kind)
    };
    let saga = StepWrite {
        outcome: None,
        ..write("saga", StepKind::Saga)
    };
    let rows = vec![
        saga,
        write("network", StepKind::SagaStep),
        write("health", StepKind::Step),
        write("undo/network", StepKind::Undo),
    ];
    let (fence, metadata) = (1, None);
    let record_rows = Command::Record { fence, metadata };
    let applied = record.apply_with_steps(record_rows, rows, &HashMap::new(), now);
    assert_eq!(shown(&record).steps_done, 2);

    let stored = applied.unwrap().written.into_iter();
    let stored: HashMap<_, _> = stored.map(|row| (row.key.clone(), row)).collect();
    let release = Command::Release {
        fence: 1,
        metadata: None,
    };
    record.apply(release, now).unwrap();
    let keys = ["undo/network", "health"]
        .map(|key| key.parse().unwrap())
        .to_vec();
    let forget = Command::ForgetSteps { keys };
    record
        .apply_with_steps(forget, Vec::new(), &stored, now)
        .unwrap();
    assert_eq!(shown(&record).steps_done, 1);
}

#[test]
fn the_step_under_way_takes_the_place_of_the_one_before() {
    let standard = StandardMetadata::of::<CreateShelf>("shelves/1").unwrap();
    let own = OperationMetadata {
        own: 7,
        ..Default::default()
    };
    let told = |metadata: &Any| unpack::<OperationMetadata>(metadata).unwrap();
    let dump = standard.with_current_step(Some(pack(&own)), "dump");
    let upload = standard.with_current_step(Some(dump.clone()), "upload");
    assert_eq!(told(&upload).current_step, "upload");
    assert_eq!(upload.value.len(), dump.value.len() + 2);
    assert_eq!(told(&standard.with_current_step(Some(upload), "")), own);
    let other = pack(&3_u32);
    assert_eq!(
        standard.with_current_step(Some(other.clone()), "dump"),
        other
    );
}

#[test]
fn metadata_of_another_type_is_left_alone() {
    let mut record = record();
    record.metadata = Some(pack(&()));
    assert_eq!(record.to_operation().metadata, Some(pack(&())));
}

#[test]
fn it_is_kept_as_bytes() {
    let standard = StandardMetadata::of::<CreateShelf>("shelves/1").unwrap();
    let bytes = standard.encode_to_vec();
    assert_eq!(StandardMetadata::decode(&*bytes), Ok(standard));
}
