//! A store that two servers of one process share, and that counts how operations end.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lro_core::store::{
    Claim, Claimed, Command, ListQuery, MemoryStore, NewOperation, OperationRecord, OperationStore,
    Page, Refusal, StartError, Started, StepQuery, StepRow, StoreError, StoreEvent, StoreObserver,
    Update, Updated,
};
use lro_core::{Clock, OperationName};
use lro_sqlite::SqliteStore;

/// A handle to the one store.
#[derive(Clone)]
pub(crate) struct SharedStore {
    store: Arc<dyn OperationStore>,
    ends: Arc<Mutex<BTreeMap<OperationName, Ends>>>,
}

/// How often the end of an operation was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ends {
    pub(crate) accepted: u64,
    pub(crate) refused: u64,
}

impl SharedStore {
    /// In memory, or in a database in that folder.
    pub(crate) async fn open(
        sqlite: bool,
        folder: &Path,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, StoreError> {
        let store: Arc<dyn OperationStore> = match sqlite {
            false => Arc::new(MemoryStore::with_clock(clock)),
            true => {
                let builder = SqliteStore::builder(folder.join("operations.db"));
                Arc::new(builder.clock(clock).open().await?)
            }
        };
        Ok(Self {
            store,
            ends: Arc::default(),
        })
    }

    /// How often the end of that operation was written.
    pub(crate) fn ends(&self, name: &OperationName) -> Ends {
        let ends = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
        ends.get(name).copied().unwrap_or_default()
    }
}

impl fmt::Debug for SharedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.store.fmt(f)
    }
}

#[tonic::async_trait]
impl OperationStore for SharedStore {
    async fn start(
        &self,
        operations: Vec<NewOperation>,
    ) -> Result<Vec<Result<Started, StartError>>, StoreError> {
        self.store.start(operations).await
    }

    async fn claim(&self, claim: Claim) -> Result<Claimed, StoreError> {
        self.store.claim(claim).await
    }

    async fn update(
        &self,
        updates: Vec<Update>,
    ) -> Result<Vec<Result<Updated, Refusal>>, StoreError> {
        let finished: Vec<_> = updates
            .iter()
            .map(|it| matches!(it.command, Command::Finish { .. }).then(|| it.name.clone()))
            .collect();
        let answers = self.store.update(updates).await?;
        let mut ends = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
        for (name, answer) in finished.into_iter().zip(&answers) {
            let Some(name) = name else { continue };
            let ends = ends.entry(name).or_default();
            match answer {
                Ok(_) => ends.accepted += 1,
                Err(_) => ends.refused += 1,
            }
        }
        drop(ends);
        Ok(answers)
    }

    async fn get(&self, name: &OperationName) -> Result<Option<OperationRecord>, StoreError> {
        self.store.get(name).await
    }

    async fn steps(&self, query: StepQuery) -> Result<Vec<StepRow>, StoreError> {
        self.store.steps(query).await
    }

    fn keeps_steps(&self) -> bool {
        self.store.keeps_steps()
    }

    async fn list(&self, query: ListQuery) -> Result<Page, StoreError> {
        self.store.list(query).await
    }

    async fn purge(&self, limit: usize) -> Result<usize, StoreError> {
        self.store.purge(limit).await
    }

    async fn page_token_key(&self) -> Result<[u8; 32], StoreError> {
        self.store.page_token_key().await
    }

    fn observe(&self, observer: Arc<dyn StoreObserver>) {
        self.store.observe(Arc::new(EventsOnly(observer)));
    }

    fn event_gap(&self) -> Option<Duration> {
        self.store.event_gap()
    }
}

/// The servers stand for processes of their own: the store does not ask which operations they hold.
struct EventsOnly(Arc<dyn StoreObserver>);

impl StoreObserver for EventsOnly {
    fn on_event(&self, event: &StoreEvent) {
        self.0.on_event(event);
    }
}
