//! The claim of a worker, and its answer.

use std::collections::BTreeMap;
use std::time::Duration;

use super::lease::WorkerId;
use super::record::OperationRecord;
use super::suspects::Suspects;

/// A request of a worker for operations to run.
///
/// ```
/// use std::time::Duration;
/// use lro_core::store::{Claim, Suspects, WorkerId};
///
/// // Up to two exports, and no operations of other methods.
/// let claim = Claim {
///     worker: WorkerId::from_uuid(uuid::Uuid::now_v7()),
///     methods: [("/exporter.v1.Exporter/Export".to_owned(), 2)].into(),
///     limit: 2,
///     lease_duration: Duration::from_secs(30),
///     suspects: Suspects::default(),
///     expires_leases: true,
/// };
/// assert_eq!(claim.methods.len(), 1);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The worker.
    pub worker: WorkerId,
    /// The maximum number of operations of each method.
    pub methods: BTreeMap<String, usize>,
    /// The maximum number of operations in total.
    pub limit: usize,
    /// How long the leases last.
    pub lease_duration: Duration,
    /// Which suspects the worker may run now.
    pub suspects: Suspects,
    /// Whether the claim expires leases that are over. A worker that could not reach the store for
    /// a while leaves them for some seconds, so that the workers that lived through the outage can
    /// release their operations.
    pub expires_leases: bool,
}

/// The answer to a [`Claim`].
///
/// ```
/// use lro_core::store::Claimed;
///
/// // Nothing was ready, and no later time is known.
/// let claimed = Claimed::default();
/// assert!(claimed.operations.is_empty() && claimed.next_in.is_none());
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Claimed {
    /// The operations it holds now.
    pub operations: Vec<OperationRecord>,
    /// When to claim again at the latest, if no event arrives: when the next operation of these
    /// methods becomes ready, or a lease ends that the claim may expire. Zero if more than `limit`
    /// were ready. A lease is valid up to and including its last moment: a claim at that moment does
    /// not expire it, and returns zero here.
    pub next_in: Option<Duration>,
    /// Whether suspects of these methods are pending that the claim did not take.
    pub suspects_wait: bool,
}
