//! Operations on corrupt pages.

use std::collections::{BTreeSet, HashSet};

use lro_core::OperationName;
use lro_core::store::Update;
use uuid::Uuid;

/// How many operations on corrupt pages are remembered.
const CORRUPT_KEPT_MAX: usize = 4_096;

/// Operations that cannot be written because a page of the file is corrupt: a transaction that meets
/// such a page cannot be committed, so they are left out of later ones.
#[derive(Debug, Default)]
pub(crate) struct Corrupt {
    updates: HashSet<(OperationName, Option<Uuid>)>,
    /// Uids of those that cannot be purged.
    expired: BTreeSet<Vec<u8>>,
    /// Whether expired operations are read one by one, as one of them cannot be read.
    reads_one_by_one: bool,
}

impl Corrupt {
    pub(crate) fn contains(&self, update: &Update) -> bool {
        !self.updates.is_empty() && self.updates.contains(&(update.name.clone(), update.uid))
    }

    pub(crate) fn insert(&mut self, update: &Update) -> bool {
        self.updates.len() < CORRUPT_KEPT_MAX
            && self.updates.insert((update.name.clone(), update.uid))
    }

    /// Uids that purges pass over.
    pub(crate) fn expired(&self) -> &BTreeSet<Vec<u8>> {
        &self.expired
    }

    pub(crate) fn reads_one_by_one(&self) -> bool {
        self.reads_one_by_one
    }

    /// `false`: they are already.
    pub(crate) fn read_one_by_one(&mut self) -> bool {
        !std::mem::replace(&mut self.reads_one_by_one, true)
    }

    /// `false`: it is known, or too many are.
    pub(crate) fn insert_expired(&mut self, uid: Vec<u8>) -> bool {
        self.expired.len() < CORRUPT_KEPT_MAX && self.expired.insert(uid)
    }
}
