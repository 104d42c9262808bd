use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use uuid::Uuid;

use crate::clock::{Clock, SystemClock, Timestamp};
use crate::name::OperationName;
use crate::page::{ListQuery, Page, PageCursor};
use crate::ready::ReadyQueue;
use crate::record::{NewOperation, OperationRecord};
use crate::state::{Change, Command, OperationState, Refusal};
use crate::store::{
    Claim, Claimed, OperationStore, StartError, Started, StoreError, StoreEvent, StoreObserver,
    Update, Updated,
};

/// How many leases that are over one claim turns back at most.
const EXPIRED_PER_CLAIM: usize = 256;

/// A store in memory: for tests, and for operations that need not outlive the process.
///
/// It keeps the whole contract but one promise: what it has acknowledged is gone with the process.
///
/// ```
/// # use lro_core::{MemoryStore, OperationStore};
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let store = MemoryStore::new();
/// assert_eq!(store.get(&"operations/1".parse()?).await?, None);
/// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
/// ```
pub struct MemoryStore {
    clock: Arc<dyn Clock>,
    tables: Mutex<Tables>,
    observers: Mutex<Vec<Arc<dyn StoreObserver>>>,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::with_clock(Arc::new(SystemClock))
    }

    /// An empty store with its own time.
    pub fn with_clock(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            tables: Mutex::default(),
            observers: Mutex::default(),
        }
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `write` alone, then tells the observers what came of it.
    fn write<T>(&self, write: impl FnOnce(&mut Tables, Timestamp) -> T) -> T {
        let (answer, events) = {
            let mut tables = self.tables();
            let answer = write(&mut tables, self.clock.now());
            (answer, std::mem::take(&mut tables.events))
        };
        if !events.is_empty() {
            let observers = self
                .observers
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone();
            for observer in &observers {
                for event in &events {
                    observer.on_event(event);
                }
            }
        }
        answer
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore")
            .field("operations", &self.tables().records.len())
            .finish_non_exhaustive()
    }
}

#[async_trait::async_trait]
impl OperationStore for MemoryStore {
    async fn start(
        &self,
        operations: Vec<NewOperation>,
    ) -> Result<Vec<Result<Started, StartError>>, StoreError> {
        Ok(self.write(|tables, now| {
            operations
                .into_iter()
                .map(|operation| tables.start(operation, now))
                .collect()
        }))
    }

    async fn claim(&self, claim: Claim) -> Result<Claimed, StoreError> {
        Ok(self.write(|tables, now| tables.claim(&claim, now)))
    }

    async fn update(
        &self,
        updates: Vec<Update>,
    ) -> Result<Vec<Result<Updated, Refusal>>, StoreError> {
        Ok(self.write(|tables, now| {
            updates
                .into_iter()
                .map(|update| {
                    let uid = tables.names.get(&update.name).copied();
                    let uid = uid.filter(|uid| update.uid.is_none_or(|meant| meant == *uid));
                    tables.apply(uid.ok_or(Refusal::NotFound)?, update.command, now)
                })
                .collect()
        }))
    }

    async fn get(&self, name: &OperationName) -> Result<Option<OperationRecord>, StoreError> {
        let tables = self.tables();
        let record = tables
            .names
            .get(name)
            .and_then(|uid| tables.records.get(uid))
            .filter(|record| record.is_visible());
        Ok(record.cloned())
    }

    async fn list(&self, query: ListQuery) -> Result<Page, StoreError> {
        let tables = self.tables();
        let end = query.after.map_or(Bound::Unbounded, Bound::Excluded);
        let mut page = Page::default();
        let mut last = query.after;
        for (examined, cursor) in tables
            .by_time
            .range((Bound::Unbounded, end))
            .rev()
            .enumerate()
        {
            let Some(record) = tables.records.get(&cursor.uid) else {
                continue;
            };
            let matches = query.matches(record);
            let full = page.records.len() == query.limit;
            if examined >= query.examine_max || full && matches {
                page.next = match full {
                    true => page.records.last().map(PageCursor::behind),
                    false => last,
                };
                break;
            }
            if matches {
                page.records.push(record.clone());
            }
            last = Some(*cursor);
        }
        Ok(page)
    }

    async fn purge(&self, limit: usize) -> Result<usize, StoreError> {
        Ok(self.write(|tables, now| tables.purge(limit, now)))
    }

    fn observe(&self, observer: Arc<dyn StoreObserver>) {
        self.observers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(observer);
    }

    fn event_gap(&self) -> Option<Duration> {
        None
    }
}

/// The records and what finds them.
#[derive(Default)]
struct Tables {
    records: HashMap<Uuid, OperationRecord>,
    by_time: BTreeSet<PageCursor>,
    names: HashMap<OperationName, Uuid>,
    request_ids: HashMap<RequestKey, Uuid>,
    exclusive_keys: HashMap<String, Uuid>,
    ready: ReadyQueue,
    leases: BTreeSet<(Timestamp, Uuid)>,
    expiries: BTreeSet<(Timestamp, Uuid)>,
    events: Vec<StoreEvent>,
}

/// Method, parent, id.
type RequestKey = (String, String, String);

