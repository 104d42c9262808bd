use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use lro_core::store::{
    Backlog, Claim, Claimed, CountQuery, Counts, ListQuery, NewOperation, OperationRecord,
    OperationStore, Page, Refusal, StartError, Started, StepQuery, StepRow, StoreError,
    StoreErrorKind, StoreObserver, Update, Updated,
};
use lro_core::{OperationName, Timestamp};
use opentelemetry::KeyValue;
use tokio::time::Instant;

use super::recorder::Metrics;
use super::steps::Ends;
use crate::engine::update::failure;

/// A store whose calls are measured.
pub(super) struct Observed {
    store: Arc<dyn OperationStore>,
    metrics: Metrics,
    /// As it was recorded last.
    accepts_starts: AtomicBool,
}

impl Observed {
    pub(super) fn new(store: Arc<dyn OperationStore>, metrics: Metrics) -> Self {
        let accepts_starts = AtomicBool::new(store.accepts_starts());
        let observed = Self {
            store,
            metrics,
            accepts_starts,
        };
        observed.record_state(observed.accepts_starts());
        observed
    }

    async fn measure<T>(
        &self,
        call: &'static str,
        answer: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let begun = Instant::now();
        let answer = answer.await;
        self.record(call, begun, answer.as_ref().err());
        answer
    }

    fn record(&self, call: &'static str, begun: Instant, error: Option<&StoreError>) {
        let outcome = match error.map(StoreError::kind) {
            None => "ok",
            Some(StoreErrorKind::Unavailable) => "unavailable",
            Some(StoreErrorKind::Full) => "full",
            Some(StoreErrorKind::Corrupt) => "corrupt",
            Some(StoreErrorKind::Unusable) => "unusable",
            Some(_) => "error",
        };
        if outcome == "corrupt" {
            self.metrics.corrupt(call, 1);
        }
        let attributes = [
            KeyValue::new("lro.store.call", call),
            KeyValue::new("lro.store.outcome", outcome),
        ];
        let calls = &self.metrics.instruments().store_calls;
        calls.record(begun.elapsed().as_secs_f64(), &attributes);
        let accepts = self.accepts_starts();
        if self.accepts_starts.load(Ordering::Relaxed) != accepts {
            self.accepts_starts.store(accepts, Ordering::Relaxed);
            self.record_state(accepts);
        }
    }

    fn record_state(&self, accepts_starts: bool) {
        let gauge = &self.metrics.instruments().accepts_starts;
        gauge.record(u64::from(accepts_starts), &[]);
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
        let begun = Instant::now();
        let ends = Ends::of(&updates);
        let answers = self.store.update(updates).await;
        let mut refusals = answers.iter().flatten().filter_map(|it| it.as_ref().err());
        let of_one = refusals.find_map(failure);
        self.record("update", begun, answers.as_ref().err().or(of_one.as_ref()));
        if let Ok(answers) = &answers {
            self.metrics.instruments().steps.ended(&ends, answers);
        }
        answers
    }

    async fn get(&self, name: &OperationName) -> Result<Option<OperationRecord>, StoreError> {
        self.measure("get", self.store.get(name)).await
    }

    async fn get_deleted(
        &self,
        name: &OperationName,
    ) -> Result<Option<OperationRecord>, StoreError> {
        self.measure("get", self.store.get_deleted(name)).await
    }

    async fn backlog(&self, now: Timestamp, limit: usize) -> Result<Vec<Backlog>, StoreError> {
        self.measure("backlog", self.store.backlog(now, limit))
            .await
    }

    async fn steps(&self, query: StepQuery) -> Result<Vec<StepRow>, StoreError> {
        self.measure("steps", self.store.steps(query)).await
    }

    fn keeps_steps(&self) -> bool {
        self.store.keeps_steps()
    }

    async fn list(&self, query: ListQuery) -> Result<Page, StoreError> {
        self.measure("list", self.store.list(query)).await
    }

    async fn count(&self, query: CountQuery) -> Result<Counts, StoreError> {
        self.measure("count", self.store.count(query)).await
    }

    async fn purge(&self, limit: usize) -> Result<usize, StoreError> {
        self.measure("purge", self.store.purge(limit)).await
    }

    async fn page_token_key(&self) -> Result<[u8; 32], StoreError> {
        let key = self.store.page_token_key();
        self.measure("page_token_key", key).await
    }

    fn observe(&self, observer: Arc<dyn StoreObserver>) {
        self.store.observe(observer);
    }

    fn event_gap(&self) -> Option<Duration> {
        self.store.event_gap()
    }

    fn is_exclusive(&self) -> bool {
        self.store.is_exclusive()
    }

    fn accepts_starts(&self) -> bool {
        self.store.accepts_starts()
    }
}

impl fmt::Debug for Observed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.store.fmt(f)
    }
}
