//! The methods that a worker could run now, for the inspection service.

use super::Shared;
use crate::engine::{SlotCount, WorkerSnapshot};

impl Shared {
    /// `None` after the drain, although a thread may hold the worker for a moment longer.
    pub(super) fn take_snapshot(&self) -> Option<WorkerSnapshot> {
        if self.renewals_ended.is_cancelled() {
            return None;
        }
        let methods = self.methods.iter().map(|(path, method)| {
            let all = method.options.concurrency;
            let slots = all.zip(self.slots.free_of(path));
            (*path, slots.map(|(all, free)| SlotCount { all, free }))
        });
        Some(WorkerSnapshot {
            id: self.id,
            slots: self.slots.count(),
            methods: methods.collect(),
            lease_duration: self.settings.lease_duration,
            is_draining: self.draining.is_cancelled(),
            is_stalled: self.probe.is_stalled(),
            is_trying_alone: self.quarantine.is_closed(),
        })
    }
}
