use std::collections::HashMap;

use super::*;
use crate::store::{
    Child, ChildOf, NewOperation, ParentStep, StepKey, StepKind, StepLimit, StepOutcome, StepRow,
    StepSummary, StepWake, StepWrite,
};

/// A parent, and its rows as a store keeps them.
struct Parent {
    record: OperationRecord,
    rows: HashMap<StepKey, StepRow>,
}

impl Parent {
    fn running() -> Self {
        Self {
            record: in_state(OperationState::Running),
            rows: HashMap::new(),
        }
    }

    /// One that is suspended until its child `disk` has ended.
    fn waiting() -> (Self, OperationRecord) {
        let mut it = Self::running();
        let child = it.start("disk").unwrap();
        it.apply(suspend(1, &["disk"]), Vec::new()).unwrap();
        (it, child)
    }

    fn apply(&mut self, command: Command, steps: Vec<StepWrite>) -> Result<Change, Refusal> {
        // Suspended without a timer, it is never ready by itself.
        let ready = self.record.ready_time;
        let now = match ready {
            OperationRecord::NEVER_READY => self.record.update_time,
            ready => self.record.update_time.max(ready),
        };
        let (record, rows) = (&mut self.record, &mut self.rows);
        let applied = record.apply_with_steps(command, steps, rows, now)?;
        rows.retain(|key, _| !applied.removed.contains(key));
        let written = applied.written.into_iter();
        rows.extend(written.map(|row| (row.key.clone(), row)));
        Ok(applied.change)
    }

    /// Starts the child of a step, as a store does.
    fn start(&mut self, step: &str) -> Result<OperationRecord, Refusal> {
        let uid = Uuid::from_u128(self.rows.len() as u128 + 7);
        let name = format!("operations/{step}").parse().unwrap();
        let mut child = NewOperation::new(uid, name, "/s.S/M", Any::default());
        let child_of = ChildOf {
            operation: self.record.name.clone(),
            uid: self.record.uid,
            fence: self.record.fence,
            step: StepWrite::begun(key(step), StepKind::Child),
            is_left: false,
        };
        child.child_of = Some(Box::new(child_of.clone()));
        let child = OperationRecord::new(child, self.record.update_time);
        let update = child_of.record(&child);
        self.apply(update.command, update.steps)?;
        Ok(child)
    }

    /// Applies to the parent what the child's end, or its deletion, tells it.
    fn told_by(&mut self, child: &OperationRecord) -> Change {
        let update = child.tells_parent().unwrap();
        assert_eq!(
            (update.uid, &update.name),
            (Some(self.record.uid), &self.record.name)
        );
        self.apply(update.command, update.steps).unwrap()
    }

    fn outcome(&self, step: &str) -> Option<&StepOutcome> {
        self.rows[&key(step)].outcome.as_ref()
    }
}

fn key(key: &str) -> StepKey {
    key.parse().unwrap()
}

fn suspend(fence: u64, waits: &[&str]) -> Command {
    Command::Suspend {
        fence,
        waits: waits.iter().map(|step| key(step)).collect(),
        ready_by: None,
        metadata: None,
    }
}

fn end(child: &mut OperationRecord, outcome: OperationOutcome) {
    child.apply(claim(), child.update_time).unwrap();
    let finish = finish(child.fence, outcome);
    child.apply(finish, child.update_time).unwrap();
}

fn response(value: &[u8]) -> OperationOutcome {
    OperationOutcome::Response(Any {
        value: value.to_vec(),
        ..Any::default()
    })
}

/// steps:C5 steps:W6
#[test]
fn the_end_of_a_child_finishes_its_step_and_makes_the_parent_ready() {
    let (mut parent, mut child) = Parent::waiting();
    assert!(parent.record.is_suspended() && parent.record.owes());
    assert_eq!(parent.record.ready_time, OperationRecord::NEVER_READY);
    let expected = ParentStep {
        operation: parent.record.name.clone(),
        uid: parent.record.uid,
        key: key("disk"),
    };
    assert!(child.is_child_of(&expected));
    assert_eq!(child.tells_parent(), None);
    end(&mut child, response(b"made"));
    assert_eq!(parent.told_by(&child), Change::Record);
    let OperationOutcome::Response(made) = response(b"made") else {
        unreachable!()
    };
    assert_eq!(parent.outcome("disk"), Some(&StepOutcome::Response(made)));
    assert!(!parent.record.owes());
    assert_eq!(parent.record.ready_time, parent.record.update_time);
    // A repetition changes nothing.
    assert_eq!(parent.told_by(&child), Change::Nothing);
}

