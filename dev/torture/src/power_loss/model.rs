//! The expected contents and answers of a store after each call: a map and the state machine.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use lro_core::Timestamp;
use lro_core::store::{
    Change, ChildOf, ChildRefusal, Claim, Command, History, NewOperation, OperationRecord,
    OperationState, Refusal, StartError, Started, StepKey, StepRow, StepWrite, Update, Updated,
};
use uuid::Uuid;

use super::rows::{Rows, row};
use super::steps::Steps;

/// A call of the store.
#[derive(Clone, Debug)]
pub(crate) enum Call {
    Start(Vec<NewOperation>),
    Claim(Claim),
    Update(Vec<Update>),
    Purge(usize),
}

/// The answer to a call.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Answer {
    Start(Vec<Result<Started, StartError>>),
    Claim(Vec<OperationRecord>),
    Update(Vec<Result<Updated, Refusal>>),
    Purge(usize),
}

impl Call {
    /// In which order the store serves what it finds queued together.
    pub(crate) fn lane(&self) -> u8 {
        match self {
            Self::Update(updates)
                if updates
                    .iter()
                    .all(|it| matches!(it.command, Command::Renew { .. } | Command::Cancel(_))) =>
            {
                0
            }
            Self::Purge(_) => 2,
            _ => 1,
        }
    }

    /// How many answers it has.
    pub(crate) fn weight(&self) -> u64 {
        match self {
            Self::Start(operations) => operations.len() as u64,
            Self::Update(updates) => updates.len() as u64,
            Self::Claim(_) | Self::Purge(_) => 1,
        }
    }
}

/// The records of a store.
#[derive(Clone, Debug, Default)]
pub(crate) struct Model {
    pub(crate) records: BTreeMap<Uuid, OperationRecord>,
    steps: Steps,
    rows: Rows,
    /// Running operations whose worker has lost another one since their leases were renewed.
    shared: BTreeSet<Uuid>,
}

impl Model {
    /// The expected table. Cheap: rows are shared.
    pub(crate) fn rows(&self) -> Rows {
        self.rows.clone()
    }

    /// Forgets what a file of the first version does not keep: losses, history and steps.
    pub(crate) fn forget_new_columns(&mut self) {
        for record in self.records.values_mut() {
            record.losses = 0;
            record.attempt_time = None;
            record.history = History::default();
            record.steps = None;
            record.parent_step = None;
        }
        self.steps = Steps::default();
        let rows = (self.records.values()).map(|record| {
            let uid = record.uid.into_bytes().to_vec();
            (uid, Arc::new(super::rows::row(record)))
        });
        self.rows = rows.collect();
    }

    /// The steps of an operation.
    pub(crate) fn steps_of(&self, record: &OperationRecord) -> impl Iterator<Item = &StepRow> {
        self.steps.of(record.uid, epoch(record))
    }

    /// How many steps there are, how many have started a child, and of how many of these the child has ended.
    pub(crate) fn count_steps(&self) -> [u64; 3] {
        self.steps.count()
    }

    /// Requeues running operations, as opening a store does.
    pub(crate) fn recover(&mut self, now: Timestamp) {
        self.shared.clear();
        let running: Vec<_> = self.uids(|record| record.state.is_running());
        let command = if running.len() > 1 {
            Command::ExpireShared
        } else {
            Command::Expire
        };
        for uid in running {
            let _ = self.apply_to(uid, command.clone(), now);
        }
    }

    pub(crate) fn apply(&mut self, call: &Call, now: Timestamp) -> Answer {
        match call {
            Call::Start(operations) => {
                let all = operations.iter().cloned();
                Answer::Start(all.map(|operation| self.start(operation, now)).collect())
            }
            Call::Claim(claim) => Answer::Claim(self.claim(claim, now)),
            Call::Update(updates) => {
                let all = updates.iter().cloned();
                Answer::Update(all.map(|update| self.update(update, now)).collect())
            }
            Call::Purge(limit) => Answer::Purge(self.purge(*limit, now)),
        }
    }

