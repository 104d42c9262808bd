//! The runs of a worker, and the events about operations that are about to join them.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;
use uuid::Uuid;

use super::slots::HeldSlot;
use crate::handler::run::{Run, StopReason};

/// The maximum number of cancellations to remember for claims in flight; beyond it, all are dropped, and
/// the operations of these claims are read again.
const EARLY_MAX: usize = 4_096;

/// The runs of a worker, by the uid of their operation: a name may belong to another operation while
/// a run of the former one is still being stopped.
#[derive(Default)]
pub(super) struct Runs {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    /// In order, so that a simulated run can be repeated.
    runs: BTreeMap<Uuid, Entry>,
    /// The runs that continue though their operation was deleted, in the order of the deletions.
    deleted: VecDeque<Uuid>,
    /// Operations that were deleted while a claim was under way: perhaps one of its.
    deleted_early: HashSet<Uuid>,
    /// How many claims are under way whose operations are not among the runs yet.
    claims: usize,
    /// Operations that were cancelled while such a claim was under way: perhaps one of its.
    cancelled_early: HashSet<Uuid>,
    /// The number of times that the cancellations were dropped.
    forgotten: u64,
    /// How many of the claims under way began before that happened last.
    unsure: usize,
}

struct Entry {
    run: Arc<Run>,
    slot: Arc<HeldSlot>,
}

/// A run whose operation was deleted.
pub(super) struct Deleted {
    pub(super) run: Arc<Run>,
    /// The run to cancel, because more continue than allowed: the one that was deleted first.
    pub(super) surplus: Option<Arc<Run>>,
}

/// The events about a run that came before it was added.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct News {
    /// Its cancellation may have been dropped: the answer to a renewal shows it.
    pub(super) ask: bool,
    /// Its operation was deleted.
    pub(super) deleted: bool,
}

impl Runs {
    /// Until it is dropped, the worker is not drained.
    pub(super) fn claiming(self: &Arc<Self>, tasks: &TaskTracker) -> Claiming {
        let mut inner = self.lock();
        inner.claims += 1;
        Claiming {
            runs: self.clone(),
            forgotten: inner.forgotten,
            _open: tasks.token(),
        }
    }

    /// The run of that operation. Without one, the uid is kept for the claims in flight.
    pub(super) fn find_or_remember(&self, uid: Uuid) -> Option<Arc<Run>> {
        let mut inner = self.lock();
        let run = inner.runs.get(&uid).map(|entry| entry.run.clone());
        if run.is_none() && inner.claims > 0 {
            // If claims overlap all the time, some claim always needs the entries.
            if inner.cancelled_early.len() >= EARLY_MAX {
                inner.cancelled_early.clear();
                inner.forgotten += 1;
                inner.unsure = inner.claims;
            }
            inner.cancelled_early.insert(uid);
        }
        run
    }

    pub(super) fn find(&self, uid: Uuid) -> Option<Arc<Run>> {
        let inner = self.lock();
        inner.runs.get(&uid).map(|entry| entry.run.clone())
    }

    /// Whether nothing runs, and no claim is in flight that may bring something.
    pub(super) fn is_idle(&self) -> bool {
        let inner = self.lock();
        inner.runs.is_empty() && inner.claims == 0
    }

    pub(super) fn all(&self) -> Vec<Arc<Run>> {
        let inner = self.lock();
        inner.runs.values().map(|entry| entry.run.clone()).collect()
    }

    /// The runs that continue though their operation was deleted.
    pub(super) fn deleted(&self) -> Vec<Arc<Run>> {
        let inner = self.lock();
        let entries = inner.deleted.iter().filter_map(|uid| inner.runs.get(uid));
        entries.map(|entry| entry.run.clone()).collect()
    }