/// steps:C5
#[test]
fn a_child_that_is_deleted_before_its_end_is_not_found() {
    let (mut parent, mut child) = Parent::waiting();
    child.apply(Command::delete(), child.update_time).unwrap();
    assert_eq!(parent.told_by(&child), Change::Record);
    let Some(StepOutcome::Error(error)) = parent.outcome("disk") else {
        panic!("{:?}", parent.outcome("disk"));
    };
    assert_eq!(error.code, tonic::Code::NotFound as i32);
    // The first end counts.
    end(&mut child, response(b"late"));
    assert_eq!(parent.told_by(&child), Change::Nothing);
}

/// A step tells only the operation that started it, and only until its child is another one.
#[test]
fn the_end_of_another_child_changes_nothing() {
    let (mut parent, mut child) = Parent::waiting();
    let row = parent.rows.get_mut(&key("disk")).unwrap();
    row.child = Some(Box::new(Child {
        name: "operations/other".parse().unwrap(),
        uid: Uuid::from_u128(99),
        is_left: false,
        is_cancelled: false,
    }));
    end(&mut child, response(b"made"));
    assert_eq!(parent.told_by(&child), Change::Nothing);
    assert_eq!(parent.outcome("disk"), None);
}

/// steps:C7
#[test]
fn a_run_that_is_cancelled_or_lost_starts_no_child() {
    let mut cancelled = Parent::running();
    cancelled.apply(Command::cancel(), Vec::new()).unwrap();
    assert_eq!(cancelled.start("disk").unwrap_err(), Refusal::Unwinding);
    let mut lost = Parent::running();
    lost.apply(Command::Expire, Vec::new()).unwrap();
    assert_eq!(lost.start("disk").unwrap_err(), Refusal::Stale);
    assert!(lost.rows.is_empty() && !lost.record.owes());
}

#[test]
fn a_step_has_one_child() {
    let mut parent = Parent::running();
    parent.start("disk").unwrap();
    let refused = parent.start("disk").unwrap_err();
    assert_eq!(refused, Refusal::StepHasChild(key("disk")));
}

/// Started once more with the same identity, it would have no step that waits for it.
#[test]
fn a_child_that_was_removed_does_not_begin_anew() {
    let mut parent = Parent::running();
    let child = parent.start("disk").unwrap();
    let again = |parent: &Parent| {
        let of = ChildOf {
            operation: parent.record.name.clone(),
            uid: parent.record.uid,
            fence: 1,
            step: StepWrite::begun(key("disk"), StepKind::Child),
            is_left: false,
        };
        of.record(&child)
    };
    let mut ended = child.clone();
    ended.apply(Command::cancel(), ended.update_time).unwrap();
    for ends in [false, true] {
        if ends {
            parent.told_by(&ended);
        }
        let update = again(&parent);
        let refused = parent.apply(update.command, update.steps).unwrap_err();
        assert_eq!(refused, Refusal::StepHasChild(key("disk")));
    }
}

/// steps:C6
#[test]
fn a_cancelled_parent_waits_for_its_children() {
    let (mut parent, mut child) = Parent::waiting();
    parent.apply(Command::cancel(), Vec::new()).unwrap();
    assert_eq!(parent.record.state, OperationState::Pending);
    parent.apply(claim(), Vec::new()).unwrap();
    assert_eq!(parent.record.state, OperationState::Cancelling);
    // The run has cancelled the child, and waits for its end.
    parent.apply(suspend(2, &["disk"]), Vec::new()).unwrap();
    assert_eq!(parent.record.ready_time, OperationRecord::NEVER_READY);
    child.apply(Command::cancel(), child.update_time).unwrap();
    parent.told_by(&child);
    assert!(!parent.record.owes());
    parent.apply(claim(), Vec::new()).unwrap();
    let cancelled = finish(3, OperationOutcome::Cancelled);
    parent.apply(cancelled, Vec::new()).unwrap();
    assert_eq!(parent.record.state, OperationState::Cancelled);
}

/// A run that did not know of the cancellation has waited: the next one must cancel the child.
#[test]
fn a_wait_from_before_the_cancellation_ends_at_once() {
    let mut parent = Parent::running();
    parent.start("disk").unwrap();
    parent.apply(Command::cancel(), Vec::new()).unwrap();
    parent.apply(suspend(1, &["disk"]), Vec::new()).unwrap();
    assert_eq!(parent.record.ready_time, parent.record.update_time);
    assert!(!parent.record.is_suspended());
}

