//! How long the current poll of a body has lasted.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::Instant;

/// Notes when polls begin and end. Readable from other threads.
#[derive(Debug)]
pub(crate) struct PollWatch {
    created: Instant,
    /// When the current poll began, in microseconds since `created`, plus one; 0 between polls.
    began: AtomicU64,
    /// The value of `began` that was reported last.
    reported: AtomicU64,
}

impl PollWatch {
    pub(crate) fn new() -> Self {
        Self {
            created: Instant::now(),
            began: AtomicU64::new(0),
            reported: AtomicU64::new(0),
        }
    }

    /// When the run was created, after its operation was claimed.
    pub(crate) fn created(&self) -> Instant {
        self.created
    }

    /// A poll that lasts as long as the guard.
    pub(crate) fn begin(&self) -> Polling<'_> {
        let now = self.created.elapsed().as_micros();
        let now = u64::try_from(now).unwrap_or(u64::MAX - 1);
        self.began.store(now + 1, Ordering::Relaxed);
        Polling(self)
    }

    /// How long the current poll has lasted.
    pub(crate) fn lasts(&self) -> Option<Duration> {
        let began = self.began.load(Ordering::Relaxed).checked_sub(1)?;
        let elapsed = self.created.elapsed();
        Some(elapsed.saturating_sub(Duration::from_micros(began)))
    }

    /// Whether the current poll is reported for the first time.
    pub(crate) fn report(&self) -> bool {
        let began = self.began.load(Ordering::Relaxed);
        began != 0 && self.reported.swap(began, Ordering::Relaxed) != began
    }
}

/// A poll under way.
pub(crate) struct Polling<'a>(&'a PollWatch);

impl Drop for Polling<'_> {
    fn drop(&mut self) {
        self.0.began.store(0, Ordering::Relaxed);
    }
}

/// A future whose polls are noted.
pub(crate) struct Watched<'a, F> {
    pub(crate) future: F,
    pub(crate) watch: &'a PollWatch,
}

impl<F: Future + Unpin> Future for Watched<'_, F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let _polling = self.watch.begin();
        Pin::new(&mut self.future).poll(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_poll_lasts_until_it_returns_and_is_reported_once() {
        let watch = PollWatch::new();
        assert_eq!((watch.lasts(), watch.report()), (None, false));
        for _ in 0..2 {
            tokio::time::advance(Duration::from_secs(1)).await;
            let polling = watch.begin();
            tokio::time::advance(Duration::from_secs(7)).await;
            assert_eq!(watch.lasts(), Some(Duration::from_secs(7)));
            assert!(watch.report());
            assert!(!watch.report());
            drop(polling);
            assert_eq!((watch.lasts(), watch.report()), (None, false));
        }
    }

    #[tokio::test]
    async fn a_poll_that_panics_has_ended() {
        use futures_util::FutureExt as _;

        let watch = PollWatch::new();
        let future = Watched {
            future: Box::pin(async { panic!("a mistake of the handler's") }),
            watch: &watch,
        };
        let ended: Result<(), _> = std::panic::AssertUnwindSafe(future).catch_unwind().await;
        assert!(ended.is_err());
        assert_eq!(watch.lasts(), None);
    }
}
