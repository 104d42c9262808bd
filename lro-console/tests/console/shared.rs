//! A store that the test changes and the server reads. It counts what the server asks.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use lro_core::store::{
    Backlog, Claim, Claimed, CountQuery, Counts, ListQuery, NewOperation, OperationRecord,
    OperationStore, Page, Refusal, StartError, Started, StepQuery, StepRow, StoreError,
    StoreErrorKind, StoreObserver, Update, Updated,
};
use lro_core::{OperationName, Timestamp};

#[derive(Clone, Debug)]
pub(crate) struct Shared {
    /// The test's own way, which is not counted.
    pub(crate) inner: Arc<dyn OperationStore>,
    asked: Arc<Asked>,
    is_away: Arc<AtomicBool>,
}

/// The numbers of reads.
#[derive(Debug, Default)]
struct Asked {
    gets: AtomicUsize,
    lists: AtomicUsize,
    counts: AtomicUsize,
}

impl Shared {
    pub(crate) fn new(store: impl OperationStore) -> Self {
        Self {
            inner: Arc::new(store),
            asked: Arc::default(),
            is_away: Arc::default(),
        }
    }

    /// Whether the server's reads are answered as if the database were away.
    pub(crate) fn set_away(&self, is_away: bool) {
        self.is_away.store(is_away, Ordering::Relaxed);
    }

    fn reach(&self) -> Result<(), StoreError> {
        match self.is_away.load(Ordering::Relaxed) {
            true => Err(StoreError::new(StoreErrorKind::Unavailable, "no database")),
            false => Ok(()),
        }
    }

    /// How often the server has got, listed and counted since it was last asked here.
    pub(crate) fn asked(&self) -> [usize; 3] {
        let Asked {
            gets,
            lists,
            counts,
        } = &*self.asked;
        [gets, lists, counts].map(|it| it.swap(0, Ordering::Relaxed))
    }
}

#[async_trait::async_trait]
impl OperationStore for Shared {
    async fn start(
        &self,
        operations: Vec<NewOperation>,
    ) -> Result<Vec<Result<Started, StartError>>, StoreError> {
        self.inner.start(operations).await
    }

    async fn claim(&self, claim: Claim) -> Result<Claimed, StoreError> {
        self.inner.claim(claim).await
    }

    async fn update(
        &self,
        updates: Vec<Update>,
    ) -> Result<Vec<Result<Updated, Refusal>>, StoreError> {
        self.inner.update(updates).await
    }

    async fn get(&self, name: &OperationName) -> Result<Option<OperationRecord>, StoreError> {
        self.reach()?;
        self.asked.gets.fetch_add(1, Ordering::Relaxed);
        self.inner.get(name).await
    }

    async fn steps(&self, query: StepQuery) -> Result<Vec<StepRow>, StoreError> {
        self.inner.steps(query).await
    }

    fn keeps_steps(&self) -> bool {
        self.inner.keeps_steps()
    }

    async fn list(&self, query: ListQuery) -> Result<Page, StoreError> {
        self.reach()?;
        self.asked.lists.fetch_add(1, Ordering::Relaxed);
        self.inner.list(query).await
    }

    async fn count(&self, query: CountQuery) -> Result<Counts, StoreError> {
        self.reach()?;
        self.asked.counts.fetch_add(1, Ordering::Relaxed);
        self.inner.count(query).await
    }

    async fn backlog(&self, now: Timestamp, limit: usize) -> Result<Vec<Backlog>, StoreError> {
        self.inner.backlog(now, limit).await
    }

    async fn purge(&self, limit: usize) -> Result<usize, StoreError> {
        self.inner.purge(limit).await
    }

    async fn page_token_key(&self) -> Result<[u8; 32], StoreError> {
        self.inner.page_token_key().await
    }

    fn observe(&self, observer: Arc<dyn StoreObserver>) {
        self.inner.observe(observer);
    }

    fn event_gap(&self) -> Option<std::time::Duration> {
        self.inner.event_gap()
    }
}
