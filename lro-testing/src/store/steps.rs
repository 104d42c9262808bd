//! Builders of steps, and an operation whose steps a case mirrors.

use std::collections::HashMap;
use std::time::Duration;

use lro_core::store::{
    Command, NewOperation, OperationRecord, Refusal, StepKey, StepKind, StepOutcome, StepQuery,
    StepRow, StepWake, StepWrite, StoreErrorKind, Update, Updated,
};

use super::build::{LEASE, any};
use super::trial::Trial;

pub(crate) fn key(key: &str) -> StepKey {
    key.parse().unwrap()
}

/// A step that has succeeded.
pub(crate) fn done(of: &str, response: &str) -> StepWrite {
    StepWrite {
        attempt: 1,
        outcome: Some(StepOutcome::Response(any(response))),
        ..StepWrite::begun(key(of), StepKind::Step)
    }
}

/// A sleep that has begun.
pub(crate) fn sleep(of: &str, duration: Duration) -> StepWrite {
    StepWrite {
        wake: Some(StepWake::After(duration)),
        ..StepWrite::begun(key(of), StepKind::Sleep)
    }
}

/// A promise that the body asks for.
pub(crate) fn asked(of: &str) -> StepWrite {
    StepWrite::begun(key(of), StepKind::Promise)
}

pub(crate) fn record(fence: u64) -> Command {
    Command::Record {
        fence,
        metadata: None,
    }
}

pub(crate) fn suspend(fence: u64, waits: &[&str]) -> Command {
    Command::Suspend {
        fence,
        waits: waits.iter().map(|waits| key(waits)).collect(),
        ready_by: None,
        metadata: None,
    }
}

/// The body's code does not fit.
pub(crate) fn block(fence: u64, delay: Duration) -> Command {
    Command::Block {
        fence,
        message: "`b` is new".to_owned(),
        delay,
        ready_by: None,
        metadata: None,
    }
}

/// A new epoch, whose body has asked for these promises before.
pub(crate) fn begin_epoch(fence: u64, epoch: u32, asked: &[&str]) -> Command {
    Command::CheckpointAndForget {
        fence,
        epoch,
        lease_duration: LEASE,
        checkpoint: any("checkpoint"),
        asked: asked.iter().map(|asked| key(asked)).collect(),
        metadata: None,
    }
}

pub(crate) fn forget(keys: &[&str]) -> Command {
    Command::ForgetSteps {
        keys: keys.iter().map(|it| key(it)).collect(),
    }
}

pub(crate) fn complete(of: &str, response: &str) -> Command {
    Command::Complete {
        key: key(of),
        outcome: StepOutcome::Response(any(response)),
    }
}

/// Whether the store keeps steps. One that does not must say so, by its name.
pub(crate) async fn keeps_steps(trial: &Trial) -> bool {
    if trial.store().keeps_steps() {
        return true;
    }
    let record = trial.running("operations/without").await;
    let query = StepQuery::all(record.uid, 0);
    let error = trial.store().steps(query).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unimplemented);
    assert!(error.to_string().ends_with("`steps`"), "{error}");
    let update = |command| Update::by_uid(record.name.clone(), record.uid, command);
    let updates = vec![
        update(self::record(1)).with_steps(vec![done("a", "1")]),
        update(super::build::succeed(1, "r")).with_steps(vec![done("a", "1")]),
        update(suspend(1, &[])),
        update(complete("a", "1")),
        update(begin_epoch(1, 1, &[])),
        update(forget(&["a"])),
        update(Command::Unblock),
        update(super::build::renew(1, None)),
    ];
    let mut answers = trial.update_all(updates).await;
    assert!(answers.pop().unwrap().is_ok(), "its neighbours are applied");
    for answer in answers {
        let Err(Refusal::Unimplemented(message)) = answer else {
            panic!("{answer:?}");
        };
        assert!(message.ends_with("keeps no steps: `update`"), "{message}");
    }
    let after = trial.get(&record.name).await.unwrap();
    assert_eq!((after.state, after.steps), (record.state, None));
    false
}

