//! Where the live entries of the indexes begin, and what a look has found there.

use std::collections::HashMap;
use std::time::Duration;

use lro_core::store::{Claim, Claimed, OperationRecord};
use lro_core::{Clock, Timestamp};
use tokio::time::Instant;
use tokio_postgres::Row;

use super::asked::Asked;
use crate::error::Fault;
use crate::holes::Holes;

/// The distance before the first known entry at which a claim begins its scan. It exceeds the usual
/// time from a transaction's reading of the clock to its commit. The next full scan finds entries
/// that arrive even later.
const MARGIN: Duration = Duration::from_millis(500);

/// Where the live entries of the two indexes begin. The entries before were claimed or renewed, but
/// VACUUM cannot remove them while any older transaction of the database is open, and every claim
/// would have to step over them. These are only hints: see [`MARGIN`].
#[derive(Debug, Default)]
pub(super) struct Marks {
    pub(super) methods: HashMap<String, Timestamp>,
    pub(super) lease: Option<Timestamp>,
    /// The first lease that the last full scan found. Between full scans, claims search only for
    /// expired leases.
    pub(super) first_lease: Option<Timestamp>,
    /// The time of the next full scan.
    pub(super) whole_at: Option<Instant>,
    /// Whether the last claim has found something ready.
    pub(super) found_last: bool,
    /// Whether suspects of the last claim's methods are pending.
    pub(super) suspects_wait: bool,
    /// Leases that cannot be read. All that had expired before them are requeued, so that claims begin
    /// behind them.
    pub(super) lease_holes: Option<Holes>,
    /// Ready operations of each method that cannot be read.
    pub(super) ready_holes: HashMap<String, Holes>,
}

impl Marks {
    /// Where the leases begin that can be read.
    pub(super) fn lease_floor(&self) -> i64 {
        floor(self.lease_holes.as_ref())
    }

    /// Where the ready operations of a method begin, behind those that cannot be read.
    pub(super) fn ready_floor(&self, method: &str) -> i64 {
        floor(self.ready_holes.get(method))
    }

    /// Whether claims have to go around something.
    pub(super) fn has_ready_holes(&self) -> bool {
        self.ready_holes.values().any(Holes::are_known)
    }

    pub(super) fn are_old(&self) -> bool {
        self.whole_at.is_none_or(|at| at <= Instant::now())
    }

    /// From what a look has found.
    pub(super) fn set(&mut self, asked: &Asked, look: &Look) {
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

fn floor(holes: Option<&Holes>) -> i64 {
    let known = holes.filter(|holes| holes.are_known());
    known.map_or(i64::MIN, Holes::end)
}

/// The result of a scan.
pub(super) struct Look {
    pub(super) now: Timestamp,
    pub(super) lease: Option<Timestamp>,
    /// Of each method, in the order of the claim.
    pub(super) ready: Vec<Option<Timestamp>>,
    /// When the first suspect with one loss is ready.
    pub(super) together: Option<Timestamp>,
    /// When the first suspect with more losses is ready.
    pub(super) trial: Option<Timestamp>,
    /// Whether an operation waits for a wake.
    pub(super) wakes: bool,
}

/// How soon the ends of children are looked for again whose parents were locked.
const WAKE_INTERVAL: Duration = Duration::from_millis(200);

impl Look {
    pub(super) fn read(rows: &[Row], clock: Option<&dyn Clock>) -> Result<Self, Fault> {
        let row = rows
            .first()
            .ok_or_else(|| Fault::row("a look has no answer"))?;
        let time = |micros: i64| Timestamp::from_micros(micros);
        let now = time(row.try_get(0)?);
        let ready: Vec<Option<i64>> = row.try_get(2)?;
        Ok(Self {
            now: clock.map_or(now, Clock::now),
            lease: row.try_get::<_, Option<i64>>(1)?.map(time),
            ready: {
                // Later are suspects, and operations that wait without a timer.
                let pending = |micros: &i64| *micros < OperationRecord::NEVER_READY.as_micros();
                let first = |micros: Option<i64>| micros.filter(pending).map(time);
                ready.into_iter().map(first).collect()
            },
            together: row.try_get::<_, Option<i64>>(3)?.map(time),
            trial: row.try_get::<_, Option<i64>>(4)?.map(time),
            wakes: row.try_get(5)?,
        })
    }

    /// A scan of the expired leases knows nothing of the others.
    pub(super) fn remember(&mut self, first_lease: Option<Timestamp>) {
        let lasts = first_lease.filter(|time| *time > self.now);
        self.lease = self.lease.or(lasts);
    }

    /// Whether a lease has expired that the claim may end.
    pub(super) fn lease_is_over(&self, claim: &Claim) -> bool {
        self.lease_of(claim).is_some_and(|time| time < self.now)
    }

    /// The first lease, if the claim expires leases.
    fn lease_of(&self, claim: &Claim) -> Option<Timestamp> {
        self.lease.filter(|_| claim.expires_leases)
    }

    pub(super) fn some_are_ready(&self) -> bool {
        self.ready.iter().flatten().any(|time| *time <= self.now)
    }

    pub(super) fn suspects_wait(&self) -> bool {
        self.together.is_some() || self.trial.is_some()
    }

    pub(super) fn claimed(&self, claim: &Claim, operations: Vec<OperationRecord>) -> Claimed {
        Claimed {
            operations,
            next_in: self.next_in(claim),
            suspects_wait: self.suspects_wait(),
        }
    }

    fn next_in(&self, claim: &Claim) -> Option<Duration> {
        let together = self.together.filter(|_| claim.suspects.max_together > 0);
        let trial = claim.suspects.trial_after.and_then(|after| {
            let first = self.trial?;
            Some(first.saturating_add(after))
        });
        let first = self.ready.iter().copied();
        let first = first.chain([self.lease_of(claim), together, trial]);
        let next = first.flatten().min().map(|time| time.since(self.now));
        match self.wakes {
            // Some may be left, because their operations were locked.
            true => Some(next.map_or(WAKE_INTERVAL, |next| next.min(WAKE_INTERVAL))),
            false => next,
        }
    }
}
