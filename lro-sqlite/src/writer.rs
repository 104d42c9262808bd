//! The thread that writes.

mod apply;

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lro_core::Clock;
use lro_core::store::kit::MAX_GROUP_LEN;
use lro_core::store::{StoreEvent, StoreObserver};
use rusqlite::Connection;

use crate::call::{Applied, Call};
use crate::corrupt::Corrupt;
use crate::error::Fault;
use crate::hot::{Hot, Written};
use crate::ownership::Ownership;
use crate::queue::{Queue, Taken};
use crate::room::{Room, write_log_back};
use crate::schedule::Schedule;
use crate::timers::look_ahead;
use crate::transaction::{Culprit, Failure};

/// After so long without a call, the write-ahead log is written back.
const IDLE_AFTER: Duration = Duration::from_millis(500);

/// How often an idle store checks that its file is where it was.
const IDLE_CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// How many operations on corrupt pages a group may meet before it fails as a whole.
const CORRUPT_MAX: usize = 256;

/// The observers of commits.
pub(crate) type Observers = Arc<Mutex<Vec<Arc<dyn StoreObserver>>>>;

/// The one connection that writes, and what it knows in memory.
pub(crate) struct Writer {
    // In this order: the lock is freed last.
    pub(crate) connection: Connection,
    pub(crate) schedule: Schedule,
    pub(crate) hot: Arc<Hot>,
    pub(crate) written: Written,
    /// How much was written lately besides what was purged, for a commit.
    pub(crate) others: usize,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) path: PathBuf,
    pub(crate) observers: Observers,
    pub(crate) commits: Arc<AtomicU64>,
    pub(crate) room: Room,
    /// Whether the write-ahead log was written into a file that was moved.
    pub(crate) is_rescued: bool,
    /// How many corrupt operations this group may still meet.
    pub(crate) corrupt_left: usize,
    /// Operations whose rows are on corrupt pages, by name and by uid.
    pub(crate) corrupt: Corrupt,
    /// Freed last.
    pub(crate) ownership: Arc<Ownership>,
}

impl Writer {
    /// Serves calls until the queue is closed and empty.
    pub(crate) fn run(mut self, queue: &Queue<Call>) {
        let mut has_written = false;
        loop {
            let idle_after = if has_written {
                IDLE_AFTER
            } else {
                IDLE_CHECK_INTERVAL
            };
            match queue.take(MAX_GROUP_LEN, Call::weight, Some(idle_after)) {
                Taken::Calls(mut calls) => {
                    if self.room.is_limited() {
                        self.room.restore(&self.connection);
                    }
                    self.look_ahead();
                    self.corrupt_left = CORRUPT_MAX;
                    while !calls.is_empty() {
                        self.serve(&mut calls, queue);
                    }
                    has_written = true;
                }
                Taken::Idle => {
                    self.rest(has_written);
                    has_written = false;
                }
                Taken::Closed => return,
            }
        }
    }

    /// Maintenance while there are no calls.
    fn rest(&mut self, has_written: bool) {
        if let Err(fault) = self.ownership.check_now() {
            self.rescue(&fault);
            return;
        }
        if self.room.is_limited() {
            self.room.restore(&self.connection);
        }
        self.look_ahead();
        if has_written && let Err(fault) = write_log_back(&self.connection) {
            tracing::warn!(?fault, "the write-ahead log was not written back");
        }
    }

    /// Brings far operations into the schedule whose ready times have come near.
    fn look_ahead(&mut self) {
        let now = self.clock.now();
        if let Err(fault) = look_ahead(&self.connection, &mut self.schedule, now) {
            self.schedule.postpone(now);
            tracing::error!(
                ?fault,
                "the index of timers cannot be read: operations that wait for a time are not claimed; trying again in a \
                 minute"
            );
        }
    }

