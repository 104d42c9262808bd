//! The durable calls of a run: those that earlier runs have recorded, and those under way.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures_util::task::AtomicWaker;
use lro_core::Timestamp;
use lro_core::store::{StepKey, StepKind, StepRow, StepWrite};
use tokio::sync::{Semaphore, oneshot};
use tokio::time::Instant;
use tonic::Status;

use super::fault;
use super::wait::Wait;

/// The number of closures of one operation that run at a time; further ones wait for their turn.
const MAX_CLOSURES: usize = 256;

/// The durable calls of one run.
pub(crate) struct Journal {
    inner: Mutex<Inner>,
    pub(super) closures: Semaphore,
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
    /// The number of polls of the body.
    poll: u64,
    /// The time of the latest row that the body has passed.
    time: Timestamp,
    unwritten: Vec<Unwritten>,
    /// The rows of the commit under way. If the run ends before its answer, what ends the run repeats them: a
    /// row must not be recorded without those before it.
    in_flight: Vec<StepWrite>,
    halt: Option<Halt>,
    is_draining: bool,
    has_ended: bool,
}

type CallId = u64;

/// The calls of one name in one scope.
#[derive(Default)]
struct Uses {
    count: u32,
    /// Whether one of the calls was made while one of an earlier poll was under way.
    beside_others: bool,
}

/// A durable call whose future exists and has not ended.
struct UnderWay {
    made_in: u64,
    activity: Activity,
}

/// The activity of a call under way.
pub(super) enum Activity {
    /// It was not polled yet.
    None,
    /// It runs a closure, or writes its row.
    Work,
    /// It waits.
    Wait(Box<Wait>),
}

/// The reason why a run cannot continue.
#[derive(Clone, Debug)]
pub(super) enum Halt {
    /// The code does not fit the rows that earlier runs have recorded.
    Blocked(Status),
    /// The worker drains, and the body is about to begin a closure.
    Draining,
}

/// A row that the next commit writes.
pub(super) struct Unwritten {
    pub(super) write: StepWrite,
    /// The call that waits for it; without one, it waits for a row that a call waits for.
    pub(super) answer: Option<Answer>,
}

impl Unwritten {
    /// A row that no call waits for.
    pub(super) fn lazy(write: StepWrite) -> Self {
        Self {
            write,
            answer: None,
        }
    }
}

/// Receives the time of the commit.
pub(super) type Answer = oneshot::Sender<Result<Timestamp, Status>>;

/// A call that was just made.
pub(super) struct Made {
    pub(super) id: CallId,
    pub(super) key: Result<StepKey, Status>,
    pub(super) is_sequential: bool,
    /// The time of the latest row that the body had passed.
    pub(super) at: Timestamp,
}

/// The answer to a call whose turn has come.
pub(super) enum Found {
    Row(Box<StepRow>),
    New,
    /// The run does not continue, and neither does the call.
    Halted,
    /// The run has ended without the call.
    Ended,
}

impl Journal {
    /// The journal of a run that begins, with the rows of earlier ones.
    pub(crate) fn new(rows: Vec<StepRow>, create_time: Timestamp) -> Self {
        let in_sequence = rows.iter().filter(|row| row.sequential && row.fence > 0);
        let expected = in_sequence.map(|row| (row.seq, row.key.clone())).collect();
        Self {
            inner: Mutex::new(Inner {
                unreached: rows.iter().map(|row| row.key.clone()).collect(),
                expected,
                recorded: rows.into_iter().map(|row| (row.key.clone(), row)).collect(),
                time: create_time,
                ..Inner::default()
            }),
            closures: Semaphore::new(MAX_CLOSURES),
            task: AtomicWaker::new(),
        }
    }

