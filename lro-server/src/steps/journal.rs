//! The durable calls of a run: those that earlier runs have recorded, and those under way.

mod at_work;
mod children;
mod epoch;
mod made;
mod naming;
mod promises;
mod sagas;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures_util::task::AtomicWaker;
use lro_core::Timestamp;
use lro_core::store::{StepKey, StepKind, StepOutcome, StepRow, StepWrite};
use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;
use tokio_util::task::TaskTracker;
use tonic::Status;

use super::answer::{Activity, CallId, Halt};
use super::outgoing::{Outgoing, Unwritten};
use super::rules::StepOrder;
use super::wait::Wait;
pub(in crate::steps) use children::{Outstanding, StartUnderWay};
use naming::Naming;
use sagas::Sagas;
pub(in crate::steps) use sagas::scope_of;

/// The number of closures of one operation that run at a time; further ones wait for their turn.
const MAX_CLOSURES: usize = 256;

/// The durable calls of one run.
pub(crate) struct Journal {
    inner: Mutex<Inner>,
    pub(super) closures: Semaphore,
    /// The blocking closures that run.
    pub(super) blocking: TaskTracker,
    /// The number of starts of children that are under way, also of those whose calls were dropped.
    starts: watch::Sender<usize>,
    /// Told when a promise is completed.
    completed: watch::Sender<()>,
    /// The number of the last row that is durable.
    durable: watch::Sender<u64>,
    /// The task that polls the body, and writes its rows.
    pub(super) task: AtomicWaker,
}

#[derive(Default)]
struct Inner {
    /// The rows that earlier runs have recorded.
    recorded: HashMap<StepKey, StepRow>,
    /// Those of them that this run has not reached.
    unreached: HashSet<StepKey>,
    /// Those of the unreached ones that the body made in sequence, in their order.
    expected: BTreeMap<u64, StepKey>,
    uses: HashMap<StepKey, Uses>,
    under_way: BTreeMap<CallId, UnderWay>,
    next_call: CallId,
    epoch: u32,
    /// A checkpoint that begins the next epoch is under way.
    epoch_ends: bool,
    /// The number of polls of the body.
    poll: u64,
    /// The time of the latest row that the body has passed.
    time: Timestamp,
    outgoing: Outgoing,
    order: StepOrder,
    halt: Option<Halt>,
    is_draining: bool,
    has_ended: bool,
    sagas: Sagas,
    /// The children that have not ended.
    children: BTreeMap<StepKey, Outstanding>,
    /// The number of starts of children that are under way.
    starts: usize,
    /// A start has failed, and may have stored its child all the same.
    may_have_children: bool,
    /// The number of reads and writes for the run, apart from those of its calls.
    works: usize,
    /// Why a row was refused that no call waits for.
    refused: Option<Status>,
    /// The names that a run which only undoes must learn first.
    naming: Option<Naming>,
    /// Whether a row that ends a call was written.
    has_progressed: bool,
}

/// The calls of one name in one scope.
#[derive(Default)]
struct Uses {
    count: u32,
    /// Whether one of the calls was made while one of an earlier poll was under way.
    beside_others: bool,
}

/// A durable call whose future exists and has not ended.
struct UnderWay {
    /// Its key, or its fault.
    name: String,
    made_in: u64,
    activity: Activity,
}

impl Journal {
    /// The journal of a run that begins, with the rows of earlier ones.
    pub(crate) fn new(rows: Vec<StepRow>, epoch: (u32, Timestamp), order: StepOrder) -> Self {
        let in_sequence = rows.iter().filter(|row| row.sequential && row.fence > 0);
        let expected = in_sequence.map(|row| (row.seq, row.key.clone())).collect();
        Self {
            inner: Mutex::new(Inner {
                sagas: Sagas::of(&rows),
                children: Inner::children_of(&rows).collect(),
                unreached: rows.iter().map(|row| row.key.clone()).collect(),
                expected,
                recorded: rows.into_iter().map(|row| (row.key.clone(), row)).collect(),
                epoch: epoch.0,
                time: epoch.1,
                order,
                ..Inner::default()
            }),
            closures: Semaphore::new(MAX_CLOSURES),
            blocking: TaskTracker::new(),
            starts: watch::Sender::new(0),
            completed: watch::Sender::new(()),
            durable: watch::Sender::new(0),
            task: AtomicWaker::new(),
        }
    }

