//! Claims: ready operations are found by index and locked; operations that another node has locked
//! are skipped.

mod asked;
mod corrupt;
mod marks;
mod suspects;
mod wakes;

use std::sync::Arc;
use std::time::Duration;

use lro_core::Timestamp;
use lro_core::store::{Claim, Claimed, Command, OperationRecord, Refusal, StoreEvent};
use tokio::time::Instant;
use tokio_postgres::Row;
use tokio_postgres::types::Type;
use uuid::Uuid;

use self::asked::Asked;
use self::marks::{Look, Marks};
use self::suspects::{AskedSuspects, Lost, Others};
use crate::error::Fault;
use crate::group::family;
use crate::group::held::Held;
use crate::group::updates::queries;
use crate::group::work::Work;
use crate::notify::events::Events;
use crate::sql::database::{Access, Database, Query, clock};
use crate::sql::row::{decode, decode_head};
use crate::sql::statement;

/// The pause before the next attempt to requeue an operation whose row is corrupt.
const CORRUPT_PAUSE: Duration = Duration::from_secs(60);

/// The interval of full scans. Slow scans run less often, so that they take at most a twentieth of
/// the time.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
const LOOK_SHARE: u32 = 20;

/// One claim of this node at a time: more would only find each other's locks.
#[derive(Debug)]
pub(crate) struct Claims {
    database: Arc<Database>,
    events: Arc<Events>,
    held: Arc<Held>,
    marks: tokio::sync::Mutex<Marks>,
}

impl Claims {
    pub(crate) fn new(database: Arc<Database>, events: Arc<Events>, held: Arc<Held>) -> Self {
        Self {
            database,
            events,
            held,
            marks: tokio::sync::Mutex::default(),
        }
    }

    pub(crate) async fn claim(&self, claim: &Claim) -> Result<Claimed, Fault> {
        let mut marks = self.marks.lock().await;
        let mut attempts = self.database.attempts();
        let mut told = false;
        loop {
            told |= claim.limit > 0 && self.events.take_ready();
            let mut result = if marks.has_ready_holes() {
                self.claim_around(claim, &mut marks).await
            } else {
                let transaction = self.claim_once(claim, told, &mut marks);
                self.database.in_time(transaction).await
            };
            if matches!(&result, Err(fault) if fault.may_be_damage()) {
                result = self.claim_around(claim, &mut marks).await;
            }
            if attempts.again(&result).await {
                continue;
            }
            if let Ok(claimed) = &mut result
                && told
                && claimed.operations.len() < claim.limit
            {
                // A notified operation may lie before the marks, if its commit took long.
                let whole_in = marks.whole_at.map(|at| at - Instant::now());
                claimed.next_in = claimed.next_in.into_iter().chain(whole_in).min();
            }
            // Expired operations may have been requeued.
            let missed = [StoreEvent::Missed];
            self.events.publish_in_doubt(&result, &missed);
            return result;
        }
    }

    async fn claim_once(
        &self,
        claim: &Claim,
        told: bool,
        marks: &mut Marks,
    ) -> Result<Claimed, Fault> {
        let mut asked = Asked::new(claim);
        let own_clock = self.database.clock.is_some();
        let mostly_there = marks.found_last && !marks.suspects_wait;
        if told && claim.limit > 0 && mostly_there && (own_clock || !marks.are_old()) {
            // A notified operation is usually ready: claim it without scanning first.
            if own_clock {
                asked.begin_anywhere(marks);
            } else {
                asked.begin_at(marks);
            }
            let unless_since = Some(if claim.expires_leases {
                asked.lease_since
            } else {
                i64::MAX
            });
            let (operations, look) = self.take(claim, &asked, unless_since, marks).await?;
            marks.found_last = !operations.is_empty();
            if look.wakes {
                self.wake().await;
            }
            if !operations.is_empty() || !(look.lease_is_over(claim) || look.suspects_wait()) {
                marks.suspects_wait = look.suspects_wait();
                return Ok(look.claimed(claim, operations));
            }
        }
        let mut look = self.look(&mut asked, marks).await?;
        if look.lease_is_over(claim) || look.wakes {
            if look.wakes {
                self.wake().await;
            }
            if look.lease_is_over(claim) {
                self.sweep(&asked).await?;
            }
            // Expired operations are ready now, too.
            look = self.look(&mut asked, marks).await?;
        }
        let mut operations = Vec::new();
        marks.found_last = claim.limit > 0 && look.some_are_ready();
        let mut alone = false;
        for suspects in AskedSuspects::kinds(claim, &look) {
            (operations, look) = self.take_suspects(claim, &asked, &suspects, marks).await?;
            if !operations.is_empty() {
                alone = suspects.is_alone();
                asked.without(&operations);
                break;
            }
        }
        if !alone && operations.len() < claim.limit && marks.found_last {
            let (more, left) = self.take(claim, &asked, None, marks).await?;
            operations.extend(more);
            look = left;
        }
        marks.suspects_wait = look.suspects_wait();
        Ok(look.claimed(claim, operations))
    }