    /// Serves calls in one transaction: all of them, unless SQLite aborts the transaction.
    fn serve(&mut self, calls: &mut VecDeque<Call>, queue: &Queue<Call>) {
        let mut applied = Vec::with_capacity(calls.len());
        let mut events = Vec::new();
        let changes = self.connection.total_changes();
        let outcome = self
            .apply(calls, &mut applied, &mut events)
            .and_then(|()| Ok(self.ownership.check()?))
            .and_then(|()| Ok(self.commit()?));
        match outcome {
            Ok(()) => {
                self.schedule.commit();
                self.hot.keep(&mut self.written);
                if self.connection.total_changes() != changes {
                    self.commits.fetch_add(1, Ordering::Relaxed);
                }
                let unfinished: Vec<_> = applied.into_iter().filter_map(Applied::answer).collect();
                publish(&self.observers, &events);
                for call in unfinished {
                    queue.push_again(call.priority(), call);
                }
                if self.room.is_limited() {
                    // The log is not to take up the room that there is.
                    let _ = write_log_back(&self.connection);
                }
            }
            Err(failure) => {
                self.roll_back();
                let again = self.overcome(&failure);
                for applied in applied.into_iter().rev() {
                    match applied.into_call() {
                        None => {}
                        // It was consumed when it was applied.
                        Some(call @ Call::Start(..)) => {
                            call.fail(failure.to_error_of_start(&self.path));
                        }
                        Some(call) if again => calls.push_front(call),
                        Some(call) => call.fail(failure.fault.to_error(&self.path)),
                    }
                }
            }
        }
    }

    /// Handles the failure of a whole group. `true`: the calls may succeed when they are applied
    /// again.
    fn overcome(&mut self, failure: &Failure) -> bool {
        let fault = &failure.fault;
        if fault.is_full() {
            return self.room.give_up(&self.connection);
        }
        if matches!(fault, Fault::Lost(_)) {
            self.rescue(fault);
            return false;
        }
        let is_new = match failure.culprit.as_deref() {
            None => false,
            Some(Culprit::Update(update)) => self.corrupt.insert(update),
            Some(Culprit::AnyExpired) => self.corrupt.read_one_by_one(),
            Some(Culprit::Expired(uid)) => self.corrupt.insert_expired(uid.clone()),
            Some(Culprit::Entry(entry)) => {
                self.schedule.change(Some(entry.clone()), None);
                self.schedule.commit();
                true
            }
        };
        if !is_new || self.corrupt_left == 0 {
            return false;
        }
        self.corrupt_left -= 1;
        let call = match failure.culprit.as_deref() {
            Some(Culprit::Entry(_)) => Some("claim"),
            Some(Culprit::Expired(_)) => Some("purge"),
            // The update is answered with an error.
            Some(Culprit::Update(_) | Culprit::AnyExpired) | None => None,
        };
        if let Some(call) = call {
            publish(&self.observers, &[StoreEvent::Corrupt { call, count: 1 }]);
        }
        tracing::error!(
            culprit = ?failure.culprit,
            ?fault,
            "skipping an operation on a corrupt page"
        );
        true
    }

    /// Writes the write-ahead log into a file that was moved away from it, while both are open:
    /// the file holds all that was acknowledged then.
    fn rescue(&mut self, fault: &Fault) {
        if std::mem::replace(&mut self.is_rescued, true) {
            return;
        }
        let sql = "PRAGMA wal_checkpoint(FULL)";
        let checkpoint = self
            .connection
            .query_row(sql, (), |row| row.get::<_, i64>(0));
        match checkpoint {
            Ok(0) => tracing::error!(
                ?fault,
                "the write-ahead log was written back: the file that was moved holds all that was \
                 acknowledged"
            ),
            outcome => tracing::error!(
                ?fault,
                ?outcome,
                "the write-ahead log was not written back: keep it beside the file that was moved"
            ),
        }
    }

    fn begin(&self) -> Result<(), Fault> {
        self.execute("BEGIN IMMEDIATE")
    }

    fn commit(&self) -> Result<(), Fault> {
        if self.connection.is_autocommit() {
            return Ok(());
        }
        self.hot.forget(&self.written);
        self.execute("COMMIT")
    }

    fn roll_back(&mut self) {
        self.schedule.roll_back();
        self.written.clear();
        if !self.connection.is_autocommit()
            && let Err(fault) = self.execute("ROLLBACK")
        {
            tracing::error!(?fault, "a failed transaction cannot be rolled back");
        }
    }

    fn execute(&self, sql: &'static str) -> Result<(), Fault> {
        self.connection.prepare_cached(sql)?.execute(())?;
        Ok(())
    }
}

/// Tells the observers.
pub(crate) fn publish(observers: &Observers, events: &[StoreEvent]) {
    if events.is_empty() {
        return;
    }
    let observers = observers
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    for observer in &observers {
        for event in events {
            let call = AssertUnwindSafe(|| observer.on_event(event));
            if catch_unwind(call).is_err() {
                tracing::error!(?event, "an observer panicked");
            }
        }
    }
}
