//! Changes of operations, for runs that wait in memory for values from outside.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use uuid::Uuid;

/// Tells runs that their operation has changed. It costs others one load of a counter.
#[derive(Debug, Default)]
pub(crate) struct RunNews {
    count: AtomicUsize,
    /// In order, so that a simulated run can be repeated.
    runs: Mutex<BTreeMap<Uuid, Arc<Notify>>>,
}

impl RunNews {
    /// Subscribes the run of an operation: subscribe first, then read the store. A later run of the same
    /// operation takes the place of an earlier one.
    pub(crate) fn subscribe(self: &Arc<Self>, uid: Uuid) -> RunSubscription {
        let changed = Arc::new(Notify::new());
        let mut runs = self.lock();
        runs.insert(uid, changed.clone());
        self.count.store(runs.len(), Ordering::Release);
        RunSubscription {
            uid,
            changed,
            news: self.clone(),
        }
    }

    pub(super) fn changed(&self, uid: Uuid) {
        if self.count.load(Ordering::Acquire) == 0 {
            return;
        }
        if let Some(run) = self.lock().get(&uid) {
            run.notify_one();
        }
    }

    /// Changes may have been missed, of any operation.
    pub(super) fn missed(&self) {
        for run in self.lock().values() {
            run.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Uuid, Arc<Notify>>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The subscription of a run.
#[derive(Debug)]
pub(crate) struct RunSubscription {
    uid: Uuid,
    changed: Arc<Notify>,
    news: Arc<RunNews>,
}

impl RunSubscription {
    /// Returns when the operation has changed since the last call.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }
}

impl Drop for RunSubscription {
    fn drop(&mut self) {
        let mut runs = self.news.lock();
        let is_own = |run: &Arc<Notify>| Arc::ptr_eq(run, &self.changed);
        if runs.get(&self.uid).is_some_and(is_own) {
            runs.remove(&self.uid);
        }
        self.news.count.store(runs.len(), Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn a_run_hears_of_its_own_operation_and_of_what_was_missed() {
        let news = Arc::new(RunNews::default());
        let [own, other] = [1, 2].map(Uuid::from_u128);
        let earlier = news.subscribe(own);
        let run = news.subscribe(own);
        drop(earlier);
        news.changed(other);
        assert!(run.changed().now_or_never().is_none());
        news.changed(own);
        run.changed().await;
        news.missed();
        run.changed().await;
        assert!(run.changed().now_or_never().is_none());
        drop(run);
        assert!(news.lock().is_empty());
    }
}
