//! Forwards the store's events to waiters and workers.

use std::sync::{Arc, Weak};

use lro_core::store::{StoreEvent, StoreObserver};
use uuid::Uuid;

use super::Engine;

/// The engine's subscription. It keeps nothing alive.
pub(super) struct Observer(Weak<Engine>);

impl Observer {
    pub(super) fn new(engine: &Arc<Engine>) -> Self {
        Self(Arc::downgrade(engine))
    }
}

impl StoreObserver for Observer {
    fn on_event(&self, event: &StoreEvent) {
        let Some(engine) = self.0.upgrade() else {
            return;
        };
        match event {
            StoreEvent::Changed {
                uid,
                name,
                state,
                deleted,
                ended,
                ..
            } => {
                if let Some(record) = ended {
                    engine.ended(record);
                }
                if *deleted || state.is_done() {
                    engine
                        .waiters
                        .wake(name, ended.as_ref().filter(|_| !deleted));
                }
                engine.changes.changed(name);
                engine.run_news.changed(*uid);
            }
            StoreEvent::Missed => {
                engine.waiters.wake_all();
                engine.changes.resync();
                engine.run_news.missed();
            }
            StoreEvent::Corrupt { call, count } => engine.metrics.corrupt(call, *count),
            _ => {}
        }
        engine.workers.on_event(event);
    }

    fn is_held(&self, uid: Uuid, fence: u64) -> bool {
        let engine = self.0.upgrade();
        engine.is_some_and(|engine| engine.workers.hold(uid, fence))
    }
}
