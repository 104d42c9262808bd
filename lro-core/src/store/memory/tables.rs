mod steps;

use std::collections::{BTreeSet, HashMap};

use uuid::Uuid;

use crate::clock::Timestamp;
use crate::name::OperationName;
use crate::store::kit::{Leases, MAX_EXPIRED_PER_CLAIM, ReadyEntry, ReadyQueue};
use crate::store::{
    Backlog, Change, ChildOf, ChildRefusal, Claim, Claimed, Command, NewOperation, OperationRecord,
    OperationState, PageCursor, Refusal, StartError, Started, StepKey, StepRow, StepWrite,
    StoreEvent, Update, Updated,
};
use steps::Steps;

/// The records and what finds them.
#[derive(Default)]
pub(super) struct Tables {
    pub(super) records: HashMap<Uuid, OperationRecord>,
    pub(super) by_time: BTreeSet<PageCursor>,
    pub(super) names: HashMap<OperationName, Uuid>,
    request_ids: HashMap<RequestKey, Uuid>,
    exclusive_keys: HashMap<String, Uuid>,
    ready: ReadyQueue,
    leases: Leases,
    expiries: BTreeSet<(Timestamp, Uuid)>,
    pub(super) steps: Steps,
    pub(super) events: Vec<StoreEvent>,
}

/// Method, parent, id.
type RequestKey = (String, String, String);

impl Tables {
    pub(super) fn start(
        &mut self,
        operation: NewOperation,
        now: Timestamp,
    ) -> Result<Started, StartError> {
        if let Some(existing) = self.find_existing(&operation, now)? {
            return Ok(existing);
        }
        if self.names.contains_key(&operation.name) {
            return Err(StartError::AlreadyExists(operation.name));
        }
        let holder = operation
            .exclusive_key
            .as_ref()
            .filter(|_| operation.outcome.is_none())
            .and_then(|key| self.exclusive_keys.get(key))
            .and_then(|uid| self.records.get(uid));
        if let Some(holder) = holder {
            return Err(StartError::ExclusiveKeyHeld(holder.name.clone()));
        }
        if let Some(holder) = self.records.get(&operation.uid) {
            return Err(StartError::AlreadyExists(holder.name.clone()));
        }
        let child_of = operation.child_of.clone();
        let record = OperationRecord::started(operation, now);
        if let Some(child_of) = child_of {
            self.record_child(*child_of, &record, now)?;
        }
        self.names.insert(record.name.clone(), record.uid);
        if let Some(key) = request_key(&record) {
            self.request_ids.insert(key, record.uid);
        }
        self.index(&record);
        self.by_time.insert(PageCursor::behind(&record));
        self.records.insert(record.uid, record.clone());
        Ok(Started {
            record,
            existing: false,
        })
    }

    pub(super) fn backlog(&self, limit: usize, now: Timestamp) -> Vec<Backlog> {
        self.ready.backlog(limit, now)
    }

    pub(super) fn find(&self, name: &OperationName) -> Option<&OperationRecord> {
        self.records.get(self.names.get(name)?)
    }

    /// The operation that the start has created before, as its step or its request id tells.
    fn find_existing(
        &mut self,
        operation: &NewOperation,
        now: Timestamp,
    ) -> Result<Option<Started>, StartError> {
        let Some(child_of) = &operation.child_of else {
            return self.find_by_request_id(operation);
        };
        let epoch = self.epoch(child_of.uid);
        let row = self
            .steps
            .get(child_of.uid, epoch, std::iter::once(&child_of.step.key));
        let child = row.into_values().find_map(|row| row.child);
        if let Some(record) = child.and_then(|child| self.records.get(&child.uid)) {
            let record = record.clone();
            return Ok(Some(Started {
                record,
                existing: true,
            }));
        }
        let existing = self.find_by_request_id(operation)?;
        if let Some(existing) = &existing {
            if !existing.record.is_child_of(&child_of.parent_step()) {
                let name = existing.record.name.clone();
                return Err(ChildRefusal::NotItsChild(name).into());
            }
            self.record_child((**child_of).clone(), &existing.record, now)?;
        }
        Ok(existing)
    }

