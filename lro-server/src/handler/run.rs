//! One run of a body: what its context, its worker and the heartbeat share.

mod debts;
mod metadata;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use lro_core::store::{
    Command, OnCrash, OperationRecord, OperationState, OperationStore, Origin, StepRow, Update,
};
use lro_core::{OperationName, Timestamp};
use prost_types::Any;
use sha2::{Digest as _, Sha256};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::poll::PollWatch;
use crate::engine::Engine;
use crate::engine::run_news::RunNews;
use crate::limits::BodyLimits;
use crate::steps::{Journal, StepRules, StoreClock};
use debts::Debts;
use metadata::MetadataSlot;

/// The reason why a body must stop.
///
/// ```
/// use lro_server::{OperationContext, StopReason};
///
/// /// Whether a stopped body removes its temporary files: another attempt may need them.
/// fn must_clean_up(context: &OperationContext<()>) -> bool {
///     context.stop_reason() == Some(StopReason::Cancelled)
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StopReason {
    /// A caller has cancelled the operation. The body should undo its effects.
    Cancelled,
    /// It took longer than its method's `timeout`: the operation fails.
    TimedOut,
    /// The worker has lost the lease: it could not renew it, or another worker has claimed the
    /// operation. Another attempt will run, or runs already, so the body should not undo its
    /// effects.
    LeaseLost,
    /// The worker is being drained: the operation will run again, from its last checkpoint.
    Draining,
}

/// The state of one run.
pub(crate) struct Run {
    pub(crate) name: OperationName,
    pub(crate) uid: Uuid,
    pub(crate) method: String,
    pub(crate) attempt: u32,
    pub(crate) fence: u64,
    pub(crate) on_crash: OnCrash,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) origin: Origin,
    pub(crate) deadline: Option<Instant>,
    /// The checkpoint that the body may resume from: the one it found, later the one it saved.
    pub(crate) checkpoint: Mutex<Option<Any>>,
    /// Until when the lease lasts, by the monotonic clock.
    pub(crate) lease_end: watch::Sender<Instant>,
    /// The store and worker of the run; none when it is detached.
    pub(crate) link: Option<Link>,
    pub(crate) limits: BodyLimits,
    /// The polls of its body.
    pub(crate) polls: PollWatch,
    /// Cancelled when the run of a suspect has made progress or ended. `None` for other operations.
    pub(crate) acquitted: Option<CancellationToken>,
    /// The store's clock at the claim.
    claim_time: Timestamp,
    /// The epoch of its durable calls at the claim, and when it began.
    epoch: (u32, Timestamp),
    /// How many steps with children operators have forgotten.
    pub(crate) forgotten_children: u32,
    /// Whether operators have forgotten steps that a saga undoes.
    pub(crate) forgotten_undoable: bool,
    /// How many runs in a row could not continue because the code did not fit.
    blocks: u32,
    /// The rules of its method for durable calls.
    rules: StepRules,
    /// The debts of its operation.
    debts: Debts,
    /// Whether it has lost the operation.
    lost: AtomicBool,
    /// Its durable calls, from the first one on.
    journal: OnceLock<Box<Journal>>,
    metadata: Mutex<MetadataSlot>,
    stop_reason: OnceLock<StopReason>,
    stop: CancellationToken,
}

/// How a run reaches its store and its worker.
pub(crate) struct Link {
    pub(crate) store: Arc<dyn OperationStore>,
    pub(crate) lease_duration: Duration,
    /// Told when there is new metadata to write.
    pub(crate) metadata_set: Arc<Notify>,
    /// Changes of the operation that other calls make.
    pub(crate) news: Arc<RunNews>,
    pub(crate) engine: Arc<Engine>,
    /// How long the operation waits for a child that it has cancelled.
    pub(crate) child_cancel_max: Duration,
}

impl Run {
    pub(crate) fn new(
        record: &OperationRecord,
        link: Option<Link>,
        limits: BodyLimits,
        lease_end: Instant,
        deadline: Option<Instant>,
    ) -> Self {
        let steps = record.steps.as_deref();
        Self {
            name: record.name.clone(),
            uid: record.uid,
            method: record.method.clone(),
            attempt: record.attempt,
            fence: record.fence,
            on_crash: record.policy.on_crash,
            labels: record.labels.clone(),
            origin: record.origin.clone(),
            deadline,
            claim_time: claim_time(record, link.as_ref()),
            forgotten_children: steps.map_or(0, |steps| steps.forgotten_children),
            forgotten_undoable: steps.is_some_and(|steps| steps.forgotten_undoable),
            blocks: blocks(record),
            rules: StepRules::default(),
            debts: Debts::of(record),
            lost: AtomicBool::new(false),
            epoch: epoch(record),
            journal: OnceLock::new(),
            checkpoint: Mutex::new(record.checkpoint.clone()),
            lease_end: watch::Sender::new(lease_end),
            link,
            limits,
            polls: PollWatch::new(),
            metadata: Mutex::new(MetadataSlot::of(record)),
            acquitted: (record.losses > 0).then(CancellationToken::new),
            stop_reason: OnceLock::new(),
            stop: CancellationToken::new(),
        }
    }

    /// The same run with rules of its method.
    pub(crate) fn with_rules(mut self, rules: StepRules) -> Self {
        self.rules = rules;
        self
    }

    /// The rules of its method for durable calls.
    pub(crate) fn rules(&self) -> &StepRules {
        &self.rules
    }

    /// How long the operation may still live, if its method limits that.
    pub(crate) fn lifetime_left(&self) -> Option<Duration> {
        let end = self.store_clock().reaches(self.rules.lifetime_end?);
        Some(end.saturating_duration_since(Instant::now()))
    }

