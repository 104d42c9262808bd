//! Starts: one INSERT a group, whose indexes decide.

mod children;
mod order;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use lro_core::store::{NewOperation, OperationRecord, StartError, Started, StoreError, StoreEvent};
use lro_core::{OperationName, Timestamp};
use tokio_postgres::Row;
use tokio_postgres::types::Type;
use uuid::Uuid;

use crate::error::Fault;
use crate::group::call::{Serve, serve_all};
use crate::group::held::Held;
use crate::notify::events::Events;
use crate::sql::batch::{digest, new_records};
use crate::sql::database::{Access, Database, Query, clock};
use crate::sql::row::{decode, exclusive_digest};
use crate::sql::statement;
use order::common_order;

/// The maximum number of repetitions of the INSERT when the conflicting row was removed before it
/// could be read.
const ROUNDS_MAX: usize = 10;

/// Serves starts.
#[derive(Debug)]
pub(crate) struct Starts {
    pub(crate) database: Arc<Database>,
    pub(crate) events: Arc<Events>,
    pub(crate) held: Arc<Held>,
}

/// Each place with its record, and whether that is new.
type Inserted = Vec<(usize, OperationRecord, bool)>;

/// The place of one that is not new, and its record as it would be.
type Refused = (usize, OperationRecord);

type Answer = Result<Started, StartError>;

impl Serve<NewOperation, Answer> for Starts {
    async fn serve(
        &self,
        operations: &[NewOperation],
    ) -> Result<Vec<Result<Answer, StoreError>>, Fault> {
        if operations.iter().all(|it| it.child_of.is_none()) {
            return self.start_all(operations).await;
        }
        let mut answers = Vec::with_capacity(operations.len());
        let are_alike =
            |a: &NewOperation, b: &NewOperation| a.child_of.is_some() == b.child_of.is_some();
        for group in operations.chunk_by(are_alike) {
            match group {
                [first, ..] if first.child_of.is_some() => {
                    answers.extend(self.start_children(group).await);
                }
                group => answers.extend(serve_all(&Alone(self), group).await),
            }
        }
        Ok(answers)
    }
}

/// Starts of operations without parents.
struct Alone<'s>(&'s Starts);

impl Serve<NewOperation, Answer> for Alone<'_> {
    async fn serve(
        &self,
        operations: &[NewOperation],
    ) -> Result<Vec<Result<Answer, StoreError>>, Fault> {
        self.0.start_all(operations).await
    }
}

impl Starts {
    async fn start_all(
        &self,
        operations: &[NewOperation],
    ) -> Result<Vec<Result<Answer, StoreError>>, Fault> {
        let mut answers: Vec<_> = operations.iter().map(|_| None).collect();
        let fail = |answers: &mut [Option<_>], fault: &Fault| {
            let open = answers.iter_mut().filter(|answer| answer.is_none());
            open.for_each(|answer| *answer = Some(Err(fault.to_error())));
        };
        let mut open: Vec<usize> = (0..operations.len()).collect();
        for _ in 0..ROUNDS_MAX {
            let (records, told) = match self.insert(operations, &open).await {
                Ok(inserted) => inserted,
                Err(fault) if open.len() == operations.len() => return Err(fault),
                Err(fault) => {
                    fail(&mut answers, &fault);
                    break;
                }
            };
            let mut inserted = HashMap::new();
            let mut events = Vec::new();
            for (place, record, is_new) in &records {
                if *is_new {
                    inserted.insert(record.uid, *place);
                    events.extend(StoreEvent::ready(record));
                    self.held.keep(record);
                    answers[*place] = Some(Ok(Ok(Started {
                        record: record.clone(),
                        existing: false,
                    })));
                }
            }
            let refused = records.into_iter().filter(|(_, _, is_new)| !is_new);
            let refused: Vec<Refused> = refused.map(|(place, record, _)| (place, record)).collect();
            self.events.publish_unless_notified(&events, told);
            let reasons = Reasons {
                database: &self.database,
                inserted: &inserted,
            };
            let reasons = serve_all(&reasons, &refused).await;
            open.clear();
            for ((place, ..), reason) in refused.into_iter().zip(reasons) {
                match reason {
                    Ok(Some(reason)) => answers[place] = Some(Ok(reason)),
                    Ok(None) => open.push(place),
                    Err(error) => answers[place] = Some(Err(error)),
                }
            }
            if open.is_empty() {
                break;
            }
        }
        let unexplained = Fault::row("an index refuses the operation, and no other is in its way");
        fail(&mut answers, &unexplained);
        Ok(answers.into_iter().flatten().collect())
    }
}