    /// Records a child as a step of its parent.
    fn record_child(
        &mut self,
        child_of: ChildOf,
        child: &OperationRecord,
        now: Timestamp,
    ) -> Result<(), StartError> {
        let update = child_of.record(child);
        let parent = self.find(&update.name).map(|parent| parent.uid);
        let recorded = match parent.filter(|uid| Some(*uid) == update.uid) {
            Some(parent) => self.update(parent, update, now),
            None => Err(Refusal::NotFound),
        };
        recorded.map_err(ChildRefusal::Parent)?;
        Ok(())
    }

    fn epoch(&self, uid: Uuid) -> u32 {
        let steps = self.records.get(&uid).and_then(|it| it.steps.as_deref());
        steps.map_or(0, |it| it.epoch)
    }

    fn find_by_request_id(&self, operation: &NewOperation) -> Result<Option<Started>, StartError> {
        let Some(request_id) = &operation.request_id else {
            return Ok(None);
        };
        let key = (
            operation.method.clone(),
            operation.name.parent().to_owned(),
            request_id.id.clone(),
        );
        let Some(record) = self
            .request_ids
            .get(&key)
            .and_then(|uid| self.records.get(uid))
        else {
            return Ok(None);
        };
        if record.request_id.as_ref() != Some(request_id) {
            return Err(StartError::RequestIdReused(record.name.clone()));
        }
        Ok(Some(Started {
            record: record.clone(),
            existing: true,
        }))
    }

    /// Expires leases, but those of operations that `is_held` names, then claims.
    pub(super) fn claim(
        &mut self,
        claim: &Claim,
        now: Timestamp,
        is_held: impl Fn(Uuid, u64) -> bool,
    ) -> Claimed {
        let records = &self.records;
        let is_held = |uid| {
            let record = records.get(&uid);
            record.is_some_and(|record| is_held(uid, record.fence))
        };
        let marked = &mut Vec::new();
        let limit = if claim.expires_leases {
            MAX_EXPIRED_PER_CLAIM
        } else {
            0
        };
        let expired = self.leases.expired(now, limit, is_held, marked);
        let over_count = expired.len();
        for (_, uid, command) in expired {
            // Refused only if the lease has ended already.
            let _ = self.apply(uid, command, now);
        }
        let mut operations = Vec::new();
        for ReadyEntry { uid, .. } in self.ready.ready(claim, now) {
            let command = Command::Claim {
                worker: claim.worker,
                lease_duration: claim.lease_duration,
            };
            if self.apply(uid, command, now).is_ok() {
                operations.extend(self.records.get(&uid).cloned());
            }
        }
        let more_are_over = over_count == MAX_EXPIRED_PER_CLAIM;
        let held = self.leases.first().is_some_and(|time| time < now);
        let next_lease = match (held, more_are_over) {
            (true, true) => Some(now),
            // The worker that holds it renews it, or lets go of it later.
            (true, false) => Some(now.saturating_add(claim.lease_duration / 3)),
            (false, _) => None,
        };
        let first_lease = next_lease.into_iter().chain(self.leases.first_from(now));
        let first_lease = first_lease.filter(|_| claim.expires_leases);
        let next_ready = self.ready.next_time(claim);
        let next_time = next_ready.into_iter().chain(first_lease).min();
        Claimed {
            operations,
            next_in: next_time.map(|time| time.since(now)),
            suspects_wait: self.ready.suspects_wait(claim),
        }
    }

    /// Applies a command with its steps.
    pub(super) fn update(
        &mut self,
        uid: Uuid,
        update: Update,
        now: Timestamp,
    ) -> Result<Updated, Refusal> {
        let epoch = self.epoch(uid);
        let mut stored = self.steps.get(uid, epoch, update.step_keys());
        if update.needs_given_steps() {
            stored.extend(self.steps.given(uid, epoch));
        }
        self.change(uid, update.command, (update.steps, &stored), now)
    }

    fn apply(&mut self, uid: Uuid, command: Command, now: Timestamp) -> Result<Updated, Refusal> {
        self.change(uid, command, (Vec::new(), &HashMap::new()), now)
    }

