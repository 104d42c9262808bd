//! Children on other servers whose names a run that only undoes must learn before it undoes.

use std::collections::BTreeSet;

use lro_core::store::StepKey;

use super::{Inner, Journal};

/// The children whose names are not stored, in a run that does nothing but learn them.
#[derive(Default)]
pub(super) struct Naming {
    all: BTreeSet<StepKey>,
    left: BTreeSet<StepKey>,
}

impl Journal {
    /// The run does nothing but learn the names of these children.
    pub(in crate::steps) fn begin_naming(&self, unnamed: BTreeSet<StepKey>) {
        self.inner().naming = Some(Naming {
            all: unnamed.clone(),
            left: unnamed,
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

    /// Notes that the call of this child has learnt its name, if the run does nothing else. Returns whether that is so.
    pub(in crate::steps) fn was_unnamed(&self, key: &StepKey) -> bool {
        let mut inner = self.inner();
        let Some(naming) = &mut inner.naming else {
            return false;
        };
        naming.left.remove(key);
        let is_of_naming = naming.all.contains(key);
        drop(inner);
        self.wake();
        is_of_naming
    }
}

impl Inner {
    pub(super) fn is_unnamed(&self, key: &StepKey) -> bool {
        let naming = self.naming.as_ref();
        naming.is_some_and(|naming| naming.left.contains(key))
    }
}