    /// Claims suspects, and scans what is left.
    async fn take_suspects(
        &self,
        claim: &Claim,
        asked: &Asked,
        suspects: &AskedSuspects,
        marks: &Marks,
    ) -> Result<(Vec<OperationRecord>, Look), Fault> {
        let until = self.own_time();
        let steps = [suspects.take(asked, &until), asked.look()];
        let rows = self.database.run(Access::WriteInOrder, &steps).await?;
        let [taken, left] = &rows[..] else {
            return Err(Fault::row("a claim has no answer"));
        };
        let operations = self.taken(taken, claim);
        let mut left = Look::read(left, self.database.clock.as_deref())?;
        left.remember(marks.first_lease);
        Ok((operations, left))
    }

    /// The records that a statement has claimed, which observers are notified of.
    fn taken(&self, rows: &[Row], claim: &Claim) -> Vec<OperationRecord> {
        let operations = self.taken_records(rows, claim);
        operations.iter().for_each(|record| self.held.keep(record));
        let events: Vec<StoreEvent> = operations.iter().map(StoreEvent::changed).collect();
        self.events.publish(&events);
        operations
    }

    /// The claimed records after the claim: the statement has the same effect as [`Command::Claim`].
    fn taken_records(&self, rows: &[Row], claim: &Claim) -> Vec<OperationRecord> {
        let mut taken = Vec::new();
        for row in rows {
            let record = decode(row).and_then(|mut record| {
                let now = Timestamp::from_micros(row.try_get("now")?);
                let claim = Command::Claim {
                    worker: claim.worker,
                    lease_duration: claim.lease_duration,
                };
                let refused = |refusal: Refusal| Fault::row(refusal.to_string());
                record.apply(claim, now).map_err(refused)?;
                Ok(record)
            });
            match record {
                Ok(record) => taken.push(record),
                // The claim keeps it out of the way of the others until the lease expires.
                Err(fault) => {
                    tracing::error!(?fault, "skipping a claimed operation: its row is corrupt");
                }
            }
        }
        self.events.corrupt("claim", rows.len() - taken.len());
        taken.sort_by_key(|record| (record.ready_time, record.uid));
        taken
    }

    /// Requeues operations whose leases have expired.
    async fn sweep(&self, asked: &Asked) -> Result<(), Fault> {
        let until = self.own_time();
        self.sweep_by(asked.sweep(&until), Others::Find).await?;
        Ok(())
    }

