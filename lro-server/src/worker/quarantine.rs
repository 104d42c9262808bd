//! The suspects that a worker may run, and the times when it starts nothing else.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lro_core::store::Suspects;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::Shared;
use crate::handler::run::Run;

/// How long a worker starts nothing in all, so that operations that wait to be started alone follow
/// each other.
const MAX_ROOM: Duration = Duration::from_secs(120);

/// The longest quarantine in a worker that shares its store. There, many losses are of workers that
/// were cut off from the database: their operations become suspects, while no process died.
const MAX_SHARED_TRIAL: Duration = Duration::from_secs(4);

/// The suspects that run in quarantine, as [`Suspects`] describes.
#[derive(Debug, Default)]
pub(super) struct Quarantine {
    /// Operations with one loss.
    together: AtomicUsize,
    /// Operations that were started alone.
    trials: AtomicUsize,
    /// A claim is in flight that may bring an operation to be started alone.
    asking: AtomicBool,
    /// Whether the last claim left suspects behind.
    suspects_wait: AtomicBool,
    /// Until when the worker starts nothing, to become idle for operations that wait to be started
    /// alone. It is kept until none waits.
    room: Mutex<Option<Instant>>,
}

/// The claims that a worker may make.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ask {
    /// None: the worker does not call the store.
    Nothing,
    /// None, but the worker checks whether suspects are still pending.
    Look,
    /// These suspects, and other operations.
    Claim(Suspects),
}

impl Quarantine {
    /// Whether the worker must start nothing at present.
    pub(super) fn is_closed(&self) -> bool {
        self.trials.load(Ordering::Acquire) > 0
            || self.asking.load(Ordering::Acquire)
            || self.makes_room()
    }

    /// The next claim of a worker that runs nothing or something.
    pub(super) fn ask(&self, is_idle: bool) -> Ask {
        if self.trials.load(Ordering::Acquire) > 0 {
            return Ask::Nothing;
        }
        if !is_idle && self.makes_room() {
            return Ask::Look;
        }
        let together = self.together.load(Ordering::Acquire);
        let trial_after = match (is_idle, together) {
            (true, _) => Some(Duration::ZERO),
            (false, 0) => Some(Suspects::PATIENCE),
            (false, _) => None,
        };
        if is_idle && self.suspects_wait() {
            self.asking.store(true, Ordering::Release);
        }
        Ask::Claim(Suspects {
            max_together: Suspects::MAX_TOGETHER.saturating_sub(together),
            trial_after,
        })
    }

    /// The claim has failed.
    pub(super) fn failed(&self) {
        self.asking.store(false, Ordering::Release);
    }

    /// The claim has been answered, and what it brought has been [entered](Self::enter): whether it
    /// left suspects behind, and whether these must start alone.
    pub(super) fn answered(&self, suspects_wait: bool, trials_wait: bool) {
        self.suspects_wait.store(suspects_wait, Ordering::Release);
        if !suspects_wait {
            *self.lock_room() = None;
        } else if trials_wait {
            self.lock_room()
                .get_or_insert_with(|| Instant::now() + MAX_ROOM);
        }
        self.asking.store(false, Ordering::Release);
    }

    /// Whether the worker lets its bodies finish and starts none.
    fn makes_room(&self) -> bool {
        self.suspects_wait() && self.lock_room().is_some_and(|until| Instant::now() < until)
    }

    fn lock_room(&self) -> MutexGuard<'_, Option<Instant>> {
        self.room.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a claim may find a suspect when a body returns.
    pub(super) fn suspects_wait(&self) -> bool {
        self.suspects_wait.load(Ordering::Acquire)
    }

    /// Puts a run into quarantine until it has survived its time, made progress, or ended.
    pub(super) fn enter(shared: &Arc<Shared>, run: &Arc<Run>, losses: u32) {
        let Some(acquitted) = run.acquitted.clone() else {
            return;
        };
        let alone = Suspects::is_tried_alone(losses);
        shared
            .quarantine
            .count(alone)
            .fetch_add(1, Ordering::AcqRel);
        let place = InQuarantine {
            shared: shared.clone(),
            alone,
        };
        let mut survived = Suspects::quarantine(losses);
        if shared.store().event_gap().is_some() {
            survived = survived.min(MAX_SHARED_TRIAL);
        }
        tracing::info!(name = %run.name, losses, alone, "suspect started after the loss of its worker");
        shared.place.spawn(async move {
            let _place = place;
            // Both end the quarantine.
            let _ = tokio::time::timeout(survived, acquitted.cancelled()).await;
        });
    }

    fn count(&self, alone: bool) -> &AtomicUsize {
        if alone { &self.trials } else { &self.together }
    }
}

/// A run in quarantine.
struct InQuarantine {
    shared: Arc<Shared>,
    alone: bool,
}

impl Drop for InQuarantine {
    fn drop(&mut self) {
        let quarantine = &self.shared.quarantine;
        quarantine.count(self.alone).fetch_sub(1, Ordering::AcqRel);
        let claim_now: &Notify = &self.shared.claim_now;
        claim_now.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims(ask: Ask) -> Suspects {
        match ask {
            Ask::Claim(suspects) => suspects,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_worker_starts_nothing_beside_an_operation_that_is_tried() {
        let quarantine = Quarantine::default();
        let idle = claims(quarantine.ask(true));
        assert_eq!(idle.trial_after, Some(Duration::ZERO));
        assert!(!quarantine.is_closed(), "no suspect is known to wait");
        quarantine.answered(true, false);
        quarantine.ask(true);
        assert!(quarantine.is_closed(), "the claim may bring one");
        quarantine.failed();
        quarantine.together.store(3, Ordering::Release);
        let busy = claims(quarantine.ask(false));
        assert_eq!((busy.max_together, busy.trial_after), (5, None));
        quarantine.together.store(0, Ordering::Release);
        let busy = claims(quarantine.ask(false));
        assert_eq!(busy.trial_after, Some(Suspects::PATIENCE));
        quarantine.trials.store(1, Ordering::Release);
        assert!(quarantine.is_closed());
        assert_eq!(quarantine.ask(true), Ask::Nothing);
    }

    /// report:N2
    #[tokio::test(start_paused = true)]
    async fn a_busy_worker_becomes_idle_for_trials_that_wait_but_not_for_ever() {
        let quarantine = Quarantine::default();
        quarantine.answered(true, true);
        assert!(quarantine.is_closed());
        assert_eq!(quarantine.ask(false), Ask::Look);
        claims(quarantine.ask(true));
        quarantine.answered(true, false);
        tokio::time::advance(MAX_ROOM).await;
        assert!(!quarantine.is_closed());
        quarantine.answered(true, true);
        claims(quarantine.ask(false));
        quarantine.answered(false, false);
        quarantine.answered(true, true);
        assert_eq!(quarantine.ask(false), Ask::Look, "another crash");
    }
}
