//! Starts of operations, and of children together with their parents' steps.

use std::sync::Arc;

use lro_core::OperationName;
use lro_core::store::{
    ChildOf, ChildRefusal, NewOperation, OperationRecord, OperationState, Refusal, StartError,
    Started, StoreEvent, Update,
};
use uuid::Uuid;

use super::change::Decided;
use super::{Culprit, Failure, Transaction};
use crate::error::Fault;
use crate::schedule::Entry;

/// The operation that there is instead of a new one, or why there is none.
type Other = Result<Started, StartError>;

impl Transaction<'_> {
    pub(crate) fn start(
        &mut self,
        operation: NewOperation,
    ) -> Result<Result<Started, StartError>, Failure> {
        if let Some(child_of) = operation.child_of.clone() {
            return self.start_child(operation, *child_of);
        }
        let record = OperationRecord::started(operation, self.now);
        if !self.table.insert(&record)? {
            return match self.other(&record)? {
                Some(other) => Ok(other),
                None => Err(refused(&record).into()),
            };
        }
        Ok(Ok(self.started(record)))
    }

    fn started(&mut self, record: OperationRecord) -> Started {
        self.schedule.change(None, Entry::of(&record));
        self.events.extend(StoreEvent::ready(&record));
        if record.state != OperationState::Pending {
            self.written.put(Arc::new(record.clone()));
        }
        Started {
            record,
            existing: false,
        }
    }

    /// The reason for which an index refuses the record.
    fn other(&self, record: &OperationRecord) -> Result<Option<Other>, Fault> {
        if let Some(existing) = self.table.by_request_id(record)? {
            return Ok(Some(if existing.request_id == record.request_id {
                Ok(Started {
                    record: existing,
                    existing: true,
                })
            } else {
                Err(StartError::RequestIdReused(existing.name))
            }));
        }
        if self.table.has_name(&record.name)? {
            return Ok(Some(Err(StartError::AlreadyExists(record.name.clone()))));
        }
        if let Some(key) = &record.exclusive_key
            && !record.state.is_done()
            && let Some(holder) = self.table.name_by_exclusive_key(key)?
        {
            return Ok(Some(Err(StartError::ExclusiveKeyHeld(holder))));
        }
        let holder = self.table.name_by_uid(record.uid)?;
        Ok(holder.map(|holder| Err(StartError::AlreadyExists(holder))))
    }

    /// Stores a child with the step of its parent, or neither.
    fn start_child(
        &mut self,
        operation: NewOperation,
        child_of: ChildOf,
    ) -> Result<Result<Started, StartError>, Failure> {
        if let Some(existing) = self.child_of_step(&child_of)? {
            return Ok(Ok(existing));
        }
        let record = OperationRecord::started(operation, self.now);
        let existing = match self.other(&record)? {
            None => None,
            Some(Err(error)) => return Ok(Err(error)),
            Some(Ok(existing)) if existing.record.is_child_of(&child_of.parent_step()) => {
                Some(existing)
            }
            Some(Ok(stranger)) => {
                let refusal = ChildRefusal::NotItsChild(stranger.record.name);
                return Ok(Err(refusal.into()));
            }
        };
        let child = existing.as_ref().map_or(&record, |it| &it.record);
        let parent = match self.parent(&child_of.record(child))? {
            Ok(parent) => parent,
            Err(refusal) => return Ok(Err(ChildRefusal::Parent(refusal).into())),
        };
        self.table.several(|| {
            self.write(&parent)?;
            match existing.is_some() || self.table.insert(&record)? {
                true => Ok(()),
                false => Err(refused(&record)),
            }
        })?;
        self.note(parent);
        Ok(Ok(existing.unwrap_or_else(|| self.started(record))))
    }

    /// The child that the step has, if there is its record.
    fn child_of_step(&self, child_of: &ChildOf) -> Result<Option<Started>, Fault> {
        let Some(child) = self.uid_of_child(child_of)? else {
            return Ok(None);
        };
        let record = self.table.by_uid(child)?;
        Ok(record.map(|record| Started {
            record,
            existing: true,
        }))
    }

    fn uid_of_child(&self, child_of: &ChildOf) -> Result<Option<Uuid>, Fault> {
        let found = self.find(&child_of.operation, Some(child_of.uid));
        let row = found.and_then(|found| match found {
            Some((parent, _)) => self.table.step(&parent, &child_of.step.key),
            None => Ok(None),
        });
        match row {
            Ok(row) => Ok(row.and_then(|row| row.child).map(|child| child.uid)),
            // It refuses the child.
            Err(Fault::Row(_)) => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    /// Decides the step of a child in its parent.
    fn parent(&self, update: &Update) -> Result<Result<Decided, Refusal>, Failure> {
        if self.corrupt.contains(update) {
            return Ok(Err(corrupt(&update.name)));
        }
        match self.decide(update, &[]) {
            Err(Fault::Row(message)) => Ok(Err(Refusal::Corrupt(message))),
            Err(fault) => Err(Failure::of(fault, || Culprit::Update(update.clone()))),
            Ok(decided) => Ok(decided),
        }
    }
}

/// The refusal of an operation that cannot be written.
pub(crate) fn corrupt(name: &OperationName) -> Refusal {
    Refusal::Corrupt(format!("operation `{name}` is on a corrupt page").into())
}

fn refused(record: &OperationRecord) -> Fault {
    Fault::row(format!(
        "an index refuses operation `{}` without a reason",
        record.name
    ))
}
