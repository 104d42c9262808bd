//! Notifications that a store sends to its observers, mostly after a commit.

use std::sync::Arc;

use uuid::Uuid;

use super::command::Change;
use super::record::OperationRecord;
use super::state::OperationState;
use crate::clock::Timestamp;
use crate::name::OperationName;

/// Hears what a store has committed.
///
/// ```
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicU64, Ordering};
/// use lro_core::store::{MemoryStore, OperationStore, StoreEvent, StoreObserver};
///
/// /// Counts events.
/// #[derive(Default)]
/// struct Counter(AtomicU64);
///
/// impl StoreObserver for Counter {
///     fn on_event(&self, _event: &StoreEvent) {
///         self.0.fetch_add(1, Ordering::Relaxed);
///     }
/// }
///
/// let store = MemoryStore::new();
/// store.observe(Arc::new(Counter::default()));
/// ```
pub trait StoreObserver: Send + Sync {
    /// Something happened. Called on the store's own thread: must not block.
    fn on_event(&self, event: &StoreEvent);

    /// Whether a live worker behind this observer runs this operation under this fence, or has
    /// yet to write how it finished. Default: `false`.
    ///
    /// An [exclusive](super::OperationStore::is_exclusive) store asks before it expires a lease, and
    /// keeps the lease if one observer says yes: a full disk, a suspended machine or a clock that
    /// jumps must not take an operation away from the process that runs it. Called within a claim:
    /// must neither block nor call the store.
    fn is_held(&self, uid: Uuid, fence: u64) -> bool {
        let _ = (uid, fence);
        false
    }
}

/// Something that a store has committed.
///
/// ```
/// use lro_core::store::StoreEvent;
///
/// /// Whether a worker of `own` should claim now.
/// fn wakes(event: &StoreEvent, own: &str) -> bool {
///     match event {
///         StoreEvent::Ready { method, .. } => method == own,
///         StoreEvent::Missed => true,
///         _ => false,
///     }
/// }
///
/// assert!(wakes(&StoreEvent::Missed, "/exporter.v1.Exporter/Export"));
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum StoreEvent {
    /// An operation of this method waits to be claimed, from `ready_time` on.
    Ready {
        /// The gRPC path of its method.
        method: String,
        /// The earliest time to claim it. Another process may receive an earlier time.
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
        /// Whether it is deleted for callers.
        deleted: bool,
        /// The [public part](OperationRecord::public_part) of its record as this change has left it,
        /// when the operation has finished and this process made the change. Waiters here need no
        /// read.
        ended: Option<Arc<OperationRecord>>,
    },
    /// Changes by other processes may have been missed, of any operation. Waiters read the store again.
    Missed,
    /// A call has left out operations because their stored records are corrupt. The store's log names
    /// them. No commit: monitoring counts it.
    Corrupt {
        /// The call: `claim`, `list` or `purge`.
        call: &'static str,
        /// How many operations.
        count: usize,
    },
}

impl StoreEvent {
    /// The event for a change of a record's visible part: `before` is the state that the change
    /// found, `after` the record that it left. `None` if callers see no difference.
    ///
    /// [`ready`](Self::ready) is the second event of a change that leaves the operation pending.
    ///
    /// ```
    /// use lro_core::store::{Change, NewOperation, OperationRecord, StoreEvent};
    /// use lro_core::{Timestamp, pack};
    ///
    /// let name = "operations/1".parse()?;
    /// let new = NewOperation::new(uuid::Uuid::nil(), name, "/s/M", pack(&()));
    /// let record = OperationRecord::started(new, Timestamp::EPOCH);
    /// assert!(StoreEvent::of(record.state, &record, Change::Record).is_some());
    /// assert!(StoreEvent::of(record.state, &record, Change::Lease).is_none());
    /// assert!(StoreEvent::ready(&record).is_some());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn of(before: OperationState, after: &OperationRecord, change: Change) -> Option<Self> {
        if matches!(change, Change::Nothing | Change::Lease) {
            return None;
        }
        Some(Self::Changed {
            uid: after.uid,
            name: after.name.clone(),
            state: after.state,
            deleted: change == Change::Removed || !after.is_visible(),
            ended: (!before.is_done() && after.state.is_done())
                .then(|| Arc::new(after.public_part())),
        })
    }

    /// The event for a record as it is now, without the public part of one that has finished: for a
    /// claim, or for a change that may not have been committed.
    pub fn changed(record: &OperationRecord) -> Self {
        Self::Changed {
            uid: record.uid,
            name: record.name.clone(),
            state: record.state,
            deleted: !record.is_visible(),
            ended: None,
        }
    }

    /// The event for a visible operation that has finished, with the public part of its record.
    pub fn finished(record: Arc<OperationRecord>) -> Self {
        Self::Changed {
            uid: record.uid,
            name: record.name.clone(),
            state: record.state,
            deleted: false,
            ended: Some(record),
        }
    }

    /// The event for an operation whose record was removed.
    pub fn removed(uid: Uuid, name: OperationName, state: OperationState) -> Self {
        Self::Changed {
            uid,
            name,
            state,
            deleted: true,
            ended: None,
        }
    }

    /// The event for a record that waits to be claimed; `None` for every other one, and for one that
    /// is suspended without a timer.
    pub fn ready(record: &OperationRecord) -> Option<Self> {
        let is_ready = record.state == OperationState::Pending
            && record.ready_time != OperationRecord::NEVER_READY;
        is_ready.then(|| Self::Ready {
            method: record.method.clone(),
            ready_time: record.ready_time,
        })
    }
}
