//! Claims: what is ready is found by index and locked, what another node has locked is left to it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use lro_core::{Claim, Claimed, Clock, Command, OperationRecord, Refusal, StoreEvent, Timestamp};
use tokio::time::Instant;
use tokio_postgres::Row;
use tokio_postgres::types::Type;
use uuid::Uuid;

use crate::database::{Access, Database, Query, clock};
use crate::error::Fault;
use crate::events::Events;
use crate::held::Held;
use crate::row::{decode, decode_head};
use crate::statement;
use crate::text::escape;
use crate::updates::{Work, queries};

/// How many leases that are over one claim turns back at most.
const EXPIRED_PER_CLAIM: i64 = 256;

/// How far before the first that was found a claim begins to look: longer than a transaction takes
/// from its reading of the clock to its commit, as a rule. What comes in even later is found by the
/// next look at everything.
const MARGIN: Duration = Duration::from_millis(500);

/// The latest time, and a lease that reaches beyond it from any other, in microseconds.
const TIME_MAX: i64 = Timestamp::MAX.as_micros();
const LEASE_MAX: i64 = i64::MAX / 4;

/// Everything is looked at so often, or more seldom when it takes long: a twentieth of the time.
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

/// Where the live entries of the two indexes begin. What lies before was claimed or renewed, but
/// cannot be vacuumed while any transaction of the database is older, and would be walked through by
/// every claim. Only hints: see [`MARGIN`].
#[derive(Debug, Default)]
struct Marks {
    methods: HashMap<String, Timestamp>,
    lease: Option<Timestamp>,
    /// The first lease that the last look at everything has found. Between those only leases that are
    /// over are looked for: before the first that lasts lie all that ended as long ago as a lease
    /// lasts.
    first_lease: Option<Timestamp>,
    /// When to look at everything again.
    whole_at: Option<Instant>,
    /// Whether the last claim has found something ready.
    found_last: bool,
}

impl Marks {
    fn are_old(&self) -> bool {
        self.whole_at.is_none_or(|at| at <= Instant::now())
    }

    /// From what a look has found.
    fn set(&mut self, asked: &Asked, look: &Look) {
        let micros = i64::try_from(MARGIN.as_micros()).unwrap_or(i64::MAX);
        let mark = |first: Option<Timestamp>| {
            let first = first.map_or(look.now, |first| first.min(look.now));
            Timestamp::from_micros(first.as_micros().saturating_sub(micros))
        };
        for (method, first) in asked.names.iter().zip(&look.ready) {
            self.methods.insert(method.clone(), mark(*first));
        }
        self.lease = Some(mark(look.lease));
    }
}

/// What a look has found.
struct Look {
    now: Timestamp,
    lease: Option<Timestamp>,
    /// Of each method, in the order of the claim.
    ready: Vec<Option<Timestamp>>,
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
        loop {
            let transaction = self.claim_once(claim, &mut marks);
            let result = self.database.in_time(transaction).await;
            if !attempts.again(&result).await {
                return result;
            }
        }
    }

    async fn claim_once(&self, claim: &Claim, marks: &mut Marks) -> Result<Claimed, Fault> {
        let mut asked = Asked::new(claim);
        let told = self.events.take_ready();
        let own_clock = self.database.clock.is_some();
        if told && claim.limit > 0 && marks.found_last && (own_clock || !marks.are_old()) {
            // What is told is mostly there: it is taken without a look before.
            if !own_clock {
                asked.begin_at(marks);
            }
            let unless_since = Some(asked.lease_since);
            let (operations, look) = self.take(claim, &asked, unless_since, marks).await?;
            marks.found_last = !operations.is_empty();
            if !operations.is_empty() || !look.lease_is_over() {
                return Ok(look.claimed(operations));
            }
        }
        let mut look = self.look(&mut asked, marks).await?;
        let sweep = look.lease_is_over();
        if sweep {
            self.sweep(&asked).await?;
        }
        let mut operations = Vec::new();
        marks.found_last = claim.limit > 0 && look.some_are_ready();
        if sweep || marks.found_last {
            // What was turned back is ready as well.
            (operations, look) = self.take(claim, &asked, None, marks).await?;
        }
        Ok(look.claimed(operations))
    }

    /// Turns back leases that are over.
    async fn sweep(&self, asked: &Asked) -> Result<(), Fault> {
        let mut transaction = self.database.transaction(Access::WriteInOrder).await?;
        let until = self.own_time();
        let mut rows = transaction.run(&[asked.sweep(&until), clock()]).await?;
        let now = transaction.time(&rows.pop().unwrap_or_default())?;
        let mut swept = Work::new(now);
        expire(&mut swept, &rows.pop().unwrap_or_default());
        let written = swept.columns();
        transaction.run_and_commit(&queries(&written)).await?;
        self.events.publish(&swept.events);
        Ok(())
    }

    /// Takes what is ready, unless a lease is over that ends at the given time or later, and looks at
    /// what is left.
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
        let operations = taken_records(taken, claim);
        operations.iter().for_each(|record| self.held.keep(record));
        let events: Vec<StoreEvent> = operations.iter().map(claimed).collect();
        self.events.publish(&events);
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

    /// Looks for work without locks, and learns where it begins.
    async fn look(&self, asked: &mut Asked, marks: &mut Marks) -> Result<Look, Fault> {
        let clock = self.database.clock.as_deref();
        let begun = Instant::now();
        let whole = clock.is_some() || marks.are_old();
        if !whole {
            asked.begin_at(marks);
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

/// Turns back whatever has no lease any more.
fn expire(swept: &mut Work, rows: &[Row]) {
    for row in rows {
        match decode_head(row) {
            Ok(record) => {
                let uid = record.uid;
                swept.add(record);
                // Refused when nobody holds it, which is as well.
                let _ = swept.apply_to(uid, Command::Expire);
            }
            Err(fault) => tracing::error!(?fault, "a damaged operation is left alone"),
        }
    }
}

/// What was claimed, as it is now: the statement does what [`Command::Claim`] does.
fn taken_records(rows: &[Row], claim: &Claim) -> Vec<OperationRecord> {
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
            // Until its attempts are used up.
            Err(fault) => tracing::error!(?fault, "a damaged operation is claimed in vain"),
        }
    }
    taken.sort_by_key(|record| (record.ready_time, record.uid));
    taken
}

