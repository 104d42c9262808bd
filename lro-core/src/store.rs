//! The store side: the contract of stores, the state machine, and the store in memory.
//!
//! Servers and stores use this module; clients do not. [`OperationStore`] is the contract,
//! [`OperationRecord`] with [`OperationRecord::apply`] is the state machine, and [`MemoryStore`] is
//! the simplest implementation. Authors of a store find shared parts in [`kit`].

mod children;
mod claim;
mod command;
mod count;
mod error;
mod events;
mod history;
pub mod kit;
mod lease;
mod list_policy;
mod memory;
mod page;
mod policy;
mod query;
mod record;
mod refusal;
mod standard_metadata;
mod state;
mod steps;
mod suspects;
mod update;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::name::OperationName;

pub use children::{Child, ChildOf, ChildRefusal, ParentStep};
pub use claim::{Claim, Claimed};
pub use command::{Change, Command, OperationOutcome};
pub use count::{Count, CountQuery, Counts};
pub use error::{StoreError, StoreErrorKind};
pub use events::{StoreEvent, StoreObserver};
pub use history::{Actor, Attempt, AttemptOutcome, History};
pub use lease::{Lease, WorkerId};
pub use list_policy::ListPolicy;
pub use memory::MemoryStore;
pub use page::{Page, PageCursor};
pub use policy::{ExecutionPolicy, OnCrash};
pub use query::ListQuery;
pub use record::{NewOperation, OperationRecord, OperationResult, Origin, RequestId};
pub use refusal::Refusal;
pub use standard_metadata::StandardMetadata;
pub use state::OperationState;
pub use steps::{
    AppliedSteps, Blocked, InvalidStepKey, StepKey, StepKind, StepLimit, StepOutcome, StepQuery,
    StepRow, StepSummary, StepWake, StepWrite,
};
pub use suspects::Suspects;
pub use update::{Update, Updated};

