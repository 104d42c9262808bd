//! Ends of what this process runs: decided on what it has seen last, written where that holds still.

use std::sync::Arc;

use lro_core::Timestamp;
use lro_core::store::{
    Change, Command, OperationRecord, Refusal, StoreError, StoreEvent, Update, Updated,
};

use crate::error::Fault;
use crate::group::decided;
use crate::group::held::Held;
use crate::notify::events::Events;
use crate::sql::batch::ended_records;
use crate::sql::database::Database;
use crate::sql::statement;

/// An end that is decided, and not yet written.
pub(crate) struct End {
    /// Of its command among the others.
    pub(crate) place: usize,
    command: Command,
    before: OperationRecord,
    /// As if it had ended at the moment when it was last written.
    pub(crate) after: OperationRecord,
    /// Whether its metadata is another than before.
    pub(crate) metadata: bool,
}

impl End {
    /// The revision that the row must still have.
    pub(crate) fn revision_before(&self) -> u64 {
        self.before.revision
    }

    /// The record, when it is known when it ended.
    fn at(&self, time: Timestamp) -> OperationRecord {
        let mut record = self.before.clone();
        match time > self.after.update_time && record.apply(self.command.clone(), time).is_ok() {
            true => record,
            false => self.after.clone(),
        }
    }
}

/// Decides the ends among these commands, each the only one for its operation, that can be decided
/// without reading anything: those of operations that this process holds.
pub(crate) fn decide(
    held: &Held,
    alone: &[(usize, &Update)],
    clock: Option<Timestamp>,
) -> Vec<End> {
    let mut ends: Vec<End> = Vec::new();
    for (place, update) in alone {
        let (Command::Finish { .. }, Some(uid)) = (&update.command, update.uid) else {
            continue;
        };
        if update.uses_steps() {
            continue;
        }
        ends.extend(held.decide(uid, |known| {
            let before = Some(&known.record).filter(|before| before.name == update.name);
            decide_one(*place, &update.command, before?.clone(), clock)
        }));
    }
    // In the order in which every statement locks rows.
    ends.sort_by_key(|end| end.after.uid);
    ends
}

fn decide_one(
    place: usize,
    command: &Command,
    before: OperationRecord,
    clock: Option<Timestamp>,
) -> Option<End> {
    if before.parent_step.is_some() {
        // Its parent's step finishes with it.
        return None;
    }
    let mut after = before.clone();
    let time = clock.unwrap_or(before.update_time);
    let change = after.apply(command.clone(), time);
    // Everything else is for those who read first.
    let decided = change == Ok(Change::Record) && after.state.is_done();
    decided.then(|| End {
        place,
        command: command.clone(),
        metadata: after.metadata != before.metadata,
        before,
        after,
    })
}

type Answer = Result<Updated, Refusal>;

/// Writes them, and tells of it. Answers those whose rows were as they were taken to be, each with its
/// place.
pub(crate) async fn write(
    database: &Database,
    events: &Events,
    ends: &[End],
) -> Result<Vec<(usize, Result<Answer, StoreError>)>, Fault> {
    if ends.is_empty() {
        return Ok(Vec::new());
    }
    let expected: Vec<StoreEvent> = ends
        .iter()
        .map(|end| StoreEvent::changed(&end.after))
        .collect();
    let columns = ended_records(ends);
    let written = decided::write(database, events, statement::END, &columns, &expected).await?;
    let mut answers = Vec::new();
    let mut happened = Vec::new();
    for end in ends {
        let Some(time) = written.times.get(&end.after.uid) else {
            continue;
        };
        let place = end.place;
        let record = end.at(*time);
        let updated = Updated::new(Change::Record, &record);
        answers.push((place, Ok(Ok(updated))));
        let record = Arc::new(record);
        happened.push(StoreEvent::finished(record));
    }
    events.publish_unless_notified(&happened, written.told);
    Ok(answers)
}