/// An operation, its record and its steps, as they must be.
pub(crate) struct Composed<'t> {
    pub(crate) trial: &'t Trial,
    pub(crate) record: OperationRecord,
    pub(crate) rows: HashMap<StepKey, StepRow>,
}

impl<'t> Composed<'t> {
    /// One that worker 1 runs, with fence 1.
    pub(crate) async fn running(trial: &'t Trial, of: &str) -> Self {
        Self::of(trial, trial.operation(of)).await
    }

    pub(crate) async fn of(trial: &'t Trial, operation: NewOperation) -> Self {
        Self {
            trial,
            record: trial.running_from(operation).await,
            rows: HashMap::new(),
        }
    }

    /// Gives the command and the steps to the store and to the mirror; both are to answer and to be
    /// the same.
    pub(crate) async fn update(
        &mut self,
        command: Command,
        steps: Vec<StepWrite>,
    ) -> Result<Updated, Refusal> {
        let name = self.record.name.clone();
        let update = match command.fence() {
            Some(_) => Update::by_uid(name, self.record.uid, command.clone()).with_steps(steps),
            None => Update::by_name(name, command.clone()),
        };
        let expected = self.mirror(&update);
        let answer = self.trial.update_all(vec![update]).await.remove(0);
        assert_eq!(answer, expected, "the answer to {command:?}");
        self.check().await;
        answer
    }

    /// Gives the update to the mirror alone.
    pub(crate) fn mirror(&mut self, update: &Update) -> Result<Updated, Refusal> {
        let mut after = self.record.clone();
        let (command, steps) = (update.command.clone(), update.steps.clone());
        let applied = after.apply_with_steps(command, steps, &self.rows, self.trial.now())?;
        let epoch = |it: &OperationRecord| it.steps.as_deref().map_or(0, |steps| steps.epoch);
        if epoch(&after) != epoch(&self.record) {
            self.rows.clear();
        }
        self.rows.retain(|key, _| !applied.removed.contains(key));
        let written = applied.written.into_iter();
        self.rows.extend(written.map(|row| (row.key.clone(), row)));
        self.record = after;
        Ok(Updated::new(applied.change, &self.record))
    }

    /// The store holds the record and the rows.
    pub(crate) async fn check(&self) {
        let visible = self.record.is_visible().then_some(&self.record);
        let stored = self.trial.get(&self.record.name).await;
        assert_eq!(stored.as_ref(), visible);
        assert_eq!(self.stored().await, self.in_order());
    }

    pub(crate) async fn stored(&self) -> Vec<StepRow> {
        steps_of(self.trial, &self.record).await
    }

    pub(crate) fn in_order(&self) -> Vec<StepRow> {
        let mut rows: Vec<_> = self.rows.values().cloned().collect();
        rows.sort_by_key(|row| row.seq);
        rows
    }

    /// Claims it, and nothing else.
    pub(crate) async fn reclaim(&mut self) {
        self.trial.reclaim(&mut self.record).await;
        self.check().await;
    }

    /// Nothing is ready; returns when the next claim finds something.
    pub(crate) async fn is_not_ready(&self) -> Option<Duration> {
        let claimed = self.trial.claim(10).await;
        assert_eq!(claimed.operations, []);
        claimed.next_in
    }
}

pub(crate) async fn steps_of(trial: &Trial, record: &OperationRecord) -> Vec<StepRow> {
    let epoch = record.steps.as_deref().map_or(0, |steps| steps.epoch);
    steps_of_epoch(trial, record, epoch).await
}

pub(crate) async fn steps_of_epoch(
    trial: &Trial,
    record: &OperationRecord,
    epoch: u32,
) -> Vec<StepRow> {
    let query = StepQuery::all(record.uid, epoch);
    trial.store().steps(query).await.unwrap()
}
