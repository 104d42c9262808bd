//! Calls that record steps, start children and wait.

use std::time::Duration;

use lro_core::store::{
    ChildOf, Command, ExecutionPolicy, NewOperation, OnCrash, OperationRecord, StepKey, StepKind,
    StepOutcome, StepWake, StepWrite, Update,
};

use super::calls::{any, outcome, status};
use super::model::Model;
use crate::random::Random;

/// The steps of a body: each key has one kind.
const STEPS: [(&str, StepKind); 10] = [
    ("step/0", StepKind::Step),
    ("step/1", StepKind::Step),
    ("step/2", StepKind::Step),
    ("sleep/0", StepKind::Sleep),
    ("sleep/1", StepKind::Sleep),
    ("promise/0", StepKind::Promise),
    ("promise/1", StepKind::Promise),
    ("saga", StepKind::Saga),
    ("made", StepKind::SagaStep),
    ("undo/made", StepKind::Undo),
];

/// The steps that start children.
const CHILDREN: [(&str, StepKind); 3] = [
    ("child/0", StepKind::Child),
    ("child/1", StepKind::Child),
    ("child/2", StepKind::SagaChild),
];

/// Makes the operation the child of one that runs, if there is any.
pub(crate) fn adopt(random: &mut Random, model: &Model, operation: &mut NewOperation) {
    let running = model.records.values().filter(|it| it.state.is_running());
    let running: Vec<_> = running.collect();
    let Some(parent) = random.pick(&running) else {
        return;
    };
    let (name, kind) = CHILDREN[random.index(CHILDREN.len())];
    operation.child_of = Some(Box::new(ChildOf {
        operation: parent.name.clone(),
        uid: parent.uid,
        fence: parent.fence,
        step: StepWrite {
            wake: random
                .percent(20)
                .then_some(StepWake::After(Duration::from_secs(15))),
            ..StepWrite::begun(key(name), kind)
        },
        is_left: random.percent(20),
    }));
    // Its lease expires beside that of its parent, in any order: that does not end it.
    operation.policy = ExecutionPolicy {
        max_attempts: 1_000,
        on_crash: OnCrash::Resume,
        ..operation.policy
    };
}

/// An update of a running operation with steps, or the value of a promise.
pub(crate) fn update(random: &mut Random, record: &OperationRecord, model: &Model) -> Update {
    let fence = record.fence.wrapping_sub(u64::from(random.percent(5)));
    let metadata = random.percent(30).then(|| any(random, 40));
    let mut steps = writes(random);
    let command = match random.below(100) {
        0..50 => Command::Record { fence, metadata },
        50..72 => Command::Suspend {
            fence,
            waits: waits(record, model, &steps),
            ready_by: None,
            metadata,
        },
        72..85 => {
            steps.clear();
            Command::Complete {
                key: key(["promise/0", "promise/1"][random.index(2)]),
                outcome: value(random),
            }
        }
        85..93 => Command::Finish {
            fence,
            outcome: outcome(random),
            metadata,
        },
        _ => Command::Retry {
            fence,
            error: status(random),
            delay: Duration::from_secs(random.below(10)),
            metadata,
        },
    };
    Update::by_uid(record.name.clone(), record.uid, command).with_steps(steps)
}

/// Up to three steps, each once.
fn writes(random: &mut Random) -> Vec<StepWrite> {
    let first = random.index(STEPS.len());
    let count = 1 + random.index(3);
    let steps = (0..count).map(|step| STEPS[(first + step * 3) % STEPS.len()]);
    steps
        .map(|(name, kind)| {
            let (wake, ends) = match kind {
                StepKind::Sleep => {
                    let sleep = Duration::from_secs(random.below(30));
                    (Some(StepWake::After(sleep)), random.percent(40))
                }
                StepKind::Promise => (None, random.percent(10)),
                StepKind::Saga => (None, random.percent(30)),
                _ => (None, random.percent(75)),
            };
            StepWrite {
                wake,
                attempt: 1 + random.below(2) as u32,
                sequential: random.percent(50),
                outcome: ends.then(|| value(random)),
                ..StepWrite::begun(key(name), kind)
            }
        })
        .collect()
}

/// The unfinished steps, with those that are being recorded.
fn waits(record: &OperationRecord, model: &Model, steps: &[StepWrite]) -> Vec<StepKey> {
    let mut waits: Vec<_> = model
        .steps_of(record)
        .filter(|row| !row.is_finished() && row.kind != StepKind::Saga)
        .map(|row| row.key.clone())
        .collect();
    let new = steps.iter().filter(|step| step.outcome.is_none());
    for step in new.filter(|step| step.kind != StepKind::Saga) {
        if !waits.contains(&step.key) {
            waits.push(step.key.clone());
        }
    }
    waits
}

fn value(random: &mut Random) -> StepOutcome {
    match random.below(10) {
        0..8 => {
            // Now and then more than a page.
            let len = match random.percent(5) {
                true => 5_000,
                false => random.index(120),
            };
            StepOutcome::Response(any(random, len))
        }
        _ => StepOutcome::Error(status(random)),
    }
}

fn key(name: &str) -> StepKey {
    let Ok(key) = name.parse() else {
        unreachable!("{name} is the key of a step")
    };
    key
}