    fn start(&mut self, operation: NewOperation, now: Timestamp) -> Result<Started, StartError> {
        if let Some(existing) = self.existing(&operation, now)? {
            return Ok(existing);
        }
        let child_of = operation.child_of.clone();
        let record = OperationRecord::started(operation, now);
        if self.records.values().any(|other| other.name == record.name) {
            return Err(StartError::AlreadyExists(record.name));
        }
        let holder = self.records.values().find(|other| {
            !other.state.is_done()
                && !record.state.is_done()
                && other.exclusive_key.is_some()
                && other.exclusive_key == record.exclusive_key
        });
        if let Some(holder) = holder {
            return Err(StartError::ExclusiveKeyHeld(holder.name.clone()));
        }
        if let Some(child_of) = child_of {
            self.record_child(*child_of, &record, now)?;
        }
        self.put(record.clone());
        Ok(Started {
            record,
            existing: false,
        })
    }

    /// The operation that the start has made before, as its step or its request id tells.
    fn existing(
        &mut self,
        operation: &NewOperation,
        now: Timestamp,
    ) -> Result<Option<Started>, StartError> {
        let child_of = operation.child_of.as_deref();
        let started = child_of.and_then(|child_of| {
            let key = std::iter::once(&child_of.step.key);
            let rows = self.stored(child_of.uid, key, false);
            let child = rows.into_values().find_map(|row| row.child)?;
            self.records.get(&child.uid).cloned()
        });
        let record = match started {
            Some(record) => record,
            None => match self.with_request_id(operation)? {
                None => return Ok(None),
                Some(record) => {
                    if let Some(child_of) = child_of {
                        if !record.is_child_of(&child_of.parent_step()) {
                            return Err(ChildRefusal::NotItsChild(record.name).into());
                        }
                        self.record_child(child_of.clone(), &record, now)?;
                    }
                    record
                }
            },
        };
        Ok(Some(Started {
            record,
            existing: true,
        }))
    }

    fn with_request_id(
        &self,
        operation: &NewOperation,
    ) -> Result<Option<OperationRecord>, StartError> {
        let Some(request_id) = &operation.request_id else {
            return Ok(None);
        };
        let other = self.records.values().find(|other| {
            let id = other.request_id.as_ref().map(|it| &it.id);
            id == Some(&request_id.id)
                && other.method == operation.method
                && other.name.parent() == operation.name.parent()
        });
        match other {
            Some(other) if other.request_id.as_ref() != Some(request_id) => {
                Err(StartError::RequestIdReused(other.name.clone()))
            }
            other => Ok(other.cloned()),
        }
    }

    fn record_child(
        &mut self,
        child_of: ChildOf,
        child: &OperationRecord,
        now: Timestamp,
    ) -> Result<(), StartError> {
        let recorded = self.update(child_of.record(child), now);
        recorded.map_err(ChildRefusal::Parent)?;
        Ok(())
    }

    fn claim(&mut self, claim: &Claim, now: Timestamp) -> Vec<OperationRecord> {
        let over =
            |record: &OperationRecord| record.lease.as_ref().is_some_and(|it| it.expire_time < now);
        let held = |record: &OperationRecord| record.lease.as_ref().map(|lease| lease.worker);
        let holders: Vec<_> = self.records.values().filter_map(held).collect();
        for uid in self.uids(over) {
            let worker = held(&self.records[&uid]);
            let together = holders.iter().filter(|holder| Some(**holder) == worker);
            let command = if self.shared.contains(&uid) || together.count() > 1 {
                let others = self.uids(|record| held(record) == worker);
                self.shared.extend(others);
                Command::ExpireShared
            } else {
                Command::Expire
            };
            let _ = self.apply_to(uid, command, now);
        }
        let ready = self
            .records
            .values()
            .filter(|record| record.state == OperationState::Pending && record.ready_time <= now)
            .filter(|record| claim.methods.contains_key(&record.method))
            .map(|record| (record.losses == 0, record.ready_time, record.uid));
        let mut ready: Vec<_> = ready.collect();
        ready.sort_unstable();
        let tried = |(_, _, uid): &&(bool, Timestamp, Uuid)| self.records[uid].losses > 1;
        if let Some(tried) = ready.iter().find(tried).copied() {
            ready = vec![tried];
        }
        ready.truncate(claim.limit);
        let command = Command::Claim {
            worker: claim.worker,
            lease_duration: claim.lease_duration,
        };
        let claimed = ready.into_iter().filter_map(|(_, _, uid)| {
            self.apply_to(uid, command.clone(), now).ok()?;
            self.records.get(&uid).cloned()
        });
        claimed.collect()
    }

