use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use lro_core::{
    Claim, Claimed, ListQuery, NewOperation, OperationName, OperationRecord, OperationStore, Page,
    Refusal, StartError, Started, StoreError, StoreErrorKind, StoreObserver, Update, Updated,
};
use opentelemetry::KeyValue;
use tokio::time::Instant;

use super::recorder::Metrics;

/// A store whose calls are measured.
pub(super) struct Observed {
    store: Arc<dyn OperationStore>,
    metrics: Metrics,
}

impl Observed {
    pub(super) fn new(store: Arc<dyn OperationStore>, metrics: Metrics) -> Self {
        Self { store, metrics }
    }

    async fn measure<T>(
        &self,
        call: &'static str,
        answer: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let begun = Instant::now();
        let answer = answer.await;
        let outcome = match answer.as_ref().map_err(StoreError::kind) {
            Ok(_) => "ok",
            Err(StoreErrorKind::Unavailable) => "unavailable",
            Err(StoreErrorKind::Full) => "full",
            Err(StoreErrorKind::Corrupt) => "corrupt",
            Err(StoreErrorKind::Unusable) => "unusable",
            Err(_) => "error",
        };
        let attributes = [
            KeyValue::new("lro.store.call", call),
            KeyValue::new("lro.store.outcome", outcome),
        ];
        let calls = &self.metrics.instruments().store_calls;
        calls.record(begun.elapsed().as_secs_f64(), &attributes);
        answer
    }
}

#[tonic::async_trait]
impl OperationStore for Observed {
    async fn start(
        &self,
        operations: Vec<NewOperation>,
    ) -> Result<Vec<Result<Started, StartError>>, StoreError> {
        self.measure("start", self.store.start(operations)).await
    }

    async fn claim(&self, claim: Claim) -> Result<Claimed, StoreError> {
        self.measure("claim", self.store.claim(claim)).await
    }

    async fn update(
        &self,
        updates: Vec<Update>,
    ) -> Result<Vec<Result<Updated, Refusal>>, StoreError> {
        self.measure("update", self.store.update(updates)).await
    }

    async fn get(&self, name: &OperationName) -> Result<Option<OperationRecord>, StoreError> {
        self.measure("get", self.store.get(name)).await
    }

    async fn list(&self, query: ListQuery) -> Result<Page, StoreError> {
        self.measure("list", self.store.list(query)).await
    }

    async fn purge(&self, limit: usize) -> Result<usize, StoreError> {
        self.measure("purge", self.store.purge(limit)).await
    }

    fn observe(&self, observer: Arc<dyn StoreObserver>) {
        self.store.observe(observer);
    }

    fn event_gap(&self) -> Option<Duration> {
        self.store.event_gap()
    }
}

impl fmt::Debug for Observed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.store.fmt(f)
    }
}