    fn change(
        &mut self,
        uid: Uuid,
        command: Command,
        (steps, stored): (Vec<StepWrite>, &HashMap<StepKey, StepRow>),
        now: Timestamp,
    ) -> Result<Updated, Refusal> {
        let mut record = self.records.get(&uid).ok_or(Refusal::NotFound)?.clone();
        let before = record.state;
        let applied = record.apply_with_steps(command, steps, stored, now)?;
        let change = applied.change;
        let updated = Updated::new(change, &record);
        if change == Change::Nothing {
            return Ok(updated);
        }
        let cancels = applied.cancels.clone();
        let cancel = record.cancel_of_child();
        let told = record.tells_parent().filter(|_| change != Change::Lease);
        let lease_before = self.records.get(&uid).and_then(|it| it.lease.clone());
        let shared = self.unindex(uid);
        self.events.extend(StoreEvent::of(before, &record, change));
        if change == Change::Removed {
            self.remove(uid);
        } else {
            let epoch = record.steps.as_deref().map_or(0, |it| it.epoch);
            self.steps.put(uid, epoch, applied);
            self.index(&record);
            if let Some(lease) = record.lease.as_ref().filter(|_| shared)
                && record.lease == lease_before
            {
                self.leases.set_shared(uid, lease.expire_time, true);
            }
            self.records.insert(uid, record);
        }
        if let Some(update) = told {
            let parent = update.uid.unwrap_or_default();
            // The parent may be removed by now.
            let _ = self.update(parent, update, now);
        }
        for child in cancels {
            // It may have ended, and may be removed by now.
            let _ = self.apply(child.uid, cancel.clone(), now);
        }
        Ok(updated)
    }

    pub(super) fn purge(&mut self, limit: usize, now: Timestamp) -> usize {
        let expired: Vec<_> = self
            .expiries
            .range(..=(now, Uuid::max()))
            .take(limit)
            .map(|(_, uid)| *uid)
            .collect();
        for uid in &expired {
            self.unindex(*uid);
            if let Some(record) = self.remove(*uid) {
                let event = StoreEvent::removed(record.uid, record.name, record.state);
                self.events.push(event);
            }
        }
        expired.len()
    }

    fn index(&mut self, record: &OperationRecord) {
        let uid = record.uid;
        if record.state == OperationState::Pending {
            self.ready.insert(&ReadyEntry::of(record));
            self.events.extend(StoreEvent::ready(record));
        }
        if let Some(lease) = &record.lease {
            self.leases.insert(uid, lease);
        }
        if let Some(time) = record.expire_time {
            self.expiries.insert((time, uid));
        }
        if let Some(key) = record
            .exclusive_key
            .as_ref()
            .filter(|_| !record.state.is_done())
        {
            self.exclusive_keys.insert(key.clone(), uid);
        }
    }

    /// Answers whether the lease was marked as shared.
    fn unindex(&mut self, uid: Uuid) -> bool {
        let Some(record) = self.records.get(&uid) else {
            return false;
        };
        if record.state == OperationState::Pending {
            self.ready.remove(&ReadyEntry::of(record));
        }
        let lease = record.lease.as_ref();
        let shared = lease.is_some_and(|lease| self.leases.remove(uid, lease));
        if let Some(time) = record.expire_time {
            self.expiries.remove(&(time, uid));
        }
        if let Some(key) = record
            .exclusive_key
            .as_ref()
            .filter(|_| !record.state.is_done())
        {
            self.exclusive_keys.remove(key);
        }
        shared
    }

    fn remove(&mut self, uid: Uuid) -> Option<OperationRecord> {
        let record = self.records.remove(&uid)?;
        self.by_time.remove(&PageCursor::behind(&record));
        self.names.remove(&record.name);
        if record.steps.is_some() {
            self.steps.remove(uid);
        }
        if let Some(key) = request_key(&record) {
            self.request_ids.remove(&key);
        }
        Some(record)
    }
}

fn request_key(record: &OperationRecord) -> Option<RequestKey> {
    let request_id = record.request_id.as_ref()?;
    Some((
        record.method.clone(),
        record.name.parent().to_owned(),
        request_id.id.clone(),
    ))
}
