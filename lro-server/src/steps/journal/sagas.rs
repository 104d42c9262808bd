//! The sagas of a run, and what makes it undo them.

use std::collections::{BTreeMap, BTreeSet};
use std::task::Waker;

use lro_core::pb::rpc;
use lro_core::store::{StepKey, StepKind, StepOutcome, StepRow};
use tonic::Status;

use super::{Inner, Journal};
use crate::steps::answer::{Made, SagaNumber};
use crate::steps::{fault, hooks};

/// The sagas of a run.
#[derive(Default)]
pub(super) struct Sagas {
    made: SagaNumber,
    /// Their rows that have not finished.
    open: BTreeSet<StepKey>,
    /// The polled ones, and those of them that replay their block, to undo it.
    polled: BTreeMap<SagaNumber, Polled>,
    /// Why the run does nothing but undo.
    unwinding: Option<rpc::Status>,
    /// Nothing has happened for so long that steps which are not reached never will be.
    has_given_up: bool,
    /// Steps that are not undone.
    incomplete: BTreeSet<StepKey>,
}

struct Polled {
    key: StepKey,
    waker: Waker,
    replays: bool,
}

impl Sagas {
    pub(super) fn of(rows: &[StepRow]) -> Self {
        let is_open = |row: &&StepRow| row.kind == StepKind::Saga && !row.is_finished();
        let open = rows.iter().filter(is_open);
        // Children that an earlier run has given up.
        let is_given_up = |row: &&StepRow| {
            let child = row.child.as_deref();
            child.is_some_and(|it| it.is_cancelled) && row.outcome == Some(StepOutcome::Abandoned)
        };
        let given_up = rows.iter().filter(is_given_up);
        Self {
            open: open.map(|row| row.key.clone()).collect(),
            incomplete: given_up.map(|row| row.key.clone()).collect(),
            ..Self::default()
        }
    }

    pub(super) fn is_unwinding(&self) -> bool {
        self.unwinding.is_some()
    }

    pub(super) fn first_open(&self) -> Option<&StepKey> {
        self.open.first()
    }

    /// Whether a saga beside this one is polled and open.
    fn has_open_beside(&self, saga: SagaNumber) -> bool {
        let mut others = self.polled.iter().filter(|(number, _)| **number != saga);
        others.any(|(_, other)| self.open.contains(&other.key))
    }

    pub(super) fn wake(&self) {
        self.polled.values().for_each(|it| it.waker.wake_by_ref());
    }
}

impl Journal {
    /// Names a saga as a call, and numbers it.
    pub(in crate::steps) fn made_saga(
        &self,
        key: Result<StepKey, Status>,
    ) -> (SagaNumber, Result<StepKey, Status>) {
        let mut inner = self.inner();
        let key = inner.counted(key);
        if let Ok(key) = &key {
            inner.reached(key);
        }
        inner.sagas.made += 1;
        (inner.sagas.made, key)
    }

    /// Adds a call that a saga makes by itself, under this key.
    pub(in crate::steps) fn made_by_saga(&self, key: &StepKey) -> Made {
        let mut inner = self.inner();
        inner.reached(key);
        inner.made(Ok(key.clone()), false)
    }

    /// The row of a saga, or of the decision to undo it. Faults of the code block the run.
    pub(in crate::steps) fn row_of_saga(&self, key: &StepKey, kind: StepKind) -> Option<StepRow> {
        let mut inner = self.inner();
        inner.reached(key);
        let row = inner.recorded.get(key)?.clone();
        drop(inner);
        hooks::reached(key);
        if let Some(changed) = fault::changed(&row, kind, "") {
            self.block(changed);
        }
        Some(row)
    }

    /// The row that opens a saga is on its way.
    pub(in crate::steps) fn saga_opens(&self, key: &StepKey) {
        self.inner().sagas.open.insert(key.clone());
    }

    pub(in crate::steps) fn saga_ended(&self, key: &StepKey) {
        let mut inner = self.inner();
        inner.sagas.open.remove(key);
        inner.sagas.wake();
        self.task.wake();
    }

    /// Whether the run does nothing but undo, and has more to undo in a saga beside this one.
    pub(in crate::steps) fn undoes_beside(&self, saga: SagaNumber) -> bool {
        let inner = self.inner();
        inner.sagas.is_unwinding() && inner.sagas.has_open_beside(saga)
    }

    /// The row that an earlier run has recorded.
    pub(in crate::steps) fn recorded(&self, key: &StepKey) -> Option<StepRow> {
        self.inner().recorded.get(key).cloned()
    }

    pub(in crate::steps) fn is_open(&self, key: &StepKey) -> bool {
        self.inner().sagas.open.contains(key)
    }

    /// Whether a saga is open.
    pub(crate) fn owes(&self) -> bool {
        !self.inner().sagas.open.is_empty()
    }