impl Starts {
    /// Inserts the elements at the open places. Also returns whether other processes were notified of
    /// the operations that wait for a worker.
    async fn insert(
        &self,
        operations: &[NewOperation],
        open: &[usize],
    ) -> Result<(Inserted, bool), Fault> {
        let open = common_order(operations, open);
        let mut attempts = self.database.attempts();
        loop {
            let transaction = self.insert_once(operations, &open);
            let result = self.database.in_time(transaction).await;
            if !attempts.again(&result).await {
                let missed = [StoreEvent::Missed];
                self.events.publish_in_doubt(&result, &missed);
                return result;
            }
        }
    }

    async fn insert_once(
        &self,
        operations: &[NewOperation],
        open: &[usize],
    ) -> Result<(Inserted, bool), Fault> {
        let mut transaction = self.database.transaction(Access::Write).await?;
        let at_once = |place: &usize| begins_now(&operations[*place]);
        let by_insert = self.database.clock.is_none() && open.iter().all(at_once);
        let make = |now| -> Vec<_> {
            let records = open.iter();
            let make = |place: &usize| {
                (
                    *place,
                    OperationRecord::started(operations[*place].clone(), now),
                )
            };
            records.map(make).collect()
        };
        let mut records = if by_insert {
            make(Timestamp::from_micros(0))
        } else {
            let rows = transaction.run(&[clock()]).await?;
            make(transaction.time(&rows[0])?)
        };
        let columns = new_records(&records.iter().map(|(_, record)| record).collect::<Vec<_>>());
        let query = columns.query(match by_insert {
            true => statement::INSERT_NOW,
            false => statement::INSERT,
        });
        let expected: Vec<StoreEvent> = records
            .iter()
            .filter_map(|(_, record)| StoreEvent::ready(record))
            .collect();
        let hint = self.events.at_once(&expected, &transaction);
        let told = hint.is_some();
        let rows = transaction.run_commit_and_tell(&[query], hint).await?;
        if let Some(row) = rows[0].first().filter(|_| by_insert) {
            // Without a row none is new, and the times of those that are not are of no interest.
            records = make(Timestamp::from_micros(row.try_get(2)?));
        }
        let mut inserted = HashSet::new();
        for row in &rows[0] {
            inserted.insert((row.try_get::<_, Uuid>(0)?, row.try_get::<_, String>(1)?));
        }
        // Removed as they are found: the first of two that are the same is the one that is new.
        let mut is_new = |record: &OperationRecord| {
            let key = (record.uid, record.name.as_str().to_owned());
            inserted.remove(&key)
        };
        let records = records.into_iter().map(|(place, record)| {
            let new = is_new(&record);
            (place, record, new)
        });
        Ok((records.collect(), told))
    }
}

/// The reason why an index rejected each element. `None`: the conflicting row was removed.
struct Reasons<'s> {
    database: &'s Database,
    /// The places of those that this group has inserted, by their uids.
    inserted: &'s HashMap<Uuid, usize>,
}

impl Serve<Refused, Option<Answer>> for Reasons<'_> {
    async fn serve(
        &self,
        refused: &[Refused],
    ) -> Result<Vec<Result<Option<Answer>, StoreError>>, Fault> {
        if refused.is_empty() {
            return Ok(Vec::new());
        }
        let mut attempts = self.database.attempts();
        let holders = loop {
            let transaction = Holders::read(self.database, refused);
            let result = self.database.in_time(transaction).await;
            if !attempts.again(&result).await {
                break result?;
            }
        };
        let reasons = refused.iter().map(|(place, record)| {
            // A row made by a later element of the same group did not conflict with this one.
            let was_there = |uid: &Uuid| self.inserted.get(uid).is_none_or(|other| other < place);
            Ok(holders.reason(record, was_there))
        });
        Ok(reasons.collect())
    }
}

/// The operations that hold the names and request ids of rejected starts.
struct Holders {
    requests: HashMap<Vec<u8>, OperationRecord>,
    names: HashMap<String, Uuid>,
    uids: HashMap<Uuid, OperationName>,
    exclusive_keys: HashMap<Vec<u8>, (Uuid, OperationName)>,
}

/// The keys that starts want.
struct Keys<'r> {
    requests: Vec<Vec<u8>>,
    uids: Vec<Uuid>,
    names: Vec<&'r str>,
    exclusive_keys: Vec<Vec<u8>>,
}

