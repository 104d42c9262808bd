//! The moves on a record.

use std::time::Duration;

use lro_core::pb;
use lro_core::store::{
    Child, Command, OperationOutcome, OperationRecord, OperationState, StepKey, StepKind,
    StepOutcome, StepWrite, Update, WorkerId,
};
use prost_types::Any;
use uuid::Uuid;

use super::Bounds;
use super::children::child_row;
use super::known::Known;

/// The commands with which a body can end.
pub(super) const WORDS: [u8; 4] = [RESPONSE, RETRY, RELEASE, FAILURE];
/// The same with a suspension, which waits for [`PROMISES`].
pub(super) const WORDS_WITH_STEPS: [u8; 5] = [RESPONSE, RETRY, RELEASE, FAILURE, SUSPEND];
/// The same with the ends of a saga.
pub(super) const WORDS_WITH_SAGAS: [u8; 7] =
    [RESPONSE, RETRY, RELEASE, FAILURE, SUSPEND, UNDONE, KEPT];
/// The same of a body that starts a child, and suspends for it.
pub(super) const WORDS_OF_PARENT: [u8; 7] =
    [RESPONSE, RETRY, FAILURE, SUSPEND, START, DROPPED, CANCELS];
pub(super) const SUSPEND: u8 = 4;
/// The body fails, and has undone its saga.
pub(super) const UNDONE: u8 = 5;
/// The body succeeds, and its saga with it.
pub(super) const KEPT: u8 = 6;
/// The last word of a run is the start of a child.
pub(super) const START: u8 = 7;
/// The body succeeds without the end of its child.
pub(super) const DROPPED: u8 = 8;
/// The body cancels its child, and suspends until the child has ended.
pub(super) const CANCELS: u8 = 9;
/// The saga that a run opens.
pub(super) const SAGA: &str = "saga";
/// The promises that a caller completes.
pub(super) const PROMISES: [&str; 2] = ["a", "b"];
/// The step that each run records, with its own value.
pub(super) const STEP: &str = "s";
/// The steps that an operator forgets.
pub(super) const KEYS: [&str; 3] = [PROMISES[0], PROMISES[1], STEP];
/// The step that starts a child.
pub(super) const CHILD: &str = "c";
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
    /// Of a claim: the first new epoch, whose body has asked for nothing; whether it drops its child.
    NewEpoch(u8, bool),
    /// Which promise.
    Complete(u8),
    /// Which of [`KEYS`], or behind them [`CHILD`].
    Forget(u8),
    /// The news of a child to its parent.
    Told(u16),
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
        Move::Word(_, _, words) => {
            !matches!(words, SUSPEND | CANCELS) && after.state == OperationState::Pending
        }
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

/// The update of a move that is no child's.
pub(super) fn to_update(command: Move, known: &Known, bounds: Bounds) -> Update {
    let steps = to_steps(command, known, bounds);
    Update::by_name(known.record.name.clone(), to_command(command, bounds)).with_steps(steps)
}

/// The step that an operator forgets.
pub(super) fn forgotten(at: u8) -> StepKey {
    step(KEYS.get(usize::from(at)).copied().unwrap_or(CHILD))
}

/// The steps that come with a move.
fn to_steps(command: Move, known: &Known, bounds: Bounds) -> Vec<StepWrite> {
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
        Move::NewEpoch(_, true) | Move::Word(_, _, DROPPED) => vec![StepWrite {
            outcome: Some(StepOutcome::Abandoned),
            ..StepWrite::begun(step(CHILD), StepKind::Child)
        }],
        Move::Word(_, _, CANCELS) => {
            let child = child_row(known).and_then(|row| row.child.clone());
            let cancels = |child: Box<Child>| StepWrite {
                child: Some(Box::new(Child {
                    is_cancelled: true,
                    ..*child
                })),
                ..StepWrite::begun(step(CHILD), StepKind::Child)
            };
            child.map(cancels).into_iter().collect()
        }
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

fn to_command(command: Move, bounds: Bounds) -> Command {
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
        Move::NewEpoch(fence, _) => Command::CheckpointAndForget {
            fence: fence.into(),
            epoch: 1,
            lease_duration,
            checkpoint: Any::default(),
            asked: Vec::new(),
            metadata: None,
        },
        Move::Forget(at) => Command::ForgetSteps {
            keys: vec![forgotten(at)],
        },
        Move::Complete(at) => Command::Complete {
            key: step(PROMISES[usize::from(at)]),
            outcome: value(0, at),
        },
        Move::Word(_, fence, SUSPEND | CANCELS) => Command::Suspend {
            fence: fence.into(),
            waits: match (bounds.steps, bounds.children) {
                (true, _) => PROMISES.map(step).into(),
                (false, Some(_)) => vec![step(CHILD)],
                (false, None) => Vec::new(),
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
                RESPONSE | KEPT | DROPPED => OperationOutcome::Response(Any {
                    type_url: String::new(),
                    value: vec![generation, fence],
                }),
                FAILURE | UNDONE => OperationOutcome::Error(error()),
                _ => OperationOutcome::Cancelled,
            },
            metadata: None,
        },
        Move::Told(_) => unreachable!("a child makes it"),
        Move::Expire => Command::Expire,
        Move::Cancel => Command::cancel(),
        Move::Delete => Command::delete(),
    }
}
