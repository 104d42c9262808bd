//! The operations that this process has claimed, as last written.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use lro_core::store::{OperationRecord, StepKey, StepRow};
use uuid::Uuid;

/// The maximum number of records. Beyond it, all are dropped, also those of lost leases, of which
/// the store receives no notification.
const HELD_MAX: usize = 4_096;

/// Those with larger metadata are not kept.
const METADATA_MAX: usize = 16 * 1024;

/// The [public parts](OperationRecord::public_part) of records, to decide without reading them
/// first. A decision is written only if the row still has the same revision. A missing or outdated
/// record therefore costs one read and nothing else.
#[derive(Debug, Default)]
pub(crate) struct Held {
    known: Mutex<HashMap<Uuid, Known>>,
}

/// An operation as this process has last written it.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) record: OperationRecord,
    /// The steps that this run has begun and not finished: their rows are there already. Only saves
    /// attempts, since the statement looks for rows itself.
    begun: BTreeSet<StepKey>,
}

impl Known {
    fn new(record: &OperationRecord) -> Self {
        Self {
            record: record.public_part(),
            begun: BTreeSet::new(),
        }
    }

    /// Whether the step has a row already, as far as that is known.
    pub(crate) fn has_row(&self, key: &StepKey) -> bool {
        let steps = self.record.steps.as_deref();
        self.begun.contains(key) || steps.is_some_and(|steps| steps.waits_for(key))
    }

    /// The same operation after a write of the record and of these rows.
    pub(crate) fn written<'r>(
        mut self,
        record: OperationRecord,
        rows: impl IntoIterator<Item = &'r StepRow>,
    ) -> Self {
        self.record = record;
        for row in rows {
            match row.is_finished() {
                true => self.begun.remove(&row.key),
                false => self.begun.insert(row.key.clone()),
            };
        }
        self
    }
}

impl Held {
    /// Keeps a record that was just claimed.
    pub(crate) fn keep(&self, record: &OperationRecord) {
        self.put(Known::new(record));
    }

    /// Takes out a record that a decision changes. If there is no decision, it stays.
    pub(crate) fn decide<T>(
        &self,
        uid: Uuid,
        decide: impl FnOnce(&Known) -> Option<T>,
    ) -> Option<T> {
        let mut known = self.lock();
        let decision = decide(known.get(&uid)?)?;
        known.remove(&uid);
        Some(decision)
    }

    /// The epochs in which operations are, as far as that is known.
    pub(crate) fn epochs(&self, uids: &[Uuid]) -> HashMap<Uuid, u32> {
        let all = self.lock();
        let known = uids.iter().filter_map(|uid| {
            let steps = all.get(uid)?.record.steps.as_deref()?;
            Some((*uid, steps.epoch))
        });
        known.collect()
    }

    /// Follows a write of a record and of these rows. If the holder wrote it, the record is kept
    /// from now on.
    pub(crate) fn follow<'r>(
        &self,
        record: &OperationRecord,
        rows: impl IntoIterator<Item = &'r StepRow>,
        by_holder: bool,
    ) {
        let before = self.lock().remove(&record.uid);
        let before = before.filter(|before| before.record.fence == record.fence);
        let before = before.or_else(|| by_holder.then(|| Known::new(record)));
        if let Some(before) = before {
            self.put(before.written(record.public_part(), rows));
        }
    }

    /// Keeps what is known of a running operation, unless a later write is known.
    pub(crate) fn put(&self, known: Known) {
        let metadata = known.record.metadata.as_ref();
        let is_large = metadata.is_some_and(|it| it.value.len() > METADATA_MAX);
        if !known.record.state.is_running() || is_large {
            return;
        }
        let mut all = self.lock();
        if all.len() >= HELD_MAX {
            all.clear();
        }
        let version = |known: &Known| (known.record.fence, known.record.revision);
        let later = all.get(&known.record.uid);
        if later.is_none_or(|later| version(later) <= version(&known)) {
            all.insert(known.record.uid, known);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
