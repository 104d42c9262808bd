//! The effects of calls within the writer's transaction.

mod purge;

use std::path::Path;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use lro_core::Timestamp;
use lro_core::store::kit::MAX_EXPIRED_PER_CLAIM;
use lro_core::store::{
    Change, Claim, Claimed, Command, Lease, NewOperation, OperationRecord, OperationState, Refusal,
    StartError, Started, StoreError, StoreErrorKind, StoreEvent, Update, Updated,
};
use uuid::Uuid;

use crate::error::Fault;
use crate::hot::{Hot, Written};
use crate::schedule::{Entry, Schedule};
use crate::steps::is_step_alone;
use crate::table::Table;
use crate::writer::Observers;

/// The open transaction of one group of calls. The schedule, what is written and the events go with
/// it: what calls it decides whether they stand.
pub(crate) struct Transaction<'w> {
    pub(crate) table: Table<'w>,
    pub(crate) hot: &'w Hot,
    pub(crate) written: &'w mut Written,
    pub(crate) schedule: &'w mut Schedule,
    /// Asked which operations this process holds.
    pub(crate) observers: &'w Observers,
    pub(crate) events: &'w mut Vec<StoreEvent>,
    pub(crate) now: Timestamp,
}

/// Why a call has failed, and with it its transaction.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) fault: Fault,
    pub(crate) culprit: Option<Box<Culprit>>,
}

/// The one operation that has met a corrupt page.
#[derive(Debug)]
pub(crate) enum Culprit {
    Update(Update),
    /// A claim that would claim it or expire its lease.
    Entry(Entry),
    /// A purge that would remove it: its uid.
    Expired(Vec<u8>),
    /// One of the expired operations cannot be read.
    AnyExpired,
}

impl Failure {
    /// The culprit counts if the fault is a corrupt page.
    pub(crate) fn of(fault: Fault, culprit: impl FnOnce() -> Culprit) -> Self {
        let culprit = fault.is_corrupt().then(|| Box::new(culprit()));
        Self { fault, culprit }
    }

    /// The error of a start that was in the same group.
    pub(crate) fn to_error_of_start(&self, path: &Path) -> StoreError {
        if self.culprit.is_none() {
            return self.fault.to_error(path);
        }
        StoreError::new(
            StoreErrorKind::Unavailable,
            format!(
                "`{}`: a commit has met another operation on a corrupt page: call again",
                path.display()
            ),
        )
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self {
            fault,
            culprit: None,
        }
    }
}

/// The parts of a record that were read before a change.
#[derive(Clone, Copy, Debug)]
enum Parts {
    All,
    WithoutRequest,
}

/// What a change needs to know of the record before it.
struct Before {
    entry: Option<Entry>,
    state: OperationState,
    visible: bool,
}

impl Before {
    fn of(record: &OperationRecord) -> Self {
        Self {
            entry: Entry::of(record),
            state: record.state,
            visible: record.is_visible(),
        }
    }
}

/// The answer to a change, and the record that it left.
type Changed = (Updated, Arc<OperationRecord>);

fn is_good(lease: Option<&Lease>, now: Timestamp) -> bool {
    lease.is_some_and(|lease| lease.expire_time >= now)
}

