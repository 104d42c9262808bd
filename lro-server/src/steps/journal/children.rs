//! The children of a run that have not ended.

use std::sync::Arc;

use lro_core::Timestamp;
use lro_core::store::{Child, StepKey, StepKind, StepOutcome, StepRow};

use super::{Inner, Journal};
use crate::handler::run::Run;
use crate::steps::answer::SagaNumber;

/// A child that has not ended, as far as the run knows.
#[derive(Clone, Debug)]
pub(in crate::steps) struct Outstanding {
    pub(in crate::steps) key: StepKey,
    pub(in crate::steps) kind: StepKind,
    /// The saga in whose block it was made, as far as that is known.
    pub(in crate::steps) saga: Option<SagaNumber>,
    /// `None` of a step that was to start one, and has not.
    pub(in crate::steps) child: Option<Child>,
    /// The end of the wait for it.
    pub(in crate::steps) wake_time: Option<Timestamp>,
}

/// The start of a child that is under way, until this is dropped.
pub(crate) struct StartUnderWay(Arc<Run>);

impl StartUnderWay {
    pub(in crate::steps) fn new(run: &Arc<Run>) -> Self {
        run.journal().change_starts(|starts| starts + 1);
        Self(run.clone())
    }
}

impl Drop for StartUnderWay {
    fn drop(&mut self) {
        let journal = self.0.journal();
        journal.change_starts(|starts| starts.saturating_sub(1));
    }
}

impl Journal {
    fn change_starts(&self, change: impl FnOnce(usize) -> usize) {
        let mut inner = self.inner();
        inner.starts = change(inner.starts);
        self.starts.send_replace(inner.starts);
        drop(inner);
        self.task.wake();
    }

    /// Returns when no child is being started: then the run knows of all.
    pub(in crate::steps) async fn starts_ended(&self) {
        let mut starts = self.starts.subscribe();
        // The sender lives as long as the journal.
        let _ = starts.wait_for(|starts| *starts == 0).await;
    }

    /// The body has made the call of a child in the block of this saga.
    pub(in crate::steps) fn child_in_block(&self, key: &StepKey, saga: SagaNumber) {
        if let Some(child) = self.inner().children.get_mut(key) {
            child.saga = Some(saga);
        }
    }

    /// The run has cancelled the child, and waits for its end.
    pub(in crate::steps) fn child_cancelled(&self, key: &StepKey) {
        let mut inner = self.inner();
        let Some(outstanding) = inner.children.get_mut(key) else {
            return;
        };
        // That of the timeout, which has passed.
        outstanding.wake_time = None;
        if let Some(child) = &mut outstanding.child {
            child.is_cancelled = true;
        }
    }

    /// A child was started, and its step is recorded.
    pub(in crate::steps) fn child_started(
        &self,
        key: &StepKey,
        kind: StepKind,
        child: Child,
        saga: Option<SagaNumber>,
    ) {
        let mut inner = self.inner();
        if inner.recorded.get(key).is_some_and(StepRow::is_finished) {
            return;
        }
        let outstanding = Outstanding {
            key: key.clone(),
            kind,
            saga,
            child: Some(child),
            wake_time: None,
        };
        inner.children.insert(key.clone(), outstanding);
    }

    /// The start of a child has failed, and may have stored it all the same.
    pub(in crate::steps) fn may_have_children(&self) {
        self.inner().may_have_children = true;
    }

    /// Whether there may be children of which the run does not know.
    pub(crate) fn is_unsure_of_children(&self) -> bool {
        self.inner().may_have_children
    }

    /// Takes over the children in rows that were read again.
    pub(crate) fn learn_children(&self, rows: &[StepRow]) {
        let mut inner = self.inner();
        for (key, child) in Inner::children_of(rows) {
            let saga = inner.children.get(&key).and_then(|known| known.saga);
            inner.children.insert(key, Outstanding { saga, ..child });
        }
    }

    /// The children that have not ended.
    pub(in crate::steps) fn outstanding_children(&self) -> Vec<Outstanding> {
        self.inner().children.values().cloned().collect()
    }

    /// The child of this step, if it has not ended.
    pub(in crate::steps) fn outstanding_child(&self, key: &StepKey) -> Option<Outstanding> {
        self.inner().children.get(key).cloned()
    }

    /// Whether it waits for children, or starts one.
    pub(crate) fn has_children(&self) -> bool {
        let inner = self.inner();
        inner.starts > 0 || !inner.children.is_empty()
    }
}

impl Inner {
    /// The children in recorded rows that have not ended.
    pub(super) fn children_of(rows: &[StepRow]) -> impl Iterator<Item = (StepKey, Outstanding)> {
        let children = rows
            .iter()
            .filter(|row| row.kind.is_child() && !row.is_finished());
        children.map(|row| {
            let outstanding = Outstanding {
                key: row.key.clone(),
                kind: row.kind,
                saga: None,
                child: row.child.as_deref().cloned(),
                wake_time: row.wake_time,
            };
            (row.key.clone(), outstanding)
        })
    }

    /// A step ends with this outcome, if it has one.
    pub(super) fn notes_end(&mut self, key: &StepKey, outcome: Option<&StepOutcome>) {
        if outcome.is_some() {
            self.children.remove(key);
        }
    }
}
