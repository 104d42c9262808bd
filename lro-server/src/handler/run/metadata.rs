//! The metadata of a run, on its way to the store.

use std::sync::{MutexGuard, PoisonError};

use lro_core::store::OperationRecord;
use prost_types::Any;

use super::Run;
use crate::steps::Journal;

/// The newest metadata, and what of it is stored.
#[derive(Default)]
pub(super) struct MetadataSlot {
    newest: Option<Any>,
    /// The durable call under way, as of the last write.
    step: String,
    version: u64,
    stored: u64,
    /// The version that a writer carries to the store just now. One at a time, so that an older
    /// one cannot overtake a newer one.
    carried: Option<u64>,
    /// Whether the run has warned of metadata that was too large.
    warned: bool,
}

impl MetadataSlot {
    /// The metadata that the handler has set in earlier runs, without what the engine has added.
    pub(super) fn of(record: &OperationRecord) -> Self {
        let newest = record.metadata.clone();
        let newest = newest.map(|metadata| match &record.origin.standard_metadata {
            Some(standard) => standard.with_current_step(Some(metadata), ""),
            None => metadata,
        });
        Self {
            newest,
            ..Self::default()
        }
    }
}

impl Run {
    pub(crate) fn metadata(&self) -> Option<Any> {
        self.slot().newest.clone()
    }

    /// Keeps metadata that fits; warns once of what does not.
    pub(crate) fn set_metadata(&self, metadata: Any) {
        {
            let mut slot = self.slot();
            let (len, max) = (metadata.value.len(), self.limits.max_metadata_len);
            if len > max {
                if !slot.warned {
                    slot.warned = true;
                    tracing::warn!(name = %self.name, len, max, "metadata too large: dropping it");
                }
                return;
            }
            if slot.newest.as_ref() == Some(&metadata) {
                return;
            }
            slot.newest = Some(metadata);
            slot.version += 1;
        }
        if let Some(link) = &self.link {
            link.metadata_set.notify_one();
        }
    }

    /// Metadata that is not yet stored and that no other call carries to the store. If the operation is written
    /// anyway, also for a change of the step under way alone.
    pub(crate) fn take_metadata(&self, is_written_anyway: bool) -> Option<Any> {
        let step = self.step_under_way();
        let mut slot = self.slot();
        if slot.carried.is_some() {
            return None;
        }
        let metadata = self.unstored(&mut slot, step, is_written_anyway)?;
        slot.carried = Some(slot.version);
        Some(metadata)
    }

    fn unstored(&self, slot: &mut MetadataSlot, step: String, is_written: bool) -> Option<Any> {
        if is_written && slot.step != step {
            slot.version += 1;
        }
        if slot.version == slot.stored {
            return None;
        }
        slot.step = step;
        let newest = slot.newest.clone();
        match &self.origin.standard_metadata {
            Some(standard) if standard.current_step != 0 => {
                Some(standard.with_current_step(newest, &slot.step))
            }
            _ => newest,
        }
    }

    /// The first durable call under way, if the metadata has a field for it.
    fn step_under_way(&self) -> String {
        let standard = self.origin.standard_metadata.as_ref();
        let is_told = standard.is_some_and(|standard| standard.current_step != 0);
        let journal = self.journal_if_used().filter(|_| is_told);
        journal.and_then(Journal::under_way).unwrap_or_default()
    }

    /// Notes the outcome for the metadata that [`take_metadata`](Self::take_metadata) gave.
    pub(crate) fn metadata_written(&self, stored: bool) {
        let more = {
            let mut slot = self.slot();
            if let (Some(version), true) = (slot.carried.take(), stored) {
                slot.stored = version;
            }
            slot.version != slot.stored
        };
        if let (true, Some(link)) = (more, &self.link) {
            link.metadata_set.notify_one();
        }
    }

    /// The metadata to store with the end: the newest, unless it is stored already.
    pub(crate) fn last_metadata(&self) -> Option<Any> {
        let step = self.step_under_way();
        self.unstored(&mut self.slot(), step, true)
    }

    fn slot(&self) -> MutexGuard<'_, MetadataSlot> {
        self.metadata.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
