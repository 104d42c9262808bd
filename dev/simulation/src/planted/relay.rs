use std::sync::Arc;
use std::time::Duration;

use lro_core::store::{Command, OperationRecord, OperationState, StoreEvent, StoreObserver};
use parking_lot::Mutex;

use crate::bug::Bug;

/// Hands events on to the nodes.
pub(super) struct Relay {
    pub(super) bug: Option<Bug>,
    pub(super) observers: Mutex<Vec<Arc<dyn StoreObserver>>>,
}

impl std::fmt::Debug for Relay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Relay")
    }
}

impl Relay {
    pub(super) fn tell(observers: &[Arc<dyn StoreObserver>], event: &StoreEvent) {
        for observer in observers {
            observer.on_event(event);
        }
    }

    /// Tells of an end that is not yet committed.
    pub(super) fn tell_end(&self, record: &OperationRecord, command: &Command) {
        let mut end = record.clone();
        // Refused when it comes too late: then there is no end to tell of.
        let applied = end.apply(command.clone(), end.update_time).is_ok();
        let believed = applied && self.bug == Some(Bug::EndBeforeCommit);
        let event = StoreEvent::Changed {
            uid: record.uid,
            name: record.name.clone(),
            state: OperationState::Succeeded,
            deleted: !record.is_visible(),
            ended: believed.then(|| Arc::new(end.public_part())),
        };
        Self::tell(&self.observers(), &event);
    }

    pub(super) fn observers(&self) -> Vec<Arc<dyn StoreObserver>> {
        self.observers.lock().clone()
    }
}

impl StoreObserver for Relay {
    fn on_event(&self, event: &StoreEvent) {
        let end = matches!(event, StoreEvent::Changed { state, .. } if state.is_done());
        let observers = self.observers();
        match self.bug {
            Some(Bug::LostEvent | Bug::EventBeforeCommit | Bug::EndBeforeCommit) if end => {}
            Some(Bug::LateEvent) => {
                let event = event.clone();
                tokio::spawn(async move {
                    tokio::time::sleep(Duration::from_secs(5)).await;
                    Self::tell(&observers, &event);
                });
            }
            _ => Self::tell(&observers, event),
        }
    }
}