    /// Whether there are rows of earlier runs that this one has not reached.
    pub(crate) fn is_replaying(&self) -> bool {
        !self.inner().unreached.is_empty()
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

    /// Adds a call, and counts it among those of its name.
    pub(super) fn made(&self, key: Result<StepKey, Status>) -> Made {
        let mut inner = self.inner();
        let poll = inner.poll;
        let is_sequential = inner.under_way.is_empty();
        let beside_others = inner.under_way.values().any(|call| call.made_in < poll);
        let key = key.and_then(|key| {
            let uses = inner.uses.entry(key.clone()).or_default();
            uses.count += 1;
            uses.beside_others |= beside_others;
            match uses.count {
                1 => Ok(key),
                _ if uses.beside_others => Err(fault::ambiguous(key.as_str())),
                count => repeated(&key, count),
            }
        });
        let id = inner.next_call;
        inner.next_call += 1;
        let call = UnderWay {
            made_in: poll,
            activity: Activity::None,
        };
        inner.under_way.insert(id, call);
        Made {
            id,
            key,
            is_sequential,
            at: inner.time,
        }
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

    /// The recorded row of a call whose turn has come. `type_url` is empty where any will do.
    pub(super) fn find(&self, key: &StepKey, kind: StepKind, type_url: &str) -> Found {
        let mut inner = self.inner();
        if inner.has_ended {
            return Found::Ended;
        }
        if inner.halt.is_some() {
            return Found::Halted;
        }
        let fault = match inner.recorded.get(key) {
            Some(row) => match fault::changed(row, kind, type_url) {
                Some(changed) => changed,
                None => {
                    let row = row.clone();
                    inner.unreached.remove(key);
                    inner.expected.remove(&row.seq);
                    return Found::Row(Box::new(row));
                }
            },
            None if kind == StepKind::Introduced => return Found::New,
            None => match inner.expected.values().next() {
                Some(skipped) => fault::order_changed(key.as_str(), skipped.as_str()),
                None => return Found::New,
            },
        };
        inner.halt = Some(Halt::Blocked(fault));
        self.task.wake();
        Found::Halted
    }

    /// Whether rows in sequence were recorded that this run has not reached.
    pub(super) fn expects_more(&self) -> bool {
        !self.inner().expected.is_empty()
    }

    /// Whether a closure may begin: not while the worker drains.
    pub(super) fn may_begin(&self) -> bool {
        let mut inner = self.inner();
        if inner.is_draining {
            inner.halt.get_or_insert(Halt::Draining);
            self.task.wake();
        }
        inner.halt.is_none()
    }

    /// Adds a row for the next commit.
    pub(super) fn write(&self, unwritten: Unwritten) {
        let mut inner = self.inner();
        if inner.has_ended {
            // Its answer is dropped, which tells the call.
            return;
        }
        inner.unwritten.push(unwritten);
        drop(inner);
        self.task.wake();
    }

    /// The rows for a commit, if a call waits for one of them.
    pub(super) fn take_awaited(&self) -> Vec<Unwritten> {
        let mut inner = self.inner();
        if !inner.unwritten.iter().any(|row| row.answer.is_some()) {
            return Vec::new();
        }
        let rows = std::mem::take(&mut inner.unwritten);
        inner.in_flight = rows.iter().map(|row| row.write.clone()).collect();
        rows
    }

    /// The commit under way was answered.
    pub(super) fn answered(&self) {
        self.inner().in_flight.clear();
    }

    /// All rows that are not written, for the command that ends the run.
    pub(crate) fn take_unwritten(&self) -> Vec<StepWrite> {
        let mut inner = self.inner();
        let mut rows = std::mem::take(&mut inner.in_flight);
        rows.extend(inner.unwritten.drain(..).map(|row| row.write));
        rows
    }

    /// The reason why the run must end, once no call works that it can wait for.
    pub(super) fn halted(&self) -> Option<Halt> {
        let inner = self.inner();
        match &inner.halt {
            Some(Halt::Draining) if inner.is_at_work() => None,
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
        waits.collect()
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
        let waits = inner.under_way.values();
        let waits = waits.filter_map(|call| match &call.activity {
            Activity::Wait(wait) => wait.to_record(now),
            Activity::None | Activity::Work => None,
        });
        let waits: Vec<_> = waits.map(Unwritten::lazy).collect();
        inner.unwritten.extend(waits);
        for row in &mut inner.unwritten {
            row.answer = None;
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn is_at_work(&self) -> bool {
        let mut calls = self.under_way.values();
        calls.any(|call| matches!(call.activity, Activity::Work))
    }
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Journal").finish_non_exhaustive()
    }
}

/// The key of the second call of a name, or of a later one.
fn repeated(key: &StepKey, count: u32) -> Result<StepKey, Status> {
    super::name::key(&format!("{key}#{count}"))
}