/// steps:C11
#[test]
fn a_child_is_dropped_when_its_step_finishes_otherwise() {
    for is_left in [false, true] {
        let mut parent = Parent::running();
        let child = parent.start("disk").unwrap();
        let row = parent.rows.get_mut(&key("disk")).unwrap();
        row.child.as_mut().unwrap().is_left = is_left;
        let abandoned = StepWrite {
            outcome: Some(StepOutcome::Abandoned),
            ..StepWrite::begun(key("disk"), StepKind::Child)
        };
        let (record, rows) = (&mut parent.record, &parent.rows);
        let finish = finish(1, response(b"done"));
        let applied = record.apply_with_steps(finish, vec![abandoned], rows, record.update_time);
        let dropped = applied.unwrap().cancels;
        let dropped: Vec<_> = dropped.iter().map(|child| child.uid).collect();
        assert_eq!(dropped, if is_left { vec![] } else { vec![child.uid] });
        assert_eq!(parent.record.state, OperationState::Succeeded);
    }
}

/// steps:C11
#[test]
fn a_child_is_dropped_with_its_epoch() {
    let mut parent = Parent::running();
    let child = parent.start("disk").unwrap();
    let abandoned = StepWrite {
        outcome: Some(StepOutcome::Abandoned),
        ..StepWrite::begun(key("disk"), StepKind::Child)
    };
    let new = Command::CheckpointAndForget {
        fence: 1,
        epoch: 1,
        lease_duration: Duration::from_secs(30),
        checkpoint: Any::default(),
        asked: Vec::new(),
        metadata: None,
    };
    let (record, rows) = (&mut parent.record, &parent.rows);
    let applied = record.apply_with_steps(new, vec![abandoned], rows, record.update_time);
    let cancels = applied.unwrap().cancels;
    assert_eq!(cancels.len(), 1);
    assert_eq!(cancels[0].uid, child.uid);
}

/// steps:C6
#[test]
fn a_write_that_cancels_a_child_sets_the_end_of_the_wait() {
    let mut parent = Parent::running();
    let child = parent.start("disk").unwrap();
    let cancels = StepWrite {
        child: Some(Box::new(Child {
            is_cancelled: true,
            ..parent.rows[&key("disk")].child.as_deref().unwrap().clone()
        })),
        wake: Some(StepWake::After(Duration::from_secs(600))),
        ..StepWrite::begun(key("disk"), StepKind::Child)
    };
    let now = parent.record.update_time;
    let (record, rows) = (&mut parent.record, &parent.rows);
    let suspended = suspend(1, &["disk"]);
    let applied = record.apply_with_steps(suspended, vec![cancels], rows, now);
    let applied = applied.unwrap();
    assert_eq!(applied.cancels.len(), 1);
    assert_eq!(applied.cancels[0].uid, child.uid);
    let end = now.saturating_add(Duration::from_secs(600));
    assert_eq!(applied.written[0].wake_time, Some(end));
    assert_eq!(parent.record.ready_time, end);
    assert!(parent.record.owes());
}

/// steps:L4
#[test]
fn the_children_that_an_operation_waits_for_are_limited() {
    let mut parent = Parent::running();
    parent.start("disk").unwrap();
    let steps = parent.record.steps.as_deref_mut().unwrap();
    steps.owed = StepSummary::MAX_CHILDREN;
    let refused = parent.start("network").unwrap_err();
    assert_eq!(refused, Refusal::StepLimit(StepLimit::Children));
    assert_eq!(parent.rows.len(), 1);
}

/// steps:L2
#[test]
fn a_result_that_is_too_large_for_the_parent_is_an_error_that_says_so() {
    for full in [false, true] {
        let (mut parent, mut child) = Parent::waiting();
        let len = match full {
            true => {
                parent.record.steps.as_deref_mut().unwrap().len = StepSummary::MAX_LEN;
                1
            }
            false => StepSummary::MAX_VALUE_LEN + 1,
        };
        end(&mut child, response(&vec![0; len]));
        assert_eq!(parent.told_by(&child), Change::Record);
        let Some(StepOutcome::Error(error)) = parent.outcome("disk") else {
            panic!("{:?}", parent.outcome("disk"));
        };
        assert_eq!(error.code, tonic::Code::ResourceExhausted as i32);
        assert!(error.message.contains("operations/disk"), "{error:?}");
        assert!(!parent.record.owes());
    }
}
