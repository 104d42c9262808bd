//! What opening a store does about what an earlier process has left.

use lro_core::store::OperationState;
use lro_core::store::kit::MAX_GROUP_LEN;
use lro_core::{Clock, Timestamp};
use rusqlite::{Connection, Row};
use uuid::Uuid;

use crate::error::Fault;
use crate::hot::{Hot, Written};
use crate::schedule::{Entry, Schedule};
use crate::table::Table;
use crate::transaction::Transaction;

const UNFINISHED: &str = "SELECT uid, state, method, ready_time FROM operation \
     INDEXED BY operation_unfinished WHERE end_time IS NULL";

/// Fills the schedule, and takes back at once what was running: its process is gone, or the file
/// would be locked.
pub(crate) fn recover(connection: &Connection, clock: &dyn Clock) -> Result<Schedule, Fault> {
    let mut schedule = Schedule::default();
    let running = read_unfinished(connection, &mut schedule)?;
    for group in running.chunks(MAX_GROUP_LEN) {
        connection.execute_batch("BEGIN IMMEDIATE")?;
        let mut transaction = Transaction {
            table: Table(connection),
            // Nobody reads yet.
            hot: &Hot::default(),
            written: &mut Written::default(),
            schedule: &mut schedule,
            // Nobody listens yet.
            events: &mut Vec::new(),
            now: clock.now(),
        };
        for uid in group {
            transaction.rescue(*uid)?;
        }
        connection.execute_batch("COMMIT")?;
        schedule.commit();
    }
    if !running.is_empty() {
        tracing::info!(
            operations = running.len(),
            "took back what an earlier process was running"
        );
    }
    Ok(schedule)
}

/// Puts pending operations into the schedule; answers which are running.
fn read_unfinished(connection: &Connection, schedule: &mut Schedule) -> Result<Vec<Uuid>, Fault> {
    let mut running = Vec::new();
    let mut statement = connection.prepare(UNFINISHED)?;
    let mut rows = statement.query(())?;
    while let Some(row) = rows.next()? {
        match place(row) {
            Some((OperationState::Pending, entry @ Entry::Ready(..))) => {
                schedule.change(None, Some(entry));
            }
            Some((state, Entry::Ready(_, _, uid))) if state.is_running() => running.push(uid),
            _ => {
                let uid = row.get_ref(0)?;
                tracing::error!(?uid, "a damaged operation is left alone");
            }
        }
    }
    schedule.commit();
    Ok(running)
}

fn place(row: &Row<'_>) -> Option<(OperationState, Entry)> {
    let uid = Uuid::from_slice(row.get_ref(0).ok()?.as_blob().ok()?).ok()?;
    let state = OperationState::from_number(row.get(1).ok()?)?;
    let ready_time = Timestamp::from_micros(row.get(3).ok()?);
    Some((state, Entry::Ready(row.get(2).ok()?, ready_time, uid)))
}
