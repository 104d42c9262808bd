//! Children on other servers whose names a run that only undoes must learn before it undoes.

use std::collections::BTreeSet;
use std::sync::Arc;

use lro_core::store::{StepKey, StepKind};
use tokio::sync::Notify;

use super::{Inner, Journal, UnderWay};
use crate::steps::answer::{Activity, Halt};

/// The children whose names are not stored, in a run that does nothing but learn them.
#[derive(Default)]
pub(super) struct Naming {
    all: BTreeSet<StepKey>,
    left: BTreeSet<StepKey>,
    learnt: Arc<Notify>,
}

impl Journal {
    /// The run does nothing but learn the names of these children.
    pub(in crate::steps) fn begin_naming(&self, unnamed: BTreeSet<StepKey>) {
        self.inner().naming = Some(Naming {
            all: unnamed.clone(),
            left: unnamed,
            learnt: Arc::default(),
        });
    }

    /// Whether the run does nothing but learn the names of children.
    pub(in crate::steps) fn is_naming(&self) -> bool {
        self.inner().naming.is_some()
    }

    /// Whether such a run has learnt all of them.
    pub(in crate::steps) fn has_named_all(&self) -> bool {
        let inner = self.inner();
        let naming = inner.naming.as_ref();
        naming.is_some_and(|naming| naming.left.is_empty())
    }

    /// Whether the name of this child is still to be learnt.
    pub(in crate::steps) fn is_unnamed(&self, key: &StepKey) -> bool {
        self.inner().is_unnamed(key)
    }

    /// Returns when no call that is under way learns a name: the body may drop such calls when it gets an error.
    pub(in crate::steps) async fn names_learnt_beside(&self) {
        loop {
            let learnt = {
                let inner = self.inner();
                let Some(naming) = &inner.naming else { return };
                let mut calls = inner.under_way.values();
                // One that the body has not awaited may be waiting for this.
                let is_learning = |call: &UnderWay| {
                    let key = call.name.parse::<StepKey>();
                    matches!(call.activity, Activity::Work)
                        && key.is_ok_and(|key| naming.left.contains(&key))
                };
                if !calls.any(is_learning) {
                    return;
                }
                // It listens from now on, before a name can be learnt.
                naming.learnt.clone().notified_owned()
            };
            learnt.await;
        }
    }

    /// Notes that the call of this child has learnt its name, if the run does nothing else. Returns whether that is so.
    pub(in crate::steps) fn was_unnamed(&self, key: &StepKey) -> bool {
        let mut inner = self.inner();
        let Some(naming) = &mut inner.naming else {
            return false;
        };
        naming.left.remove(key);
        naming.learnt.notify_waiters();
        let is_of_naming = naming.all.contains(key);
        drop(inner);
        self.wake();
        is_of_naming
    }
}

impl Journal {
    /// Whether a saga has begun to undo, in this run or an earlier one.
    pub(in crate::steps) fn undoes(&self) -> bool {
        let inner = self.inner();
        let mut rows = inner.recorded.values();
        inner.sagas.first_open().is_some() && rows.any(|row| row.kind == StepKind::Undo)
    }

    /// Ends the run: another one must learn names first.
    pub(in crate::steps) fn run_again(&self) {
        self.inner().halt.get_or_insert(Halt::Again);
        self.wake();
    }
}

impl Inner {
    /// Whether the run does nothing but undo, or learn names.
    pub(super) fn begins_nothing(&self) -> bool {
        self.sagas.is_unwinding() || self.naming.is_some()
    }

    pub(super) fn is_unnamed(&self, key: &StepKey) -> bool {
        let naming = self.naming.as_ref();
        naming.is_some_and(|naming| naming.left.contains(key))
    }
}
