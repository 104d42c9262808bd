//! Changes of records: decided first, then written, then noted.

use std::collections::VecDeque;
use std::sync::Arc;

use lro_core::store::{
    AppliedSteps, Change, Command, OperationRecord, OperationState, Refusal, StoreEvent, Update,
    Updated,
};
use lro_core::{OperationName, Timestamp};
use uuid::Uuid;

use super::{Culprit, Failure, Transaction};
use crate::error::Fault;
use crate::schedule::Entry;
use crate::steps::is_step_alone;

/// The parts of a record that were read before a change.
#[derive(Clone, Copy, Debug)]
pub(super) enum Parts {
    All,
    WithoutRequest,
}

/// The parts of a record before a change that its note needs.
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

/// A change that is decided.
pub(super) struct Decided {
    record: OperationRecord,
    parts: Parts,
    before: Before,
    applied: AppliedSteps,
    /// Whether the command concerns steps, and how: see [`is_step_alone`].
    step_alone: Option<bool>,
}

impl Decided {
    /// The updates of other operations that belong to it: of the parent of a child that has ended or was deleted, and of
    /// children that it cancels.
    fn follow_ups(&self) -> Vec<Update> {
        let record = &self.record;
        let ended = record.state.is_done() && !self.before.state.is_done();
        let hidden = self.before.visible && !record.is_visible();
        let told = record.tells_parent().filter(|_| ended || hidden);
        let cancels =
            self.applied.cancels.iter().map(|child| {
                Update::by_uid(child.name.clone(), child.uid, record.cancel_of_child())
            });
        told.into_iter().chain(cancels).collect()
    }

    fn is_alone(&self) -> bool {
        self.record.parent_step.is_none() && self.applied.cancels.is_empty()
    }
}

/// The answer to a change, and the record that it left.
pub(super) type Changed = (Updated, Arc<OperationRecord>);

