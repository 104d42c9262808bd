//! The waiters of each operation.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use lro_core::OperationName;
use lro_core::store::OperationRecord;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;
use tokio::time::Instant;
use uuid::Uuid;

/// Wakes the waiters of an operation when it finishes or is removed. Holds an entry for each operation
/// that has a waiter, and nothing else.
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
    /// The operations that this process has just started or runs, without an event of their end.
    young: HashMap<OperationName, (Uuid, Instant)>,
}

/// The maximum number of young operations; beyond it, all are dropped, and waiters read the store.
const YOUNG_MAX: usize = 4_096;

/// How long an operation counts as young.
const YOUTH: Duration = Duration::from_secs(1);

#[derive(Debug)]
struct Entry {
    news: Arc<News>,
    waiting: usize,
}

/// The notification that the waiters of an operation share.
#[derive(Debug, Default)]
pub(crate) struct News {
    changed: Notify,
    end: OnceLock<Arc<OperationRecord>>,
}

impl Waiters {
    /// Creates waiters with limits in total and for one operation.
    pub(crate) fn new(waiting_max: usize, waiting_for_one_max: usize) -> Self {
        Self {
            entries: Mutex::default(),
            waiting_max,
            waiting_for_one_max,
        }
    }

    /// Subscribes to outcomes from now on: subscribe first, then read the store. `None` if a limit
    /// is reached.
    pub(crate) fn subscribe(self: &Arc<Self>, name: &OperationName) -> Option<Subscription> {
        let mut entries = self.lock();
        let for_one = entries.by_name.get(name).map_or(0, |entry| entry.waiting);
        if entries.waiting >= self.waiting_max || for_one >= self.waiting_for_one_max {
            return None;
        }
        entries.waiting += 1;
        let entry = entries.by_name.entry(name.clone());
        let entry = entry.or_insert_with(|| Entry {
            news: Arc::default(),
            waiting: 0,
        });
        entry.waiting += 1;
        Some(Subscription {
            name: name.clone(),
            waiters: self.clone(),
        })
    }

    /// Wakes the waiters of the operation of that name, which has finished or was removed, with its
    /// outcome if that is known.
    pub(crate) fn wake(&self, name: &OperationName, end: Option<&Arc<OperationRecord>>) {
        let mut entries = self.lock();
        // Before any waiter wakes: a waiter that finds the entry after it subscribed will be woken.
        entries.young.remove(name);
        let Some(entry) = entries.by_name.get_mut(name) else {
            return;
        };
        match end {
            // Later subscribers wait for a different operation that may reuse the name.
            Some(end) => {
                let news = std::mem::take(&mut entry.news);
                // Only this sets it, and only once.
                let _ = news.end.set(end.clone());
                news.changed.notify_waiters();
            }
            None => entry.news.changed.notify_waiters(),
        }
    }

    pub(crate) fn wake_all(&self) {
        for entry in self.lock().by_name.values() {
            entry.news.changed.notify_waiters();
        }
    }

