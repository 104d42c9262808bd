use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lro_core::{StoreEvent, StoreObserver};

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

    pub(super) fn observers(&self) -> Vec<Arc<dyn StoreObserver>> {
        self.observers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl StoreObserver for Relay {
    fn on_event(&self, event: &StoreEvent) {
        let end = matches!(event, StoreEvent::Changed { state, .. } if state.is_done());
        let observers = self.observers();
        match self.bug {
            Some(Bug::LostEvent | Bug::EventBeforeCommit) if end => {}
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
