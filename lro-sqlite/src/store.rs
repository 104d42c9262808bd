use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use lro_core::store::{
    Backlog, Claim, Claimed, CountQuery, Counts, ListQuery, NewOperation, OperationRecord,
    OperationStore, Page, Refusal, StartError, Started, StepQuery, StepRow, StoreError,
    StoreObserver, Update, Updated,
};
use lro_core::{Clock, OperationName, Timestamp};
use tokio::sync::oneshot;

use crate::builder::SqliteStoreBuilder;
use crate::call::{Call, Purge};
use crate::queue::{Priority, stopped};
use crate::reader::Read;
use crate::threads::Threads;

/// A store in one SQLite file, for one process. It is cheap to clone.
///
/// ```
/// use lro_core::store::{NewOperation, OperationStore};
/// use lro_core::pack;
/// use lro_sqlite::SqliteStore;
/// use uuid::Uuid;
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("operations.db");
/// let store = SqliteStore::open(&path).await?;
/// let name = "operations/1".parse()?;
/// let operation = NewOperation::new(Uuid::now_v7(), name, "/s.Service/Method", pack(&()));
/// let started = store.start(vec![operation]).await?.remove(0)?;
/// drop(store);
///
/// let store = SqliteStore::open(&path).await?;
/// assert_eq!(store.get(&started.record.name).await?, Some(started.record));
/// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
/// ```
///
/// # Closing
///
/// When the last clone is dropped, the store serves the queued calls, ends its threads, writes back
/// the write-ahead log, and releases the lock on the file. The drop waits for this, usually a few
/// milliseconds, so that the file can be opened again immediately.
///
/// # Observers
///
/// The store calls observers on its own threads: an observer that blocks delays every write or list,
/// and one that waits for this store deadlocks.
#[derive(Clone)]
pub struct SqliteStore {
    threads: Arc<Threads>,
    clock: Arc<dyn Clock>,
}

impl SqliteStore {
    /// Opens the store in this file with the defaults of [`SqliteStoreBuilder`], and creates the
    /// file if it does not exist.
    ///
    /// # Errors
    ///
    /// Those of [`SqliteStoreBuilder::open`].
    pub async fn open(path: impl Into<PathBuf>) -> Result<Self, StoreError> {
        Self::builder(path).open().await
    }

    /// A builder for a store in this file.
    pub fn builder(path: impl Into<PathBuf>) -> SqliteStoreBuilder {
        SqliteStoreBuilder::new(path.into())
    }

    /// The file, as an absolute path.
    pub fn path(&self) -> &Path {
        &self.threads.path
    }

    /// The number of transactions that have changed the file since it was opened, for tests and
    /// benches.
    #[doc(hidden)]
    pub fn commits(&self) -> u64 {
        self.threads.commits.load(Ordering::Relaxed)
    }

    pub(crate) async fn start_threads(options: SqliteStoreBuilder) -> Result<Self, StoreError> {
        let clock = options.clock.clone();
        let threads = Arc::new(Threads::start(options).await?);
        Ok(Self { threads, clock })
    }

    async fn write<T>(
        &self,
        call: impl FnOnce(oneshot::Sender<Result<T, StoreError>>) -> Call,
    ) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        let call = call(reply);
        self.threads.calls.push(call.priority(), call)?;
        answer.await.unwrap_or_else(|_| Err(stopped()))
    }

    async fn read<T>(
        &self,
        read: impl FnOnce(oneshot::Sender<Result<T, StoreError>>) -> Read,
    ) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.threads.reads.push(Priority::Normal, read(reply))?;
        answer.await.unwrap_or_else(|_| Err(stopped()))
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore")
            .field("path", &self.path())
            .field("commits", &self.commits())
            .finish_non_exhaustive()
    }
}

#[async_trait::async_trait]
impl OperationStore for SqliteStore {
    async fn start(
        &self,
        operations: Vec<NewOperation>,
    ) -> Result<Vec<Result<Started, StartError>>, StoreError> {
        self.write(|reply| Call::Start(operations, reply)).await
    }

    async fn claim(&self, claim: Claim) -> Result<Claimed, StoreError> {
        self.write(|reply| Call::Claim(claim, reply)).await
    }

    async fn update(
        &self,
        updates: Vec<Update>,
    ) -> Result<Vec<Result<Updated, Refusal>>, StoreError> {
        self.write(|reply| Call::Update(updates, reply)).await
    }

    async fn get(&self, name: &OperationName) -> Result<Option<OperationRecord>, StoreError> {
        if let Some(ownership) = &self.threads.ownership {
            let known = ownership.check_known();
            known.map_err(|fault| fault.to_error(&self.threads.path))?;
        }
        if let Some(record) = self.threads.hot.get(name) {
            return Ok(record.is_visible().then(|| OperationRecord::clone(&record)));
        }
        self.read(|reply| Read::Get(name.clone(), reply)).await
    }

    async fn get_deleted(
        &self,
        name: &OperationName,
    ) -> Result<Option<OperationRecord>, StoreError> {
        self.read(|reply| Read::GetDeleted(name.clone(), reply))
            .await
    }

    async fn backlog(&self, now: Timestamp, limit: usize) -> Result<Vec<Backlog>, StoreError> {
        self.read(|reply| Read::Backlog(now, limit, reply)).await
    }

    async fn steps(&self, query: StepQuery) -> Result<Vec<StepRow>, StoreError> {
        self.read(|reply| Read::Steps(query, reply)).await
    }

    fn keeps_steps(&self) -> bool {
        true
    }

    async fn list(&self, query: ListQuery) -> Result<Page, StoreError> {
        self.read(|reply| Read::List(query, reply)).await
    }

    async fn count(&self, query: CountQuery) -> Result<Counts, StoreError> {
        let now = self.clock.now();
        self.read(|reply| Read::Count(query, now, reply)).await
    }

    async fn purge(&self, limit: usize) -> Result<usize, StoreError> {
        self.write(|reply| Call::Purge(Purge { limit, removed: 0 }, reply))
            .await
    }

    async fn page_token_key(&self) -> Result<[u8; 32], StoreError> {
        self.read(Read::PageTokenKey).await
    }

    fn observe(&self, observer: Arc<dyn StoreObserver>) {
        self.threads
            .observers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(observer);
    }

    fn event_gap(&self) -> Option<Duration> {
        None
    }

    fn is_exclusive(&self) -> bool {
        true
    }

    fn accepts_starts(&self) -> bool {
        self.threads.accepts_starts.load(Ordering::Relaxed)
    }
}
