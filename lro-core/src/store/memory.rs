//! The store in memory.

mod tables;

use std::fmt;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::kit::{CountBuilder, PageBuilder, new_page_token_key};
use super::{
    Backlog, Claim, Claimed, CountQuery, Counts, ListQuery, NewOperation, OperationRecord,
    OperationStore, Page, Refusal, StartError, Started, StepQuery, StepRow, StoreError,
    StoreObserver, Update, Updated,
};
use crate::clock::{Clock, SystemClock, Timestamp};
use crate::name::OperationName;
use tables::Tables;

/// A store in memory: for tests, and for operations that need not outlive the process.
///
/// It keeps the whole contract but durability: acknowledged operations are lost when the process stops.
///
/// ```
/// # use lro_core::store::{MemoryStore, OperationStore};
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let store = MemoryStore::new();
/// assert_eq!(store.get(&"operations/1".parse()?).await?, None);
/// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
/// ```
pub struct MemoryStore {
    clock: Arc<dyn Clock>,
    tables: Mutex<Tables>,
    observers: Mutex<Vec<Arc<dyn StoreObserver>>>,
    page_token_key: Mutex<Option<[u8; 32]>>,
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
            page_token_key: Mutex::default(),
        }
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn observers(&self) -> MutexGuard<'_, Vec<Arc<dyn StoreObserver>>> {
        self.observers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `write` alone, then tells the observers what came of it.
    fn write<T>(&self, write: impl FnOnce(&mut Tables, Timestamp) -> T) -> T {
        let (answer, events) = {
            let mut tables = self.tables();
            let answer = write(&mut tables, self.clock.now());
            (answer, std::mem::take(&mut tables.events))
        };
        if !events.is_empty() {
            let observers = self.observers().clone();
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
        let is_held = |uid, fence| {
            let observers = self.observers();
            observers.iter().any(|it| it.is_held(uid, fence))
        };
        Ok(self.write(|tables, now| tables.claim(&claim, now, is_held)))
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
                    tables.update(uid.ok_or(Refusal::NotFound)?, update, now)
                })
                .collect()
        }))
    }

    async fn get(&self, name: &OperationName) -> Result<Option<OperationRecord>, StoreError> {
        let tables = self.tables();
        let record = tables.find(name).filter(|record| record.is_visible());
        Ok(record.cloned())
    }

    async fn get_deleted(
        &self,
        name: &OperationName,
    ) -> Result<Option<OperationRecord>, StoreError> {
        let tables = self.tables();
        let record = tables.find(name).filter(|record| !record.is_visible());
        Ok(record.cloned())
    }

    async fn backlog(&self, now: Timestamp, limit: usize) -> Result<Vec<Backlog>, StoreError> {
        Ok(self.tables().backlog(limit, now))
    }

    async fn steps(&self, query: StepQuery) -> Result<Vec<StepRow>, StoreError> {
        Ok(self.tables().steps.page(&query))
    }

    fn keeps_steps(&self) -> bool {
        true
    }

    async fn list(&self, query: ListQuery) -> Result<Page, StoreError> {
        let tables = self.tables();
        let end = query.after.map_or(Bound::Unbounded, Bound::Excluded);
        let mut page = PageBuilder::new(&query);
        for cursor in tables.by_time.range((Bound::Unbounded, end)).rev() {
            if let Some(record) = tables.records.get(&cursor.uid) {
                page.push_ref(record);
            }
            if page.is_complete() {
                break;
            }
        }
        page.finish();
        Ok(page.build())
    }

    async fn count(&self, query: CountQuery) -> Result<Counts, StoreError> {
        let query = query.to_list();
        let mut counts = CountBuilder::new(&query, self.clock.now());
        let tables = self.tables();
        for record in tables.records.values() {
            if counts.is_complete() {
                return Ok(counts.build());
            }
            counts.push(record);
        }
        counts.finish();
        Ok(counts.build())
    }

    async fn purge(&self, limit: usize) -> Result<usize, StoreError> {
        Ok(self.write(|tables, now| tables.purge(limit, now)))
    }

    async fn page_token_key(&self) -> Result<[u8; 32], StoreError> {
        let key = self.page_token_key.lock();
        let mut key = key.unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = *key {
            return Ok(key);
        }
        Ok(*key.insert(new_page_token_key()?))
    }

    fn observe(&self, observer: Arc<dyn StoreObserver>) {
        self.observers().push(observer);
    }

    fn event_gap(&self) -> Option<Duration> {
        None
    }

    fn is_exclusive(&self) -> bool {
        true
    }
}
