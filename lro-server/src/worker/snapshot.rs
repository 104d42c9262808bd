//! The methods that a worker could run now, for the inspection service.

use super::Shared;
use crate::engine::{SlotCount, WorkerSnapshot};

impl Shared {
    pub(super) fn take_snapshot(&self) -> WorkerSnapshot {
        let methods = self.methods.iter().map(|(path, method)| {
            let all = method.options.concurrency;
            let slots = all.zip(self.slots.free_of(path));
            (*path, slots.map(|(all, free)| SlotCount { all, free }))
        });
        WorkerSnapshot {
            id: self.id,
            slots: self.slots.count(),
            methods: methods.collect(),
            lease_duration: self.settings.lease_duration,
            is_draining: self.draining.is_cancelled(),
            is_stalled: self.probe.is_stalled(),
            is_trying_alone: self.quarantine.is_closed(),
        }
    }
}
