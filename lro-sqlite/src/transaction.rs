//! The effects of calls within the writer's transaction.

mod change;
mod purge;
mod start;

use std::path::Path;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use lro_core::Timestamp;
use lro_core::store::kit::MAX_EXPIRED_PER_CLAIM;
use lro_core::store::{
    Claim, Claimed, Command, Lease, OperationRecord, StoreError, StoreErrorKind, StoreEvent, Update,
};
use uuid::Uuid;

use self::change::Parts;
pub(crate) use self::start::corrupt;
use crate::corrupt::Corrupt;
use crate::error::Fault;
use crate::hot::{Hot, Written};
use crate::schedule::{Entry, Schedule};
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
    /// The updates that are left out.
    pub(crate) corrupt: &'w Corrupt,
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

    /// The same, unless it has a culprit.
    pub(crate) fn blamed_on(self, culprit: impl FnOnce() -> Culprit) -> Self {
        match self.culprit {
            None => Self::of(self.fault, culprit),
            Some(_) => self,
        }
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

fn is_good(lease: Option<&Lease>, now: Timestamp) -> bool {
    lease.is_some_and(|lease| lease.expire_time >= now)
}

impl Transaction<'_> {
    pub(crate) fn claim(&mut self, claim: &Claim) -> Result<Claimed, Failure> {
        let limit = if claim.expires_leases {
            MAX_EXPIRED_PER_CLAIM
        } else {
            0
        };
        for (entry, command) in self.schedule.expired(self.now, limit) {
            let expired = self.expire(&entry, command, claim.lease_duration);
            expired.map_err(|failure| failure.blamed_on(|| Culprit::Entry(entry)))?;
        }
        let mut operations = Vec::new();
        for entry in self.schedule.ready(claim, self.now) {
            let claimed = self.claim_one(&entry, claim);
            let claimed = claimed.map_err(|failure| failure.blamed_on(|| Culprit::Entry(entry)))?;
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
    ) -> Result<Option<OperationRecord>, Failure> {
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
            Err(fault) => return Err(fault.into()),
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
    ) -> Result<(), Failure> {
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
    pub(crate) fn rescue(&mut self, uid: Uuid, command: Command) -> Result<(), Failure> {
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
    ) -> Result<Option<Entry>, Failure> {
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
}
