use std::sync::Arc;
use std::time::Duration;

use lro_core::store::{StoreEvent, StoreObserver};
use parking_lot::Mutex;

use super::{Link, pause};

/// Delivers a store's events to a node: at once, late, twice, or never.
pub(super) struct Ear {
    pub(super) link: Link,
    pub(super) observer: Arc<dyn StoreObserver>,
    pub(super) heard: Mutex<u64>,
}

impl StoreObserver for Ear {
    fn on_event(&self, event: &StoreEvent) {
        let inner = &self.link.inner;
        if inner.dead.is_cancelled() {
            return;
        }
        let mut notes = inner.world.notes();
        let own = notes.causer == Some(inner.node);
        if own || self.link.plan().event_gap.is_none() {
            drop(notes);
            *self.heard.lock() += 1;
            self.observer.on_event(event);
            return;
        }
        let copies = notes.random.pick(&[0, 1, 1, 1, 1, 2]);
        for _ in 0..copies {
            let delay = Duration::from_millis(notes.random.below(300));
            let (link, observer, event) = (self.link.clone(), self.observer.clone(), event.clone());
            tokio::spawn(async move {
                pause(delay).await;
                if !link.inner.dead.is_cancelled() && !link.is_cut() {
                    observer.on_event(&event);
                }
            });
        }
    }
}