    /// The same for those that the query gives. Answers how many there were.
    async fn sweep_by(&self, query: Query<'_>, find: Others) -> Result<usize, Fault> {
        let mut transaction = self.database.transaction(Access::WriteInOrder).await?;
        let mut rows = transaction.run(&[query, clock()]).await?;
        let now = transaction.time(&rows.pop().unwrap_or_default())?;
        let rows = rows.pop().unwrap_or_default();
        let lost = Lost::of(&rows);
        let others = match find {
            Others::Find if !lost.is_empty() => {
                let mut answers = transaction.run(&lost.others()).await?;
                Some(answers.swap_remove(0))
            }
            Others::Find => Some(Vec::new()),
            Others::Suppose => None,
        };
        let mut swept = Work::new(now);
        let commands = suspects::commands(&rows, others.as_deref())?;
        let corrupt = expire(&mut swept, rows.iter().zip(commands));
        let wakes = family::follow(&mut transaction, &mut swept).await?;
        let later = vec![now.saturating_add(CORRUPT_PAUSE).as_micros(); corrupt.len()];
        let written = swept.columns();
        let mut steps = queries(&written);
        steps.extend(wakes.query());
        if !corrupt.is_empty() {
            self.events.corrupt("claim", corrupt.len());
            steps.push(Query {
                sql: statement::RENEW,
                params: vec![(&corrupt, Type::UUID_ARRAY), (&later, Type::INT8_ARRAY)],
            });
        }
        transaction.run_and_commit(&steps).await?;
        swept.events.extend(wakes.event());
        self.events.publish(&swept.events);
        Ok(rows.len())
    }

    /// Claims ready operations, unless a lease has expired that ends at or after the given time. Then
    /// scans what is left.
    async fn take(
        &self,
        claim: &Claim,
        asked: &Asked,
        unless_since: Option<i64>,
        marks: &mut Marks,
    ) -> Result<(Vec<OperationRecord>, Look), Fault> {
        let until = self.own_time();
        let steps = [asked.take(&until, &unless_since), asked.look()];
        let rows = self.database.run(Access::WriteInOrder, &steps).await?;
        let [taken, left] = &rows[..] else {
            return Err(Fault::row("a claim has no answer"));
        };
        let operations = self.taken(taken, claim);
        let clock = self.database.clock.as_deref();
        let mut left = Look::read(left, clock)?;
        if clock.is_none() {
            marks.set(asked, &left);
        }
        left.remember(marks.first_lease);
        Ok((operations, left))
    }

    /// A clock that was passed in.
    fn own_time(&self) -> Option<i64> {
        let clock = self.database.clock.as_ref();
        clock.map(|clock| clock.now().as_micros())
    }

    /// Scans for work without locks, and records where it begins.
    async fn look(&self, asked: &mut Asked, marks: &mut Marks) -> Result<Look, Fault> {
        let clock = self.database.clock.as_deref();
        let begun = Instant::now();
        let whole = clock.is_some() || marks.are_old();
        match whole {
            true => asked.begin_anywhere(marks),
            false => asked.begin_at(marks),
        }
        let rows = self.database.run(Access::Look, &[asked.look()]).await?;
        let mut look = Look::read(&rows[0], clock)?;
        if clock.is_some() {
            // A clock that was passed in may be set back at any time.
            return Ok(look);
        }
        if whole {
            let took = begun.elapsed();
            marks.whole_at = Some(Instant::now() + LOOK_INTERVAL.max(took * LOOK_SHARE));
            marks.methods.clear();
            marks.first_lease = look.lease;
        }
        marks.set(asked, &look);
        asked.begin_at(marks);
        look.remember(marks.first_lease);
        Ok(look)
    }
}

/// Expires and requeues operations whose leases have ended. Returns the rows that are corrupt or not
/// in a state that holds a lease.
fn expire<'r>(swept: &mut Work, rows: impl Iterator<Item = (&'r Row, Command)>) -> Vec<Uuid> {
    let mut corrupt = Vec::new();
    for (row, command) in rows {
        match decode_head(row) {
            Ok(record) => {
                let uid = record.uid;
                swept.add(record);
                if let Err(refusal) = swept.apply_to(uid, command) {
                    tracing::error!(%uid, %refusal, "skipping an expired lease: the operation is not running");
                    corrupt.push(uid);
                }
            }
            Err(fault) => {
                tracing::error!(?fault, "skipping an expired lease: the row is corrupt");
                corrupt.extend(row.try_get::<_, Uuid>(0));
            }
        }
    }
    corrupt
}
