//! Detects whether the runtime of the bodies polls tasks at all.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// A task on the runtime of the bodies records its polls here. The renewals read them from their
/// own thread.
#[derive(Debug)]
pub(super) struct Probe {
    began: Instant,
    /// When the task was polled last, in microseconds since `began`.
    polled: AtomicU64,
    /// Whether the task was spawned at all.
    watches: AtomicBool,
    stalled: AtomicBool,
    /// The runtime has shut down.
    ended: CancellationToken,
}

impl Probe {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            began: Instant::now(),
            polled: AtomicU64::new(0),
            watches: AtomicBool::new(false),
            stalled: AtomicBool::new(false),
            ended: CancellationToken::new(),
        })
    }

    /// The task, to be spawned. It ends with its runtime, or when it is dropped.
    pub(super) fn watch(self: &Arc<Self>, interval: Duration) -> impl Future<Output = ()> + use<> {
        let probe = self.clone();
        probe.polled();
        probe.watches.store(true, Ordering::Relaxed);
        async move {
            let _ended = probe.ended.clone().drop_guard();
            loop {
                probe.polled();
                tokio::time::sleep(interval).await;
            }
        }
    }

    fn polled(&self) {
        let now = self.began.elapsed().as_micros();
        let now = u64::try_from(now).unwrap_or(u64::MAX);
        self.polled.store(now, Ordering::Relaxed);
    }

    /// How long ago the task was polled; zero if there is none.
    pub(super) fn age(&self) -> Duration {
        if !self.watches.load(Ordering::Relaxed) {
            return Duration::ZERO;
        }
        let polled = Duration::from_micros(self.polled.load(Ordering::Relaxed));
        self.began.elapsed().saturating_sub(polled)
    }

    /// Returns when the runtime has shut down.
    pub(super) async fn ended(&self) {
        self.ended.cancelled().await;
    }

    /// Sets whether the runtime counts as stalled. Returns whether that changed.
    pub(super) fn set_stalled(&self, stalled: bool) -> bool {
        self.stalled.swap(stalled, Ordering::Relaxed) != stalled
    }

    /// Whether the runtime counts as stalled.
    pub(super) fn is_stalled(&self) -> bool {
        self.stalled.load(Ordering::Relaxed)
    }
}
