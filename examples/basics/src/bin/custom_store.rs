//! A store of one's own: it delegates to another one, and counts the operations that it stores.
//!
//! Run: `cargo run -p basics --bin custom_store`. It prints
//!
//! ```text
//! stored 2 operations
//! ```

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use basics::pb::exporter_client::ExporterClient;
use basics::{Result, TableExporter, serve_and_call, tables};
use lro_core::OperationName;
use lro_core::store::{
    Claim, Claimed, ListQuery, MemoryStore, NewOperation, OperationRecord, OperationStore, Page,
    Refusal, StartError, Started, StoreError, StoreObserver, Update, Updated,
};
use lro_server::Operations;

#[derive(Debug)]
struct CountingStore {
    inner: MemoryStore,
    stored: Arc<AtomicUsize>,
}

#[tonic::async_trait]
impl OperationStore for CountingStore {
    async fn start(
        &self,
        operations: Vec<NewOperation>,
    ) -> Result<Vec<Result<Started, StartError>>, StoreError> {
        let started = self.inner.start(operations).await?;
        let stored = started.iter().filter(|started| started.is_ok()).count();
        self.stored.fetch_add(stored, Ordering::Relaxed);
        Ok(started)
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
        self.inner.get(name).await
    }

    async fn list(&self, query: ListQuery) -> Result<Page, StoreError> {
        self.inner.list(query).await
    }

    async fn page_token_key(&self) -> Result<[u8; 32], StoreError> {
        self.inner.page_token_key().await
    }

    async fn purge(&self, limit: usize) -> Result<usize, StoreError> {
        self.inner.purge(limit).await
    }

    fn observe(&self, observer: Arc<dyn StoreObserver>) {
        self.inner.observe(observer);
    }

    fn event_gap(&self) -> Option<Duration> {
        self.inner.event_gap()
    }
}

#[tokio::main]
async fn main() -> Result {
    let stored = Arc::new(AtomicUsize::new(0));
    let store = CountingStore {
        inner: MemoryStore::new(),
        stored: stored.clone(),
    };
    let exporter = TableExporter::new(Operations::new(store));
    serve_and_call(exporter.operations(), exporter, async |channel| {
        let mut exporter = ExporterClient::new(channel);
        exporter.export(tables(["a"])).await?;
        exporter.export(tables(["b"])).await?;
        Ok(())
    })
    .await?;
    println!("stored {} operations", stored.load(Ordering::Relaxed));
    Ok(())
}