impl Tables {
    fn start(&mut self, operation: NewOperation, now: Timestamp) -> Result<Started, StartError> {
        if let Some(existing) = self.find_by_request_id(&operation)? {
            return Ok(existing);
        }
        if self.names.contains_key(&operation.name) {
            return Err(StartError::AlreadyExists(operation.name));
        }
        let holder = operation
            .exclusive_key
            .as_ref()
            .filter(|_| operation.outcome.is_none())
            .and_then(|key| self.exclusive_keys.get(key))
            .and_then(|uid| self.records.get(uid));
        if let Some(holder) = holder {
            return Err(StartError::ExclusiveKeyHeld(holder.name.clone()));
        }
        let claimed_by = operation.claimed_by;
        let mut record = OperationRecord::new(operation, now);
        if let Some((worker, lease_duration)) = claimed_by {
            let claim = Command::Claim {
                worker,
                lease_duration,
            };
            // Refused only when it is not yet ready: then it is pending, like any other.
            let _ = record.apply(claim, now);
        }
        self.names.insert(record.name.clone(), record.uid);
        if let Some(key) = request_key(&record) {
            self.request_ids.insert(key, record.uid);
        }
        self.index(&record);
        self.by_time.insert(PageCursor::behind(&record));
        self.records.insert(record.uid, record.clone());
        Ok(Started {
            record,
            existing: false,
        })
    }

    fn find_by_request_id(&self, operation: &NewOperation) -> Result<Option<Started>, StartError> {
        let Some(request_id) = &operation.request_id else {
            return Ok(None);
        };
        let key = (
            operation.method.clone(),
            operation.name.parent().to_owned(),
            request_id.id.clone(),
        );
        let Some(record) = self
            .request_ids
            .get(&key)
            .and_then(|uid| self.records.get(uid))
        else {
            return Ok(None);
        };
        if record.request_id.as_ref() != Some(request_id) {
            return Err(StartError::RequestIdReused(record.name.clone()));
        }
        Ok(Some(Started {
            record: record.clone(),
            existing: true,
        }))
    }

    fn claim(&mut self, claim: &Claim, now: Timestamp) -> Claimed {
        let over: Vec<_> = self
            .leases
            .range(..(now, Uuid::nil()))
            .take(EXPIRED_PER_CLAIM)
            .map(|(_, uid)| *uid)
            .collect();
        for uid in over {
            // Refused only when the lease is gone already, which is as well.
            let _ = self.apply(uid, Command::Expire, now);
        }
        let mut operations = Vec::new();
        for uid in self.ready.ready(&claim.methods, claim.limit, now) {
            let command = Command::Claim {
                worker: claim.worker,
                lease_duration: claim.lease_duration,
            };
            if self.apply(uid, command, now).is_ok() {
                operations.extend(self.records.get(&uid).cloned());
            }
        }
        let first_lease = self.leases.first().map(|(time, _)| *time);
        let next_ready = self.ready.next_time(&claim.methods);
        let next_time = next_ready.into_iter().chain(first_lease).min();
        Claimed {
            operations,
            next_in: next_time.map(|time| time.since(now)),
        }
    }

    fn apply(&mut self, uid: Uuid, command: Command, now: Timestamp) -> Result<Updated, Refusal> {
        let mut record = self.records.get(&uid).ok_or(Refusal::NotFound)?.clone();
        let change = record.apply(command, now)?;
        let updated = Updated {
            change,
            state: record.state,
            revision: record.revision,
        };
        if change == Change::Nothing {
            return Ok(updated);
        }
        self.unindex(uid);
        if change != Change::Lease {
            self.events.push(StoreEvent::Changed {
                name: record.name.clone(),
                state: record.state,
                gone: !record.is_visible() || change == Change::Removed,
            });
        }
        if change == Change::Removed {
            self.remove(uid);
        } else {
            self.index(&record);
            self.records.insert(uid, record);
        }
        Ok(updated)
    }

    fn purge(&mut self, limit: usize, now: Timestamp) -> usize {
        let expired: Vec<_> = self
            .expiries
            .range(..=(now, Uuid::max()))
            .take(limit)
            .map(|(_, uid)| *uid)
            .collect();
        for uid in &expired {
            self.unindex(*uid);
            if let Some(record) = self.remove(*uid) {
                self.events.push(StoreEvent::Changed {
                    name: record.name,
                    state: record.state,
                    gone: true,
                });
            }
        }
        expired.len()
    }

    fn index(&mut self, record: &OperationRecord) {
        let uid = record.uid;
        if record.state == OperationState::Pending {
            self.ready.insert(&record.method, record.ready_time, uid);
            self.events.push(StoreEvent::Ready {
                method: record.method.clone(),
                ready_time: record.ready_time,
            });
        }
        if let Some(lease) = &record.lease {
            self.leases.insert((lease.expire_time, uid));
        }
        if let Some(time) = record.expire_time {
            self.expiries.insert((time, uid));
        }
        if let Some(key) = record
            .exclusive_key
            .as_ref()
            .filter(|_| !record.state.is_done())
        {
            self.exclusive_keys.insert(key.clone(), uid);
        }
    }

    fn unindex(&mut self, uid: Uuid) {
        let Some(record) = self.records.get(&uid) else {
            return;
        };
        self.ready.remove(&record.method, record.ready_time, uid);
        if let Some(lease) = &record.lease {
            self.leases.remove(&(lease.expire_time, uid));
        }
        if let Some(time) = record.expire_time {
            self.expiries.remove(&(time, uid));
        }
        if let Some(key) = record
            .exclusive_key
            .as_ref()
            .filter(|_| !record.state.is_done())
        {
            self.exclusive_keys.remove(key);
        }
    }

    fn remove(&mut self, uid: Uuid) -> Option<OperationRecord> {
        let record = self.records.remove(&uid)?;
        self.by_time.remove(&PageCursor::behind(&record));
        self.names.remove(&record.name);
        if let Some(key) = request_key(&record) {
            self.request_ids.remove(&key);
        }
        Some(record)
    }
}

fn request_key(record: &OperationRecord) -> Option<RequestKey> {
    let request_id = record.request_id.as_ref()?;
    Some((
        record.method.clone(),
        record.name.parent().to_owned(),
        request_id.id.clone(),
    ))
}