    /// A saga is polled, and is woken when the run begins to unwind.
    pub(in crate::steps) fn polls_saga(
        &self,
        (saga, key): (SagaNumber, &StepKey),
        waker: &Waker,
        replays: bool,
    ) {
        let polled = Polled {
            key: key.clone(),
            waker: waker.clone(),
            replays,
        };
        self.inner().sagas.polled.insert(saga, polled);
    }

    pub(in crate::steps) fn saga_dropped(&self, saga: SagaNumber) {
        let mut inner = self.inner();
        inner.sagas.polled.remove(&saga);
        inner.sagas.wake();
    }

    /// The run does nothing but undo from now on. The first reason stays.
    pub(crate) fn unwind(&self, why: rpc::Status) {
        let mut inner = self.inner();
        inner.sagas.unwinding.get_or_insert(why);
        inner.sagas.wake();
        self.task.wake();
    }

    /// Why the run does nothing but undo.
    pub(in crate::steps) fn unwinds(&self) -> Option<rpc::Status> {
        self.inner().sagas.unwinding.clone()
    }

    pub(crate) fn is_unwinding(&self) -> bool {
        self.inner().sagas.is_unwinding()
    }

    /// Whether the run may wait for steps to undo that a replay does not reach.
    pub(in crate::steps) fn seeks_steps(&self) -> bool {
        let inner = self.inner();
        inner.begins_nothing() || inner.sagas.polled.values().any(|it| it.replays)
    }

    /// Nothing has happened for a long time: steps that are not reached are not waited for any more. Returns
    /// whether that is not new.
    pub(in crate::steps) fn gives_up(&self) -> bool {
        let mut inner = self.inner();
        let had = std::mem::replace(&mut inner.sagas.has_given_up, true);
        inner.sagas.wake();
        had
    }

    pub(in crate::steps) fn has_given_up(&self) -> bool {
        self.inner().sagas.has_given_up
    }

    /// The recorded steps of sagas in this scope, before this place, that the run has not reached.
    pub(in crate::steps) fn unreached_saga_steps(&self, scope: &str, until: u64) -> Vec<StepKey> {
        let inner = self.inner();
        let steps = inner.unreached_in(scope, until);
        let steps = steps.filter(|row| row.kind.is_undoable());
        let mut keys: Vec<_> = steps.map(|row| row.key.clone()).collect();
        keys.sort_unstable();
        keys
    }

    /// Whether such a child, that no saga undoes, has not ended. It is known as one of the saga when the run reaches it.
    pub(in crate::steps) fn has_unreached_children(&self, scope: &str, until: u64) -> bool {
        let inner = self.inner();
        let mut rows = inner.unreached_in(scope, until);
        rows.any(|row| row.kind == StepKind::Child && inner.children.contains_key(&row.key))
    }

    /// Calls that were recorded before this place are not expected any more.
    pub(in crate::steps) fn passed_until(&self, seq: u64) {
        let mut inner = self.inner();
        inner.expected = inner.expected.split_off(&seq);
    }

    /// Whether no call works, and none waits.
    pub(in crate::steps) fn is_idle(&self) -> bool {
        !self.inner().is_at_work() && self.waits().is_empty()
    }

    /// Whether the run has ended.
    pub(in crate::steps) fn has_ended(&self) -> bool {
        self.inner().has_ended
    }

    /// Notes steps that are not undone.
    pub(in crate::steps) fn not_undone(&self, keys: impl IntoIterator<Item = StepKey>) {
        self.inner().sagas.incomplete.extend(keys);
    }

    /// The steps that are not undone.
    pub(crate) fn incomplete(&self) -> Vec<StepKey> {
        self.inner().sagas.incomplete.iter().cloned().collect()
    }
}

impl Inner {
    /// The rows in this scope, before this place, that the run has not reached; without those in the inner scopes of
    /// other sagas.
    fn unreached_in(&self, scope: &str, until: u64) -> impl Iterator<Item = &StepRow> {
        let sagas = self
            .recorded
            .values()
            .filter(|row| row.kind == StepKind::Saga);
        let scopes = sagas.map(|row| scope_of(row.key.as_str()));
        let inner_scopes: Vec<_> = scopes
            .filter(|it| it.len() > scope.len() && it.starts_with(scope))
            .collect();
        let rows = self
            .unreached
            .iter()
            .filter_map(|key| self.recorded.get(key));
        rows.filter(move |row| {
            let key = row.key.as_str();
            let is_inner = inner_scopes.iter().any(|inner| key.starts_with(inner));
            row.seq < until && key.starts_with(scope) && !is_inner
        })
    }
}

/// The beginning of the keys of the steps of a saga, of which this is the key.
pub(in crate::steps) fn scope_of(saga: &str) -> &str {
    saga.rfind("saga").map_or("", |at| &saga[..at])
}
