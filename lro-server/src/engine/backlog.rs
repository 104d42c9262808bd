//! Watches for ready operations that no worker claims.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use lro_core::Timestamp;
use lro_core::store::Backlog;

use super::Engine;
use crate::remote::Remote;

/// How often the store is asked.
const INTERVAL: Duration = Duration::from_secs(15);

/// How long an operation may be ready before a worker claims it without a warning.
const PATIENCE: Duration = Duration::from_secs(15);

/// The shortest interval between warnings about one method.
const WARN_INTERVAL: Duration = Duration::from_secs(5 * 60);

/// The maximum number of operations to count.
const MAX_COUNTED: usize = 1_000;

impl Engine {
    /// Watches from now on, on the current runtime, unless a task does already.
    pub(crate) fn watch_backlog(self: &Arc<Self>) {
        if !self.watched.swap(true, Ordering::AcqRel) {
            tokio::spawn(watch(Watch(Arc::downgrade(self))));
        }
    }
}

/// Lets another runtime watch when this one shuts down.
struct Watch(Weak<Engine>);

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(engine) = self.0.upgrade() {
            engine.watched.store(false, Ordering::Release);
        }
    }
}

async fn watch(watch: Watch) {
    let mut methods = HashMap::<String, Seen>::new();
    loop {
        tokio::time::sleep(INTERVAL).await;
        let Some(engine) = watch.0.upgrade() else {
            return;
        };
        let now = engine.clock.now();
        // A store that fails says so elsewhere.
        let Ok(backlog) = engine.store.backlog(now, MAX_COUNTED).await else {
            continue;
        };
        for (method, seen) in &mut methods {
            if !backlog.iter().any(|found| found.method == *method) && seen.is_recorded {
                engine.metrics.backlog(method, 0, Duration::ZERO);
                seen.is_recorded = false;
                seen.oldest = None;
            }
        }
        methods.retain(|_, seen| seen.is_recorded || seen.may_not_warn(now));
        for found in backlog {
            let age = now.since(found.oldest);
            engine.metrics.backlog(&found.method, found.count, age);
            let seen = methods.entry(found.method.clone()).or_default();
            seen.is_recorded = true;
            if seen.is_stuck(&found, now) {
                seen.warned = Some(now);
                warn(&found, age);
            }
        }
    }
}

fn warn(found: &Backlog, age: Duration) {
    if let Some(remote) = Remote::watched_by(&found.method) {
        tracing::warn!(
            remote,
            count = found.count,
            ?age,
            "no worker watches children on another server: give its `Remote` to a `Worker` on this store, with \
             `WorkerBuilder::remote`"
        );
        return;
    }
    tracing::warn!(
        method = found.method,
        count = found.count,
        ?age,
        "no worker claims ready operations: start a `Worker` on this store that hosts \
         the method, or raise its `concurrency` if all slots are taken"
    );
}

/// A method with a backlog, as it was seen last.
#[derive(Default)]
struct Seen {
    oldest: Option<Timestamp>,
    warned: Option<Timestamp>,
    is_recorded: bool,
}

impl Seen {
    /// Whether to warn: no worker has claimed the operation that was the oldest last time. Claims
    /// take the longest ready first, so none of this method was claimed.
    fn is_stuck(&mut self, found: &Backlog, now: Timestamp) -> bool {
        let same = self.oldest.replace(found.oldest) == Some(found.oldest);
        same && now.since(found.oldest) >= PATIENCE && !self.may_not_warn(now)
    }

    fn may_not_warn(&self, now: Timestamp) -> bool {
        self.warned
            .is_some_and(|warned| now.since(warned) < WARN_INTERVAL)
    }
}
