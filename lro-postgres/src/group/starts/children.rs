//! Starts of children, each together with the step of its parent.

use std::collections::{BTreeSet, HashMap};

use lro_core::Timestamp;
use lro_core::store::{
    ChildOf, ChildRefusal, NewOperation, OperationRecord, Refusal, StartError, Started, StoreError,
    StoreEvent,
};
use tokio_postgres::Row;
use tokio_postgres::types::Type;
use uuid::Uuid;

use super::order::{apart, common_order};
use super::{Answer, Holders, Keys, ROUNDS_MAX, Starts};
use crate::error::Fault;
use crate::group::call::{Serve, serve_all};
use crate::group::updates::queries;
use crate::group::work::{StepKeys, Work};
use crate::sql::batch::new_children;
use crate::sql::database::{Access, Query, Transaction, clock};
use crate::sql::row::{decode, decode_head};
use crate::sql::statement;

impl Starts {
    /// Stores each child and the step of its parent, or neither. Those that have nothing in common but their
    /// parents are stored together.
    pub(super) async fn start_children(
        &self,
        operations: &[NewOperation],
    ) -> Vec<Result<Answer, StoreError>> {
        let mut answers = Vec::with_capacity(operations.len());
        for group in apart(operations) {
            answers.extend(serve_all(&Children(self), group).await);
        }
        answers
    }
}

/// Starts of children in one transaction.
struct Children<'s>(&'s Starts);

impl Serve<NewOperation, Answer> for Children<'_> {
    async fn serve(
        &self,
        operations: &[NewOperation],
    ) -> Result<Vec<Result<Answer, StoreError>>, Fault> {
        let all = |refusal: Refusal| {
            let refused = operations.iter().map(|_| Ok(refused(refusal.clone())));
            Ok(refused.collect())
        };
        let mut may_wait = true;
        for _ in 0..ROUNDS_MAX {
            match self.start(operations, may_wait).await {
                Ok(answers) => return Ok(answers.into_iter().map(Ok).collect()),
                // It was inserted meanwhile.
                Err(fault) if fault.is_duplicate() => {}
                Err(fault) if fault.is_locked() && may_wait => may_wait = false,
                Err(fault) if fault.is_locked() => return all(Refusal::Locked),
                Err(fault) if operations.len() == 1 && fault.is_lasting() => {
                    return all(Refusal::Corrupt(fault.to_error().to_string().into()));
                }
                Err(fault) => return Err(fault),
            }
        }
        let unexplained = "an index refuses the operation, and no other is in its way";
        Err(Fault::row(unexplained))
    }
}

