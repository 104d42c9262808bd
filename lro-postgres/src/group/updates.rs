//! Commands: rows are locked, the state machine decides, what has changed is written. Ends of what
//! this process runs are decided first, and written where the rows are as they were known.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::join;
use lro_core::store::{
    Change, Command, OperationRecord, Refusal, StoreError, StoreEvent, Update, Updated,
};
use lro_core::{OperationName, Timestamp};
use tokio_postgres::types::Type;
use uuid::Uuid;

use crate::error::Fault;
use crate::group::call::{Serve, serve_all};
use crate::group::ends::{decide, write};
use crate::group::held::Held;
use crate::notify::events::Events;
use crate::sql::batch::{Changed, Columns, changed_records, removed_records, renewed_records};
use crate::sql::database::{Access, Database, Query, clock};
use crate::sql::row::decode_head;
use crate::sql::statement;
use crate::store::PostgresStore;

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
        let ends = decide(&self.held, updates, clock);
        let mut answers: Vec<_> = updates.iter().map(|_| None).collect();
        let ending: HashSet<usize> = ends.iter().map(|end| end.place).collect();
        let others = (0..updates.len()).filter(|place| !ending.contains(place));
        let met_lock = AtomicBool::new(false);
        let (written, others) = join(
            write(&self.database, &self.events, &ends),
            self.by_lock(updates, others.collect(), &met_lock),
        )
        .await;
        let written = match written {
            Ok(written) => written,
            // Whichever it is of, it shows below.
            Err(fault) if fault.is_of_one_element() => Vec::new(),
            Err(fault) if fault.is_locked() => {
                met_lock.store(true, Ordering::Relaxed);
                Vec::new()
            }
            Err(fault) => {
                let failed = ending.iter().map(|place| (*place, Err(fault.to_error())));
                failed.collect()
            }
        };
        for (place, answer) in others.into_iter().chain(written) {
            answers[place] = Some(answer);
        }
        let missed = (0..updates.len()).filter(|place| answers[*place].is_none());
        for (place, answer) in self.by_lock(updates, missed.collect(), &met_lock).await {
            answers[place] = Some(answer);
        }
        Ok(answers.into_iter().flatten().collect())
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
        match (self.update(updates).await, updates) {
            (Err(fault), [_]) if fault.is_lasting() => {
                let corrupt = Refusal::Corrupt(fault.to_error().to_string().into());
                Ok(vec![Ok(Err(corrupt))])
            }
            (answers, _) => Ok(answers?.into_iter().map(Ok).collect()),
        }
    }
}

impl ByLock<'_> {
    async fn update(&self, updates: &[&Update]) -> Result<Vec<Answer>, Fault> {
        let Updates {
            database,
            events,
            held,
        } = self.updates;
        let mut attempts = database.attempts();
        let (answers, work) = loop {
            let may_wait = !self.met_lock.load(Ordering::Relaxed);
            let transaction = self.updates.update_once(updates, may_wait);
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
        for entry in &work.entries {
            held.follow(&entry.record);
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
        let answers = updates.iter().map(|update| work.update(update)).collect();
        let written = work.columns();
        transaction.run_and_commit(&queries(&written)).await?;
        Ok((answers, work))
    }
}

/// Records that were locked, and what commands make of them.
pub(crate) struct Work {
    now: Timestamp,
    entries: Vec<Entry>,
    by_uid: HashMap<Uuid, usize>,
    by_name: HashMap<OperationName, usize>,
    /// The other rows, each with the reason why it stays unchanged.
    left: Vec<(Uuid, String, Refusal)>,
    pub(crate) events: Vec<StoreEvent>,
}

struct Entry {
    record: OperationRecord,
    /// The most that a command has done to it.
    change: Change,
    /// Whether its metadata is another than the stored one.
    metadata: bool,
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
        }
    }

    /// A record as it is stored.
    pub(crate) fn add(&mut self, record: OperationRecord) {
        self.by_uid.insert(record.uid, self.entries.len());
        self.by_name.insert(record.name.clone(), self.entries.len());
        self.entries.push(Entry {
            record,
            change: Change::Nothing,
            metadata: false,
        });
    }

    fn update(&mut self, update: &Update) -> Answer {
        if update.uses_steps() {
            return Err(Refusal::without_steps::<PostgresStore>());
        }
        let at = match update.uid {
            Some(uid) => self.by_uid.get(&uid),
            None => self.by_name.get(&update.name),
        };
        let at = *at.ok_or_else(|| self.missing(update))?;
        if self.entries[at].record.name != update.name {
            return Err(Refusal::NotFound);
        }
        self.apply(at, update.command.clone())
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
        self.apply(at, command)
    }

    fn apply(&mut self, at: usize, command: Command) -> Answer {
        let entry = &mut self.entries[at];
        if entry.change == Change::Removed {
            return Err(Refusal::NotFound);
        }
        let before = entry.record.metadata.clone();
        let state_before = entry.record.state;
        let record = &mut entry.record;
        let change = record.apply(command, self.now)?;
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
        Ok(Updated::new(change, record))
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
        let removed: Vec<_> = with(Change::Removed).map(|entry| &entry.record).collect();
        if !removed.is_empty() {
            written.push((statement::REMOVE, removed_records(&removed)));
        }
        written
    }
}

pub(crate) fn queries<'w>(written: &'w [(&'static str, Columns)]) -> Vec<Query<'w>> {
    let written = written.iter();
    written.map(|(sql, columns)| columns.query(sql)).collect()
}
