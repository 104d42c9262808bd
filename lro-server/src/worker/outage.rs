//! Outages of the store, which take the leases of workers that live.
//!
//! A store that is away for longer than a lease ends the leases of every worker at once, and no process
//! has died. So each worker releases the operations that it lost in this way, as soon as the store is
//! back: the attempts do not count, and the operations are no suspects. Until all workers can have
//! done so, claims expire no leases.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use lro_core::store::{Command, OnCrash, StoreError};
use tokio::time::Instant;

use super::Shared;
use crate::engine::backoff::Backoff;
use crate::handler::run::Run;

/// How long claims expire no leases after an outage: other workers try to release what they lost at
/// least every 5 s.
const HOLD: Duration = Duration::from_secs(10);

/// The outages of the store, as claims meet them.
#[derive(Debug)]
pub(super) struct Outages {
    lease_duration: Duration,
    backoff: Backoff,
    is_away: bool,
    /// When the store answered a claim for the last time.
    answered_at: Instant,
    hold_until: Option<Instant>,
}

impl Outages {
    pub(super) fn new(lease_duration: Duration) -> Self {
        Self {
            lease_duration,
            backoff: Backoff::default(),
            is_away: false,
            answered_at: Instant::now(),
            hold_until: None,
        }
    }

    /// Whether the next claim may expire leases.
    pub(super) fn are_over(&self) -> bool {
        !self.has_lasted() && self.expire_in().is_none()
    }

    /// After which time claims expire leases again, if they do not now.
    pub(super) fn expire_in(&self) -> Option<Duration> {
        let left = self.hold_until?.checked_duration_since(Instant::now())?;
        (!left.is_zero()).then_some(left)
    }

    /// The store has answered.
    pub(super) fn answered(&mut self) {
        let now = Instant::now();
        // A second outage may have kept others from releasing what they lost in the first.
        let has_held = self.is_away && self.expire_in().is_some();
        if self.has_lasted() || has_held {
            self.hold_until = Some(now + HOLD);
        }
        self.is_away = false;
        self.answered_at = now;
        self.backoff.succeeded("operations are claimed again");
    }

    /// The store has failed. Returns the pause before the next claim.
    pub(super) fn failed(&mut self, error: &StoreError) -> Duration {
        self.is_away = true;
        self.backoff.failed("cannot claim operations", error)
    }

    /// Whether the store has been away for so long that leases may have ended: renewals are due every
    /// third of a lease.
    fn has_lasted(&self) -> bool {
        self.is_away && self.answered_at.elapsed() >= self.lease_duration / 2
    }
}

/// The runs of a worker that the store must hear from before leases are expired: their leases ended,
/// or may end, because the store was away.
#[derive(Debug, Default)]
pub(super) struct LostRuns {
    /// How many are not yet released, or have an end that could not be written.
    count: AtomicUsize,
    /// Whether no renewal was answered since one was tried.
    unanswered: AtomicBool,
}

impl LostRuns {
    /// A renewal of all runs is tried.
    pub(super) fn renewing(&self) {
        self.unanswered.store(true, Ordering::Release);
    }

    /// The store has answered it.
    pub(super) fn renewed(&self) {
        self.unanswered.store(false, Ordering::Release);
    }

    /// Whether some must be released or written before leases are expired.
    pub(super) fn any(&self) -> bool {
        self.count.load(Ordering::Acquire) > 0
    }

    /// Counts a run until the guard is dropped.
    pub(super) fn count(&self) -> Counted<'_> {
        self.count.fetch_add(1, Ordering::AcqRel);
        Counted(self)
    }
}

/// One of the counted runs.
pub(super) struct Counted<'a>(&'a LostRuns);

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.count.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A run whose lease ended because the store was away, to be released.
pub(super) struct LostRun {
    shared: Arc<Shared>,
    run: Arc<Run>,
}

impl LostRun {
    /// `None`: the run is not released. An operation with [`OnCrash::Abort`] must not run twice. One
    /// whose renewals were answered was claimed by another worker; if none was even tried, the machine
    /// is so busy that the loss must count.
    pub(super) fn of(shared: &Arc<Shared>, run: &Arc<Run>) -> Option<Self> {
        let lost_runs = &shared.lost_runs;
        let was_away = lost_runs.unanswered.load(Ordering::Acquire);
        if run.on_crash == OnCrash::Abort || !was_away {
            tracing::warn!(name = %run.name, "the lease was lost; another worker has claimed the operation, or will");
            return None;
        }
        tracing::warn!(name = %run.name, "the lease ended while the store was unavailable; releasing the operation");
        lost_runs.count.fetch_add(1, Ordering::AcqRel);
        Some(Self {
            shared: shared.clone(),
            run: run.clone(),
        })
    }

    /// Releases it, with retries until the store answers. The fence makes this safe, however late it is.
    pub(super) async fn release(self) {
        let Self { shared, run } = &self;
        let release = Command::Release {
            fence: run.fence,
            metadata: run.last_metadata(),
        };
        let mut backoff = Backoff::default();
        loop {
            match shared
                .store()
                .update(vec![run.update(release.clone())])
                .await
            {
                Ok(answers) => {
                    backoff.succeeded("the operation is released");
                    for refusal in answers.into_iter().filter_map(Result::err) {
                        tracing::info!(name = %run.name, %refusal, "the operation was not released: its loss stands");
                    }
                    return;
                }
                Err(error) if error.is_retryable() => {
                    let pause = backoff.failed("cannot release an operation", &error);
                    tokio::time::sleep(pause).await;
                }
                Err(error) => {
                    tracing::error!(name = %run.name, ?error, "cannot release an operation");
                    return;
                }
            }
        }
    }
}

impl Drop for LostRun {
    fn drop(&mut self) {
        self.shared.lost_runs.count.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use lro_core::store::StoreErrorKind;

    use super::*;

    /// report:N2
    #[tokio::test(start_paused = true)]
    async fn claims_leave_leases_for_a_while_after_a_long_outage() {
        let error = StoreError::new(StoreErrorKind::Unavailable, "cut off");
        let wait = |seconds| tokio::time::advance(Duration::from_secs(seconds));
        let mut outages = Outages::new(Duration::from_secs(30));
        wait(60).await;
        assert!(outages.are_over(), "idle is not away");
        outages.answered();
        outages.failed(&error);
        wait(14).await;
        assert!(outages.are_over());
        outages.answered();
        assert!(outages.are_over(), "too short to end a lease");
        outages.failed(&error);
        wait(15).await;
        assert!(!outages.are_over() && outages.expire_in().is_none());
        outages.answered();
        assert_eq!(outages.expire_in(), Some(HOLD));
        wait(6).await;
        outages.failed(&error);
        outages.answered();
        assert_eq!(outages.expire_in(), Some(HOLD), "another outage");
        wait(9).await;
        assert!(!outages.are_over());
        wait(1).await;
        assert!(outages.are_over() && outages.expire_in().is_none());
    }
}