    /// Whether earlier runs have made calls that this one has not reached.
    pub(crate) fn is_replaying(&self) -> bool {
        let inner = self.inner();
        let mut unreached = inner.unreached.iter();
        unreached.any(|key| inner.recorded.get(key).is_some_and(|row| !row.is_early()))
    }

    /// The time of the latest row that the body has passed.
    pub(crate) fn time(&self) -> Timestamp {
        self.inner().time
    }

    /// The body has passed a row of this time.
    pub(super) fn passed(&self, time: Timestamp) {
        let mut inner = self.inner();
        inner.time = inner.time.max(time);
    }

    /// The body is about to be polled.
    pub(super) fn polled(&self) {
        self.inner().poll += 1;
    }

    /// A call has ended, or was dropped.
    pub(super) fn ended(&self, id: CallId) {
        self.inner().under_way.remove(&id);
        // Without it, the run may have nothing left but waits.
        self.task.wake();
    }

    pub(super) fn set_activity(&self, id: CallId, activity: Activity) {
        if let Some(call) = self.inner().under_way.get_mut(&id) {
            call.activity = activity;
        }
        self.task.wake();
    }

    /// Ends the run, because the code does not fit what is recorded.
    pub(super) fn block(&self, fault: Status) {
        self.inner().halt = Some(Halt::Blocked(fault));
        self.task.wake();
    }

    /// Whether rows in sequence were recorded that this run has not reached.
    pub(super) fn expects_more(&self) -> bool {
        !self.inner().expected.is_empty()
    }

    /// Whether a closure may begin: not while the worker drains, and only to undo in a run that does nothing
    /// else, or to learn the name of a child.
    pub(super) fn may_begin(&self, key: &StepKey, kind: StepKind) -> bool {
        let mut inner = self.inner();
        if inner.begins_nothing() && kind != StepKind::Undo && !inner.is_unnamed(key) {
            return false;
        }
        if inner.is_draining {
            inner.halt.get_or_insert(Halt::Draining);
            self.task.wake();
        }
        inner.halt.is_none()
    }

    /// A row is refused that no call waits for. Closures may follow from it, so that none begins any more.
    pub(super) fn row_refused(&self, error: Status) {
        self.inner().refused.get_or_insert(error);
    }

    /// Why a row was refused that no call waits for.
    pub(super) fn refused(&self) -> Option<Status> {
        self.inner().refused.clone()
    }

    /// Adds a row for the next commit. Returns its number.
    pub(super) fn write(&self, unwritten: Unwritten) -> u64 {
        let mut inner = self.inner();
        inner.has_progressed |= unwritten.write.outcome.is_some();
        if inner.has_ended {
            // Its answer is dropped, which tells the call.
            return 0;
        }
        inner.notes_end(&unwritten.write.key, unwritten.write.outcome.as_ref());
        let number = inner.outgoing.add(unwritten);
        drop(inner);
        self.task.wake();
        number
    }

    /// Wakes the run.
    pub(crate) fn wake(&self) {
        self.task.wake();
    }

    /// Whether a call has ended in this run.
    pub(crate) fn has_progressed(&self) -> bool {
        self.inner().has_progressed
    }

    /// Returns when all rows are durable that closures wait for. That of a step which may have to be undone
    /// waits for every row: a replay must reach it.
    pub(super) async fn closures_may_begin(&self, kind: StepKind) {
        let wanted = match kind {
            // The start of a child is a commit of its own, and an undo may follow from what was before.
            kind if kind.is_undoable() || kind.is_child() => self.inner().outgoing.want_all(),
            _ => self.inner().outgoing.want_before_closures(),
        };
        if *self.durable.borrow() < wanted {
            self.task.wake();
            let mut durable = self.durable.subscribe();
            // The sender lives as long as the journal.
            let _ = durable.wait_for(|durable| *durable >= wanted).await;
        }
    }

    /// The rows for a commit, if a call waits for one of them.
    pub(super) fn take_awaited(&self) -> Vec<Unwritten> {
        self.inner().outgoing.take_awaited()
    }

    /// The commit under way was answered.
    pub(super) fn answered(&self) {
        let last = self.inner().outgoing.answered();
        self.durable.send_replace(last);
    }

    /// Whether the end of a call is recorded, or will be by a row that waits for its commit.
    pub(super) fn has_end_of(&self, key: &StepKey) -> bool {
        let inner = self.inner();
        let recorded = inner.recorded.get(key).is_some_and(StepRow::is_finished);
        recorded || inner.outgoing.has_end_of(key)
    }

