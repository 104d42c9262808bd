//! Starts of children, each together with the step of its parent.

use lro_core::store::{
    ChildOf, ChildRefusal, NewOperation, OperationRecord, Refusal, StartError, Started, StoreError,
    StoreEvent,
};
use tokio_postgres::types::Type;
use uuid::Uuid;

use super::{Answer, Holders, Keys, ROUNDS_MAX, Starts};
use crate::error::Fault;
use crate::group::updates::queries;
use crate::group::work::Work;
use crate::sql::batch::new_records;
use crate::sql::database::{Access, Query, Transaction, clock};
use crate::sql::row::{decode, decode_head};
use crate::sql::statement;

impl Starts {
    /// Stores a child and the step of its parent, or neither.
    pub(super) async fn start_child(
        &self,
        operation: &NewOperation,
        child_of: &ChildOf,
    ) -> Result<Answer, StoreError> {
        for _ in 0..ROUNDS_MAX {
            let mut attempts = self.database.attempts();
            let result = loop {
                let transaction = self.start_child_once(operation, child_of);
                let result = self.database.in_time(transaction).await;
                if !attempts.again(&result).await {
                    let missed = [StoreEvent::Missed];
                    self.events.publish_in_doubt(&result, &missed);
                    break result;
                }
            };
            match result {
                Ok(Some(answer)) => return Ok(answer),
                // The row in its way was inserted, or removed, meanwhile.
                Ok(None) => {}
                Err(fault) if fault.is_locked() => return Ok(refused(Refusal::Locked)),
                Err(fault) if fault.is_lasting() => {
                    let corrupt = Refusal::Corrupt(fault.to_error().to_string().into());
                    return Ok(refused(corrupt));
                }
                Err(fault) => return Err(fault.to_error()),
            }
        }
        let unexplained = "an index refuses the operation, and no other is in its way";
        Err(Fault::row(unexplained).to_error())
    }

    /// `None`: another start was in its way.
    async fn start_child_once(
        &self,
        operation: &NewOperation,
        child_of: &ChildOf,
    ) -> Result<Option<Answer>, Fault> {
        let mut transaction = self.database.transaction(Access::Write).await?;
        let mut work = lock_parent(&mut transaction, child_of.uid).await?;
        let new = OperationRecord::started(operation.clone(), work.now());
        let update = child_of.clone().record(&new);
        let steps = work.step_keys(&[&update]);
        let candidates = [(0, new)];
        let keys = Keys::of(&candidates);
        let mut reads = keys.queries();
        let of_holders = reads.len();
        if !steps.is_empty() {
            reads.push(steps.query(statement::STEPS_BY_KEY));
        }
        let rows = transaction.run(&reads).await?;
        let holders = Holders::of(&reads[..of_holders], &rows)?;
        for rows in &rows[of_holders..] {
            work.add_steps(rows)?;
        }
        let [(_, new)] = candidates;
        let child = work.child(child_of.uid, &child_of.step.key).cloned();
        if let Some(child) = child {
            let names = vec![child.name.as_str()];
            let get = Query {
                sql: statement::GET,
                params: vec![(&names, Type::TEXT_ARRAY)],
            };
            let rows = transaction.run(&[get]).await?;
            let row = rows.first().and_then(|rows| rows.first());
            let found =
                row.filter(|row| matches!(row.try_get::<_, Uuid>(0), Ok(uid) if uid == child.uid));
            if let Some(row) = found {
                let record = decode(row)?;
                transaction.run_and_commit(&[]).await?;
                let existing = true;
                return Ok(Some(Ok(Started { record, existing })));
            }
        }
        let (record, existing) = match holders.reason(&new, |_| true) {
            None => (new, false),
            Some(Ok(found)) if found.record.is_child_of(&child_of.parent_step()) => {
                (found.record, true)
            }
            Some(other) => {
                transaction.run_and_commit(&[]).await?;
                return Ok(Some(other.and_then(|stranger| {
                    Err(ChildRefusal::NotItsChild(stranger.record.name).into())
                })));
            }
        };
        if let Err(refusal) = work.update(&child_of.clone().record(&record)) {
            transaction.run_and_commit(&[]).await?;
            return Ok(Some(refused(refusal)));
        }
        let written = work.columns();
        let columns = new_records(&[&record]);
        let parent = (child_of.parent_step().encode(), child_of.operation.as_str());
        let mut writes = queries(&written);
        if !existing {
            writes.insert(0, columns.query(statement::INSERT));
            writes.push(Query {
                sql: statement::SET_PARENT,
                params: vec![
                    (&record.uid, Type::UUID),
                    (&parent.0, Type::BYTEA),
                    (&parent.1, Type::TEXT),
                ],
            });
        }
        let rows = transaction.run(&writes).await?;
        if !existing && rows.first().is_none_or(Vec::is_empty) {
            return Ok(None);
        }
        transaction.run_and_commit(&[]).await?;
        for entry in &work.entries {
            self.held.follow(&entry.record, entry.written(), true);
        }
        if !existing {
            self.held.keep(&record);
            work.events.extend(StoreEvent::ready(&record));
        }
        self.events.publish(&work.events);
        Ok(Some(Ok(Started { record, existing })))
    }
}

async fn lock_parent(transaction: &mut Transaction<'_>, uid: Uuid) -> Result<Work, Fault> {
    let uids = vec![uid];
    let lock = Query {
        sql: statement::LOCK,
        params: vec![(&uids, Type::UUID_ARRAY)],
    };
    let mut rows = transaction.run(&[lock, clock()]).await?;
    let mut work = Work::new(transaction.time(&rows.pop().unwrap_or_default())?);
    for row in rows.iter().flatten() {
        match decode_head(row) {
            Ok(record) => work.add(record),
            Err(Fault::Row(message)) => {
                let corrupt = Refusal::Corrupt(message.into());
                work.left.push((row.try_get(0)?, row.try_get(1)?, corrupt));
            }
            Err(fault) => return Err(fault),
        }
    }
    Ok(work)
}

fn refused(refusal: Refusal) -> Answer {
    Err(StartError::Child(ChildRefusal::Parent(refusal)))
}
