//! Steps of what this process runs: decided on what it has seen last, written where that holds still
//! and the steps are new.

use std::collections::HashMap;

use lro_core::Timestamp;
use lro_core::store::{
    AppliedSteps, Change, Command, OperationRecord, Refusal, StepRow, StepWrite, StoreError,
    StoreEvent, Update, Updated,
};

use crate::error::Fault;
use crate::group::decided;
use crate::group::held::{Held, Known};
use crate::notify::events::Events;
use crate::sql::batch::recorded_steps;
use crate::sql::database::Database;
use crate::sql::statement;

/// A [`Command::Record`] that is decided, and not yet written.
pub(crate) struct Recording<'u> {
    /// Of its command among the others.
    pub(crate) place: usize,
    before: Known,
    /// As if it had been written at the moment when it was last written.
    pub(crate) after: OperationRecord,
    /// Whether its metadata is another than before.
    pub(crate) metadata: bool,
    /// The new rows, each with its write, in the order of keys.
    pub(crate) rows: Vec<(StepRow, &'u StepWrite)>,
}

impl Recording<'_> {
    /// The record that the row must still have.
    pub(crate) fn before(&self) -> &OperationRecord {
        &self.before.record
    }
}

/// Decides the commands among these, each the only one for its operation, that only record new steps
/// of operations that this process holds.
pub(crate) fn decide<'u>(
    held: &Held,
    alone: &[(usize, &'u Update)],
    clock: Option<Timestamp>,
) -> Vec<Recording<'u>> {
    let mut recordings: Vec<Recording<'_>> = Vec::new();
    for (place, update) in alone {
        if let (Command::Record { .. }, Some(uid)) = (&update.command, update.uid) {
            let decision = held.decide(uid, |known| decide_one(*place, update, known, clock));
            recordings.extend(decision);
        }
    }
    // In the order in which every statement locks rows.
    recordings.sort_by_key(|recording| recording.after.uid);
    recordings
}

fn decide_one<'u>(
    place: usize,
    update: &'u Update,
    known: &Known,
    clock: Option<Timestamp>,
) -> Option<Recording<'u>> {
    let before = &known.record;
    if before.name != update.name || update.step_keys().any(|key| known.has_row(key)) {
        return None;
    }
    let mut after = before.clone();
    let time = clock.unwrap_or(before.update_time);
    let (command, steps) = (update.command.clone(), update.steps.clone());
    let applied = after.apply_with_steps(command, steps, &HashMap::new(), time);
    // Everything else is for those who read first.
    let applied = applied.ok().filter(only_new_rows)?;
    let mut writes: Vec<&StepWrite> = update.steps.iter().collect();
    writes.sort_by(|a, b| a.key.cmp(&b.key));
    let mut rows = applied.written;
    rows.sort_by(|a, b| a.key.cmp(&b.key));
    // Otherwise a key repeats.
    (rows.len() == writes.len()).then(|| Recording {
        place,
        before: known.clone(),
        metadata: after.metadata != before.metadata,
        after,
        rows: rows.into_iter().zip(writes).collect(),
    })
}

/// Whether it writes only the record and rows without children.
fn only_new_rows(applied: &AppliedSteps) -> bool {
    let with_child = |row: &StepRow| row.child.is_some();
    applied.change == Change::Record
        && applied.removed.is_empty()
        && applied.cancels.is_empty()
        && !applied.sweeps
        && !applied.written.iter().any(with_child)
}

type Answer = Result<Updated, Refusal>;

/// Writes them, and publishes that. Answers those whose records were as they were taken to be and whose
/// steps were new, each with its place.
pub(crate) async fn write(
    database: &Database,
    events: &Events,
    held: &Held,
    recordings: Vec<Recording<'_>>,
) -> Result<Vec<(usize, Result<Answer, StoreError>)>, Fault> {
    if recordings.is_empty() {
        return Ok(Vec::new());
    }
    let expected: Vec<StoreEvent> = recordings
        .iter()
        .map(|recording| StoreEvent::changed(&recording.after))
        .collect();
    let columns = recorded_steps(&recordings);
    let written = decided::write(database, events, statement::RECORD, &columns, &expected).await?;
    let mut answers = Vec::new();
    let mut happened = Vec::new();
    for recording in recordings {
        let mut record = recording.after;
        let Some(time) = written.times.get(&record.uid) else {
            continue;
        };
        // All that depends on the time, beside the rows.
        record.update_time = *time;
        let updated = Updated::new(Change::Record, &record);
        answers.push((recording.place, Ok(Ok(updated))));
        happened.push(StoreEvent::changed(&record));
        let rows = recording.rows.iter().map(|(row, _)| row);
        held.put(recording.before.written(record, rows));
    }
    events.publish_unless_notified(&happened, written.told);
    Ok(answers)
}
