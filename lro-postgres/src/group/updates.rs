//! Commands: rows are locked, the state machine decides, what has changed is written. Ends and new
//! steps of what this process runs are decided first, and written where the rows are as they were
//! known.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::join3;
use lro_core::store::{Refusal, StoreError, StoreEvent, Update, Updated};
use tokio_postgres::types::Type;
use uuid::Uuid;

use crate::error::Fault;
use crate::group::call::{Serve, serve_all};
use crate::group::family::Wakes;
use crate::group::held::Held;
use crate::group::work::Work;
use crate::group::{decided, ends, family, recordings};
use crate::notify::events::Events;
use crate::sql::batch::Columns;
use crate::sql::database::{Access, Database, Query, clock};
use crate::sql::row::decode_head;
use crate::sql::statement;

/// Serves commands.
#[derive(Debug)]
pub(crate) struct Updates {
    pub(crate) database: Arc<Database>,
    pub(crate) events: Arc<Events>,
    pub(crate) held: Arc<Held>,
}

type Answer = Result<Updated, Refusal>;

impl Serve<Update, Answer> for Updates {
    async fn serve(&self, updates: &[Update]) -> Result<Vec<Result<Answer, StoreError>>, Fault> {
        let clock = self.database.clock.as_ref().map(|clock| clock.now());
        let alone = decided::alone(updates);
        let ends = ends::decide(&self.held, &alone, clock);
        let recordings = recordings::decide(&self.held, &alone, clock);
        let ending: Vec<usize> = ends.iter().map(|end| end.place).collect();
        let recording: Vec<usize> = recordings.iter().map(|it| it.place).collect();
        let decided: HashSet<usize> = ending.iter().chain(&recording).copied().collect();
        let others = (0..updates.len()).filter(|place| !decided.contains(place));
        let met_lock = AtomicBool::new(false);
        let (database, events) = (&*self.database, &*self.events);
        let (ended, recorded, others) = join3(
            ends::write(database, events, &ends),
            recordings::write(database, events, &self.held, recordings),
            self.by_lock(updates, others.collect(), &met_lock),
        )
        .await;
        let ended = answered(ended, &ending, &met_lock);
        let recorded = answered(recorded, &recording, &met_lock);
        let mut answers: Vec<_> = updates.iter().map(|_| None).collect();
        for (place, answer) in others.into_iter().chain(ended).chain(recorded) {
            answers[place] = Some(answer);
        }
        let missed = (0..updates.len()).filter(|place| answers[*place].is_none());
        for (place, answer) in self.by_lock(updates, missed.collect(), &met_lock).await {
            answers[place] = Some(answer);
        }
        Ok(answers.into_iter().flatten().collect())
    }
}

type Answers = Vec<(usize, Result<Answer, StoreError>)>;

/// The answers of those at the given places that were decided without a read. Those without an answer
/// take the way of all commands.
fn answered(written: Result<Answers, Fault>, places: &[usize], met_lock: &AtomicBool) -> Answers {
    match written {
        Ok(written) => written,
        // Whichever it is of, it shows by itself.
        Err(fault) if fault.is_of_one_element() => Vec::new(),
        Err(fault) if fault.is_locked() => {
            met_lock.store(true, Ordering::Relaxed);
            Vec::new()
        }
        Err(fault) => {
            let failed = places.iter().map(|place| (*place, Err(fault.to_error())));
            failed.collect()
        }
    }
}

/// The way of all commands, by locks.
struct ByLock<'u> {
    updates: &'u Updates,
    /// Whether waiting for a lock timed out: then the group waits for no other lock.
    met_lock: &'u AtomicBool,
}

impl Serve<&Update, Answer> for ByLock<'_> {
    async fn serve(&self, updates: &[&Update]) -> Result<Vec<Result<Answer, StoreError>>, Fault> {
        let mut answers = self.update(updates, true).await;
        if matches!((&answers, updates), (Err(fault), [_]) if fault.is_lasting()) {
            // Perhaps its parent or its child is at fault, which is not to hinder it.
            answers = self.update(updates, false).await;
        }
        match (answers, updates) {
            (Err(fault), [_]) if fault.is_lasting() => {
                let corrupt = Refusal::Corrupt(fault.to_error().to_string().into());
                Ok(vec![Ok(Err(corrupt))])
            }
            (answers, _) => Ok(answers?.into_iter().map(Ok).collect()),
        }
    }
}

