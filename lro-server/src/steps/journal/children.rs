//! The children of a run that have not ended.

use lro_core::Timestamp;
use lro_core::store::{Child, StepKey, StepKind, StepOutcome, StepRow};

use super::{Inner, Journal};

/// A child that has not ended, as far as the run knows.
#[derive(Clone, Debug)]
pub(in crate::steps) struct Outstanding {
    pub(in crate::steps) key: StepKey,
    pub(in crate::steps) kind: StepKind,
    /// `None` of a step that was to start one, and has not.
    pub(in crate::steps) child: Option<Child>,
    /// The end of the wait for it.
    pub(in crate::steps) wake_time: Option<Timestamp>,
}

impl Journal {
    /// A child was started, and its step is recorded.
    pub(in crate::steps) fn child_started(&self, key: &StepKey, kind: StepKind, child: Child) {
        let outstanding = Outstanding {
            key: key.clone(),
            kind,
            child: Some(child),
            wake_time: None,
        };
        self.inner().children.insert(key.clone(), outstanding);
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
        self.inner().children.extend(Inner::children_of(rows));
    }

    /// The children that have not ended.
    pub(in crate::steps) fn outstanding_children(&self) -> Vec<Outstanding> {
        self.inner().children.values().cloned().collect()
    }

    /// Whether it waits for children.
    pub(crate) fn has_children(&self) -> bool {
        !self.inner().children.is_empty()
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
