//! Recovery when a store is opened: requeues the operations of an earlier process.

use std::collections::BTreeSet;

use lro_core::store::kit::MAX_GROUP_LEN;
use lro_core::store::{Command, OperationState};
use lro_core::{Clock, OperationName};
use rusqlite::{Connection, Row};
use uuid::Uuid;

use crate::corrupt::Corrupt;
use crate::error::Fault;
use crate::hot::{Hot, Written};
use crate::schedule::{Entry, Schedule};
use crate::statement;
use crate::table::Table;
use crate::timers::{entry, look_ahead};
use crate::transaction::{Culprit, Failure, Transaction};
use crate::writer::Observers;

/// How many operations on corrupt pages are left alone before the file is not opened.
const CORRUPT_MAX: usize = 64;

/// Fills the schedule and requeues the running operations at once: their process has ended, or the
/// file would be locked. Reads no far operation that is behind the horizon.
pub(crate) fn recover(connection: &Connection, clock: &dyn Clock) -> Result<Schedule, Fault> {
    let mut schedule = Schedule::default();
    let running = read_unfinished(connection, &mut schedule)?;
    // One process held all of them: which of them it died of is not known. It dies of no watch.
    let suspects = running.iter().filter(|(_, is_watch)| !is_watch).count();
    let running: Vec<_> = running.into_iter().map(|(uid, _)| uid).collect();
    let command = if suspects > 1 {
        Command::ExpireShared
    } else {
        Command::Expire
    };
    let mut corrupt = (BTreeSet::new(), Corrupt::default());
    for group in running.chunks(MAX_GROUP_LEN) {
        while let Err((uid, failure)) = rescue(
            connection,
            clock,
            &mut schedule,
            (group, &command),
            &corrupt,
        ) {
            schedule.roll_back();
            if !connection.is_autocommit() {
                connection.execute_batch("ROLLBACK")?;
            }
            let fault = failure.fault;
            let is_known = match failure.culprit.as_deref() {
                Some(Culprit::Update(update)) => corrupt.1.insert(update),
                _ => uid.is_some_and(|uid| corrupt.0.len() < CORRUPT_MAX && corrupt.0.insert(uid)),
            };
            if !is_known {
                return Err(fault);
            }
            let culprit = failure.culprit;
            tracing::error!(
                ?uid,
                ?culprit,
                ?fault,
                "skipping an operation on a corrupt page"
            );
        }
        schedule.commit();
    }
    look_ahead(connection, &mut schedule, clock.now())?;
    if !running.is_empty() {
        tracing::info!(
            operations = running.len(),
            "requeued the operations of an earlier process"
        );
    }
    Ok(schedule)
}

/// Takes a group back, but for those on corrupt pages. An error names the operation that has met
/// one.
fn rescue(
    connection: &Connection,
    clock: &dyn Clock,
    schedule: &mut Schedule,
    (group, command): (&[Uuid], &Command),
    (corrupt, updates): &(BTreeSet<Uuid>, Corrupt),
) -> Result<(), (Option<Uuid>, Failure)> {
    let execute = |sql| {
        let executed = connection.execute_batch(sql);
        executed.map_err(|error| (None, Fault::from(error).into()))
    };
    execute("BEGIN IMMEDIATE")?;
    let mut transaction = Transaction {
        table: Table(connection),
        // No reader has begun yet, and no observer.
        hot: &Hot::default(),
        written: &mut Written::default(),
        schedule,
        observers: &Observers::default(),
        events: &mut Vec::new(),
        corrupt: updates,
        now: clock.now(),
    };
    for uid in group.iter().filter(|uid| !corrupt.contains(uid)) {
        let rescued = transaction.rescue(*uid, command.clone());
        rescued.map_err(|failure| (failure.fault.is_corrupt().then_some(*uid), failure))?;
    }
    execute("COMMIT")
}

/// Puts pending operations that are not far into the schedule; returns the running ones, each with
/// whether it is a watch.
fn read_unfinished(
    connection: &Connection,
    schedule: &mut Schedule,
) -> Result<Vec<(Uuid, bool)>, Fault> {
    let mut running = Vec::new();
    match read_at_once(connection, schedule, &mut running) {
        Err(fault) if fault.is_corrupt() => {
            tracing::error!(
                ?fault,
                "a page is corrupt; unfinished operations are read one by one"
            );
            schedule.roll_back();
            running.clear();
            read_one_by_one(connection, schedule, &mut running)?;
        }
        read => read?,
    }
    schedule.commit();
    Ok(running)
}

fn read_at_once(
    connection: &Connection,
    schedule: &mut Schedule,
    running: &mut Vec<(Uuid, bool)>,
) -> Result<(), Fault> {
    let mut statement = connection.prepare(statement::UNFINISHED)?;
    let mut rows = statement.query(())?;
    while let Some(row) = rows.next()? {
        schedule_row(row, schedule, running)?;
    }
    Ok(())
}

/// Reads the index alone, then each row, and skips those on corrupt pages.
fn read_one_by_one(
    connection: &Connection,
    schedule: &mut Schedule,
    running: &mut Vec<(Uuid, bool)>,
) -> Result<(), Fault> {
    let mut statement = connection.prepare(statement::UNFINISHED_UIDS)?;
    let uids = statement.query_map((), |row| row.get::<_, Vec<u8>>(0))?;
    let uids: Vec<_> = uids.collect::<Result<_, _>>()?;
    let mut statement = connection.prepare(statement::UNFINISHED_ROW)?;
    for uid in uids {
        let read = statement.query_row([&uid], |row| Ok(schedule_row(row, schedule, running)));
        match read.map_err(Fault::from).and_then(|scheduled| scheduled) {
            Err(fault) if fault.is_corrupt() => {
                tracing::error!(?uid, ?fault, "skipping an operation on a corrupt page");
            }
            read => read?,
        }
    }
    Ok(())
}

fn schedule_row(
    row: &Row<'_>,
    schedule: &mut Schedule,
    running: &mut Vec<(Uuid, bool)>,
) -> Result<(), Fault> {
    let state = row.get(1).ok().and_then(OperationState::from_number);
    match state.zip(entry(row)) {
        Some((OperationState::Pending, entry)) => schedule.change(None, Some(Entry::Ready(entry))),
        Some((state, entry)) if state.is_running() => {
            let is_watch = entry.method.starts_with(OperationName::WATCH_METHODS);
            running.push((entry.uid, is_watch));
        }
        _ => {
            let uid = row.get_ref(0)?;
            tracing::error!(?uid, "skipping a corrupt operation");
        }
    }
    Ok(())
}