    /// The place of the call among these whose error earlier runs have recorded first.
    pub(super) fn first_error(&self, keys: &[Option<StepKey>]) -> Option<usize> {
        let inner = self.inner();
        let errors = keys.iter().enumerate().filter_map(|(at, key)| {
            let row = inner.recorded.get(key.as_ref()?)?;
            let is_error = matches!(row.outcome, Some(StepOutcome::Error(_)));
            is_error.then_some(((row.end_time, row.seq), at))
        });
        errors.min().map(|(_, at)| at)
    }

    /// When a call has ended, among the rows that were read, and its place.
    pub(super) fn recorded_end(&self, key: &StepKey) -> Option<(Option<Timestamp>, u64)> {
        let inner = self.inner();
        let row = inner.recorded.get(key)?;
        Some((row.end_time, row.seq))
    }

    /// All rows that are not written, for the command that ends the run.
    pub(crate) fn take_unwritten(&self) -> Vec<StepWrite> {
        self.inner().outgoing.take_all()
    }

    /// The reason why the run must end, once no call works that it can wait for.
    pub(super) fn halted(&self) -> Option<Halt> {
        let inner = self.inner();
        match &inner.halt {
            Some(Halt::Draining | Halt::Again) if inner.is_at_work() => None,
            halt => halt.clone(),
        }
    }

    /// The waits under way, if nothing else is and there are some.
    pub(super) fn waits(&self) -> Vec<Wait> {
        let inner = self.inner();
        if inner.is_at_work() {
            return Vec::new();
        }
        let waits = inner.under_way.values();
        let waits = waits.filter_map(|call| match &call.activity {
            Activity::Wait(wait) => Some((**wait).clone()),
            Activity::None | Activity::Work => None,
        });
        // A run that only undoes does not wait for what else the body does.
        let begins_nothing = inner.begins_nothing();
        let waits = waits.filter(|wait| !begins_nothing || wait.is_for_undo());
        waits.collect()
    }

    /// The key of the first call that works and has not ended.
    pub(crate) fn under_way(&self) -> Option<String> {
        let inner = self.inner();
        let works = |call: &&UnderWay| matches!(call.activity, Activity::Work);
        let mut working = inner.under_way.values().filter(works);
        let open = working.find(|call| match call.name.parse() {
            Ok(key) => !inner.outgoing.has_end_of(&key),
            Err(_) => false,
        });
        open.map(|call| call.name.clone())
    }

    /// Returns when no blocking closure runs any more, and no child is started.
    pub(crate) async fn work_ended(&self) {
        self.blocking.close();
        self.blocking.wait().await;
        self.starts_ended().await;
    }

    /// Calls that were recorded, and that this run has not reached; without promises that were completed
    /// before the body asked.
    pub(crate) fn orphans(&self) -> Vec<StepKey> {
        let inner = self.inner();
        let is_orphan = |key: &&StepKey| inner.recorded.get(*key).is_some_and(|row| row.fence > 0);
        let mut orphans: Vec<_> = inner.unreached.iter().filter(is_orphan).cloned().collect();
        orphans.sort_unstable();
        orphans
    }

    /// The worker drains: no closure begins any more.
    pub(super) fn drain(&self) {
        self.inner().is_draining = true;
    }

    /// The run has ended: no call continues, and rows that are left are for the command that ends it. Waits
    /// under way are among them, so that a later run does not begin them anew.
    pub(super) fn end(&self) {
        let now = Instant::now();
        let mut inner = self.inner();
        inner.has_ended = true;
        self.durable.send_replace(u64::MAX);
        let waits = inner.under_way.values();
        let waits = waits.filter_map(|call| match &call.activity {
            Activity::Wait(wait) => wait.to_record(now),
            Activity::None | Activity::Work => None,
        });
        let waits = waits.map(Unwritten::lazy).collect();
        inner.outgoing.end(waits);
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn reached(&mut self, key: &StepKey) {
        self.unreached.remove(key);
        if let Some(row) = self.recorded.get(key) {
            if row.kind.is_undoable() || row.kind.is_child() {
                // A saga may wait for it.
                self.sagas.wake();
            }
            self.expected.remove(&row.seq);
        }
    }

    fn is_at_work(&self) -> bool {
        let mut calls = self.under_way.values();
        self.starts > 0
            || self.works > 0
            || calls.any(|call| matches!(call.activity, Activity::Work))
    }
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Journal").finish_non_exhaustive()
    }
}