    fn update(&mut self, update: Update, now: Timestamp) -> Result<Updated, Refusal> {
        let record = self.records.values().find(|it| it.name == update.name);
        let uid = record.ok_or(Refusal::NotFound)?.uid;
        // A deleted operation that was cancelled may have left its name to another one.
        if update.uid.is_some_and(|meant| meant != uid) {
            return Err(Refusal::NotFound);
        }
        let stored = self.stored(uid, update.step_keys(), update.needs_given_steps());
        self.change(uid, update.command, (update.steps, &stored), now)
    }

    /// Those of the steps of these keys that there are.
    fn stored<'k>(
        &self,
        uid: Uuid,
        keys: impl Iterator<Item = &'k StepKey>,
        given: bool,
    ) -> HashMap<StepKey, StepRow> {
        let epoch = self.records.get(&uid).map_or(0, epoch);
        self.steps.get((uid, epoch), keys, given)
    }

    fn apply_to(
        &mut self,
        uid: Uuid,
        command: Command,
        now: Timestamp,
    ) -> Result<Updated, Refusal> {
        self.change(uid, command, (Vec::new(), &HashMap::new()), now)
    }

    fn purge(&mut self, limit: usize, now: Timestamp) -> usize {
        let mut over: Vec<_> = self
            .records
            .values()
            .filter_map(|record| Some((record.expire_time?, record.uid)))
            .filter(|(time, _)| *time <= now)
            .collect();
        over.sort_unstable();
        over.truncate(limit);
        for (_, uid) in &over {
            self.remove(*uid);
        }
        over.len()
    }

    fn change(
        &mut self,
        uid: Uuid,
        command: Command,
        (steps, stored): (Vec<StepWrite>, &HashMap<StepKey, StepRow>),
        now: Timestamp,
    ) -> Result<Updated, Refusal> {
        let mut record = self.records.get(&uid).cloned().ok_or(Refusal::NotFound)?;
        let lease = record.lease.clone();
        let applied = record.apply_with_steps(command, steps, stored, now)?;
        let change = applied.change;
        if record.lease != lease {
            self.shared.remove(&uid);
        }
        let updated = Updated::new(change, &record);
        if change == Change::Nothing {
            return Ok(updated);
        }
        let cancels = applied.cancels.clone();
        let cancel = record.cancel_of_child();
        let told = record.tells_parent().filter(|_| change != Change::Lease);
        match change {
            Change::Removed => self.remove(uid),
            _ => {
                let epoch = epoch(&record);
                self.steps.put(uid, epoch, applied, &mut self.rows);
                self.put(record);
            }
        }
        // The others of the family may have ended, or be removed by now.
        if let Some(told) = told {
            let _ = self.update(told, now);
        }
        for child in cancels {
            let _ = self.apply_to(child.uid, cancel.clone(), now);
        }
        Ok(updated)
    }

    fn put(&mut self, record: OperationRecord) {
        let uid = record.uid.as_bytes().to_vec();
        self.rows.insert(uid, Arc::new(row(&record)));
        self.records.insert(record.uid, record);
    }

    fn remove(&mut self, uid: Uuid) {
        self.rows.remove(&uid.as_bytes()[..]);
        self.records.remove(&uid);
        self.steps.remove(uid, &mut self.rows);
    }

    fn uids(&self, which: impl Fn(&OperationRecord) -> bool) -> Vec<Uuid> {
        let records = self.records.values().filter(|record| which(record));
        records.map(|record| record.uid).collect()
    }
}

fn epoch(record: &OperationRecord) -> u32 {
    record.steps.as_deref().map_or(0, |steps| steps.epoch)
}
