//! What calls do within the writer's transaction.

use std::sync::Arc;
use std::time::Duration;

use lro_core::store::kit::MAX_EXPIRED_PER_CLAIM;
use lro_core::store::{
    Change, Claim, Claimed, Command, NewOperation, OperationRecord, OperationState, Refusal,
    StartError, Started, StoreEvent, Update, Updated,
};
use lro_core::{OperationName, Timestamp};
use uuid::Uuid;

use crate::error::Fault;
use crate::hot::{Hot, Written};
use crate::schedule::{Entry, Schedule};
use crate::table::Table;

/// How many free pages one commit that purges gives back to the file system at most, and what it
/// leaves for operations to come.
const FREED_PER_PURGE: i64 = 256;
const FREE_PAGES_KEPT: i64 = 4_096;

/// The open transaction of one group of calls. The schedule, what is written and the events go with
/// it: what calls it decides whether they stand.
#[derive(Debug)]
pub(crate) struct Transaction<'w> {
    pub(crate) table: Table<'w>,
    pub(crate) hot: &'w Hot,
    pub(crate) written: &'w mut Written,
    pub(crate) schedule: &'w mut Schedule,
    pub(crate) events: &'w mut Vec<StoreEvent>,
    pub(crate) now: Timestamp,
}

/// What was read of a record that is to be changed.
#[derive(Clone, Copy, Debug)]
enum Parts {
    All,
    WithoutRequest,
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
        self.tell_ready(&record);
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
            return Ok(match existing.request_id == record.request_id {
                true => Ok(Started {
                    record: existing,
                    existing: true,
                }),
                false => Err(StartError::RequestIdReused(existing.name)),
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

    pub(crate) fn claim(&mut self, claim: &Claim) -> Result<Claimed, Fault> {
        for entry in self.schedule.over(self.now, MAX_EXPIRED_PER_CLAIM) {
            self.expire(entry)?;
        }
        let mut operations = Vec::new();
        for entry in self.schedule.ready(&claim.methods, claim.limit, self.now) {
            let command = Command::Claim {
                worker: claim.worker,
                lease_duration: claim.lease_duration,
            };
            let record = match self.table.by_uid(entry.uid()) {
                Ok(Some(record)) => record,
                Ok(None) => {
                    self.give_up(entry, &Fault::row("its row is gone"));
                    continue;
                }
                Err(fault @ Fault::Row(_)) => {
                    self.give_up(entry, &fault);
                    continue;
                }
                Err(fault) => return Err(fault),
            };
            let place = Entry::of(&record);
            if place.as_ref() != Some(&entry) {
                // Somebody else has written the row: it is found where it stands now.
                self.schedule.change(Some(entry), place);
                continue;
            }
            if let Ok((_, record)) = self.change(record, Parts::All, command)? {
                operations.push(Arc::unwrap_or_clone(record));
            }
        }
        Ok(Claimed {
            operations,
            next_in: self.next_in(claim),
        })
    }

    pub(crate) fn next_in(&self, claim: &Claim) -> Option<Duration> {
        let next_time = self.schedule.next_time(&claim.methods)?;
        Some(next_time.since(self.now))
    }

    fn expire(&mut self, entry: Entry) -> Result<(), Fault> {
        // Whatever became of the operation, this lease is gone.
        let place = self.rescue(entry.uid())?;
        self.schedule.change(Some(entry), place);
        Ok(())
    }

    /// Takes an operation back from a holder that is lost. Gives its place where nobody holds it, as
    /// somebody else may have written.
    pub(crate) fn rescue(&mut self, uid: Uuid) -> Result<Option<Entry>, Fault> {
        match self.table.to_change_by_uid(uid) {
            Ok(Some(record)) => {
                let place = Entry::of(&record);
                let changed = self.change(record, Parts::WithoutRequest, Command::Expire)?;
                Ok(place.filter(|_| changed.is_err()))
            }
            Ok(None) => Ok(None),
            Err(fault @ Fault::Row(_)) => {
                tracing::error!(%uid, ?fault, "a damaged operation is left alone");
                Ok(None)
            }
            Err(fault) => Err(fault),
        }
    }

    /// Takes an operation out of the schedule that cannot be read, so that it does not stand in
    /// the way of others.
    fn give_up(&mut self, entry: Entry, fault: &Fault) {
        tracing::error!(uid = %entry.uid(), ?fault, "a damaged operation is left alone");
        self.schedule.change(Some(entry), None);
    }

    pub(crate) fn update(&mut self, update: Update) -> Result<Result<Updated, Refusal>, Fault> {
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
        let answer = self.change(record, parts, update.command)?;
        Ok(answer.map(|(updated, _)| updated))
    }

    fn change(
        &mut self,
        mut record: OperationRecord,
        parts: Parts,
        command: Command,
    ) -> Result<Result<(Updated, Arc<OperationRecord>), Refusal>, Fault> {
        let before = Entry::of(&record);
        let (was_visible, state_before) = (record.is_visible(), record.state);
        let change = match record.apply(command, self.now) {
            Ok(change) => change,
            Err(refusal) => return Ok(Err(refusal)),
        };
        match change {
            Change::Nothing => {}
            Change::Lease => self.table.renew(&record)?,
            Change::Record if record.state.is_done() => self.table.finish(&record)?,
            Change::Record if record.is_visible() != was_visible => self.table.hide(&record)?,
            Change::Record => self.table.advance(&record, record.state != state_before)?,
            Change::Removed => self.table.remove(record.uid.as_bytes())?,
        }
        let removed = change == Change::Removed;
        let after = Entry::of(&record).filter(|_| !removed);
        self.schedule.change(before, after);
        if removed || change == Change::Record {
            let event = StoreEvent::of(state_before, &record, change);
            self.events.extend(event);
            self.tell_ready(&record);
        }
        let updated = Updated {
            change,
            state: record.state,
            revision: record.revision,
        };
        let record = Arc::new(record);
        match parts {
            _ if change == Change::Nothing => {}
            Parts::All if !removed => self.written.put(record.clone()),
            Parts::All | Parts::WithoutRequest => self.written.forget(record.name.clone()),
        }
        Ok(Ok((updated, record)))
    }

    /// Removes what has expired; gives room back to the file system where nobody waits for that.
    pub(crate) fn purge(&mut self, limit: usize, shrink: bool) -> Result<usize, Fault> {
        let expired = self.table.expired(self.now, limit)?;
        for (uid, name, state) in &expired {
            self.table.remove(uid)?;
            let state = u8::try_from(*state).ok();
            let name = name.parse::<OperationName>();
            if let Ok(name) = &name {
                self.written.forget(name.clone());
            }
            // A damaged row goes as well; nobody knew it by a name that is none.
            if let (Ok(uid), Ok(name), Some(state)) = (
                Uuid::from_slice(uid),
                name,
                state.and_then(OperationState::from_number),
            ) {
                self.events.push(StoreEvent::removed(uid, name, state));
            }
        }
        if shrink && !expired.is_empty() {
            self.table.shrink(FREE_PAGES_KEPT, FREED_PER_PURGE)?;
        }
        Ok(expired.len())
    }

    fn tell_ready(&mut self, record: &OperationRecord) {
        self.events.extend(StoreEvent::ready(record));
    }
}
