//! The thread that writes.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lro_core::store::kit::MAX_GROUP_LEN;
use lro_core::store::{
    Claim, Claimed, Command, NewOperation, Refusal, StartError, Started, StoreError, StoreEvent,
    StoreObserver, Update, Updated,
};
use lro_core::{Clock, Timestamp};
use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::error::Fault;
use crate::file_lock::FileLock;
use crate::hot::{Hot, Written};
use crate::queue::{Lane, Queue, Taken};
use crate::schedule::Schedule;
use crate::table::Table;
use crate::transaction::Transaction;

/// How many operations one commit purges at most, when it does nothing else: a few milliseconds.
const PURGE_MAX: usize = 128;

/// How many it purges in any case. Between the two, as many as others write in the same commit, or
/// have written in the last ones: so they have about half of the writer's time, and as many go as
/// come.
const PURGE_MIN: usize = 4;

/// After so long without a call, the write-ahead log is written back.
const IDLE_AFTER: Duration = Duration::from_millis(500);

/// A call for the writer.
#[derive(Debug)]
pub(crate) enum Call {
    Start(Vec<NewOperation>, Reply<Vec<Result<Started, StartError>>>),
    Claim(Claim, Reply<Claimed>),
    Update(Vec<Update>, Reply<Vec<Result<Updated, Refusal>>>),
    Purge(Purge, Reply<usize>),
}

/// A removal of expired operations, which may take several commits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Purge {
    /// How many may still be removed.
    pub(crate) limit: usize,
    /// How many were.
    pub(crate) removed: usize,
}

type Reply<T> = oneshot::Sender<Result<T, StoreError>>;

impl Call {
    pub(crate) fn lane(&self) -> Lane {
        let is_urgent =
            |update: &Update| matches!(update.command, Command::Renew { .. } | Command::Cancel);
        match self {
            Self::Update(updates, _) if updates.iter().all(is_urgent) => Lane::Urgent,
            Self::Purge(..) => Lane::Background,
            _ => Lane::Normal,
        }
    }

    pub(crate) fn weight(&self) -> usize {
        match self {
            Self::Start(operations, _) => operations.len(),
            Self::Claim(claim, _) => claim.limit,
            Self::Update(updates, _) => updates.len(),
            Self::Purge(purge, _) => purge.limit.min(PURGE_MAX),
        }
    }

    fn fail(self, error: StoreError) {
        // Nobody listens any more: nothing is lost by that.
        match self {
            Self::Start(_, reply) => drop(reply.send(Err(error))),
            Self::Claim(_, reply) => drop(reply.send(Err(error))),
            Self::Update(_, reply) => drop(reply.send(Err(error))),
            Self::Purge(_, reply) => drop(reply.send(Err(error))),
        }
    }
}

/// Who hears of commits.
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
    pub(crate) _lock: FileLock,
}

/// What a call will be answered when its group is committed.
struct Answer {
    send: Box<dyn FnOnce(Result<(), StoreError>)>,
}

impl Writer {
    /// Serves calls until the queue is closed and empty.
    pub(crate) fn run(mut self, queue: &Queue<Call>) {
        let mut idle_after = None;
        loop {
            match queue.take(MAX_GROUP_LEN, Call::weight, idle_after) {
                Taken::Calls(mut calls) => {
                    while !calls.is_empty() {
                        self.serve(&mut calls, queue);
                    }
                    idle_after = Some(IDLE_AFTER);
                }
                Taken::Idle => {
                    self.write_log_back();
                    idle_after = None;
                }
                Taken::Closed => return,
            }
        }
    }

    /// Serves calls in one transaction: all of them, unless SQLite gives the transaction up.
    fn serve(&mut self, calls: &mut VecDeque<Call>, queue: &Queue<Call>) {
        let mut unfinished = Vec::new();
        let mut answers = Vec::with_capacity(calls.len());
        let mut events = Vec::new();
        let changes = self.connection.total_changes();
        let outcome = self
            .apply(calls, &mut answers, &mut unfinished, &mut events)
            .and_then(|()| self.commit());
        match outcome {
            Ok(()) => {
                self.schedule.commit();
                self.hot.keep(&mut self.written);
                if self.connection.total_changes() != changes {
                    self.commits.fetch_add(1, Ordering::Relaxed);
                }
                for answer in answers {
                    (answer.send)(Ok(()));
                }
                self.publish(&events);
                for call in unfinished {
                    queue.push_again(call.lane(), call);
                }
            }
            Err(fault) => {
                self.roll_back();
                for answer in answers {
                    (answer.send)(Err(fault.to_error(&self.path)));
                }
                for call in unfinished {
                    call.fail(fault.to_error(&self.path));
                }
            }
        }
    }