impl Transaction<'_> {
    pub(crate) fn start(
        &mut self,
        operation: NewOperation,
    ) -> Result<Result<Started, StartError>, Fault> {
        let record = OperationRecord::started(operation, self.now);
        if !self.table.insert(&record)? {
            return self.refuse(record);
        }
        self.schedule.change(None, Entry::of(&record));
        self.events.extend(StoreEvent::ready(&record));
        if record.state != OperationState::Pending {
            self.written.put(Arc::new(record.clone()));
        }
        Ok(Ok(Started {
            record,
            existing: false,
        }))
    }

    /// An index has refused the record: which?
    fn refuse(&self, record: OperationRecord) -> Result<Result<Started, StartError>, Fault> {
        if let Some(existing) = self.table.by_request_id(&record)? {
            return Ok(if existing.request_id == record.request_id {
                Ok(Started {
                    record: existing,
                    existing: true,
                })
            } else {
                Err(StartError::RequestIdReused(existing.name))
            });
        }
        if self.table.has_name(&record.name)? {
            return Ok(Err(StartError::AlreadyExists(record.name)));
        }
        if let Some(key) = &record.exclusive_key
            && let Some(holder) = self.table.name_by_exclusive_key(key)?
        {
            return Ok(Err(StartError::ExclusiveKeyHeld(holder)));
        }
        match self.table.name_by_uid(record.uid)? {
            Some(holder) => Ok(Err(StartError::AlreadyExists(holder))),
            None => Err(Fault::row(format!(
                "an index refuses operation `{}` without a reason",
                record.name
            ))),
        }
    }

    pub(crate) fn claim(&mut self, claim: &Claim) -> Result<Claimed, Failure> {
        let limit = if claim.expires_leases {
            MAX_EXPIRED_PER_CLAIM
        } else {
            0
        };
        for (entry, command) in self.schedule.expired(self.now, limit) {
            let expired = self.expire(&entry, command, claim.lease_duration);
            expired.map_err(|fault| Failure::of(fault, || Culprit::Entry(entry)))?;
        }
        let mut operations = Vec::new();
        for entry in self.schedule.ready(claim, self.now) {
            let claimed = self.claim_one(&entry, claim);
            let claimed = claimed.map_err(|fault| Failure::of(fault, || Culprit::Entry(entry)))?;
            operations.extend(claimed);
        }
        Ok(self.claimed(claim, operations))
    }

    /// The answer to a claim.
    pub(crate) fn claimed(&self, claim: &Claim, operations: Vec<OperationRecord>) -> Claimed {
        let next_time = self.schedule.next_time(claim);
        Claimed {
            operations,
            next_in: next_time.map(|time| time.since(self.now)),
            suspects_wait: self.schedule.suspects_wait(claim),
        }
    }

    fn claim_one(
        &mut self,
        entry: &Entry,
        claim: &Claim,
    ) -> Result<Option<OperationRecord>, Fault> {
        let record = match self.table.by_uid(entry.uid()) {
            Ok(Some(record)) => record,
            Ok(None) => {
                self.give_up(entry, &Fault::row("its row is missing"));
                return Ok(None);
            }
            Err(fault @ Fault::Row(_)) => {
                self.give_up(entry, &fault);
                return Ok(None);
            }
            Err(fault) => return Err(fault),
        };
        let place = Entry::of(&record);
        if place.as_ref().and_then(Entry::pending) != entry.pending() {
            // Another program has written the row: it is found where it stands now.
            self.schedule.change(Some(entry.clone()), place);
            return Ok(None);
        }
        let command = Command::Claim {
            worker: claim.worker,
            lease_duration: claim.lease_duration,
        };
        let claimed = self.change(record, Parts::All, command)?;
        Ok(claimed.ok().map(|(_, record)| Arc::unwrap_or_clone(record)))
    }

    /// Expires a lease, unless a worker of this process holds the operation: then the store asks
    /// again after a third of a lease.
    fn expire(
        &mut self,
        entry: &Entry,
        command: Command,
        lease_duration: Duration,
    ) -> Result<(), Fault> {
        let place = match self.to_rescue(entry.uid())? {
            // It was renewed while its lease had expired.
            Some(record) if is_good(record.lease.as_ref(), self.now) => Entry::of(&record),
            Some(record) if self.is_held(&record) => record.lease.map(|mut lease| {
                lease.expire_time = self.now.saturating_add(lease_duration / 3);
                Entry::Lease(lease, record.uid)
            }),
            Some(record) => self.requeue(record, command)?,
            None => None,
        };
        self.schedule.change(Some(entry.clone()), place);
        Ok(())
    }

    fn is_held(&self, record: &OperationRecord) -> bool {
        let over = |lease: &Lease| lease.expire_time < self.now;
        if !record.lease.as_ref().is_some_and(over) {
            return false;
        }
        let observers = self.observers.lock();
        let observers = observers.unwrap_or_else(PoisonError::into_inner);
        let (uid, fence) = (record.uid, record.fence);
        observers.iter().any(|it| it.is_held(uid, fence))
    }

    /// Takes an operation back from the process that held it before this one.
    pub(crate) fn rescue(&mut self, uid: Uuid, command: Command) -> Result<(), Fault> {
        if let Some(record) = self.to_rescue(uid)? {
            let place = self.requeue(record, command)?;
            self.schedule.change(None, place);
        }
        Ok(())
    }

    fn to_rescue(&self, uid: Uuid) -> Result<Option<OperationRecord>, Fault> {
        match self.table.to_change_by_uid(uid) {
            Err(fault @ Fault::Row(_)) => {
                tracing::error!(%uid, ?fault, "skipping a corrupt operation");
                Ok(None)
            }
            found => found,
        }
    }

    /// Requeues the operation of a holder.
    fn requeue(
        &mut self,
        record: OperationRecord,
        command: Command,
    ) -> Result<Option<Entry>, Fault> {
        let place = Entry::of(&record);
        let changed = self.change(record, Parts::WithoutRequest, command)?;
        Ok(place.filter(|_| changed.is_err()))
    }

    /// Removes an unreadable operation from the schedule, so that it does not block others.
    fn give_up(&mut self, entry: &Entry, fault: &Fault) {
        tracing::error!(uid = %entry.uid(), ?fault, "skipping a corrupt operation");
        let call = "claim";
        self.events.push(StoreEvent::Corrupt { call, count: 1 });
        self.schedule.change(Some(entry.clone()), None);
    }

    pub(crate) fn update(&mut self, update: &Update) -> Result<Result<Updated, Refusal>, Fault> {
        let (found, parts) = match (self.written.get(&update.name, self.hot), update.uid) {
            // Whatever has the uid now, it is not the one that has the name.
            (Some(known), Some(uid)) if known.uid != uid => return Ok(Err(Refusal::NotFound)),
            (Some(known), _) => (Some(OperationRecord::clone(&known)), Parts::All),
            (None, Some(uid)) => (self.table.to_change_by_uid(uid)?, Parts::WithoutRequest),
            (None, None) => (self.table.to_change(&update.name)?, Parts::WithoutRequest),
        };
        let Some(record) = found.filter(|record| record.name == update.name) else {
            return Ok(Err(Refusal::NotFound));
        };
        // Cloned, because a full disk makes the writer apply it once more.
        let answer = if update.uses_steps() {
            self.change_steps(record, parts, update)?
        } else {
            self.change(record, parts, update.command.clone())?
        };
        Ok(answer.map(|(updated, _)| updated))
    }

    fn change(
        &mut self,
        mut record: OperationRecord,
        parts: Parts,
        command: Command,
    ) -> Result<Result<Changed, Refusal>, Fault> {
        let before = Before::of(&record);
        let change = match record.apply(command, self.now) {
            Ok(change) => change,
            Err(refusal) => return Ok(Err(refusal)),
        };
        match change {
            Change::Nothing => {}
            Change::Lease => self.table.renew(&record)?,
            Change::Record if record.state.is_done() => self.table.finish(&record)?,
            Change::Record if record.is_visible() != before.visible => self.table.hide(&record)?,
            Change::Record => self.table.advance(&record, record.state != before.state)?,
            Change::Removed => self.table.remove(record.uid.as_bytes())?,
        }
        Ok(Ok(self.changed(record, parts, before, change)))
    }

    /// The same with steps, which are written with the record or not at all.
    fn change_steps(
        &mut self,
        mut record: OperationRecord,
        parts: Parts,
        update: &Update,
    ) -> Result<Result<Changed, Refusal>, Fault> {
        let before = Before::of(&record);
        let (command, steps) = (update.command.clone(), update.steps.clone());
        let stored = self.table.steps_of(&record, update)?;
        let applied = match record.apply_with_steps(command, steps, &stored, self.now) {
            Ok(applied) => applied,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let change = applied.change;
        let table = &self.table;
        table.several(|| {
            let epoch = record.steps.as_deref().map_or(0, |steps| steps.epoch);
            match change {
                Change::Nothing => return Ok(()),
                Change::Lease => table.renew(&record)?,
                Change::Record if record.state.is_done() => table.finish(&record)?,
                Change::Record if record.state != before.state => table.advance(&record, true)?,
                Change::Record if is_step_alone(&update.command) => table.record_steps(&record)?,
                Change::Record => table.advance(&record, false)?,
                Change::Removed => return table.remove(record.uid.as_bytes()),
            }
            table.write_steps(record.uid, epoch, &applied)
        })?;
        Ok(Ok(self.changed(record, parts, before, change)))
    }

    /// Notes a change that was written.
    fn changed(
        &mut self,
        record: OperationRecord,
        parts: Parts,
        before: Before,
        change: Change,
    ) -> Changed {
        let removed = change == Change::Removed;
        let after = Entry::of(&record).filter(|_| !removed);
        self.schedule.change(before.entry, after);
        if removed || change == Change::Record {
            let event = StoreEvent::of(before.state, &record, change);
            self.events.extend(event);
            self.events.extend(StoreEvent::ready(&record));
        }
        let updated = Updated::new(change, &record);
        let record = Arc::new(record);
        match parts {
            _ if change == Change::Nothing => {}
            Parts::All if !removed => self.written.put(record.clone()),
            Parts::All | Parts::WithoutRequest => self.written.forget(record.name.clone()),
        }
        (updated, record)
    }
}
