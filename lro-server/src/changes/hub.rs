//! The subscribers of each operation, and what they have not yet received.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::mem;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use lro_core::OperationName;

use super::{Changed, Changes};

/// Marks the operations that have changed at the subscribers that follow them.
#[derive(Debug)]
pub(crate) struct Hub {
    max_subscribers: usize,
    /// Without a subscriber, an event costs one load.
    count: AtomicUsize,
    subscribers: Mutex<Subscribers>,
}

#[derive(Debug, Default)]
struct Subscribers {
    all: BTreeMap<u64, Arc<Subscriber>>,
    /// Those of them that follow all operations.
    of_all: BTreeMap<u64, Arc<Subscriber>>,
    by_name: HashMap<OperationName, BTreeMap<u64, Arc<Subscriber>>>,
    next_id: u64,
    closing: bool,
}

/// One subscriber, with its dirty set.
#[derive(Debug)]
pub(super) struct Subscriber {
    id: u64,
    dirty: Mutex<Dirty>,
}

#[derive(Debug, Default)]
struct Dirty {
    names: BTreeSet<OperationName>,
    resync: bool,
    closing: bool,
    waker: Option<Waker>,
}

impl Hub {
    pub(crate) fn new(max_subscribers: usize) -> Self {
        Self {
            max_subscribers,
            count: AtomicUsize::new(0),
            subscribers: Mutex::default(),
        }
    }

    pub(super) fn max_subscribers(&self) -> usize {
        self.max_subscribers
    }

    /// Adds a subscriber that follows all operations, or none yet. `None` at the limit.
    pub(super) fn subscribe(&self, follows_all: bool) -> Option<Arc<Subscriber>> {
        let mut subscribers = self.lock();
        if self.count.load(Ordering::Relaxed) >= self.max_subscribers {
            return None;
        }
        // Before the subscriber reads the store: a change after that read finds it counted.
        self.count.fetch_add(1, Ordering::SeqCst);
        subscribers.next_id += 1;
        let subscriber = Arc::new(Subscriber {
            id: subscribers.next_id,
            dirty: Mutex::new(Dirty {
                closing: subscribers.closing,
                ..Dirty::default()
            }),
        });
        subscribers.all.insert(subscriber.id, subscriber.clone());
        if follows_all {
            subscribers.of_all.insert(subscriber.id, subscriber.clone());
        }
        Some(subscriber)
    }

    pub(super) fn follow(&self, subscriber: &Arc<Subscriber>, name: OperationName) {
        let mut subscribers = self.lock();
        let followers = subscribers.by_name.entry(name).or_default();
        followers.insert(subscriber.id, subscriber.clone());
    }

    pub(super) fn unfollow(&self, subscriber: &Subscriber, name: &OperationName) {
        let mut subscribers = self.lock();
        if let Some(followers) = subscribers.by_name.get_mut(name) {
            followers.remove(&subscriber.id);
            if followers.is_empty() {
                subscribers.by_name.remove(name);
            }
        }
        drop(subscribers);
        subscriber.lock().names.remove(name);
    }

    pub(super) fn unsubscribe(&self, subscriber: &Subscriber) {
        let mut subscribers = self.lock();
        subscribers.all.remove(&subscriber.id);
        subscribers.of_all.remove(&subscriber.id);
        self.count.fetch_sub(1, Ordering::SeqCst);
    }

    /// An operation has changed. Called on the store's thread.
    pub(crate) fn changed(&self, name: &OperationName) {
        if self.count.load(Ordering::SeqCst) == 0 {
            return;
        }
        let subscribers = self.lock();
        let followers = subscribers.by_name.get(name);
        let followers = followers.into_iter().flat_map(BTreeMap::values);
        for subscriber in followers.chain(subscribers.of_all.values()) {
            subscriber.mark(name);
        }
    }

    /// Changes may have been missed: every subscriber reads again what it follows.
    pub(crate) fn resync(&self) {
        for subscriber in self.lock().all.values() {
            let mut dirty = subscriber.lock();
            dirty.resync();
            dirty.wake();
        }
    }

    /// The server shuts down: subscribers, also later ones, receive no more.
    pub(crate) fn close(&self) {
        let mut subscribers = self.lock();
        subscribers.closing = true;
        for subscriber in subscribers.all.values() {
            let mut dirty = subscriber.lock();
            dirty.closing = true;
            dirty.wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Subscribers> {
        self.subscribers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Subscriber {
    fn mark(&self, name: &OperationName) {
        let mut dirty = self.lock();
        if dirty.resync {
            return;
        }
        // A lookup first: most changes of an operation find it marked.
        if !dirty.names.contains(name) {
            dirty.names.insert(name.clone());
        }
        if dirty.names.len() > Changes::MAX_FOLLOWED {
            dirty.resync();
        }
        dirty.wake();
    }

    /// Marks everything.
    pub(super) fn resync(&self) {
        self.lock().resync();
    }

    /// Takes the marks.
    pub(super) fn poll(&self, cx: &Context<'_>) -> Poll<Changed> {
        let mut dirty = self.lock();
        if dirty.closing {
            return Poll::Ready(Changed::Closing);
        }
        if mem::take(&mut dirty.resync) {
            return Poll::Ready(Changed::Resync);
        }
        if !dirty.names.is_empty() {
            let names = mem::take(&mut dirty.names);
            return Poll::Ready(Changed::Operations(names.into_iter().collect()));
        }
        match &mut dirty.waker {
            Some(waker) => waker.clone_from(cx.waker()),
            waker => *waker = Some(cx.waker().clone()),
        }
        Poll::Pending
    }

    fn lock(&self) -> MutexGuard<'_, Dirty> {
        self.dirty.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Dirty {
    fn resync(&mut self) {
        self.resync = true;
        self.names = BTreeSet::new();
    }

    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

#[cfg(test)]
mod tests;
