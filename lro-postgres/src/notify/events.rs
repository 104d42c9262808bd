//! The events of committed transactions, and their observers.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lro_core::store::{StoreEvent, StoreObserver};

use crate::error::Fault;
use crate::notify::outbox::{Hint, Outbox};
use crate::sql::database::Transaction;

/// The observers in this process, and the notifications still to send to other processes.
pub(crate) struct Events {
    observers: Mutex<Vec<Arc<dyn StoreObserver>>>,
    /// Whether a ready operation was announced since the last claim.
    ready: AtomicBool,
    pub(crate) outbox: Outbox,
}

impl Events {
    pub(crate) fn new(outbox: Outbox) -> Self {
        Self {
            observers: Mutex::default(),
            ready: AtomicBool::default(),
            outbox,
        }
    }

    pub(crate) fn observe(&self, observer: Arc<dyn StoreObserver>) {
        self.lock().push(observer);
    }

    /// The notification to send directly after a transaction, if one may be sent now.
    pub(crate) fn at_once(
        &self,
        expected: &[StoreEvent],
        transaction: &Transaction<'_>,
    ) -> Option<Hint<'_>> {
        let may_tell = transaction.may_tell();
        may_tell.then(|| self.outbox.at_once(expected)).flatten()
    }

    /// Publishes events that this process has committed.
    pub(crate) fn publish(&self, events: &[StoreEvent]) {
        self.publish_unless_notified(events, false);
    }

    /// Publishes events, to other processes only if they were not notified [at
    /// once](Self::at_once).
    pub(crate) fn publish_unless_notified(&self, events: &[StoreEvent], told: bool) {
        self.tell(events);
        if !told {
            self.outbox.add(events);
        }
    }

    /// Publishes events whose commit is in doubt.
    pub(crate) fn publish_in_doubt<T>(&self, result: &Result<T, Fault>, events: &[StoreEvent]) {
        if matches!(result, Err(fault) if fault.may_have_committed()) {
            self.publish(events);
        }
    }

    /// Tells the observers of this process.
    pub(crate) fn tell(&self, events: &[StoreEvent]) {
        if events.is_empty() {
            return;
        }
        let is_ready = |event: &StoreEvent| matches!(event, StoreEvent::Ready { .. });
        if events.iter().any(is_ready) {
            self.ready.store(true, Ordering::Release);
        }
        let observers = self.lock().clone();
        for observer in &observers {
            for event in events {
                let call = AssertUnwindSafe(|| observer.on_event(event));
                if catch_unwind(call).is_err() {
                    tracing::error!(?event, "an observer panicked");
                }
            }
        }
    }

    /// Tells the observers of this process that a call has left out operations.
    pub(crate) fn corrupt(&self, call: &'static str, count: usize) {
        if count > 0 {
            self.tell(&[StoreEvent::Corrupt { call, count }]);
        }
    }

    /// Whether a ready operation was announced since the last call.
    pub(crate) fn take_ready(&self) -> bool {
        self.ready.swap(false, Ordering::AcqRel)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<dyn StoreObserver>>> {
        self.observers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events")
            .field("observers", &self.lock().len())
            .finish_non_exhaustive()
    }
}
