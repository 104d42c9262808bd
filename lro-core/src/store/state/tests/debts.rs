use std::collections::HashMap;

use super::*;
use crate::store::{StepKey, StepKind, StepOutcome, StepRow, StepWrite};

/// An operation whose body has opened a saga, as a store keeps it.
struct Owing {
    record: OperationRecord,
    rows: HashMap<StepKey, StepRow>,
}

impl Owing {
    fn running() -> Self {
        let mut it = Self {
            record: in_state(OperationState::Running),
            rows: HashMap::new(),
        };
        it.record.policy.max_attempts = 2;
        it.apply_with(record(1), vec![saga(None)]);
        it
    }

    fn claimed(mut self) -> Self {
        self.apply(claim());
        self
    }

    fn apply(&mut self, command: Command) {
        self.apply_with(command, Vec::new());
    }

    fn apply_with(&mut self, command: Command, steps: Vec<StepWrite>) {
        let now = self.record.update_time.max(self.record.ready_time);
        let (record, rows) = (&mut self.record, &mut self.rows);
        let applied = record.apply_with_steps(command, steps, rows, now).unwrap();
        applied.removed.iter().for_each(|key| {
            rows.remove(key);
        });
        let written = applied.written.into_iter();
        rows.extend(written.map(|row| (row.key.clone(), row)));
    }

    fn verdict(&self) -> Option<&Status> {
        self.record.steps.as_deref()?.verdict.as_ref()
    }

    fn error(&self) -> &Status {
        match &self.record.result {
            Some(OperationResult::Error(error)) => error,
            result => panic!("{result:?}"),
        }
    }
}

fn record(fence: u64) -> Command {
    Command::Record {
        fence,
        metadata: None,
    }
}

fn saga(outcome: Option<StepOutcome>) -> StepWrite {
    StepWrite {
        outcome,
        ..StepWrite::begun("saga".parse().unwrap(), StepKind::Saga)
    }
}

fn undone() -> StepWrite {
    saga(Some(StepOutcome::Error(failure())))
}

fn suspend(fence: u64) -> Command {
    Command::Suspend {
        fence,
        waits: Vec::new(),
        ready_by: None,
        metadata: None,
    }
}

fn block(fence: u64) -> Command {
    Command::Block {
        fence,
        message: "`a` is new".to_owned(),
        delay: Duration::from_secs(600),
        ready_by: None,
        metadata: None,
    }
}

fn release(fence: u64) -> Command {
    Command::Release {
        fence,
        metadata: None,
    }
}

/// steps:E3
#[test]
fn a_pending_operation_that_owes_is_cancelled_by_its_next_run() {
    let mut it = Owing::running();
    it.apply(block(1));
    let now = it.record.update_time;
    it.record.apply(Command::cancel(), now).unwrap();
    assert_eq!(it.record.state, OperationState::Pending);
    assert_eq!(
        (it.record.cancel_time, it.record.ready_time),
        (Some(now), now)
    );
    assert!(!it.record.is_blocked());
    let again = it.record.apply(Command::cancel(), now);
    assert_eq!(again, Ok(Change::Nothing));
    let mut it = it.claimed();
    assert_eq!(it.record.state, OperationState::Cancelling);
    it.apply_with(finish(2, OperationOutcome::Cancelled), vec![undone()]);
    assert_eq!(it.record.state, OperationState::Cancelled);
    assert!(!Reason::UndoIncomplete.is_told_by(it.error()));
}

/// steps:E4
#[test]
fn a_cancelled_run_that_owes_goes_back_without_an_end() {
    for command in [
        retry(1),
        release(1),
        suspend(1),
        block(1),
        Command::Expire,
        Command::ExpireShared,
    ] {
        let mut it = Owing::running();
        it.apply(Command::cancel());
        let cancelled = it.record.cancel_time;
        it.apply(command.clone());
        assert_eq!(it.record.state, OperationState::Pending, "{command:?}");
        assert_eq!(it.record.cancel_time, cancelled);
        assert_eq!(it.verdict(), None);
        assert_eq!(it.claimed().record.state, OperationState::Cancelling);
    }
}