impl<'r> Keys<'r> {
    fn of(refused: &'r [Refused]) -> Self {
        let records = || refused.iter().map(|(_, record)| record);
        let keys = records().filter_map(|record| record.exclusive_key.as_deref());
        Self {
            requests: records().filter_map(digest).collect(),
            uids: records().map(|record| record.uid).collect(),
            names: records().map(|record| record.name.as_str()).collect(),
            exclusive_keys: keys.map(exclusive_digest).collect(),
        }
    }

    /// The statements that read who holds them.
    fn queries(&self) -> Vec<Query<'_>> {
        let mut queries = vec![Query {
            sql: statement::NAMES_BY_ID,
            params: vec![
                (&self.uids, Type::UUID_ARRAY),
                (&self.names, Type::TEXT_ARRAY),
            ],
        }];
        if !self.requests.is_empty() {
            queries.push(Query {
                sql: statement::BY_REQUEST,
                params: vec![(&self.requests, Type::BYTEA_ARRAY)],
            });
        }
        if !self.exclusive_keys.is_empty() {
            queries.push(Query {
                sql: statement::NAMES_BY_EXCLUSIVE_KEY,
                params: vec![(&self.exclusive_keys, Type::BYTEA_ARRAY)],
            });
        }
        queries
    }
}

impl Holders {
    async fn read(database: &Database, refused: &[Refused]) -> Result<Self, Fault> {
        let keys = Keys::of(refused);
        let queries = keys.queries();
        let answers = database.run(Access::Read, &queries).await?;
        Self::of(&queries, &answers)
    }

    /// Of the answers to these statements.
    fn of(queries: &[Query<'_>], answers: &[Vec<Row>]) -> Result<Self, Fault> {
        let mut holders = Self {
            requests: HashMap::new(),
            names: HashMap::new(),
            uids: HashMap::new(),
            exclusive_keys: HashMap::new(),
        };
        for (query, rows) in queries.iter().zip(answers) {
            for row in rows {
                holders.add(query.sql, row)?;
            }
        }
        Ok(holders)
    }

    fn add(&mut self, sql: &str, row: &Row) -> Result<(), Fault> {
        match sql {
            statement::BY_REQUEST => {
                let digest = row.try_get(row.len() - 1)?;
                self.requests.insert(digest, decode(row)?);
            }
            statement::NAMES_BY_EXCLUSIVE_KEY => {
                let holder = (row.try_get(0)?, parse(row.try_get(1)?)?);
                self.exclusive_keys.insert(row.try_get(2)?, holder);
            }
            _ => {
                let (uid, name) = (row.try_get(0)?, row.try_get::<_, String>(1)?);
                self.uids.insert(uid, parse(&name)?);
                self.names.insert(name, uid);
            }
        }
        Ok(())
    }

    fn reason(
        &self,
        record: &OperationRecord,
        was_there: impl Fn(&Uuid) -> bool,
    ) -> Option<Answer> {
        let existing = digest(record).and_then(|digest| self.requests.get(&digest));
        if let Some(existing) = existing.filter(|existing| was_there(&existing.uid)) {
            return Some(match existing.request_id == record.request_id {
                true => Ok(Started {
                    record: existing.clone(),
                    existing: true,
                }),
                false => Err(StartError::RequestIdReused(existing.name.clone())),
            });
        }
        let named = self.names.get(record.name.as_str());
        if named.is_some_and(&was_there) {
            return Some(Err(StartError::AlreadyExists(record.name.clone())));
        }
        let key = record.exclusive_key.as_deref();
        let key = key.filter(|_| !record.state.is_done());
        let key = key.map(exclusive_digest);
        let holder = key.and_then(|key| self.exclusive_keys.get(&key));
        if let Some((_, holder)) = holder.filter(|(uid, _)| was_there(uid)) {
            return Some(Err(StartError::ExclusiveKeyHeld(holder.clone())));
        }
        let twin = self.uids.get(&record.uid)?;
        Some(Err(StartError::AlreadyExists(twin.clone())))
    }
}

fn parse(name: &str) -> Result<OperationName, Fault> {
    OperationName::from_stored(name)
        .map_err(|_| Fault::row(format!("the stored name `{name}` is invalid")))
}

/// Whether all its times count from its start.
fn begins_now(operation: &NewOperation) -> bool {
    operation.ready_time.is_none() && operation.outcome.is_none()
}