fn claimed(record: &OperationRecord) -> StoreEvent {
    StoreEvent::Changed {
        name: record.name.clone(),
        uid: record.uid,
        state: record.state,
        gone: !record.is_visible(),
        ended: None,
    }
}

/// What a claim asks for, as parameters.
struct Asked {
    names: Vec<String>,
    methods: Vec<String>,
    most: Vec<i64>,
    since: Vec<i64>,
    lease_since: i64,
    lease_until: Option<i64>,
    limit: i64,
    worker: Uuid,
    lease_micros: i64,
}

impl Asked {
    fn new(claim: &Claim) -> Self {
        let most = |most: &usize| i64::try_from((*most).min(claim.limit)).unwrap_or(i64::MAX);
        let methods = claim.methods.keys();
        Self {
            names: methods.clone().cloned().collect(),
            methods: methods.map(|method| escape(method).into_owned()).collect(),
            most: claim.methods.values().map(most).collect(),
            since: vec![i64::MIN; claim.methods.len()],
            lease_since: i64::MIN,
            lease_until: Some(i64::MAX),
            limit: i64::try_from(claim.limit).unwrap_or(i64::MAX),
            worker: claim.worker.as_uuid(),
            lease_micros: i64::try_from(claim.lease_duration.as_micros())
                .map_or(LEASE_MAX, |micros| micros.min(LEASE_MAX)),
        }
    }

    fn begin_at(&mut self, marks: &Marks) {
        for (method, since) in self.names.iter().zip(&mut self.since) {
            *since = marks
                .methods
                .get(method)
                .map_or(i64::MIN, |time| time.as_micros());
        }
        self.lease_since = marks.lease.map_or(i64::MIN, Timestamp::as_micros);
        self.lease_until = None;
    }

    fn sweep<'q>(&'q self, until: &'q Option<i64>) -> Query<'q> {
        Query {
            sql: statement::SWEEP,
            params: vec![
                (&self.lease_since, Type::INT8),
                (until, Type::INT8),
                (&EXPIRED_PER_CLAIM, Type::INT8),
            ],
        }
    }

    fn take<'q>(&'q self, until: &'q Option<i64>, unless_since: &'q Option<i64>) -> Query<'q> {
        Query {
            sql: statement::CLAIM,
            params: vec![
                (&self.methods, Type::TEXT_ARRAY),
                (&self.most, Type::INT8_ARRAY),
                (&self.since, Type::INT8_ARRAY),
                (until, Type::INT8),
                (&self.limit, Type::INT8),
                (&self.worker, Type::UUID),
                (&self.lease_micros, Type::INT8),
                (&TIME_MAX, Type::INT8),
                (unless_since, Type::INT8),
            ],
        }
    }

    fn look(&self) -> Query<'_> {
        Query {
            sql: statement::LOOK,
            params: vec![
                (&self.lease_since, Type::INT8),
                (&self.methods, Type::TEXT_ARRAY),
                (&self.since, Type::INT8_ARRAY),
                (&self.lease_until, Type::INT8),
            ],
        }
    }
}

impl Look {
    fn read(rows: &[Row], clock: Option<&dyn Clock>) -> Result<Self, Fault> {
        let row = rows
            .first()
            .ok_or_else(|| Fault::row("a look has no answer"))?;
        let time = |micros: i64| Timestamp::from_micros(micros);
        let now = time(row.try_get(0)?);
        let ready: Vec<Option<i64>> = row.try_get(2)?;
        Ok(Self {
            now: clock.map_or(now, Clock::now),
            lease: row.try_get::<_, Option<i64>>(1)?.map(time),
            ready: ready.into_iter().map(|micros| micros.map(time)).collect(),
        })
    }

    /// A look at the leases that are over knows nothing of the others.
    fn remember(&mut self, first_lease: Option<Timestamp>) {
        let lasts = first_lease.filter(|time| *time > self.now);
        self.lease = self.lease.or(lasts);
    }

    fn lease_is_over(&self) -> bool {
        self.lease.is_some_and(|time| time < self.now)
    }

    fn some_are_ready(&self) -> bool {
        self.ready.iter().flatten().any(|time| *time <= self.now)
    }

    fn claimed(&self, operations: Vec<OperationRecord>) -> Claimed {
        Claimed {
            operations,
            next_in: self.next_in(),
        }
    }

    fn next_in(&self) -> Option<Duration> {
        let first = self.ready.iter().copied().chain([self.lease]);
        first.flatten().min().map(|time| time.since(self.now))
    }
}
