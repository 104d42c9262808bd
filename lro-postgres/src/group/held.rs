//! The operations that this process has claimed, as last written.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use lro_core::store::OperationRecord;
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
    records: Mutex<HashMap<Uuid, OperationRecord>>,
}

impl Held {
    /// Keeps a record that was just claimed.
    pub(crate) fn keep(&self, record: &OperationRecord) {
        let metadata = record.metadata.as_ref();
        if !record.state.is_running() || metadata.is_some_and(|it| it.value.len() > METADATA_MAX) {
            return;
        }
        let mut records = self.lock();
        if records.len() >= HELD_MAX {
            records.clear();
        }
        records.insert(record.uid, record.public_part());
    }

    /// Removes and returns the record, for a caller that changes it.
    pub(crate) fn take(&self, uid: Uuid) -> Option<OperationRecord> {
        self.lock().remove(&uid)
    }

    /// Follows a change of a record that may be kept.
    pub(crate) fn follow(&self, record: &OperationRecord) {
        if let Some(before) = self.take(record.uid)
            && before.fence == record.fence
        {
            self.keep(record);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, OperationRecord>> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
