//! Records that were locked, and what commands make of them.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use lro_core::store::{
    AppliedSteps, Change, Child, ChildOf, Command, OperationRecord, Refusal, StepKey, StepRow,
    StepWrite, StoreEvent, Update, Updated,
};
use lro_core::{OperationName, Timestamp};
use tokio_postgres::Row;
use tokio_postgres::types::Type;
use uuid::Uuid;

use crate::error::Fault;
use crate::sql::batch::{
    Changed, Columns, Step, changed_records, forgotten_steps, removed_records, renewed_records,
    swept_steps, written_steps,
};
use crate::sql::database::Query;
use crate::sql::statement;
use crate::sql::step::decode_step;

type Answer = Result<Updated, Refusal>;

/// Records that were locked, and what commands make of them.
pub(crate) struct Work {
    now: Timestamp,
    pub(super) entries: Vec<Entry>,
    by_uid: HashMap<Uuid, usize>,
    by_name: HashMap<OperationName, usize>,
    /// The other rows, each with the reason why it stays unchanged.
    pub(super) left: Vec<(Uuid, String, Refusal)>,
    pub(crate) events: Vec<StoreEvent>,
    /// Updates of other operations that belong to what was applied.
    pub(crate) follow_ups: Vec<Update>,
}

pub(super) struct Entry {
    pub(super) record: OperationRecord,
    /// The most that a command has done to it.
    change: Change,
    /// Whether its metadata is another than the stored one.
    metadata: bool,
    /// Its steps, as far as they are known.
    stored: HashMap<StepKey, StepRow>,
    /// Those that are new or changed.
    written: HashSet<StepKey>,
    /// Those that are not any more.
    removed: HashSet<StepKey>,
    /// Whether the store removes some of earlier epochs.
    sweeps: bool,
    /// Those that cannot be read, each with the reason.
    corrupt: HashMap<StepKey, Arc<str>>,
}

impl Entry {
    /// The rows that were written.
    pub(super) fn written(&self) -> impl Iterator<Item = &StepRow> {
        self.written.iter().filter_map(|key| self.stored.get(key))
    }

    /// The same in the order of keys, so that no two statements deadlock.
    fn written_steps(&self) -> Vec<Step<'_>> {
        let (uid, epoch) = (self.record.uid, self.epoch());
        let mut steps: Vec<_> = self.written().map(|row| Step { uid, epoch, row }).collect();
        steps.sort_by(|a, b| a.row.key.cmp(&b.row.key));
        steps
    }

    fn epoch(&self) -> u32 {
        self.record.steps.as_deref().map_or(0, |steps| steps.epoch)
    }

    /// Takes over what a command has done to the steps, which were in this epoch before.
    fn take_steps(&mut self, epoch_before: u32, applied: AppliedSteps) {
        if self.epoch() != epoch_before {
            // Nothing of the new one is stored yet.
            self.stored.clear();
            self.written.clear();
            self.removed.clear();
        }
        self.sweeps |= applied.sweeps;
        for key in applied.removed {
            self.stored.remove(&key);
            self.written.remove(&key);
            self.removed.insert(key);
        }
        for row in applied.written {
            self.written.insert(row.key.clone());
            self.stored.insert(row.key.clone(), row);
        }
    }
}

