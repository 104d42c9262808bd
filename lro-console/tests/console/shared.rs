//! A store that the test changes and the server reads.

use std::sync::Arc;

use lro_core::OperationName;
use lro_core::store::{
    Claim, Claimed, ListQuery, MemoryStore, NewOperation, OperationRecord, OperationStore, Page,
    Refusal, StartError, Started, StoreError, StoreObserver, Update, Updated,
};

#[derive(Clone, Debug)]
pub(crate) struct Shared(pub(crate) Arc<MemoryStore>);

#[async_trait::async_trait]
impl OperationStore for Shared {
    async fn start(
        &self,
        operations: Vec<NewOperation>,
    ) -> Result<Vec<Result<Started, StartError>>, StoreError> {
        self.0.start(operations).await
    }

    async fn claim(&self, claim: Claim) -> Result<Claimed, StoreError> {
        self.0.claim(claim).await
    }

    async fn update(
        &self,
        updates: Vec<Update>,
    ) -> Result<Vec<Result<Updated, Refusal>>, StoreError> {
        self.0.update(updates).await
    }

    async fn get(&self, name: &OperationName) -> Result<Option<OperationRecord>, StoreError> {
        self.0.get(name).await
    }

    async fn list(&self, query: ListQuery) -> Result<Page, StoreError> {
        self.0.list(query).await
    }

    async fn purge(&self, limit: usize) -> Result<usize, StoreError> {
        self.0.purge(limit).await
    }

    async fn page_token_key(&self) -> Result<[u8; 32], StoreError> {
        self.0.page_token_key().await
    }

    fn observe(&self, observer: Arc<dyn StoreObserver>) {
        self.0.observe(observer);
    }

    fn event_gap(&self) -> Option<std::time::Duration> {
        self.0.event_gap()
    }
}
