//! The contract that every store keeps.

use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use crate::clock::Timestamp;
use crate::name::OperationName;
use crate::page::{ListQuery, Page};
use crate::record::{NewOperation, OperationRecord};
use crate::refusal::Refusal;
use crate::state::{Change, Command, OperationState};

/// Where operations are kept.
///
/// A store knows records and commands, no handlers and no wire. Its calls come in batches, one
/// answer an element in the same order, so that a store can share one commit or one round trip
/// among them.
///
/// # Guarantees of every implementation
///
/// * **Durable before answered.** What a call answers has been committed, as durably as the store
///   says of itself.
/// * **One writer at a time for each record.** Elements are applied through
///   [`OperationRecord::apply`] as if one after the other; elements of one call in their order. An
///   element that is refused does not disturb its neighbours, nor does an update of an operation that
///   is damaged, or that another program has locked.
/// * **The store's clock decides** when a record is ready, and when a lease is over.
/// * **Events follow the commit**: see [`observe`](Self::observe).
///
/// # Errors
///
/// The outer [`StoreError`] of a call means that it is not known whether any of it was done: all
/// commands are safe to repeat, because the fence or the state makes a second one a refusal.
///
/// # Cancel safety
///
/// A future that is dropped leaves the call done or not done, never half; only a
/// [`purge`](Self::purge) may have removed some and end there.
#[async_trait::async_trait]
pub trait OperationStore: fmt::Debug + Send + Sync + 'static {
    /// Keeps new operations.
    ///
    /// Decided by an index, never by looking first: a request id that the same method and parent
    /// has seen gives the operation there is ([`Started::existing`]) when the fingerprint is the
    /// same, [`StartError::RequestIdReused`] when it is another; then a name that is taken is
    /// [`StartError::AlreadyExists`], and an exclusive key that an unfinished operation holds is
    /// [`StartError::ExclusiveKeyHeld`]; then a uid that is taken is [`StartError::AlreadyExists`] with
    /// the name of whose it is.
    ///
    /// A request id is known as long as the operation's record: an operation that was deleted while it
    /// runs still answers for its id, though nobody else sees it. With the record, by deletion or expiry,
    /// the id is forgotten, and means a new operation.
    ///
    /// An operation with `claimed_by` is claimed in the same commit.
    async fn start(
        &self,
        operations: Vec<NewOperation>,
    ) -> Result<Vec<Result<Started, StartError>>, StoreError>;

    /// Claims operations that are ready, the longest ready first (of equally long ones the smaller
    /// uid), and tells when the next will be.
    ///
    /// Also turns a bounded number of leases that are over into [`Command::Expire`], whoever held
    /// them: there is no other rescue. So a claim of no methods with a limit of 0 is of use: a worker
    /// without a free slot sweeps with it, and learns from [`next_in`](Claimed::next_in) when the
    /// next lease may be over.
    async fn claim(&self, claim: Claim) -> Result<Claimed, StoreError>;

    /// Applies commands to records. One that is damaged or locked is refused by itself
    /// ([`Refusal::Damaged`], [`Refusal::Locked`]).
    async fn update(
        &self,
        updates: Vec<Update>,
    ) -> Result<Vec<Result<Updated, Refusal>>, StoreError>;

    /// The record of that name, deleted ones not included.
    async fn get(&self, name: &OperationName) -> Result<Option<OperationRecord>, StoreError>;

    /// A page of the operations directly below a parent, those that match the query's filter, deleted
    /// ones not included: newest first, by create time and then by uid.
    ///
    /// Every store gives the same operations in the same order. How far a page goes that is not
    /// full when [`examine_max`](ListQuery::examine_max) is reached is the store's business.
    async fn list(&self, query: ListQuery) -> Result<Page, StoreError>;

    /// Removes at most `limit` operations whose expiry time has come, in whatever order. Answers how
    /// many there were.
    async fn purge(&self, limit: usize) -> Result<usize, StoreError>;

    /// Tells the observer what happens from now on, after each commit.
    ///
    /// Events are hints: one may come twice or for nothing. One that this process caused is not
    /// lost; whether those of other processes arrive, [`event_gap`](Self::event_gap) says.
    fn observe(&self, observer: Arc<dyn StoreObserver>);

    /// How long news of other processes may go unnoticed: who waits looks again that often.
    /// `None` when there are no other processes, and events are never lost.
    fn event_gap(&self) -> Option<Duration>;
}

