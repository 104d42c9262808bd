//! Who waits for which operation.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lro_core::OperationName;
use tokio::sync::Notify;

/// Wakes those who wait for an operation when it changes. Holds an entry for each operation that
/// somebody waits for, and nothing else.
#[derive(Debug, Default)]
pub(crate) struct Waiters {
    entries: Mutex<HashMap<OperationName, Entry>>,
}

#[derive(Debug)]
struct Entry {
    changed: Arc<Notify>,
    waiting: usize,
}

impl Waiters {
    /// Hears of every change from now on: subscribe first, then read.
    pub(crate) fn subscribe(self: &Arc<Self>, name: &OperationName) -> Subscription {
        let mut entries = self.lock();
        let entry = entries.entry(name.clone()).or_insert_with(|| Entry {
            changed: Arc::default(),
            waiting: 0,
        });
        entry.waiting += 1;
        Subscription {
            changed: entry.changed.clone(),
            name: name.clone(),
            waiters: self.clone(),
        }
    }

    pub(crate) fn wake(&self, name: &OperationName) {
        if let Some(entry) = self.lock().get(name) {
            entry.changed.notify_waiters();
        }
    }

    pub(crate) fn wake_all(&self) {
        for entry in self.lock().values() {
            entry.changed.notify_waiters();
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<OperationName, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One who waits.
#[derive(Debug)]
pub(crate) struct Subscription {
    pub(crate) changed: Arc<Notify>,
    name: OperationName,
    waiters: Arc<Waiters>,
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let mut entries = self.waiters.lock();
        if let Some(entry) = entries.get_mut(&self.name) {
            entry.waiting -= 1;
            if entry.waiting == 0 {
                entries.remove(&self.name);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn news_that_were_missed_wake_everybody() {
        let waiters = Arc::new(Waiters::default());
        let names = ["operations/1", "operations/2"].map(|name| name.parse().unwrap());
        let subscriptions = names.map(|name: OperationName| waiters.subscribe(&name));
        let woken = subscriptions.each_ref().map(|it| it.changed.notified());
        waiters.wake_all();
        for woken in woken {
            woken.await;
        }
    }

    #[test]
    fn an_entry_lives_as_long_as_somebody_waits() {
        let waiters = Arc::new(Waiters::default());
        let name: OperationName = "operations/1".parse().unwrap();
        let first = waiters.subscribe(&name);
        let second = waiters.subscribe(&name);
        drop(first);
        assert_eq!(waiters.lock().len(), 1);
        drop(second);
        assert_eq!(waiters.lock().len(), 0);
    }
}