impl Children<'_> {
    async fn start(
        &self,
        operations: &[NewOperation],
        may_wait: bool,
    ) -> Result<Vec<Answer>, Fault> {
        let Starts {
            database, events, ..
        } = self.0;
        let mut attempts = database.attempts();
        loop {
            let transaction = self.start_once(operations, may_wait);
            let result = database.in_time(transaction).await;
            if !attempts.again(&result).await {
                events.publish_in_doubt(&result, &[StoreEvent::Missed]);
                return result;
            }
        }
    }

    /// Waits for the locks of the parents, at most the lock timeout, or refuses the children of those that others
    /// have locked.
    async fn start_once(
        &self,
        operations: &[NewOperation],
        may_wait: bool,
    ) -> Result<Vec<Answer>, Fault> {
        let mut transaction = self.0.database.transaction(Access::Write).await?;
        let read = self.read(&mut transaction, operations, may_wait).await?;
        let Read {
            mut work,
            holders,
            existing,
        } = read;
        let mut answers = Vec::with_capacity(operations.len());
        let (mut inserted, mut changed) = (HashMap::new(), BTreeSet::new());
        for (place, operation) in operations.iter().enumerate() {
            let Some(child_of) = operation.child_of.as_deref() else {
                return Err(Fault::row("the start of a child names no parent"));
            };
            let child = work.child(child_of.uid, &child_of.step.key);
            if let Some(found) = child.and_then(|child| existing.get(&child.uid)) {
                let record = found.clone();
                let existing = true;
                answers.push(Ok(Started { record, existing }));
                continue;
            }
            let new = OperationRecord::started(operation.clone(), work.now());
            let answer = start_or_find(&mut work, &holders, child_of, new);
            if let Ok(started) = &answer {
                changed.insert(child_of.uid);
                if !started.existing {
                    inserted.insert(place, started.record.clone());
                }
            }
            answers.push(answer);
        }
        self.write(transaction, operations, &inserted, &work)
            .await?;
        for entry in &work.entries {
            let by_holder = changed.contains(&entry.record.uid);
            self.0
                .held
                .follow(&entry.record, entry.written(), by_holder);
        }
        for record in inserted.values() {
            self.0.held.keep(record);
            work.events.extend(StoreEvent::ready(record));
        }
        self.0.events.publish(&work.events);
        Ok(answers)
    }

    /// Writes the children, which no other operation may be in the way of, and the steps of their parents.
    async fn write(
        &self,
        transaction: Transaction<'_>,
        operations: &[NewOperation],
        inserted: &HashMap<usize, OperationRecord>,
        work: &Work,
    ) -> Result<(), Fault> {
        let places: Vec<usize> = inserted.keys().copied().collect();
        let records = common_order(operations, &places);
        let records: Vec<_> = records.iter().filter_map(|at| inserted.get(at)).collect();
        let columns = new_children(&records);
        let written = work.columns();
        let mut writes = queries(&written);
        if !records.is_empty() {
            writes.insert(0, columns.query(statement::INSERT_CHILDREN));
        }
        transaction.run_and_commit(&writes).await.map(drop)
    }

    /// Locks the parents, and reads what is needed to decide: in one round trip, if this process knows in which
    /// epochs the parents are, and no step has a child already.
    async fn read(
        &self,
        transaction: &mut Transaction<'_>,
        operations: &[NewOperation],
        may_wait: bool,
    ) -> Result<Read, Fault> {
        let parents = operations.iter().filter_map(|it| it.child_of.as_deref());
        let parents: Vec<&ChildOf> = parents.collect();
        let uids: BTreeSet<Uuid> = parents.iter().map(|child_of| child_of.uid).collect();
        let uids: Vec<Uuid> = uids.into_iter().collect();
        let lock = |sql| Query {
            sql,
            params: vec![(&uids, Type::UUID_ARRAY)],
        };
        let mut queries = match may_wait {
            true => vec![lock(statement::LOCK)],
            false => vec![
                lock(statement::LOCK_FAMILY),
                lock(statement::NAMES_OF_FAMILY),
            ],
        };
        let of_locks = queries.len();
        queries.push(clock());
        let candidates = operations.iter().map(|operation| {
            // Its times do not matter yet.
            let record = OperationRecord::started(operation.clone(), Timestamp::EPOCH);
            (0, record)
        });
        let candidates: Vec<_> = candidates.collect();
        let keys = Keys::of(&candidates);
        let of_holders = keys.queries();
        queries.extend(of_holders.iter().cloned());
        let supposed: HashMap<Uuid, u32> = self.0.held.epochs(&uids);
        let steps = StepKeys::of_parents(&parents, |uid| supposed.get(&uid).copied());
        queries.push(steps.query(statement::STEPS_BY_KEY));
        let rows = transaction.run(&queries).await?;
        let (locked, rows) = rows.split_at(of_locks);
        let (now, rows) = rows
            .split_first()
            .ok_or_else(|| Fault::row("a transaction has told no time"))?;
        let mut work = Work::new(transaction.time(now)?);
        add_parents(&mut work, locked)?;
        let (held, found) = rows.split_at(of_holders.len());
        let holders = Holders::of(&of_holders, held)?;
        let is_supposed = |uid: &Uuid| {
            let epoch = work.epoch(*uid);
            epoch.is_none() || epoch == Some(supposed.get(uid).copied().unwrap_or_default())
        };
        if uids.iter().all(is_supposed) {
            found.iter().try_for_each(|rows| work.add_steps(rows))?;
        } else {
            let steps = StepKeys::of_parents(&parents, |uid| work.epoch(uid));
            let again = [steps.query(statement::STEPS_BY_KEY)];
            for rows in transaction.run(&again).await? {
                work.add_steps(&rows)?;
            }
        }
        let existing = read_children(transaction, &work, &parents).await?;
        Ok(Read {
            work,
            holders,
            existing,
        })
    }
}

/// The state of the database on which starts of children are decided.
struct Read {
    /// The parents.
    work: Work,
    holders: Holders,
    /// The children that their steps have already.
    existing: HashMap<Uuid, OperationRecord>,
}

/// Those that are locked, and the names of all if some may be locked by others.
fn add_parents(work: &mut Work, rows: &[Vec<Row>]) -> Result<(), Fault> {
    for row in rows.first().into_iter().flatten() {
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
    Ok(())
}

/// The children of these steps, as far as there are some.
async fn read_children(
    transaction: &mut Transaction<'_>,
    work: &Work,
    parents: &[&ChildOf],
) -> Result<HashMap<Uuid, OperationRecord>, Fault> {
    let children = parents
        .iter()
        .filter_map(|child_of| work.child(child_of.uid, &child_of.step.key));
    let names: Vec<&str> = children.map(|child| child.name.as_str()).collect();
    if names.is_empty() {
        return Ok(HashMap::new());
    }
    let get = Query {
        sql: statement::GET,
        params: vec![(&names, Type::TEXT_ARRAY)],
    };
    let rows = transaction.run(&[get]).await?;
    // Of a name that is used again, another operation.
    let there = rows.iter().flatten();
    let there = there.filter(|row| matches!(row.try_get::<_, Option<Uuid>>(0), Ok(Some(_))));
    let records = there.map(|row| decode(row).map(|record| (record.uid, record)));
    records.collect()
}

/// Records the child as that of its parent's step: the new one, or one that a former run has started.
fn start_or_find(
    work: &mut Work,
    holders: &Holders,
    child_of: &ChildOf,
    new: OperationRecord,
) -> Answer {
    let (record, existing) = match holders.reason(&new, |_| true) {
        None => (new, false),
        Some(Ok(found)) if found.record.is_child_of(&child_of.parent_step()) => {
            (found.record, true)
        }
        Some(Ok(stranger)) => {
            return Err(ChildRefusal::NotItsChild(stranger.record.name).into());
        }
        Some(Err(error)) => return Err(error),
    };
    match work.update(&child_of.clone().record(&record)) {
        Ok(_) => Ok(Started { record, existing }),
        Err(refusal) => refused(refusal),
    }
}

fn refused(refusal: Refusal) -> Answer {
    Err(StartError::Child(ChildRefusal::Parent(refusal)))
}
