//! The moves on a record.

use std::time::Duration;

use lro_core::pb;
use lro_core::store::{
    Command, OperationOutcome, OperationRecord, OperationState, StepKey, StepKind, StepOutcome,
    StepWrite, WorkerId,
};
use prost_types::Any;
use uuid::Uuid;

use super::Bounds;

/// The number of commands with which a body can end.
pub(super) const WORDS: u8 = 4;
/// The same with a suspension, which waits for [`PROMISES`].
pub(super) const WORDS_WITH_STEPS: u8 = 5;
pub(super) const SUSPEND: u8 = 4;
/// The same with the ends of a saga.
pub(super) const WORDS_WITH_SAGAS: u8 = 7;
/// The body fails, and has undone its saga.
pub(super) const UNDONE: u8 = 5;
/// The body succeeds, and its saga with it.
pub(super) const KEPT: u8 = 6;
/// The saga that a run opens.
pub(super) const SAGA: &str = "saga";
/// The promises that a caller completes.
pub(super) const PROMISES: [&str; 2] = ["a", "b"];
/// The step that each run records, with its own value.
pub(super) const STEP: &str = "s";
/// The steps that an operator forgets.
pub(super) const KEYS: [&str; 3] = [PROMISES[0], PROMISES[1], STEP];
pub(super) const RESPONSE: u8 = 0;
pub(super) const RETRY: u8 = 1;
pub(super) const RELEASE: u8 = 2;
pub(super) const FAILURE: u8 = 3;

/// A command, by the little that tells it from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Move {
    Claim,
    Renew(u8),
    /// Of a generation, of a claim: a step is recorded.
    Record(u8, u8),
    /// Of a claim: a saga is opened.
    Open(u8),
    /// Of a claim: the first new epoch, whose body has asked for nothing.
    NewEpoch(u8),
    /// Which promise.
    Complete(u8),
    /// Which of [`KEYS`].
    Forget(u8),
    /// Of a generation, of a claim: what it asks for.
    Word(u8, u8, u8),
    Expire,
    Cancel,
    Delete,
}

/// As [`Search::started`] has put it there.
pub(super) fn generation_of(record: &OperationRecord) -> u8 {
    record.uid.as_bytes()[15]
}

/// Whether an accepted move ends an attempt without a result of the body. The record had no history
/// before, because the search does not look at it.
pub(super) fn ends_an_attempt(command: Move, after: &OperationRecord) -> bool {
    match command {
        Move::Expire => true,
        Move::Word(_, _, words) => words != SUSPEND && after.state == OperationState::Pending,
        _ => false,
    }
}

pub(super) fn step(key: &str) -> StepKey {
    key.parse().unwrap_or_else(|error| panic!("{error}"))
}

/// The value of a run, or of a caller.
pub(super) fn value(generation: u8, fence: u8) -> StepOutcome {
    StepOutcome::Response(Any {
        type_url: String::new(),
        value: vec![generation, fence],
    })
}

/// The steps that come with a move.
pub(super) fn to_steps(command: Move, bounds: Bounds) -> Vec<StepWrite> {
    let saga = |outcome| StepWrite {
        outcome,
        sequential: false,
        ..StepWrite::begun(step(SAGA), StepKind::Saga)
    };
    match command {
        Move::Open(_) => vec![saga(None)],
        Move::Word(_, _, UNDONE) => vec![saga(Some(StepOutcome::Error(error())))],
        Move::Word(_, _, KEPT) => vec![saga(Some(value(0, 0)))],
        Move::Record(generation, fence) => vec![StepWrite {
            outcome: Some(value(generation, fence)),
            ..StepWrite::begun(step(STEP), StepKind::Step)
        }],
        Move::Word(_, _, SUSPEND) if bounds.steps => {
            let asked = |key| StepWrite::begun(step(key), StepKind::Promise);
            PROMISES.map(asked).into()
        }
        _ => Vec::new(),
    }
}

fn error() -> pb::rpc::Status {
    pb::rpc::Status {
        code: tonic::Code::Internal as i32,
        ..pb::rpc::Status::default()
    }
}

pub(super) fn to_command(command: Move, bounds: Bounds) -> Command {
    let worker = WorkerId::from_uuid(Uuid::nil());
    let lease_duration = Duration::from_secs(30);
    match command {
        Move::Claim => Command::Claim {
            worker,
            lease_duration,
        },
        Move::Renew(fence) => Command::Renew {
            fence: fence.into(),
            lease_duration,
            metadata: None,
        },
        Move::Record(_, fence) | Move::Open(fence) => Command::Record {
            fence: fence.into(),
            metadata: None,
        },
        Move::NewEpoch(fence) => Command::CheckpointAndForget {
            fence: fence.into(),
            epoch: 1,
            lease_duration,
            checkpoint: Any::default(),
            asked: Vec::new(),
            metadata: None,
        },
        Move::Forget(at) => Command::ForgetSteps {
            keys: vec![step(KEYS[usize::from(at)])],
        },
        Move::Complete(at) => Command::Complete {
            key: step(PROMISES[usize::from(at)]),
            outcome: value(0, at),
        },
        Move::Word(_, fence, SUSPEND) => Command::Suspend {
            fence: fence.into(),
            waits: match bounds.steps {
                true => PROMISES.map(step).into(),
                false => Vec::new(),
            },
            ready_by: None,
            metadata: None,
        },
        Move::Word(_, fence, RETRY) => Command::Retry {
            fence: fence.into(),
            error: error(),
            delay: Duration::ZERO,
            metadata: None,
        },
        Move::Word(_, fence, RELEASE) => Command::Release {
            fence: fence.into(),
            metadata: None,
        },
        Move::Word(generation, fence, words) => Command::Finish {
            fence: fence.into(),
            outcome: match words {
                RESPONSE | KEPT => OperationOutcome::Response(Any {
                    type_url: String::new(),
                    value: vec![generation, fence],
                }),
                FAILURE | UNDONE => OperationOutcome::Error(error()),
                _ => OperationOutcome::Cancelled,
            },
            metadata: None,
        },
        Move::Expire => Command::Expire,
        Move::Cancel => Command::cancel(),
        Move::Delete => Command::delete(),
    }
}
