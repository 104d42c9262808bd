//! Who waits for which operation.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lro_core::OperationName;
use tokio::sync::Notify;

/// Wakes those who wait for an operation when it changes. Holds an entry for each operation that
/// somebody waits for, and nothing else.
#[derive(Debug)]
pub(crate) struct Waiters {
    entries: Mutex<Entries>,
    waiting_max: usize,
    waiting_for_one_max: usize,
}

#[derive(Debug, Default)]
struct Entries {
    by_name: HashMap<OperationName, Entry>,
    waiting: usize,
}

#[derive(Debug)]
struct Entry {
    changed: Arc<Notify>,
    waiting: usize,
}

impl Waiters {
    /// At most so many wait, in all and for one operation.
    pub(crate) fn new(waiting_max: usize, waiting_for_one_max: usize) -> Self {
        Self {
            entries: Mutex::default(),
            waiting_max,
            waiting_for_one_max,
        }
    }

    /// Hears of every change from now on: subscribe first, then read. `None` when too many wait.
    pub(crate) fn subscribe(self: &Arc<Self>, name: &OperationName) -> Option<Subscription> {
        let mut entries = self.lock();
        let for_one = entries.by_name.get(name).map_or(0, |entry| entry.waiting);
        if entries.waiting >= self.waiting_max || for_one >= self.waiting_for_one_max {
            return None;
        }
        entries.waiting += 1;
        let entry = entries.by_name.entry(name.clone());
        let entry = entry.or_insert_with(|| Entry {
            changed: Arc::default(),
            waiting: 0,
        });
        entry.waiting += 1;
        Some(Subscription {
            changed: entry.changed.clone(),
            name: name.clone(),
            waiters: self.clone(),
        })
    }

    pub(crate) fn wake(&self, name: &OperationName) {
        if let Some(entry) = self.lock().by_name.get(name) {
            entry.changed.notify_waiters();
        }
    }

    pub(crate) fn wake_all(&self) {
        for entry in self.lock().by_name.values() {
            entry.changed.notify_waiters();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
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
        entries.waiting -= 1;
        if let Some(entry) = entries.by_name.get_mut(&self.name) {
            entry.waiting -= 1;
            if entry.waiting == 0 {
                entries.by_name.remove(&self.name);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn news_that_were_missed_wake_everybody() {
        let waiters = Arc::new(Waiters::new(9, 9));
        let names = ["operations/1", "operations/2"].map(|name| name.parse().unwrap());
        let subscriptions = names.map(|name: OperationName| waiters.subscribe(&name).unwrap());
        let woken = subscriptions.each_ref().map(|it| it.changed.notified());
        waiters.wake_all();
        for woken in woken {
            woken.await;
        }
    }

    #[test]
    fn an_entry_lives_as_long_as_somebody_waits() {
        let waiters = Arc::new(Waiters::new(9, 9));
        let name: OperationName = "operations/1".parse().unwrap();
        let first = waiters.subscribe(&name);
        let second = waiters.subscribe(&name);
        drop(first);
        assert_eq!(waiters.lock().by_name.len(), 1);
        drop(second);
        let entries = waiters.lock();
        assert_eq!((entries.by_name.len(), entries.waiting), (0, 0));
    }

    #[test]
    fn spec_059_so_many_wait_for_one_and_so_many_in_all() {
        let waiters = Arc::new(Waiters::new(3, 2));
        let name = |n: u8| format!("operations/{n}").parse::<OperationName>().unwrap();
        let first = [1, 1].map(|n| waiters.subscribe(&name(n)).unwrap());
        assert!(waiters.subscribe(&name(1)).is_none());
        let third = waiters.subscribe(&name(2)).unwrap();
        assert!(waiters.subscribe(&name(3)).is_none());
        drop(third);
        assert!(waiters.subscribe(&name(3)).is_some());
        drop(first);
        assert!(waiters.subscribe(&name(1)).is_some());
    }
}