    /// Adds a run of a claim in flight.
    pub(super) fn insert(&self, run: &Arc<Run>, slot: &Arc<HeldSlot>) -> News {
        let mut inner = self.lock();
        let entry = Entry {
            run: run.clone(),
            slot: slot.clone(),
        };
        inner.runs.insert(run.uid, entry);
        let deleted = inner.deleted_early.remove(&run.uid);
        if inner.cancelled_early.remove(&run.uid) {
            run.stop(StopReason::Cancelled);
            return News {
                ask: false,
                deleted,
            };
        }
        News {
            ask: inner.unsure > 0,
            deleted,
        }
    }

    /// Notes that the operation of a run was deleted, and releases the run's slot. Without a run,
    /// the uid is kept for the claims that are under way. At most `most` deleted runs continue.
    pub(super) fn delete(&self, uid: Uuid, most: usize) -> Option<Deleted> {
        let mut inner = self.lock();
        let Some(entry) = inner.runs.get(&uid) else {
            if inner.claims > 0 && inner.deleted_early.len() < EARLY_MAX {
                inner.deleted_early.insert(uid);
            }
            return None;
        };
        if !entry.slot.release() {
            return None;
        }
        let run = entry.run.clone();
        inner.deleted.push_back(uid);
        let surplus = inner.deleted.len() > most;
        let first = surplus.then(|| inner.deleted.pop_front()).flatten();
        let surplus = first.and_then(|uid| Some(inner.runs.get(&uid)?.run.clone()));
        Some(Deleted { run, surplus })
    }

