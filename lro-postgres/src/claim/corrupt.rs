//! Claims around rows that cannot be read: a corrupt page fails the operations on it, and no other.
//!
//! PostgreSQL names neither the row nor its key, and reading on behind it is not possible. So a range
//! of an index that cannot be read is halved until one key is left, a *hole*. The rest of it is served
//! on the way. Holes are remembered for a while, since finding one takes some hundred statements.

use std::sync::{Mutex, PoisonError};

use lro_core::store::{Claim, Claimed, OperationRecord, StoreEvent};
use tokio_postgres::types::Type;
use uuid::Uuid;

use super::asked::{Asked, EXPIRED_PER_CLAIM};
use super::marks::Marks;
use super::suspects::{AskedSuspects, Others};
use super::{Claims, LOOK_INTERVAL};
use crate::error::Fault;
use crate::holes::{Holes, Key, Range, around};
use crate::sql::database::{Access, Query};
use crate::sql::statement;
use crate::sql::text::escape;

impl Claims {
    /// Claims when an index leads to rows that cannot be read.
    pub(super) async fn claim_around(
        &self,
        claim: &Claim,
        marks: &mut Marks,
    ) -> Result<Claimed, Fault> {
        if claim.expires_leases {
            self.sweep_around(marks).await?;
        }
        let mut operations = Vec::new();
        for (method, most) in &claim.methods {
            let left = claim.limit - operations.len();
            let taken = self
                .take_around(claim, method, left.min(*most), marks)
                .await?;
            operations.extend(taken);
        }
        operations.sort_by_key(|record| (record.ready_time, record.uid));
        let mut asked = Asked::new(claim);
        let look = match self.look(&mut asked, marks).await {
            Ok(look) => look,
            // The next claim finds out where.
            Err(fault) if fault.may_be_damage() => {
                return Ok(Claimed {
                    operations,
                    next_in: Some(LOOK_INTERVAL),
                    suspects_wait: marks.suspects_wait,
                });
            }
            Err(fault) => return Err(fault),
        };
        if look.wakes {
            self.wake().await;
        }
        asked.without(&operations);
        let mut rest = claim.clone();
        rest.limit -= operations.len();
        for suspects in AskedSuspects::kinds(&rest, &look) {
            // One that is started alone waits for a claim that takes nothing else.
            if operations.is_empty() || !suspects.is_alone() {
                let taken = self.take_suspects(claim, &asked, &suspects, marks).await?;
                operations.extend(taken.0);
                break;
            }
        }
        marks.suspects_wait = look.suspects_wait();
        Ok(look.claimed(claim, operations))
    }

    /// Requeues all operations whose leases have expired, except those that cannot be read.
    async fn sweep_around(&self, marks: &mut Marks) -> Result<(), Fault> {
        let since = Key {
            micros: marks.lease_floor(),
            uid: 0,
        };
        let sweep = self.database.made(statement::SWEEP_WITHIN);
        let holes = around(vec![Range::since(since)], async |range: Range| {
            while self.sweep_range(&sweep, range).await? {}
            Ok(false)
        });
        if let Some(holes) = Holes::new(holes.await?) {
            self.events.corrupt("claim", holes.keys.len());
            report("whose lease has expired", "", &holes.keys);
            marks.lease_holes = Some(holes);
        }
        Ok(())
    }

    /// Requeues some. Whether there may be more.
    async fn sweep_range(&self, sql: &str, range: Range) -> Result<bool, Fault> {
        let (from, to) = (
            Uuid::from_u128(range.from.uid),
            Uuid::from_u128(range.to.uid),
        );
        let until = self.own_time();
        let query = Query {
            sql,
            params: vec![
                (&range.from.micros, Type::INT8),
                (&from, Type::UUID),
                (&range.to.micros, Type::INT8),
                (&to, Type::UUID),
                (&until, Type::INT8),
                (&EXPIRED_PER_CLAIM, Type::INT8),
            ],
        };
        let swept = self.sweep_by(query, Others::Suppose);
        let count = self.database.in_time(swept).await?;
        Ok(i64::try_from(count).is_ok_and(|count| count == EXPIRED_PER_CLAIM))
    }

    /// Claims up to `most` operations of one method, except those that cannot be read.
    async fn take_around(
        &self,
        claim: &Claim,
        method: &str,
        most: usize,
        marks: &mut Marks,
    ) -> Result<Vec<OperationRecord>, Fault> {
        if most == 0 {
            return Ok(Vec::new());
        }
        let known = marks.ready_holes.get(method);
        let ranges = known
            .filter(|holes| holes.are_known())
            .map_or_else(|| vec![Range::since(Key::FIRST)], Holes::between);
        let sql = self.database.made(statement::CLAIM_WITHIN);
        let taken = Mutex::new(Vec::new());
        let lock = || taken.lock().unwrap_or_else(PoisonError::into_inner);
        let holes = around(ranges, async |range: Range| {
            let left = most - lock().len();
            let some = self.take_range(&sql, claim, method, left, range).await?;
            lock().extend(some);
            Ok(lock().len() >= most)
        });
        let holes = holes.await;
        let taken = std::mem::take(&mut *lock());
        match holes {
            Ok(holes) if holes.is_empty() => {}
            Ok(holes) => {
                self.events.corrupt("claim", holes.len());
                report("that is ready", method, &holes);
                match marks.ready_holes.get_mut(method) {
                    Some(known) if known.are_known() => known.add(holes),
                    _ => {
                        let holes = Holes::new(holes);
                        marks
                            .ready_holes
                            .extend(holes.map(|holes| (method.to_owned(), holes)));
                    }
                }
            }
            // The operations claimed so far are committed and must run.
            Err(fault) if !taken.is_empty() => {
                tracing::warn!(
                    ?fault,
                    method,
                    "a claim stopped early; the next one continues"
                );
            }
            Err(fault) => return Err(fault),
        }
        Ok(taken)
    }

    async fn take_range(
        &self,
        sql: &str,
        claim: &Claim,
        method: &str,
        most: usize,
        range: Range,
    ) -> Result<Vec<OperationRecord>, Fault> {
        let asked = Asked::new(claim);
        let method = escape(method).into_owned();
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let (from, to) = (
            Uuid::from_u128(range.from.uid),
            Uuid::from_u128(range.to.uid),
        );
        let until = self.own_time();
        let queries = [Query {
            sql,
            params: vec![
                (&method, Type::TEXT),
                (&most, Type::INT8),
                (&range.from.micros, Type::INT8),
                (&from, Type::UUID),
                (&range.to.micros, Type::INT8),
                (&to, Type::UUID),
                (&until, Type::INT8),
                (&asked.worker, Type::UUID),
                (&asked.lease_micros, Type::INT8),
            ],
        }];
        let run = self.database.run(Access::WriteInOrder, &queries);
        let rows = self.database.in_time(run).await?;
        let operations = self.taken_records(&rows[0], claim);
        operations.iter().for_each(|record| self.held.keep(record));
        let events: Vec<_> = operations.iter().map(StoreEvent::changed).collect();
        self.events.publish(&events);
        Ok(operations)
    }
}

/// Logs the holes, once for each time that they are found.
fn report(which: &str, method: &str, keys: &[Key]) {
    for key in keys {
        tracing::error!(
            uid = %Uuid::from_u128(key.uid),
            time_micros = key.micros,
            method,
            count = keys.len(),
            "an operation {which} cannot be read: its page is corrupt; skipping it"
        );
    }
}