/// A store of operations.
///
/// ```
/// use lro_core::store::{Command, MemoryStore, NewOperation, OperationStore, Update};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = MemoryStore::new();
/// let operation = NewOperation::new(
///     uuid::Uuid::now_v7(),
///     "operations/1".parse()?,
///     "/exporter.v1.Exporter/Export",
///     lro_core::pack(&()),
/// );
/// let started = store.start(vec![operation]).await?.remove(0)?;
/// assert!(!started.existing);
///
/// let cancel = Update::by_name(started.record.name.clone(), Command::cancel());
/// let updated = store.update(vec![cancel]).await?.remove(0)?;
/// assert!(updated.state.is_done());
/// # Ok(()) }
/// ```
///
/// A store handles records and commands; it knows neither handlers nor the wire format. Its calls
/// take batches and return one answer for each element, in the same order, so that the elements can
/// share one commit or one round trip.
///
/// # Guarantees of every implementation
///
/// * **Durable before answered.** A call answers after its commit, with the durability that the
///   store documents.
/// * **One writer at a time for each record.** The store applies elements through
///   [`OperationRecord::apply`] as if one after the other, and the elements of one call in their
///   order. A rejected element does not affect the others, nor does an update of an operation that is
///   corrupt or locked by another program.
/// * **The store's clock decides** when a record is ready, and when a lease expires.
/// * **Events follow the commit**: see [`observe`](Self::observe).
///
/// # Errors
///
/// The outer [`StoreError`] of a call means that it is unknown which elements were applied. All
/// commands are safe to repeat, because the fence or the state rejects a second one.
///
/// # Cancel safety
///
/// If a future is dropped, the call is either complete or not applied; only [`purge`](Self::purge)
/// may have removed a part of its operations.
#[async_trait::async_trait]
pub trait OperationStore: fmt::Debug + Send + Sync + 'static {
    /// Stores new operations.
    ///
    /// Conflicts are decided by unique indexes, never by a read before the write, in this order. A
    /// known request id of the same method and parent returns the existing operation
    /// ([`Started::existing`]) if the fingerprint is equal, and [`StartError::RequestIdReused`]
    /// otherwise. A used name is [`StartError::AlreadyExists`]. An exclusive key that an unfinished
    /// operation holds is [`StartError::ExclusiveKeyHeld`]. A used uid is [`StartError::AlreadyExists`]
    /// with the name of its operation.
    ///
    /// A request id is known as long as the operation's record: an operation that was deleted while it
    /// runs still answers for its id, although callers do not see it any more. When the record is
    /// removed, by deletion or expiry, the id is forgotten, and starts a new operation.
    ///
    /// An operation with `claimed_by` is claimed in the same commit.
    ///
    /// An operation with a [parent](NewOperation::child_of) is stored only together with the parent's step that waits
    /// for it. In this order: if that step has a child already whose record there is, that is the existing operation,
    /// whatever its request id. An operation with the same request id must be the child of this step
    /// ([`ChildRefusal::NotItsChild`] otherwise). Then the conflicts above are decided, and what
    /// [`ChildOf::record`] makes is applied to the parent, whose refusal is [`ChildRefusal::Parent`]. A store that
    /// [keeps no steps](Self::keeps_steps) refuses it so, as [`Refusal::Unimplemented`].
    async fn start(
        &self,
        operations: Vec<NewOperation>,
    ) -> Result<Vec<Result<Started, StartError>>, StoreError>;

    /// Claims operations that are ready, the longest ready first (by uid if equal), and returns
    /// when to claim again. [Suspects](Suspects) come first, as many as the claim allows.
    ///
    /// A claim that [expires leases](Claim::expires_leases) does so for a bounded number, of any
    /// worker: with [`Command::Expire`] if the worker held no other operation when the first of its
    /// leases expired, and otherwise with [`Command::ExpireShared`]. Nothing else requeues operations
    /// of lost workers. So a worker without a free slot claims no methods with a limit of 0, to expire
    /// leases and to learn from [`next_in`](Claimed::next_in) when the next lease may expire.
    async fn claim(&self, claim: Claim) -> Result<Claimed, StoreError>;

    /// Applies commands to records, and records the [steps](Update::steps) that come with them. A
    /// command for a corrupt or locked record is rejected alone ([`Refusal::Corrupt`],
    /// [`Refusal::Locked`]).
    ///
    /// The steps and the effect of the command are one commit: either both are stored or neither. So are the end of
    /// a child, or its deletion, and [that of its parent's step](OperationRecord::tells_parent), in each call that
    /// ends operations; and the update of a step that [cancels its child](AppliedSteps::cancels), and the
    /// cancellation.
    /// A store that [keeps no steps](Self::keeps_steps) rejects each update that
    /// [uses steps](Update::uses_steps) alone, as [`Refusal::Unimplemented`].
    async fn update(
        &self,
        updates: Vec<Update>,
    ) -> Result<Vec<Result<Updated, Refusal>>, StoreError>;

    /// The record of that name, without deleted ones.
    async fn get(&self, name: &OperationName) -> Result<Option<OperationRecord>, StoreError>;

    /// The record of that name, if it was deleted and has not finished: a caller may still cancel
    /// it. Default: no record.
    async fn get_deleted(
        &self,
        name: &OperationName,
    ) -> Result<Option<OperationRecord>, StoreError> {
        let _ = name;
        Ok(None)
    }

    /// The operations that are ready at this time and that no worker has claimed, by method: at most
    /// `limit` of them are counted. For monitoring. Default: none.
    async fn backlog(&self, now: Timestamp, limit: usize) -> Result<Vec<Backlog>, StoreError> {
        let _ = (now, limit);
        Ok(Vec::new())
    }

    /// Recorded steps of an operation, in the order in which they were first written: a page of those
    /// behind [`after_seq`](StepQuery::after_seq). Empty if there is no such operation, or it has no
    /// steps: so a worker asks only for a record with [`steps`](OperationRecord::steps).
    ///
    /// Rows are those of the last commit. While the caller holds the operation, only a
    /// [`Complete`](Command::Complete) and the end of a [child](StepKind::Child) add or finish rows beside its own. Rows stay after the end
    /// of the operation, and go with its record.
    ///
    /// Default: [`StoreErrorKind::Unimplemented`], which names the store.
    async fn steps(&self, query: StepQuery) -> Result<Vec<StepRow>, StoreError> {
        let _ = query;
        Err(StoreError::unimplemented::<Self>("steps"))
    }

    /// Whether the store keeps [steps](Self::steps). A worker does not start on a store without them
    /// if one of its methods needs them. Default: `false`.
    fn keeps_steps(&self) -> bool {
        false
    }

    /// A page of the operations directly below a parent, those that match the query's filter, deleted
    /// ones not included: newest first, by create time and then by uid.
    ///
    /// Every store returns the same operations in the same order. Each store decides where a page
    /// ends that reaches [`max_examined`](ListQuery::max_examined) before it is full.
    async fn list(&self, query: ListQuery) -> Result<Page, StoreError>;

    /// The number of operations that a list of this parent and filter would show, by method and
    /// state, as far as the query's bound allows. For monitoring.
    ///
    /// The store uses the index ranges of the filter, as lists do, and may read other operations than
    /// the newest ones first. Operations that change meanwhile are counted as they were or as they
    /// are. Default: pages of [`list`](Self::list), by this machine's clock.
    async fn count(&self, query: CountQuery) -> Result<Counts, StoreError> {
        count::by_lists(self, &query).await
    }

    /// Removes up to `limit` operations whose expiry time has passed, in any order. Returns their
    /// number.
    async fn purge(&self, limit: usize) -> Result<usize, StoreError>;

    /// The key with which a server encrypts the page tokens of this store's lists, unless it has keys
    /// of its own.
    ///
    /// Random ([`new_page_token_key`](kit::new_page_token_key)), created once, and kept with the
    /// operations: every call returns the same key in every process that shares the store, also if
    /// several processes make the first call concurrently. Another store has another key, so that a
    /// server rejects the tokens of other servers.
    async fn page_token_key(&self) -> Result<[u8; 32], StoreError>;

    /// Registers an observer, which receives events after each commit from now on.
    ///
    /// Events are hints: an event may be duplicated or spurious. Events that this process caused
    /// are never lost; [`event_gap`](Self::event_gap) says whether those of other processes may be.
    fn observe(&self, observer: Arc<dyn StoreObserver>);

    /// The maximum delay of events from other processes: waiters poll the store at this interval.
    /// `None` if there are no other processes, and events are never lost.
    fn event_gap(&self) -> Option<Duration>;

    /// Whether this process owns the store alone, so that no other process can claim its
    /// operations. Default: `false`.
    ///
    /// A worker on an exclusive store keeps its bodies running when a renewal fails: the store
    /// does not expire a lease while a worker of this process holds the operation, see
    /// [`StoreObserver::is_held`].
    fn is_exclusive(&self) -> bool {
        false
    }

    /// Whether [`start`](Self::start) may succeed. `false` while the store rejects new operations
    /// because it is [full](StoreErrorKind::Full), but serves other calls. Default: `true`.
    fn accepts_starts(&self) -> bool {
        true
    }
}

