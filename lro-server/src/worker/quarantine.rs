//! Which suspects a worker may run, and when it starts nothing else beside one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use lro_core::store::Suspects;
use tokio::sync::Notify;

use super::Shared;
use crate::handler::run::Run;

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
}

impl Quarantine {
    /// Whether the worker must start nothing at present.
    pub(super) fn is_closed(&self) -> bool {
        self.trials.load(Ordering::Acquire) > 0 || self.asking.load(Ordering::Acquire)
    }

    /// The suspects for the next claim of a worker that runs nothing or something. `None`: it must
    /// not claim.
    pub(super) fn ask(&self, is_idle: bool) -> Option<Suspects> {
        if self.trials.load(Ordering::Acquire) > 0 {
            return None;
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
        Some(Suspects {
            max_together: Suspects::MAX_TOGETHER.saturating_sub(together),
            trial_after,
        })
    }

    /// The claim has been answered, and what it brought has been [entered](Self::enter).
    pub(super) fn answered(&self, suspects_wait: Option<bool>) {
        self.asking.store(false, Ordering::Release);
        if let Some(wait) = suspects_wait {
            self.suspects_wait.store(wait, Ordering::Release);
        }
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
        tracing::info!(name = %run.name, losses, alone, "suspect started after the loss of its worker");
        shared.place.spawn(async move {
            let _place = place;
            let survived = Suspects::quarantine(losses);
            // Either way it is over.
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

    #[test]
    fn a_worker_starts_nothing_beside_an_operation_that_is_tried() {
        let quarantine = Quarantine::default();
        assert_eq!(
            quarantine.ask(true).unwrap().trial_after,
            Some(Duration::ZERO)
        );
        assert!(!quarantine.is_closed(), "no suspect is known to wait");
        quarantine.answered(Some(true));
        quarantine.ask(true);
        assert!(quarantine.is_closed(), "the claim may bring one");
        quarantine.answered(None);
        quarantine.together.store(3, Ordering::Release);
        let busy = quarantine.ask(false).unwrap();
        assert_eq!((busy.max_together, busy.trial_after), (5, None));
        quarantine.together.store(0, Ordering::Release);
        let busy = quarantine.ask(false).unwrap();
        assert_eq!(busy.trial_after, Some(Suspects::PATIENCE));
        quarantine.trials.store(1, Ordering::Release);
        assert!(quarantine.is_closed() && quarantine.ask(true).is_none());
    }
}