    /// Its durable calls. Without rows of earlier runs, the first one makes it.
    pub(crate) fn journal(&self) -> &Journal {
        self.journal
            .get_or_init(|| Box::new(self.new_journal(Vec::new())))
    }

    /// Its durable calls, if it has made one, or earlier runs have.
    pub(crate) fn journal_if_used(&self) -> Option<&Journal> {
        self.journal.get().map(|journal| &**journal)
    }

    /// Begins with the rows of earlier runs.
    pub(crate) fn replay(&self, rows: Vec<StepRow>) {
        let _ = self.journal.set(Box::new(self.new_journal(rows)));
    }

    fn new_journal(&self, rows: Vec<StepRow>) -> Journal {
        Journal::new(rows, self.epoch, self.rules.order)
    }

    /// Returns when the blocking closures of its steps have ended, since threads cannot be dropped, and the starts of
    /// its children: the run must know of all.
    pub(crate) async fn work_ended(&self) {
        if let Some(journal) = self.journal_if_used() {
            journal.work_ended().await;
        }
    }

    /// How long to pause before the code of a body that did not fit is tried again: 10 s, doubling to
    /// 10 min.
    pub(crate) fn pause_after_block(&self) -> Duration {
        const FIRST: Duration = Duration::from_secs(10);
        const LONGEST: Duration = Duration::from_secs(600);
        LONGEST.min(FIRST * (1 << self.blocks.min(6)))
    }

    /// The store's clock.
    pub(crate) fn store_clock(&self) -> StoreClock {
        StoreClock {
            claimed: self.claim_time,
            known: self.polls.created(),
        }
    }

    /// Ends the quarantine of a suspect.
    pub(crate) fn acquit(&self) {
        if let Some(acquitted) = &self.acquitted {
            acquitted.cancel();
        }
    }

    /// Asks the body to stop. The first reason stays.
    pub(crate) fn stop(&self, reason: StopReason) {
        let _ = self.stop_reason.set(reason);
        if reason == StopReason::LeaseLost {
            self.lost.store(true, Ordering::Relaxed);
            if let Some(journal) = self.journal_if_used() {
                journal.wake();
            }
        }
        self.stop.cancel();
    }

    /// Whether it has lost the operation, also after it was stopped for another reason.
    pub(crate) fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Relaxed)
    }

    /// A UUID that is the same in every run, and another one for each operation, epoch and parts.
    pub(crate) fn derived_uuid(&self, parts: &[&str]) -> Uuid {
        let mut hash = Sha256::new();
        hash.update(self.uid.as_bytes());
        hash.update(self.epoch().to_be_bytes());
        for part in parts {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&hash.finalize()[..16]);
        uuid::Builder::from_random_bytes(bytes).into_uuid()
    }

    /// The epoch of its durable calls.
    pub(crate) fn epoch(&self) -> u32 {
        self.journal_if_used().map_or(self.epoch.0, Journal::epoch)
    }

    /// The time of the latest row that the body has passed.
    pub(crate) fn time(&self) -> Timestamp {
        self.journal_if_used().map_or(self.epoch.1, Journal::time)
    }

    /// A checkpoint is saved.
    pub(crate) fn set_checkpoint(&self, checkpoint: Any) {
        let mut slot = self
            .checkpoint
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *slot = Some(checkpoint);
    }

    /// A command of this run's, for its own operation and no other that may have its name by then.
    pub(crate) fn update(&self, command: Command) -> Update {
        Update::by_uid(self.name.clone(), self.uid, command)
    }

    pub(crate) fn stop_reason(&self) -> Option<StopReason> {
        self.stop_reason.get().copied()
    }

    /// Whether the lease lasts, as far as this process knows.
    pub(crate) fn holds_lease(&self) -> bool {
        match self.has_exclusive_store() {
            true => !self.is_lost(),
            false => *self.lease_end.borrow() > Instant::now(),
        }
    }

    /// Whether its lease lasts until the store refuses a renewal, however late that is.
    pub(crate) fn has_exclusive_store(&self) -> bool {
        let link = self.link.as_ref();
        link.is_some_and(|link| link.store.is_exclusive())
    }

    /// Cancelled when the body must stop.
    pub(crate) fn stop_token(&self) -> &CancellationToken {
        &self.stop
    }

    pub(crate) async fn stopped(&self) -> StopReason {
        self.stop.cancelled().await;
        self.stop_reason().unwrap_or(StopReason::LeaseLost)
    }
}

fn epoch(record: &OperationRecord) -> (u32, Timestamp) {
    let number = record.steps.as_ref().map_or(0, |steps| steps.epoch);
    let began = record.steps.as_ref().and_then(|steps| steps.epoch_time());
    (number, began.unwrap_or(record.create_time))
}

fn blocks(record: &OperationRecord) -> u32 {
    let steps = record.steps.as_ref();
    let blocked = steps.and_then(|steps| steps.blocked.as_ref());
    blocked.map_or(0, |blocked| blocked.count)
}

/// When the operation was claimed, by the store's clock: its lease lasts from then.
fn claim_time(record: &OperationRecord, link: Option<&Link>) -> Timestamp {
    match (&record.lease, link) {
        (Some(lease), Some(link)) => lease.expire_time.saturating_sub(link.lease_duration),
        _ => record.create_time,
    }
}

/// Whether an answer of the store tells a holder to stop.
pub(crate) fn told_to_stop(state: OperationState) -> Option<StopReason> {
    (state == OperationState::Cancelling).then_some(StopReason::Cancelled)
}
