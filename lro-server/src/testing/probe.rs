//! The view of the kit into the run on its thread, and its hold on it.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lro_core::pb::rpc;
use tokio::sync::Notify;

use crate::handler::registration::BodyFuture;

thread_local! {
    /// The probe of the process that this thread simulates.
    static CURRENT: RefCell<Option<Arc<Probe>>> = const { RefCell::new(None) };
}

/// The treatment of the closures of steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Closures {
    /// They run, in an order that the seed decides.
    Run { seed: u64 },
    /// None begins.
    Hold,
}

/// Notes what a body does, and says where its process dies.
pub(crate) struct Probe {
    pub(crate) closures: Closures,
    /// The steps whose children the kit starts and ends.
    pub(crate) children: BTreeSet<String>,
    /// Told when the operation may have changed, or the process has died.
    pub(crate) changed: Notify,
    notes: Mutex<Notes>,
}

#[derive(Default)]
struct Notes {
    /// The places so far where the process may die.
    points: Vec<String>,
    dies_at: Option<usize>,
    is_dead: bool,
    /// New calls, in their order.
    begun: Vec<String>,
    /// Recorded calls that the body has made.
    reached: Vec<String>,
    /// The error with which the body asked for another attempt.
    retried: Option<rpc::Status>,
    /// Calls that wait, and steps whose closures are held.
    held: BTreeSet<String>,
    mistakes: Vec<String>,
    blocked: Option<String>,
    keeps_dropped: bool,
    /// A body that was dropped at a wait.
    dropped: Option<BodyFuture>,
    woke_when_dropped: bool,
}

impl Probe {
    /// The probe of a run that dies at a place, counted from 0, or lives.
    pub(crate) fn new(closures: Closures, dies_at: Option<usize>) -> Arc<Self> {
        Self::with_children(closures, dies_at, BTreeSet::new())
    }

    /// The same of a body whose steps have these children.
    pub(crate) fn with_children(
        closures: Closures,
        dies_at: Option<usize>,
        children: BTreeSet<String>,
    ) -> Arc<Self> {
        let notes = Notes {
            keeps_dropped: dies_at.is_none() && closures != Closures::Hold,
            dies_at,
            ..Notes::default()
        };
        Arc::new(Self {
            closures,
            children,
            changed: Notify::new(),
            notes: Mutex::new(notes),
        })
    }

    /// The probe of this thread.
    pub(crate) fn current() -> Option<Arc<Self>> {
        CURRENT.with_borrow(Clone::clone)
    }

    /// Makes it the probe of this thread, as long as the guard lives.
    pub(crate) fn install(self: &Arc<Self>) -> Installed {
        CURRENT.replace(Some(self.clone()));
        Installed
    }

    /// A place where the process may die. Returns whether it is dead.
    pub(crate) fn may_die(&self, place: impl FnOnce() -> String) -> bool {
        let mut notes = self.notes();
        if notes.is_dead {
            return true;
        }
        if notes.dies_at == Some(notes.points.len()) {
            notes.is_dead = true;
            self.changed.notify_one();
        }
        notes.points.push(place());
        notes.is_dead
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.notes().is_dead
    }

    /// The process that has died is started again, and lives.
    pub(crate) fn revive(&self) {
        let mut notes = self.notes();
        (notes.is_dead, notes.dies_at) = (false, None);
    }

    pub(crate) fn points(&self) -> Vec<String> {
        self.notes().points.clone()
    }

    pub(crate) fn begun(&self, key: &str) {
        self.notes().begun.push(key.to_owned());
    }

    pub(crate) fn calls_begun(&self) -> Vec<String> {
        self.notes().begun.clone()
    }

    pub(crate) fn reached(&self, key: &str) {
        self.notes().reached.push(key.to_owned());
    }

    pub(crate) fn calls_reached(&self) -> Vec<String> {
        self.notes().reached.clone()
    }

    pub(crate) fn retry(&self, error: &rpc::Status) {
        self.notes().retried = Some(error.clone());
    }

    pub(crate) fn retried(&self) -> Option<rpc::Status> {
        self.notes().retried.clone()
    }

    pub(crate) fn held(&self, key: &str) {
        self.notes().held.insert(key.to_owned());
    }

    pub(crate) fn calls_held(&self) -> BTreeSet<String> {
        self.notes().held.clone()
    }

    /// A mistake in the body's use of durable calls.
    pub(crate) fn mistake(&self, message: &str) {
        self.notes().mistakes.push(message.to_owned());
    }

    pub(crate) fn mistakes(&self) -> Vec<String> {
        self.notes().mistakes.clone()
    }

    /// The code does not fit what is recorded.
    pub(crate) fn block(&self, message: &str) {
        self.notes().blocked = Some(message.to_owned());
    }

    pub(crate) fn blocked(&self) -> Option<String> {
        self.notes().blocked.clone()
    }

    /// Takes a body that the engine drops, if the kit wants to see whether it is woken.
    pub(super) fn keep_dropped(&self, body: BodyFuture) {
        let mut notes = self.notes();
        let body = match notes.keeps_dropped {
            true => notes.dropped.replace(body),
            false => Some(body),
        };
        drop(notes);
        // Without the lock: it runs code of the service.
        drop(body);
    }

    /// The body is woken by something that is no durable call.
    pub(super) fn woken_from_elsewhere(&self) {
        let mut notes = self.notes();
        notes.woke_when_dropped |= notes.dropped.is_some();
    }

    /// Lets go of a dropped body. Returns whether something has woken it since.
    pub(crate) fn bury(&self) -> bool {
        let mut notes = self.notes();
        let dropped = notes.dropped.take();
        let woken = std::mem::take(&mut notes.woke_when_dropped);
        drop(notes);
        drop(dropped);
        woken
    }

    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Probe").finish_non_exhaustive()
    }
}

/// Removes the probe from its thread when dropped.
#[derive(Debug)]
pub(crate) struct Installed;

impl Drop for Installed {
    fn drop(&mut self) {
        CURRENT.replace(None);
    }
}