impl ByLock<'_> {
    /// Applies what belongs to the updates in other operations too, or leaves that to claims.
    async fn update(&self, updates: &[&Update], follows: bool) -> Result<Vec<Answer>, Fault> {
        let Updates {
            database,
            events,
            held,
        } = self.updates;
        let mut attempts = database.attempts();
        let (answers, work) = loop {
            let may_wait = !self.met_lock.load(Ordering::Relaxed);
            let transaction = self.updates.update_once(updates, may_wait, follows);
            let result = database.in_time(transaction).await;
            if may_wait && matches!(&result, Err(fault) if fault.is_locked()) {
                self.met_lock.store(true, Ordering::Relaxed);
                continue;
            }
            if !attempts.again(&result).await {
                let missed = [StoreEvent::Missed];
                events.publish_in_doubt(&result, &missed);
                break result?;
            }
        };
        let answered = updates.iter().zip(&answers);
        let by_holders: HashSet<Uuid> = answered
            .filter(|(update, answer)| update.command.fence().is_some() && answer.is_ok())
            .filter_map(|(update, _)| update.uid)
            .collect();
        for entry in &work.entries {
            let by_holder = by_holders.contains(&entry.record.uid);
            held.follow(&entry.record, entry.written(), by_holder);
        }
        events.publish(&work.events);
        Ok(answers)
    }
}

impl Updates {
    /// Serves those at the given places. Answers each with its place.
    async fn by_lock(
        &self,
        updates: &[Update],
        places: Vec<usize>,
        met_lock: &AtomicBool,
    ) -> Vec<(usize, Result<Answer, StoreError>)> {
        if places.is_empty() {
            return Vec::new();
        }
        let meant: Vec<&Update> = places.iter().map(|place| &updates[*place]).collect();
        let by_lock = ByLock {
            updates: self,
            met_lock,
        };
        let answers = serve_all(&by_lock, &meant).await;
        places.into_iter().zip(answers).collect()
    }

    /// Waits for locks, at most the lock timeout, or leaves out what others have locked.
    async fn update_once(
        &self,
        updates: &[&Update],
        may_wait: bool,
        follows: bool,
    ) -> Result<(Vec<Answer>, Work), Fault> {
        let uids: Vec<Uuid> = updates.iter().filter_map(|update| update.uid).collect();
        let by_name = |update: &&&Update| !may_wait || update.uid.is_none();
        let names = updates.iter().filter(by_name);
        let names: Vec<&str> = names.map(|update| update.name.as_str()).collect();
        let query = |sql| Query {
            sql,
            params: vec![(&uids, Type::UUID_ARRAY), (&names, Type::TEXT_ARRAY)],
        };
        let mut steps = match may_wait {
            true if names.is_empty() => vec![Query {
                sql: statement::LOCK,
                params: vec![(&uids, Type::UUID_ARRAY)],
            }],
            true => vec![query(statement::LOCK_NAMED)],
            false => vec![query(statement::LOCK_FREE), query(statement::NAMES_BY_ID)],
        };
        steps.push(clock());
        let mut transaction = self.database.transaction(Access::Write).await?;
        let mut rows = transaction.run(&steps).await?;
        let mut work = Work::new(transaction.time(&rows.pop().unwrap_or_default())?);
        for row in &rows[0] {
            match decode_head(row) {
                Ok(record) => work.add(record),
                Err(Fault::Row(message)) => {
                    let corrupt = Refusal::Corrupt(message.into());
                    work.left.push((row.try_get(0)?, row.try_get(1)?, corrupt));
                }
                Err(fault) => return Err(fault),
            }
        }
        for row in rows.iter().skip(1).flatten() {
            let locked = Refusal::Locked;
            work.left.push((row.try_get(0)?, row.try_get(1)?, locked));
        }
        let known = work.step_keys(updates);
        let (given_to, epochs) = work.needs_given_steps(updates);
        let mut reads = Vec::new();
        if !known.is_empty() {
            reads.push(known.query(statement::STEPS_BY_KEY));
        }
        if !given_to.is_empty() {
            reads.push(Query {
                sql: statement::GIVEN_STEPS,
                params: vec![(&given_to, Type::UUID_ARRAY), (&epochs, Type::INT8_ARRAY)],
            });
        }
        if !reads.is_empty() {
            for rows in transaction.run(&reads).await? {
                work.add_steps(&rows)?;
            }
        }
        let answers = updates.iter().map(|update| work.update(update)).collect();
        let wakes = match follows {
            true => family::follow(&mut transaction, &mut work).await?,
            false => Wakes::of(&mut work),
        };
        let written = work.columns();
        let mut writes = queries(&written);
        writes.extend(wakes.query());
        transaction.run_and_commit(&writes).await?;
        work.events.extend(wakes.event());
        Ok((answers, work))
    }
}

pub(crate) fn queries<'w>(written: &'w [(&'static str, Columns)]) -> Vec<Query<'w>> {
    let written = written.iter();
    written.map(|(sql, columns)| columns.query(sql)).collect()
}