    /// Removes this run, not a later one of the same operation.
    pub(super) fn remove(&self, run: &Arc<Run>) {
        let mut inner = self.lock();
        if inner
            .runs
            .get(&run.uid)
            .is_some_and(|entry| entry.run.fence == run.fence)
        {
            inner.runs.remove(&run.uid);
            if let Some(at) = inner.deleted.iter().position(|uid| *uid == run.uid) {
                inner.deleted.remove(at);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A claim under way.
pub(super) struct Claiming {
    runs: Arc<Runs>,
    /// How often cancellations had been forgotten when it began.
    forgotten: u64,
    _open: TaskTrackerToken,
}

impl Drop for Claiming {
    fn drop(&mut self) {
        let mut inner = self.runs.lock();
        inner.claims -= 1;
        if self.forgotten < inner.forgotten {
            inner.unsure -= 1;
        }
        if inner.claims == 0 {
            inner.cancelled_early.clear();
            inner.deleted_early.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use lro_core::Timestamp;
    use lro_core::store::{NewOperation, OperationRecord};
    use prost_types::Any;
    use tokio::time::Instant;

    use super::*;
    use crate::limits::Limits;
    use crate::worker::slots::Slots;

    fn run(uid: u128, fence: u64) -> Arc<Run> {
        let name = "operations/reused".parse().unwrap();
        let new = NewOperation::new(Uuid::from_u128(uid), name, "/s/M", Any::default());
        let mut record = OperationRecord::new(new, Timestamp::EPOCH);
        record.fence = fence;
        let limits = Limits::default().of_bodies();
        Arc::new(Run::new(&record, None, limits, Instant::now(), None))
    }

    fn insert(runs: &Runs, run: &Arc<Run>) -> bool {
        let slots = Slots::new(1, [("/s/M", None)].into_iter());
        let slot = HeldSlot::new(slots.try_one("/s/M").unwrap());
        runs.insert(run, &slot).ask
    }

    /// report:S3
    #[test]
    fn a_deleted_run_releases_its_slot_once_and_the_first_of_too_many_is_cancelled() {
        let runs = Runs::default();
        for uid in 1..=3 {
            insert(&runs, &run(uid, 1));
        }
        let mut surplus = Vec::new();
        for uid in [2, 2, 1, 3, 4] {
            let deleted = runs.delete(Uuid::from_u128(uid), 2);
            surplus.push(deleted.map(|it| it.surplus.map(|run| run.uid.as_u128())));
        }
        assert_eq!(surplus, [Some(None), None, Some(None), Some(Some(2)), None]);
        let left = runs.deleted();
        let left: Vec<_> = left.iter().map(|run| run.uid.as_u128()).collect();
        assert_eq!(left, [1, 3]);
        runs.remove(&run(1, 1));
        assert_eq!(runs.deleted().len(), 1);
    }

    /// report:S3
    #[test]
    fn a_deletion_is_remembered_for_a_claim_under_way() {
        let (runs, tasks) = (Arc::new(Runs::default()), TaskTracker::new());
        let claim = runs.claiming(&tasks);
        assert!(runs.delete(Uuid::from_u128(1), 9).is_none());
        let slots = Slots::new(2, [("/s/M", None)].into_iter());
        let slot = || HeldSlot::new(slots.try_one("/s/M").unwrap());
        assert!(runs.insert(&run(1, 1), &slot()).deleted);
        assert!(!runs.insert(&run(2, 1), &slot()).deleted);
        drop(claim);
        assert!(runs.lock().deleted_early.is_empty());
    }

    #[test]
    fn runs_of_two_operations_of_one_name_do_not_meet() {
        let runs = Runs::default();
        let (former, latter) = (run(1, 1), run(2, 1));
        insert(&runs, &former);
        insert(&runs, &latter);
        assert_eq!(runs.all().len(), 2);
        let found = runs.find_or_remember(former.uid).unwrap();
        assert!(Arc::ptr_eq(&found, &former));
        runs.remove(&former);
        let found = runs.find_or_remember(latter.uid).unwrap();
        assert!(Arc::ptr_eq(&found, &latter));
    }

    #[test]
    fn a_later_run_of_one_operation_takes_the_place_of_the_former() {
        let runs = Runs::default();
        let (former, latter) = (run(1, 1), run(1, 2));
        insert(&runs, &former);
        insert(&runs, &latter);
        runs.remove(&former);
        assert_eq!(runs.all().len(), 1);
        runs.remove(&latter);
        assert!(runs.all().is_empty());
    }

    #[test]
    fn cancellations_of_others_do_not_gather_while_claims_overlap() {
        let (runs, tasks) = (Arc::new(Runs::default()), TaskTracker::new());
        let mut claim = runs.claiming(&tasks);
        for uid in 0..3 * EARLY_MAX as u128 {
            // The next begins before this one ends, for ever.
            claim = runs.claiming(&tasks);
            runs.find_or_remember(Uuid::from_u128(uid));
            assert!(runs.lock().cancelled_early.len() <= EARLY_MAX);
        }
        drop(claim);
        let inner = runs.lock();
        assert_eq!((inner.claims, inner.unsure), (0, 0));
        assert!(inner.cancelled_early.is_empty());
    }

    #[test]
    fn claimed_operations_are_read_again_if_a_cancellation_may_be_lost() {
        let (runs, tasks) = (Arc::new(Runs::default()), TaskTracker::new());
        let before = runs.claiming(&tasks);
        for uid in 1..=EARLY_MAX as u128 {
            runs.find_or_remember(Uuid::from_u128(uid));
        }
        let known = run(1, 1);
        assert!(!insert(&runs, &known));
        assert_eq!(known.stop_reason(), Some(StopReason::Cancelled));
        for uid in [0, EARLY_MAX as u128 + 1] {
            runs.find_or_remember(Uuid::from_u128(uid));
        }
        let after = runs.claiming(&tasks);
        let forgotten = run(2, 1);
        assert!(insert(&runs, &forgotten));
        assert_eq!(forgotten.stop_reason(), None);
        let known = run(EARLY_MAX as u128 + 1, 1);
        assert!(!insert(&runs, &known));
        assert_eq!(known.stop_reason(), Some(StopReason::Cancelled));
        drop(before);
        assert!(!insert(&runs, &run(3, 1)), "claimed after that");
        drop(after);
    }
}