/// Hears what a store has committed.
pub trait StoreObserver: Send + Sync {
    /// Something happened. Called on the store's own thread: must not block.
    fn on_event(&self, event: &StoreEvent);
}

/// Something that a store has committed.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum StoreEvent {
    /// An operation of this method waits to be claimed, from `ready_time` on.
    Ready {
        /// The gRPC path of its method.
        method: String,
        /// From when on. Another process may hear of it with an earlier time.
        ready_time: Timestamp,
    },
    /// The visible part of an operation has changed.
    Changed {
        /// Which: a name may be used again, a uid never.
        uid: Uuid,
        /// Its name.
        name: OperationName,
        /// Where it stands now.
        state: OperationState,
        /// Whether callers do not see it any more.
        gone: bool,
        /// The [public part](OperationRecord::public_part) of its record as this change has left it,
        /// when the change was its end and was made by this process: who waits for it here needs no
        /// read.
        ended: Option<Arc<OperationRecord>>,
    },
    /// News of other processes may have been missed, of any operation: whoever waits looks again.
    Missed,
}

/// A worker's identity: fresh for every start of a process, never a host's name.
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

/// What a worker is ready to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Who asks.
    pub worker: WorkerId,
    /// At most so many of each method.
    pub methods: BTreeMap<String, usize>,
    /// At most so many in all.
    pub limit: usize,
    /// How long the leases last.
    pub lease_duration: Duration,
}

/// What a worker has got.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Claimed {
    /// The operations it holds now.
    pub operations: Vec<OperationRecord>,
    /// When to ask again at the latest, without an event: when the next operation of these methods
    /// is ready, or a lease may be over. Zero when more than `limit` were ready. A lease is good up to
    /// and including its last moment: a claim at that very moment leaves it, with a zero here.
    pub next_in: Option<Duration>,
}

/// An operation that a start gave.
#[derive(Clone, Debug, PartialEq)]
pub struct Started {
    /// Its record.
    pub record: OperationRecord,
    /// Whether an earlier start with the same request id had made it.
    pub existing: bool,
}

/// Why a start made no operation.
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
}

/// One command for one operation.
#[derive(Clone, Debug, PartialEq)]
pub struct Update {
    /// Which.
    pub name: OperationName,
    /// Its identity, where the writer knows it: an operation of the same name with another uid is
    /// another one ([`Refusal::NotFound`]). Holders give it with every command, since names may be
    /// used again after a deletion, and fences begin again with them.
    pub uid: Option<Uuid>,
    /// What.
    pub command: Command,
}

impl Update {
    /// A caller's command: to whatever operation has the name.
    pub fn by_name(name: OperationName, command: Command) -> Self {
        Self {
            name,
            uid: None,
            command,
        }
    }

    /// A holder's command: to this operation, and no other that may have its name by then.
    pub fn by_uid(name: OperationName, uid: Uuid, command: Command) -> Self {
        Self {
            name,
            uid: Some(uid),
            command,
        }
    }
}

/// What an update has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Updated {
    /// What it did.
    pub change: Change,
    /// Where the operation stands now. A holder learns here that it is to stop
    /// ([`OperationState::Cancelling`]).
    pub state: OperationState,
    /// The record's revision.
    pub revision: u64,
}

/// A store that failed.
///
/// [`kind`](Self::kind) says what a caller can do about it.
pub struct StoreError {
    kind: StoreErrorKind,
    message: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// What a caller can do about a [`StoreError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StoreErrorKind {
    /// The store cannot be reached or is busy; later it may work.
    Unavailable,
    /// The store has no room.
    Full,
    /// What is stored cannot be understood, or not be changed.
    Corrupt,
    /// It cannot be opened: it is another's, newer, or not a store.
    Unusable,
}

impl StoreError {
    /// An error with a message for people: lower case, no full stop.
    pub fn new(kind: StoreErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            source: None,
        }
    }

    /// With what caused it.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What a caller can do about it.
    pub fn kind(&self) -> StoreErrorKind {
        self.kind
    }

    /// Whether the same call may work later.
    pub fn is_retryable(&self) -> bool {
        matches!(
            self.kind,
            StoreErrorKind::Unavailable | StoreErrorKind::Full
        )
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

// Readable, because it is what `main` prints when it returns one.
impl fmt::Debug for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.message)?;
        let mut cause = self.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

impl StdError for StoreError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
