//! The way of a process to its store, on which the process may die before and after each write.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use lro_core::store::{
    Claim, Claimed, Command, ListQuery, MemoryStore, NewOperation, OperationRecord, OperationStore,
    Page, Refusal, StartError, Started, StepQuery, StepRow, StoreError, StoreEvent, StoreObserver,
    Update, Updated,
};
use lro_core::{OperationName, Timestamp};

use super::probe::Probe;

/// A store in memory, as one process sees it. No call of a dead process returns.
#[derive(Clone)]
pub(super) struct Link {
    store: Arc<MemoryStore>,
    probe: Arc<Probe>,
    observers: Arc<Mutex<Vec<Arc<dyn StoreObserver>>>>,
}

impl Link {
    pub(super) fn new(store: &Arc<MemoryStore>, probe: &Arc<Probe>) -> Self {
        Self {
            store: store.clone(),
            probe: probe.clone(),
            observers: Arc::default(),
        }
    }

    /// Tells the process that the store's clock has jumped to the time of an operation.
    pub(super) fn tell_ready(&self, method: &str, ready_time: Timestamp) {
        let observers = self
            .observers
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        for observer in &*observers {
            observer.on_event(&StoreEvent::Ready {
                method: method.to_owned(),
                ready_time,
            });
        }
    }

    async fn alive(&self) {
        if self.probe.is_dead() {
            std::future::pending::<()>().await;
        }
    }

    async fn survive(&self, place: impl FnOnce() -> String) {
        if self.probe.may_die(place) {
            std::future::pending::<()>().await;
        }
    }
}

#[async_trait]
impl OperationStore for Link {
    async fn start(
        &self,
        operations: Vec<NewOperation>,
    ) -> Result<Vec<Result<Started, StartError>>, StoreError> {
        self.alive().await;
        let child = operations.iter().find_map(|it| it.child_of.as_deref());
        let Some(child) = child.map(|child| child.step.key.clone()) else {
            return self.store.start(operations).await;
        };
        self.survive(|| format!("before the start of the child `{child}`"))
            .await;
        let started = self.store.start(operations).await;
        self.probe.changed.notify_one();
        self.survive(|| format!("after the start of the child `{child}`"))
            .await;
        started
    }

    async fn claim(&self, claim: Claim) -> Result<Claimed, StoreError> {
        self.alive().await;
        self.store.claim(claim).await
    }

    async fn update(
        &self,
        updates: Vec<Update>,
    ) -> Result<Vec<Result<Updated, Refusal>>, StoreError> {
        self.alive().await;
        let write = updates.iter().find_map(name_of_write);
        if let Some(write) = &write {
            self.survive(|| format!("before {write}")).await;
        }
        for update in &updates {
            match &update.command {
                Command::Block { message, .. } => self.probe.block(message),
                Command::Retry { error, .. } => self.probe.retry(error),
                _ => {}
            }
        }
        let updated = self.store.update(updates).await;
        if let Some(write) = write {
            self.probe.changed.notify_one();
            self.survive(|| format!("after {write}")).await;
        }
        updated
    }

    async fn get(&self, name: &OperationName) -> Result<Option<OperationRecord>, StoreError> {
        self.store.get(name).await
    }

    async fn steps(&self, query: StepQuery) -> Result<Vec<StepRow>, StoreError> {
        self.alive().await;
        self.store.steps(query).await
    }

    fn keeps_steps(&self) -> bool {
        true
    }

    async fn list(&self, query: ListQuery) -> Result<Page, StoreError> {
        self.store.list(query).await
    }

    async fn purge(&self, _limit: usize) -> Result<usize, StoreError> {
        Ok(0)
    }

    async fn page_token_key(&self) -> Result<[u8; 32], StoreError> {
        self.store.page_token_key().await
    }

    fn observe(&self, observer: Arc<dyn StoreObserver>) {
        let mut observers = self
            .observers
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        observers.push(observer.clone());
        drop(observers);
        self.store.observe(observer);
    }

    fn event_gap(&self) -> Option<Duration> {
        None
    }

    fn is_exclusive(&self) -> bool {
        true
    }
}

/// The name of a write at which a process may die; `None` for renewals, which change nothing that a body
/// can see.
fn name_of_write(update: &Update) -> Option<String> {
    let keys = |finished: bool| {
        let steps = update.steps.iter();
        let keys = steps.filter(|step| !finished || step.outcome.is_some());
        let keys: Vec<_> = keys.map(|step| format!("`{}`", step.key)).collect();
        keys.join(", ")
    };
    Some(match &update.command {
        Command::Renew { .. } => return None,
        Command::Record { .. } => match keys(true) {
            finished if finished.is_empty() => format!("the record that {} begins", keys(false)),
            finished => format!("the record of {finished}"),
        },
        Command::Checkpoint { .. } | Command::CheckpointAndForget { .. } => {
            "a checkpoint".to_owned()
        }
        Command::Suspend { waits, .. } => {
            let waits: Vec<_> = waits.iter().map(|key| format!("`{key}`")).collect();
            format!("the suspension at {}", waits.join(", "))
        }
        Command::Finish { .. } => "the end of the operation".to_owned(),
        Command::Retry { .. } => "the request for another attempt".to_owned(),
        Command::Block { .. } => "the note that it is blocked".to_owned(),
        _ => "a write".to_owned(),
    })
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").finish_non_exhaustive()
    }
}
