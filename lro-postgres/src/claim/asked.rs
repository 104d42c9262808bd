//! The parameters of the statements of a claim.

use lro_core::Timestamp;
use lro_core::store::kit::MAX_EXPIRED_PER_CLAIM;
use lro_core::store::{Claim, OperationRecord};
use tokio_postgres::types::Type;
use uuid::Uuid;

use super::marks::Marks;
use crate::sql::database::Query;
use crate::sql::statement;
use crate::sql::text::escape;

pub(super) const EXPIRED_PER_CLAIM: i64 = MAX_EXPIRED_PER_CLAIM as i64;

/// A lease that reaches beyond the latest time from any other, in microseconds.
const LEASE_MAX: i64 = i64::MAX / 4;

/// A claim as parameters of its statements.
pub(super) struct Asked {
    pub(super) names: Vec<String>,
    pub(super) methods: Vec<String>,
    pub(super) most: Vec<i64>,
    pub(super) since: Vec<i64>,
    pub(super) lease_since: i64,
    lease_until: Option<i64>,
    limit: i64,
    pub(super) worker: Uuid,
    pub(super) lease_micros: i64,
}

impl Asked {
    pub(super) fn new(claim: &Claim) -> Self {
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

    /// Begins at the start of the indexes, or behind keys that cannot be read.
    pub(super) fn begin_anywhere(&mut self, marks: &Marks) {
        for (method, since) in self.names.iter().zip(&mut self.since) {
            *since = marks.ready_floor(method);
        }
        self.lease_since = marks.lease_floor();
        self.lease_until = Some(i64::MAX);
    }

    pub(super) fn begin_at(&mut self, marks: &Marks) {
        for (method, since) in self.names.iter().zip(&mut self.since) {
            *since = marks
                .methods
                .get(method)
                .map_or(i64::MIN, |time| time.as_micros())
                .max(marks.ready_floor(method));
        }
        let lease = marks.lease.map_or(i64::MIN, Timestamp::as_micros);
        self.lease_since = lease.max(marks.lease_floor());
        self.lease_until = None;
    }

    pub(super) fn sweep<'q>(&'q self, until: &'q Option<i64>) -> Query<'q> {
        Query {
            sql: statement::SWEEP,
            params: vec![
                (&self.lease_since, Type::INT8),
                (until, Type::INT8),
                (&EXPIRED_PER_CLAIM, Type::INT8),
            ],
        }
    }

    pub(super) fn take<'q>(
        &'q self,
        until: &'q Option<i64>,
        unless_since: &'q Option<i64>,
    ) -> Query<'q> {
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
                (unless_since, Type::INT8),
            ],
        }
    }

    /// Reduces the limits by operations that were already claimed.
    pub(super) fn without(&mut self, taken: &[OperationRecord]) {
        for record in taken {
            let place = self.names.iter().position(|name| *name == record.method);
            if let Some(place) = place {
                self.most[place] = (self.most[place] - 1).max(0);
            }
            self.limit = (self.limit - 1).max(0);
        }
    }

    pub(super) fn look(&self) -> Query<'_> {
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