    fn apply(
        &mut self,
        calls: &mut VecDeque<Call>,
        answers: &mut Vec<Answer>,
        unfinished: &mut Vec<Call>,
        events: &mut Vec<StoreEvent>,
    ) -> Result<(), Fault> {
        // Who was answered just now may come again with the next commit.
        self.others = weight_of_others(calls).max(self.others / 2);
        let mut begun = false;
        while let Some(call) = calls.pop_front() {
            let now = self.clock.now();
            if !begun && self.needs_transaction(&call, now) {
                if let Err(fault) = self.begin() {
                    // The others would wait as long for the same.
                    for call in std::iter::once(call).chain(calls.drain(..)) {
                        call.fail(fault.to_error(&self.path));
                    }
                    return Err(fault);
                }
                begun = true;
            }
            let mut transaction = Transaction {
                table: Table(&self.connection),
                hot: &self.hot,
                written: &mut self.written,
                schedule: &mut self.schedule,
                events,
                now,
            };
            let path = &self.path;
            let (answer, fault) = match call {
                Call::Start(operations, reply) => {
                    let all = operations.into_iter();
                    answer(
                        reply,
                        each(all, |operation| transaction.start(operation)),
                        path,
                    )
                }
                Call::Claim(claim, reply) if begun => {
                    answer(reply, transaction.claim(&claim), path)
                }
                Call::Claim(claim, reply) => {
                    let nothing = Claimed {
                        operations: Vec::new(),
                        next_in: transaction.next_in(&claim),
                    };
                    answer(reply, Ok(nothing), path)
                }
                Call::Update(updates, reply) => {
                    let all = updates.into_iter();
                    // A damaged page is not one operation's: SQLite commits no transaction that has
                    // met one.
                    let update = |update| match transaction.update(update) {
                        Err(Fault::Row(message)) => Ok(Err(Refusal::Damaged(message))),
                        answer => answer,
                    };
                    answer(reply, each(all, update), path)
                }
                Call::Purge(purge, reply) => {
                    let share = match self.others {
                        0 => PURGE_MAX,
                        others => others.clamp(PURGE_MIN, PURGE_MAX),
                    };
                    let share = share.min(purge.limit);
                    let (limit, removed) = (purge.limit - share, purge.removed + share);
                    match transaction.purge(share, self.others == 0) {
                        // There may be more, and others are to have their turn before. Nobody
                        // waits for what is to come of a call that was dropped.
                        Ok(count) if count == share && limit > 0 && !reply.is_closed() => {
                            unfinished.push(Call::Purge(Purge { limit, removed }, reply));
                            continue;
                        }
                        count => answer(reply, count.map(|it| purge.removed + it), path),
                    }
                }
            };
            answers.push(answer);
            if begun
                && self.connection.is_autocommit()
                && let Some(fault) = fault
            {
                return Err(fault);
            }
        }
        Ok(())
    }

    /// Whether the call may touch the database.
    fn needs_transaction(&self, call: &Call, now: Timestamp) -> bool {
        match call {
            Call::Claim(claim, _) => self.schedule.has_work(&claim.methods, now),
            Call::Start(..) | Call::Update(..) | Call::Purge(..) => true,
        }
    }

    fn begin(&self) -> Result<(), Fault> {
        self.execute("BEGIN IMMEDIATE")
    }

    fn commit(&self) -> Result<(), Fault> {
        match self.connection.is_autocommit() {
            true => Ok(()),
            false => {
                self.hot.forget(&self.written);
                self.execute("COMMIT")
            }
        }
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

    fn write_log_back(&self) {
        let checkpoint =
            self.connection
                .query_row("PRAGMA wal_checkpoint(PASSIVE)", (), |_| Ok(()));
        if let Err(error) = checkpoint {
            tracing::warn!(%error, "the write-ahead log was not written back");
        }
    }

    fn publish(&self, events: &[StoreEvent]) {
        if events.is_empty() {
            return;
        }
        let observers = self
            .observers
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
}

/// How much is to be written besides what is purged.
fn weight_of_others(calls: &VecDeque<Call>) -> usize {
    let others = calls.iter().filter(|it| !matches!(it, Call::Purge(..)));
    others.map(Call::weight).sum()
}

/// Applies all elements of a call, whatever becomes of one; the first fault is the call's.
fn each<E, T>(
    elements: impl Iterator<Item = E>,
    mut apply: impl FnMut(E) -> Result<T, Fault>,
) -> Result<Vec<T>, Fault> {
    let mut first = None;
    let mut answers = Vec::with_capacity(elements.size_hint().0);
    for element in elements {
        match apply(element) {
            Ok(answer) => answers.push(answer),
            Err(fault @ Fault::Sqlite(_)) => return Err(first.unwrap_or(fault)),
            Err(fault) => first = Some(first.unwrap_or(fault)),
        }
    }
    first.map_or(Ok(answers), Err)
}

fn answer<T: 'static>(
    reply: Reply<T>,
    result: Result<T, Fault>,
    path: &Path,
) -> (Answer, Option<Fault>) {
    let fault = result.as_ref().err().cloned();
    let result = result.map_err(|fault| fault.to_error(path));
    let send = Box::new(|committed: Result<(), StoreError>| {
        // Nobody listens any more: nothing is lost by that.
        let _ = reply.send(committed.and(result));
    });
    (Answer { send }, fault)
}