impl Transaction<'_> {
    pub(crate) fn update(&mut self, update: &Update) -> Result<Result<Updated, Refusal>, Failure> {
        match self.decide(update, &[])? {
            Ok(decided) => Ok(Ok(self.settle(decided)?.0)),
            Err(refusal) => Ok(Err(refusal)),
        }
    }

    pub(super) fn change(
        &mut self,
        record: OperationRecord,
        parts: Parts,
        command: Command,
    ) -> Result<Result<Changed, Refusal>, Failure> {
        match decide_alone(record, parts, command, self.now) {
            Ok(decided) => Ok(Ok(self.settle(decided)?)),
            Err(refusal) => Ok(Err(refusal)),
        }
    }

    /// The record of an update, and the parts that were read.
    pub(super) fn find(
        &self,
        name: &OperationName,
        uid: Option<Uuid>,
    ) -> Result<Option<(OperationRecord, Parts)>, Fault> {
        let (found, parts) = match (self.written.get(name, self.hot), uid) {
            // Whatever has the uid now, it is not the one that has the name.
            (Some(known), Some(uid)) if known.uid != uid => return Ok(None),
            (Some(known), _) => (Some(OperationRecord::clone(&known)), Parts::All),
            (None, Some(uid)) => (self.table.to_change_by_uid(uid)?, Parts::WithoutRequest),
            (None, None) => (self.table.to_change(name)?, Parts::WithoutRequest),
        };
        let found = found.filter(|record| record.name == *name);
        Ok(found.map(|record| (record, parts)))
    }

    /// Decides an update of a record, which may be one that was written and is not yet noted.
    pub(super) fn decide(
        &self,
        update: &Update,
        written: &[Decided],
    ) -> Result<Result<Decided, Refusal>, Fault> {
        let is_its = |it: &&Decided| Some(it.record.uid) == update.uid;
        let found = match written.iter().rev().find(is_its) {
            Some(it) if it.applied.change == Change::Removed => None,
            Some(it) => Some((it.record.clone(), it.parts)),
            None => self.find(&update.name, update.uid)?,
        };
        let Some((mut record, parts)) = found else {
            return Ok(Err(Refusal::NotFound));
        };
        // Cloned, because a full disk makes the writer apply it once more.
        let command = update.command.clone();
        if !update.uses_steps() {
            return Ok(decide_alone(record, parts, command, self.now));
        }
        let before = Before::of(&record);
        let stored = self.table.steps_of(&record, update)?;
        let applied = record.apply_with_steps(command, update.steps.clone(), &stored, self.now);
        Ok(applied.map(|applied| Decided {
            record,
            parts,
            before,
            applied,
            step_alone: Some(is_step_alone(&update.command)),
        }))
    }

    /// Writes and notes a change, with what it means for other operations.
    fn settle(&mut self, decided: Decided) -> Result<Changed, Failure> {
        if decided.is_alone() {
            self.write(&decided)?;
            return Ok(self.note(decided));
        }
        let mut written = Vec::new();
        let mut culprit = None;
        let all = self.table.several(|| {
            let mut follow_ups = VecDeque::from(decided.follow_ups());
            self.write(&decided)?;
            written.push(decided);
            while let Some(update) = follow_ups.pop_front() {
                let followed = self.follow(&update, &written);
                let followed = followed.inspect_err(|_| culprit = Some(update))?;
                if let Some(followed) = followed {
                    follow_ups.extend(followed.follow_ups());
                    written.push(followed);
                }
            }
            Ok(())
        });
        if let Err(fault) = all {
            return Err(match culprit {
                Some(update) => Failure::of(fault, || Culprit::Update(update)),
                None => fault.into(),
            });
        }
        let mut noted = written.into_iter().map(|decided| self.note(decided));
        let first = noted.next();
        noted.for_each(drop);
        first.ok_or_else(|| Fault::row("a change was not written").into())
    }

    /// Decides and writes what a change means for another operation. A corrupt one does not hinder the change.
    fn follow(&self, update: &Update, written: &[Decided]) -> Result<Option<Decided>, Fault> {
        if self.corrupt.contains(update) {
            tracing::error!(name = %update.name, "a corrupt operation does not learn of its family");
            return Ok(None);
        }
        match self.decide(update, written) {
            Ok(Ok(decided)) => {
                self.write(&decided)?;
                Ok(Some(decided))
            }
            // It may be removed by now.
            Ok(Err(_)) => Ok(None),
            Err(fault @ Fault::Row(_)) => {
                let name = &update.name;
                tracing::error!(%name, ?fault, "a corrupt operation does not learn of its family");
                Ok(None)
            }
            Err(fault) => Err(fault),
        }
    }

    /// Writes a change that is decided, as a whole or not at all.
    pub(super) fn write(&self, decided: &Decided) -> Result<(), Fault> {
        let (record, before) = (&decided.record, &decided.before);
        let table = &self.table;
        let change = decided.applied.change;
        let write_record = || match change {
            Change::Nothing => Ok(()),
            Change::Lease => table.renew(record),
            Change::Record if record.state.is_done() => table.finish(record),
            Change::Record if record.is_visible() != before.visible => table.hide(record),
            Change::Record if record.state != before.state => table.advance(record, true),
            Change::Record if decided.step_alone == Some(true) => table.record_steps(record),
            Change::Record => table.advance(record, false),
            Change::Removed => table.remove(record.uid.as_bytes()),
        };
        if decided.step_alone.is_none() || matches!(change, Change::Nothing | Change::Removed) {
            return write_record();
        }
        table.several(|| {
            write_record()?;
            let epoch = record.steps.as_deref().map_or(0, |steps| steps.epoch);
            table.write_steps(record.uid, epoch, &decided.applied)
        })
    }

    /// Notes a change that was written.
    pub(super) fn note(&mut self, decided: Decided) -> Changed {
        let Decided {
            record,
            parts,
            before,
            applied,
            ..
        } = decided;
        let change = applied.change;
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

/// Decides a command without steps.
fn decide_alone(
    mut record: OperationRecord,
    parts: Parts,
    command: Command,
    now: Timestamp,
) -> Result<Decided, Refusal> {
    let before = Before::of(&record);
    let change = record.apply(command, now)?;
    Ok(Decided {
        record,
        parts,
        before,
        applied: change.into(),
        step_alone: None,
    })
}