/// steps:E4
#[test]
fn an_end_that_comes_too_early_is_the_verdict() {
    let ends = [
        (
            finish(1, OperationOutcome::Error(failure())),
            Code::DeadlineExceeded,
        ),
        (finish(1, OperationOutcome::Cancelled), Code::Cancelled),
        (
            finish(1, OperationOutcome::Response(pack(&()))),
            Code::Internal,
        ),
    ];
    for (end, code) in ends {
        let mut it = Owing::running();
        it.apply(end);
        assert_eq!(it.record.state, OperationState::Pending);
        assert_eq!(it.verdict().unwrap().code, code as i32);
        assert_eq!(it.record.attempts_since_progress(), 0);
        let mut it = it.claimed();
        let late = finish(2, OperationOutcome::Response(pack(&())));
        it.apply_with(late, vec![undone()]);
        assert_eq!(it.error().code, code as i32, "no success any more");
        assert!(!Reason::UndoIncomplete.is_told_by(it.error()));
    }
}

/// steps:E4 steps:E5
#[test]
fn unwinding_has_attempts_of_its_own_and_then_the_verdict_ends_it() {
    let mut it = Owing::running();
    it.apply(Command::Expire);
    it.apply(claim());
    it.apply(Command::Expire);
    let verdict = it.verdict().cloned().unwrap();
    assert_eq!(verdict.code, Code::Aborted as i32);
    it.apply(claim());
    it.apply(retry(3));
    it.apply(claim());
    it.apply(Command::Expire);
    assert_eq!(it.record.state, OperationState::Failed);
    assert_eq!(it.error().message, verdict.message);
    assert!(Reason::UndoIncomplete.is_told_by(it.error()));
}

/// steps:E4
#[test]
fn an_operation_that_must_not_run_twice_undoes_nevertheless() {
    let mut it = Owing::running();
    it.record.policy.on_crash = OnCrash::Abort;
    it.apply(Command::Expire);
    assert!(Reason::OperationInterrupted.is_told_by(it.verdict().unwrap()));
    it.apply(claim());
    it.apply(Command::Expire);
    assert_eq!(
        it.record.state,
        OperationState::Pending,
        "undoing may be repeated"
    );
    let mut it = it.claimed();
    it.apply_with(record(3), vec![undone()]);
    it.apply(Command::Expire);
    assert_eq!(
        it.record.state,
        OperationState::Failed,
        "nothing is left to undo"
    );
    assert!(!Reason::UndoIncomplete.is_told_by(it.error()));
}

/// steps:E5
#[test]
fn attempts_that_a_cancelled_operation_uses_up_end_it_as_cancelled() {
    let mut it = Owing::running();
    it.apply(Command::cancel());
    for fence in 1..=3 {
        it.apply(retry(fence));
        it.apply(claim());
    }
    it.apply(Command::Expire);
    assert_eq!(it.record.state, OperationState::Cancelled);
    assert!(Reason::UndoIncomplete.is_told_by(it.error()));
}

/// steps:E8
#[test]
fn a_new_epoch_begins_with_no_debt() {
    let mut it = Owing::running();
    let epoch = Command::CheckpointAndForget {
        fence: 1,
        epoch: 1,
        lease_duration: Duration::from_secs(30),
        checkpoint: pack(&()),
        asked: Vec::new(),
        metadata: None,
    };
    let now = it.record.update_time;
    let before = it.record.clone();
    let refused = it
        .record
        .apply_with_steps(epoch.clone(), Vec::new(), &it.rows, now);
    assert_eq!(refused, Err(Refusal::Owes));
    assert_eq!(it.record, before);
    // The end of the saga may come with it.
    it.apply_with(epoch, vec![undone()]);
    assert!(!it.record.owes());
}

#[test]
fn an_operator_may_forgive_a_debt() {
    let mut it = Owing::running();
    it.apply(release(1));
    it.apply(Command::cancel());
    it.apply(Command::ForgetSteps {
        keys: vec!["saga".parse().unwrap()],
    });
    assert!(!it.record.owes());
    it.apply(Command::cancel());
    assert_eq!(it.record.state, OperationState::Cancelled);
}
