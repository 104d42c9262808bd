//! Which worker runs an operation, and until when.

use std::fmt;

use uuid::Uuid;

use crate::clock::Timestamp;

/// The right of one worker to run an operation, until when.
///
/// ```
/// use lro_core::Timestamp;
/// use lro_core::store::{Lease, WorkerId};
///
/// let lease = Lease {
///     worker: WorkerId::from_uuid(uuid::Uuid::now_v7()),
///     expire_time: Timestamp::from_micros(30_000_000),
/// };
/// assert!(lease.expire_time > Timestamp::EPOCH);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The worker that holds it.
    pub worker: WorkerId,
    /// When it ends unless it is renewed, by the store's clock.
    pub expire_time: Timestamp,
}

/// A worker's identity: fresh for every start of a process, never a host's name.
///
/// ```
/// use lro_core::store::WorkerId;
/// use uuid::Uuid;
///
/// let uuid = Uuid::now_v7();
/// assert_eq!(WorkerId::from_uuid(uuid).as_uuid(), uuid);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkerId(Uuid);

impl WorkerId {
    /// From a fresh random id.
    pub const fn from_uuid(uuid: Uuid) -> Self {
        Self(uuid)
    }

    /// As it is stored.
    pub const fn as_uuid(self) -> Uuid {
        self.0
    }
}

impl fmt::Debug for WorkerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