/// The ready operations of one method that no worker has claimed.
///
/// ```
/// use lro_core::Timestamp;
/// use lro_core::store::Backlog;
///
/// let backlog = Backlog::new("/exporter.v1.Exporter/Export", 3, Timestamp::EPOCH);
/// assert_eq!(backlog.count, 3);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Backlog {
    /// The gRPC path of the method.
    pub method: String,
    /// The number of operations, as far as they were counted.
    pub count: usize,
    /// Since when the oldest of them is ready.
    pub oldest: Timestamp,
}

impl Backlog {
    /// The backlog of a method.
    pub fn new(method: impl Into<String>, count: usize, oldest: Timestamp) -> Self {
        Self {
            method: method.into(),
            count,
            oldest,
        }
    }
}

/// The operation of a successful start.
///
/// ```
/// use lro_core::store::Started;
///
/// fn log(started: &Started) {
///     let made_by = if started.existing { "an earlier start" } else { "this start" };
///     println!("{} was made by {made_by}", started.record.name);
/// }
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Started {
    /// Its record.
    pub record: OperationRecord,
    /// Whether an earlier start with the same request id created it.
    pub existing: bool,
}

/// The reason why a start created no operation.
///
/// ```
/// use lro_core::store::StartError;
///
/// let error = StartError::AlreadyExists("operations/1".parse()?);
/// assert_eq!(error.to_string(), "operation `operations/1` exists already");
/// # Ok::<(), lro_core::InvalidName>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The name is taken.
    #[error("operation `{0}` exists already")]
    AlreadyExists(OperationName),
    /// The request id was used before, with another request.
    #[error("the request id was used before for operation `{0}`, with another request")]
    RequestIdReused(OperationName),
    /// The named, unfinished operation holds the exclusive key.
    #[error("operation `{0}` holds the exclusive key and has not finished")]
    ExclusiveKeyHeld(OperationName),
    /// It is the child of an operation, and cannot be.
    #[error(transparent)]
    Child(#[from] ChildRefusal),
}
