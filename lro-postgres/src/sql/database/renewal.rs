//! Connections that are not worth using any more.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use deadpool_postgres::{Object, Pool};
use tokio::sync::Notify;

/// The minimum age of a connection if new connections may lead to another server: a younger one leads
/// to the same server as new ones.
const AGE_MIN: Duration = Duration::from_millis(250);

/// After a renewal, how long notifications that do not arrive are put down to it.
const AFTERMATH: Duration = Duration::from_secs(60);

/// Closes the connections of a pool when one of them shows that all are out of date: they lead to a
/// server that has become read-only, or hold plans of a table that has changed.
#[derive(Debug)]
pub(crate) struct Renewal {
    /// From which moments are counted.
    base: Instant,
    /// Connections from before this many microseconds are not used again; 0: all are.
    before: AtomicU64,
    changed: Notify,
    /// When a server that takes writes last answered, in microseconds; 0: never.
    writable: AtomicU64,
    /// When a pooler was last made to close connections of its own, and how often since.
    pooler: Mutex<Option<(Instant, usize)>>,
}

impl Renewal {
    pub(super) fn new() -> Self {
        Self {
            base: Instant::now(),
            before: AtomicU64::new(0),
            changed: Notify::new(),
            writable: AtomicU64::new(0),
            pooler: Mutex::new(None),
        }
    }

    /// Closes all idle connections, and those in use when their transactions have ended.
    pub(super) fn renew(&self, pool: &Pool) {
        let now = Instant::now();
        self.before.fetch_max(self.micros(now), Ordering::AcqRel);
        pool.retain(|_, metrics| metrics.created > now);
        self.changed.notify_waiters();
    }

    /// A server that takes writes has answered.
    pub(super) fn saw_writable(&self) {
        let now = self.micros(Instant::now());
        self.writable.fetch_max(now, Ordering::AcqRel);
    }

    /// Whether a server that takes writes has answered since the connection was opened.
    pub(super) fn saw_writable_since(&self, client: &Object) -> bool {
        let opened = self.micros(Object::metrics(client).created);
        self.writable.load(Ordering::Acquire) > opened
    }

    /// Whether the connection may be used again.
    pub(super) fn is_outdated(&self, client: &Object) -> bool {
        let before = self.before.load(Ordering::Acquire);
        before != 0 && self.micros(Object::metrics(client).created) <= before
    }

    /// Whether a connection of a pooler may be given up now: at most `most` in that time.
    pub(super) fn may_break_pooler(&self, most: usize) -> bool {
        let mut pooler = self.pooler.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *pooler {
            Some((begun, count)) if begun.elapsed() < AGE_MIN => {
                *count += 1;
                *count <= most
            }
            other => {
                *other = Some((Instant::now(), 1));
                true
            }
        }
    }

    /// Waits until connections from that moment are out of date.
    pub(crate) async fn outdates(&self, opened: Instant) {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if self.micros(opened) <= self.before.load(Ordering::Acquire) {
                return;
            }
            changed.await;
        }
    }

    /// Whether connections were renewed a short time ago.
    pub(crate) fn is_recent(&self) -> bool {
        let before = self.before.load(Ordering::Acquire);
        let since = self.micros(Instant::now()).saturating_sub(before);
        before != 0 && u128::from(since) < AFTERMATH.as_micros()
    }

    /// At least 1.
    fn micros(&self, moment: Instant) -> u64 {
        let micros = moment.saturating_duration_since(self.base).as_micros();
        u64::try_from(micros).unwrap_or(u64::MAX).max(1)
    }
}

/// Whether the connection is old enough to lead to a server that new ones do not lead to.
pub(super) fn is_old(client: &Object) -> bool {
    Object::metrics(client).created.elapsed() >= AGE_MIN
}
