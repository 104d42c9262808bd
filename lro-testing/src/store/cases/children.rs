use std::time::Duration;

use lro_core::Reason;
use lro_core::store::{
    Change, ChildOf, ChildRefusal, Command, NewOperation, OnCrash, OperationOutcome,
    OperationRecord, OperationState, Refusal, StartError, Started, StepKind, StepLimit,
    StepOutcome, StepSummary, StepWrite, StoreEvent, Update, Updated,
};

use crate::store::build::*;
use crate::store::filters::{list_all, query};
use crate::store::steps::*;
use crate::store::trial::{Trial, names};

mod ends;
mod starts;

pub(crate) use ends::*;
pub(crate) use starts::*;

/// The child of a step, of a method that [`Trial::claim`] leaves alone.
fn child(it: &Composed<'_>, step: &str, of: &str) -> NewOperation {
    let operation = it.trial.operation(of).method(OTHER);
    child_of(it, step, operation.request_id(of, 1))
}

fn child_of(it: &Composed<'_>, step: &str, mut new: NewOperation) -> NewOperation {
    new.child_of = Some(Box::new(ChildOf {
        operation: it.record.name.clone(),
        uid: it.record.uid,
        fence: it.record.fence,
        step: StepWrite::begun(key(step), StepKind::Child),
        is_left: false,
    }));
    new
}

/// Starts a new child, and mirrors it in the parent.
async fn start(it: &mut Composed<'_>, new: NewOperation) -> OperationRecord {
    let of = new.child_of.clone().unwrap();
    let expected = it.trial.expected(new.clone());
    it.mirror(&of.record(&expected)).unwrap();
    let started = it.trial.start(new).await.unwrap();
    assert!(!started.existing, "it is a new one");
    assert_eq!(started.record, expected);
    assert_eq!(it.trial.get(&expected.name).await.as_ref(), Some(&expected));
    it.check().await;
    expected
}

/// One that runs, and its child `a`, which is pending.
async fn family<'t>(trial: &'t Trial, of: &str) -> (Composed<'t>, OperationRecord) {
    let mut it = Composed::running(trial, of).await;
    let new = child(&it, "a", &format!("{of}-a"));
    let child = start(&mut it, new).await;
    (it, child)
}

/// The same whose parent is suspended until the child has ended, and whose child worker 2 runs.
async fn waiting<'t>(trial: &'t Trial, of: &str) -> (Composed<'t>, OperationRecord) {
    let mut it = Composed::running(trial, of).await;
    let new = child(&it, "a", &format!("{of}-a")).born_claimed(worker(2));
    let child = start(&mut it, new).await;
    it.update(suspend(1, &["a"]), Vec::new()).await.unwrap();
    assert_eq!(it.record.ready_time, OperationRecord::NEVER_READY);
    (it, child)
}

/// The parent has learnt what its child tells it.
async fn told(it: &mut Composed<'_>, child: &OperationRecord) -> Updated {
    let told = it.mirror(&child.tells_parent().unwrap()).unwrap();
    it.check().await;
    told
}

/// Applies the command to the child, and mirrors what that tells its parent.
async fn end(it: &mut Composed<'_>, child: &mut OperationRecord, command: Command) -> Updated {
    it.trial.apply(child, command).await.unwrap();
    told(it, child).await
}

fn outcome<'i>(it: &'i Composed<'_>, step: &str) -> Option<&'i StepOutcome> {
    it.rows[&key(step)].outcome.as_ref()
}