impl Work {
    pub(crate) fn new(now: Timestamp) -> Self {
        Self {
            now,
            entries: Vec::new(),
            by_uid: HashMap::new(),
            by_name: HashMap::new(),
            left: Vec::new(),
            events: Vec::new(),
            follow_ups: Vec::new(),
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.now
    }

    /// Whether the operation is among those that can be changed.
    pub(super) fn has(&self, uid: Uuid) -> bool {
        self.by_uid.contains_key(&uid)
    }

    /// The child of a step.
    pub(super) fn child(&self, uid: Uuid, key: &StepKey) -> Option<&Child> {
        let entry = &self.entries[*self.by_uid.get(&uid)?];
        entry.stored.get(key)?.child.as_deref()
    }

    /// The epoch of an operation that can be changed.
    pub(super) fn epoch(&self, uid: Uuid) -> Option<u32> {
        Some(self.entries[*self.by_uid.get(&uid)?].epoch())
    }

    /// The keys of steps that the updates need to know, and that are not known.
    pub(super) fn unknown_step_keys(&self, updates: &[Update]) -> StepKeys {
        let mut keys = StepKeys::default();
        for update in updates {
            let entry = self.place(update).map(|at| &self.entries[at]);
            let Some((entry, steps)) = entry.and_then(|it| Some((it, it.record.steps.as_deref()?)))
            else {
                continue;
            };
            for key in update.step_keys() {
                if !entry.stored.contains_key(key) && !entry.removed.contains(key) {
                    keys.add(entry.record.uid, steps.epoch, key);
                }
            }
        }
        keys
    }

    /// A record as it is stored.
    pub(crate) fn add(&mut self, record: OperationRecord) {
        self.by_uid.insert(record.uid, self.entries.len());
        self.by_name.insert(record.name.clone(), self.entries.len());
        self.entries.push(Entry {
            record,
            change: Change::Nothing,
            metadata: false,
            stored: HashMap::new(),
            written: HashSet::new(),
            removed: HashSet::new(),
            sweeps: false,
            corrupt: HashMap::new(),
        });
    }

    /// The place of the operation of an update.
    fn place(&self, update: &Update) -> Option<usize> {
        let at = match update.uid {
            Some(uid) => self.by_uid.get(&uid),
            None => self.by_name.get(&update.name),
        };
        at.copied()
    }

    /// The keys of steps that the updates need to know, of operations that have some.
    pub(super) fn step_keys(&self, updates: &[&Update]) -> StepKeys {
        let mut keys = StepKeys::default();
        for update in updates.iter().filter(|update| update.uses_steps()) {
            let record = self.place(update).map(|at| &self.entries[at].record);
            let Some((uid, steps)) = record.and_then(|it| Some((it.uid, it.steps.as_deref()?)))
            else {
                continue;
            };
            for key in update.step_keys() {
                keys.add(uid, steps.epoch, key);
            }
        }
        keys
    }

    /// The operations, with their epochs, of which the updates need to know what callers gave.
    pub(super) fn needs_given_steps(&self, updates: &[&Update]) -> (Vec<Uuid>, Vec<i64>) {
        let updates = updates.iter().filter(|update| update.needs_given_steps());
        let entries = updates.filter_map(|update| Some(&self.entries[self.place(update)?]));
        let with_rows = entries.filter_map(|entry| {
            let steps = entry.record.steps.as_deref()?;
            (steps.rows > 0).then_some((entry.record.uid, i64::from(steps.epoch)))
        });
        with_rows.unzip()
    }

    /// Steps as they are stored. An operation with a corrupt one stays unchanged.
    pub(super) fn add_steps(&mut self, rows: &[Row]) -> Result<(), Fault> {
        for row in rows {
            let uid: Uuid = row.try_get("uid")?;
            let Some(entry) = self.by_uid.get(&uid).map(|at| &mut self.entries[*at]) else {
                continue;
            };
            match decode_step(row) {
                Ok(step) => {
                    entry.stored.insert(step.key.clone(), step);
                }
                Err(Fault::Row(message)) => {
                    let key: Option<StepKey> = row.try_get::<_, &str>(0)?.parse().ok();
                    entry.corrupt.extend(key.map(|key| (key, message.into())));
                }
                Err(fault) => return Err(fault),
            }
        }
        Ok(())
    }

    pub(super) fn update(&mut self, update: &Update) -> Answer {
        let at = self.place(update).ok_or_else(|| self.missing(update))?;
        let entry = &self.entries[at];
        if entry.record.name != update.name {
            return Err(Refusal::NotFound);
        }
        if !update.uses_steps() {
            return self.apply(at, update.command.clone(), Vec::new());
        }
        if let Some(message) = update.step_keys().find_map(|key| entry.corrupt.get(key)) {
            return Err(Refusal::Corrupt(message.clone()));
        }
        self.apply(at, update.command.clone(), update.steps.clone())
    }

    /// Why an operation is not among those that can be changed.
    fn missing(&self, update: &Update) -> Refusal {
        let mut left = self.left.iter();
        let it = left.find(|(uid, name, _)| {
            update.uid.is_none_or(|it| it == *uid) && name == update.name.as_str()
        });
        it.map_or(Refusal::NotFound, |(.., refusal)| refusal.clone())
    }

    pub(crate) fn apply_to(&mut self, uid: Uuid, command: Command) -> Answer {
        let at = *self.by_uid.get(&uid).ok_or(Refusal::NotFound)?;
        self.apply(at, command, Vec::new())
    }

    fn apply(&mut self, at: usize, command: Command, steps: Vec<StepWrite>) -> Answer {
        let entry = &mut self.entries[at];
        if entry.change == Change::Removed {
            return Err(Refusal::NotFound);
        }
        let before = entry.record.metadata.clone();
        let state_before = entry.record.state;
        let visible_before = entry.record.is_visible();
        let record = &mut entry.record;
        let epoch_before = record.steps.as_deref().map_or(0, |steps| steps.epoch);
        let applied = record.apply_with_steps(command, steps, &entry.stored, self.now)?;
        let change = applied.change;
        entry.metadata |= record.metadata != before;
        if change == Change::Removed || change == Change::Record {
            let removed = change == Change::Removed;
            self.events
                .extend(StoreEvent::of(state_before, record, change));
            self.events
                .extend(StoreEvent::ready(record).filter(|_| !removed));
        }
        entry.change = match (entry.change, change) {
            (before, Change::Nothing) => before,
            (Change::Record, Change::Lease) => Change::Record,
            (_, now) => now,
        };
        let updated = Updated::new(change, record);
        let ended = record.state.is_done() && !state_before.is_done();
        let hidden = visible_before && !record.is_visible();
        self.follow_ups
            .extend(record.tells_parent().filter(|_| ended || hidden));
        let cancels = applied
            .cancels
            .iter()
            .map(|child| Update::by_uid(child.name.clone(), child.uid, record.cancel_of_child()));
        self.follow_ups.extend(cancels);
        entry.take_steps(epoch_before, applied);
        Ok(updated)
    }

    /// The columns to write, one set for each statement.
    pub(crate) fn columns(&self) -> Vec<(&'static str, Columns)> {
        let with = |change| {
            let entries = self.entries.iter();
            entries.filter(move |entry: &&Entry| entry.change == change)
        };
        let mut written = Vec::new();
        let renewed: Vec<_> = with(Change::Lease).map(|entry| &entry.record).collect();
        if !renewed.is_empty() {
            written.push((statement::RENEW, renewed_records(&renewed)));
        }
        let changed: Vec<_> = with(Change::Record)
            .map(|entry| Changed {
                record: &entry.record,
                metadata: entry.metadata,
            })
            .collect();
        if !changed.is_empty() {
            written.push((statement::ADVANCE, changed_records(&changed)));
        }
        let swept = with(Change::Record).filter(|entry| entry.sweeps);
        let swept = swept.map(|entry| (entry.record.uid, entry.epoch()));
        let swept: Vec<_> = swept.collect();
        if !swept.is_empty() {
            written.push((statement::SWEEP_STEPS, swept_steps(&swept)));
        }
        let forgotten: Vec<_> = with(Change::Record)
            .flat_map(|entry| {
                let (uid, epoch) = (entry.record.uid, entry.epoch());
                entry.removed.iter().map(move |key| (uid, epoch, key))
            })
            .collect();
        if !forgotten.is_empty() {
            written.push((statement::FORGET_STEPS, forgotten_steps(&forgotten)));
        }
        let steps: Vec<_> = with(Change::Record)
            .flat_map(Entry::written_steps)
            .collect();
        if !steps.is_empty() {
            written.push((statement::PUT_STEPS, written_steps(&steps)));
        }
        let removed: Vec<_> = with(Change::Removed).map(|entry| &entry.record).collect();
        if !removed.is_empty() {
            written.push((statement::REMOVE, removed_records(&removed)));
        }
        written
    }
}

/// Keys of steps, as arrays.
#[derive(Default)]
pub(crate) struct StepKeys {
    uids: Vec<Uuid>,
    epochs: Vec<i64>,
    keys: Vec<String>,
}

impl StepKeys {
    /// The steps that start children, in these epochs of their operations, or the first ones.
    pub(super) fn of_parents(parents: &[&ChildOf], epoch: impl Fn(Uuid) -> Option<u32>) -> Self {
        let mut keys = Self::default();
        for child_of in parents {
            let epoch = epoch(child_of.uid).unwrap_or_default();
            keys.add(child_of.uid, epoch, &child_of.step.key);
        }
        keys
    }

    fn add(&mut self, uid: Uuid, epoch: u32, key: &StepKey) {
        self.uids.push(uid);
        self.epochs.push(epoch.into());
        self.keys.push(key.as_str().to_owned());
    }

    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// A statement that takes the keys as its parameters.
    pub(super) fn query(&self, sql: &'static str) -> Query<'_> {
        Query {
            sql,
            params: vec![
                (&self.uids, Type::UUID_ARRAY),
                (&self.epochs, Type::INT8_ARRAY),
                (&self.keys, Type::TEXT_ARRAY),
            ],
        }
    }
}