    /// Notes that an operation is about to start, or to run, in this process: it has not ended
    /// before this. The note lasts as long as the guard.
    pub(crate) fn expect(self: &Arc<Self>, name: &OperationName, uid: Uuid) -> Young {
        let mut entries = self.lock();
        if entries.young.len() >= YOUNG_MAX {
            entries.young.clear();
        }
        entries.young.insert(name.clone(), (uid, Instant::now()));
        Young {
            waiters: self.clone(),
            name: name.clone(),
            uid,
            outlived: false,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The note that an operation is young: that a waiter may listen for its end before it reads the
/// store. Dropping it removes the note, because no event of the end may come.
#[derive(Debug)]
#[must_use = "dropping it removes the note"]
pub(crate) struct Young {
    waiters: Arc<Waiters>,
    name: OperationName,
    uid: Uuid,
    outlived: bool,
}

impl Young {
    /// Keeps the mark until the operation finishes or is not young any more.
    pub(crate) fn keep(mut self) {
        self.outlived = true;
    }
}

impl Drop for Young {
    fn drop(&mut self) {
        if self.outlived {
            return;
        }
        let mut entries = self.waiters.lock();
        // Not the mark of another operation that has the same name by now.
        if entries
            .young
            .get(&self.name)
            .is_some_and(|(uid, _)| *uid == self.uid)
        {
            entries.young.remove(&self.name);
        }
    }
}

/// A waiter.
#[derive(Debug)]
pub(crate) struct Subscription {
    name: OperationName,
    waiters: Arc<Waiters>,
}

impl Subscription {
    /// The notification of the next outcome.
    pub(crate) fn news(&self) -> Arc<News> {
        let entries = self.waiters.lock();
        let entry = entries.by_name.get(&self.name);
        entry.map(|entry| entry.news.clone()).unwrap_or_default()
    }

    /// The young operation of that name. A waiter that subscribed before receives its end, if an event
    /// arrives at all.
    pub(crate) fn young(&self) -> Option<Uuid> {
        let entries = self.waiters.lock();
        let (uid, begun) = entries.young.get(&self.name)?;
        (begun.elapsed() < YOUTH).then_some(*uid)
    }
}

impl News {
    /// Completes when the operation may have finished or been removed, from now on.
    pub(crate) fn changed(&self) -> Notified<'_> {
        self.changed.notified()
    }

    /// Its outcome, if the event carried it.
    pub(crate) fn end(&self) -> Option<&Arc<OperationRecord>> {
        self.end.get()
    }
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
    use lro_core::Timestamp;
    use lro_core::store::{NewOperation, OperationOutcome};
    use prost_types::Any;

    use super::*;

    #[tokio::test]
    async fn news_that_were_missed_wake_everybody() {
        let waiters = Arc::new(Waiters::new(9, 9));
        let names = ["operations/1", "operations/2"].map(|name| name.parse().unwrap());
        let subscriptions = names.map(|name: OperationName| waiters.subscribe(&name).unwrap());
        let news = subscriptions.each_ref().map(Subscription::news);
        let woken = news.each_ref().map(|it| it.changed());
        waiters.wake_all();
        for woken in woken {
            woken.await;
        }
    }

    #[tokio::test]
    async fn an_end_is_for_those_who_wait_for_it() {
        let waiters = Arc::new(Waiters::new(9, 9));
        let end = Arc::new(ended());
        let early = waiters.subscribe(&end.name).unwrap();
        let news = early.news();
        let woken = news.changed();
        waiters.wake(&end.name, Some(&end));
        woken.await;
        assert_eq!(news.end(), Some(&end));
        // The name may belong to another operation by now.
        let late = waiters.subscribe(&end.name).unwrap();
        assert_eq!(late.news().end(), None);
        assert_eq!(early.news().end(), None);
        let news = early.news();
        let woken = news.changed();
        waiters.wake(&end.name, None);
        woken.await;
        assert_eq!(news.end(), None);
    }

    fn ended() -> OperationRecord {
        let uid = uuid::Uuid::from_u128(1);
        let name = "operations/1".parse().unwrap();
        let mut operation = NewOperation::new(uid, name, "/test.Service/Method", Any::default());
        operation.outcome = Some(OperationOutcome::Response(Any::default()));
        OperationRecord::new(operation, Timestamp::from_micros(0))
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_operation_is_young_until_its_end_is_announced() {
        let waiters = Arc::new(Waiters::new(9, 9));
        let name: OperationName = "operations/1".parse().unwrap();
        let waiter = waiters.subscribe(&name).unwrap();
        assert_eq!(waiter.young(), None);
        let [first, second] = [1, 2].map(Uuid::from_u128);
        drop(waiters.expect(&name, first));
        assert_eq!(waiter.young(), None);
        let other = waiters.expect(&name, second);
        waiters.expect(&name, first).keep();
        assert_eq!(waiter.young(), Some(first));
        drop(other);
        assert_eq!(waiter.young(), Some(first), "another was meant");
        waiters.wake(&name, None);
        assert_eq!(waiter.young(), None);
        waiters.expect(&name, second).keep();
        tokio::time::advance(YOUTH).await;
        assert_eq!(waiter.young(), None);
        for n in 0..=YOUNG_MAX {
            let other = format!("operations/other-{n}").parse().unwrap();
            waiters.expect(&other, first).keep();
        }
        assert!(waiters.lock().young.len() <= YOUNG_MAX);
    }

    #[test]
    fn an_entry_lives_as_long_as_its_waiters() {
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

    /// spec:59
    #[test]
    fn waiters_are_limited_for_one_operation_and_in_total() {
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
