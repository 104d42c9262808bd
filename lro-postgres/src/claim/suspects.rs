//! Suspects: which of them a claim takes, and what becomes of operations whose worker was lost.

use std::collections::HashSet;
use std::time::Duration;

use lro_core::Timestamp;
use lro_core::store::{Claim, Command};
use tokio_postgres::Row;
use tokio_postgres::types::Type;
use uuid::Uuid;

use super::asked::Asked;
use super::marks::Look;
use crate::error::Fault;
use crate::sql::database::Query;
use crate::sql::statement;

/// The suspects that a claim takes, as parameters.
pub(super) struct AskedSuspects {
    alone: bool,
    limit: i64,
    /// How long they must have been ready, in microseconds.
    ready_for: i64,
}

impl AskedSuspects {
    /// The suspects that a claim takes now: the second kind if there is none of the first.
    pub(super) fn kinds(claim: &Claim, look: &Look) -> Vec<Self> {
        let is_ready = |time: Option<Timestamp>, after| {
            time.is_some_and(|time| time.saturating_add(after) <= look.now)
        };
        let mut kinds = Vec::new();
        if claim.limit == 0 {
            return kinds;
        }
        if let Some(after) = claim.suspects.trial_after
            && is_ready(look.trial, after)
        {
            kinds.push(Self {
                alone: true,
                limit: 1,
                ready_for: i64::try_from(after.as_micros()).unwrap_or(i64::MAX / 4),
            });
        }
        let most = claim.suspects.max_together.min(claim.limit);
        if most > 0 && is_ready(look.together, Duration::ZERO) {
            kinds.push(Self {
                alone: false,
                limit: i64::try_from(most).unwrap_or(i64::MAX),
                ready_for: 0,
            });
        }
        kinds
    }

    /// Whether the claim takes nothing else.
    pub(super) fn is_alone(&self) -> bool {
        self.alone
    }

    pub(super) fn take<'q>(&'q self, asked: &'q Asked, until: &'q Option<i64>) -> Query<'q> {
        Query {
            sql: statement::CLAIM_SUSPECTS,
            params: vec![
                (&asked.methods, Type::TEXT_ARRAY),
                (&asked.most, Type::INT8_ARRAY),
                (&self.alone, Type::BOOL),
                (until, Type::INT8),
                (&self.limit, Type::INT8),
                (&asked.worker, Type::UUID),
                (&asked.lease_micros, Type::INT8),
                (&self.ready_for, Type::INT8),
            ],
        }
    }
}

/// The workers of leases that have expired.
pub(super) struct Lost {
    workers: Vec<Uuid>,
    uids: Vec<Uuid>,
}

impl Lost {
    /// From the rows of a sweep.
    pub(super) fn of(rows: &[Row]) -> Self {
        let mut workers: Vec<Uuid> = rows.iter().filter_map(worker).collect();
        workers.sort_unstable();
        workers.dedup();
        Self {
            workers,
            uids: rows.iter().filter_map(|row| row.try_get(0).ok()).collect(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.workers.is_empty()
    }

    /// Finds the workers with other operations, and marks the leases of those.
    pub(super) fn others(&self) -> [Query<'_>; 2] {
        [statement::HELD, statement::SHARE].map(|sql| Query {
            sql,
            params: vec![
                (&self.workers, Type::UUID_ARRAY),
                (&self.uids, Type::UUID_ARRAY),
            ],
        })
    }
}

/// How a sweep learns whether a worker was lost with other operations.
#[derive(Clone, Copy, Debug)]
pub(super) enum Others {
    Find,
    /// It supposes so: other rows cannot be read where pages are corrupt.
    Suppose,
}

/// The command for the operation of each expired lease.
pub(super) fn commands(rows: &[Row], others: Option<&[Row]>) -> Result<Vec<Command>, Fault> {
    let Some(others) = others else {
        return Ok(vec![Command::ExpireShared; rows.len()]);
    };
    let mut seen: HashSet<Uuid> = HashSet::new();
    let mut shared: HashSet<Uuid> = HashSet::new();
    for row in others {
        shared.insert(row.try_get(0)?);
    }
    for worker in rows.iter().filter_map(worker) {
        if !seen.insert(worker) {
            shared.insert(worker);
        }
    }
    let command = |row: &Row| {
        let marked: bool = row.try_get("lease_shared")?;
        let together = worker(row).is_some_and(|worker| shared.contains(&worker));
        Ok(if marked || together {
            Command::ExpireShared
        } else {
            Command::Expire
        })
    };
    rows.iter().map(command).collect()
}

fn worker(row: &Row) -> Option<Uuid> {
    row.try_get("lease_worker").ok()
}
