//! A store that can be cut off, and a clock that follows tokio's.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lro_core::store::{
    Backlog, Claim, Claimed, CountQuery, Counts, ListQuery, MemoryStore, NewOperation,
    OperationRecord, OperationStore, Page, Refusal, StartError, Started, StepQuery, StepRow,
    StoreError, StoreErrorKind, StoreEvent, StoreObserver, Update, Updated,
};
use lro_core::{Clock, OperationName, Timestamp};
use tokio::time::Instant;
use uuid::Uuid;

/// How long updates take that fail: as long as PostgreSQL waits for locks by default.
const LOCK_WAIT: Duration = Duration::from_secs(2);

/// A hook that sees updates before they are applied, and may fail them.
type Hook = Arc<dyn Fn(&[Update]) -> Result<(), StoreError> + Send + Sync>;

/// One node's way to a store that nodes share.
#[derive(Clone)]
pub(crate) struct Node {
    store: Arc<MemoryStore>,
    down: Arc<AtomicBool>,
    /// Fails to give its page token key.
    keyless: Arc<AtomicBool>,
    full: Arc<AtomicBool>,
    /// How many other tasks get their turn between a commit and its answer.
    lag: usize,
    hears_events: bool,
    /// Whether it owns its store alone.
    exclusive: bool,
    keeps_steps: bool,
    /// How many records were asked for by their names.
    pub(crate) gets: tokio::sync::watch::Sender<usize>,
    /// How long the answer to the next claim that finds something takes.
    claim_takes: Arc<Mutex<Duration>>,
    before_updates: Arc<Mutex<Option<Hook>>>,
    /// How long the answer to the next update takes.
    update_takes: Arc<Mutex<Duration>>,
    /// How long the next start takes before it is applied.
    start_takes: Arc<Mutex<Duration>>,
    /// How long the next read of steps takes.
    read_takes: Arc<Mutex<Duration>>,
    /// Operations that cannot be written, and why.
    pub(crate) refused: Arc<Mutex<HashMap<Uuid, Refusal>>>,
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node").finish_non_exhaustive()
    }
}

impl Node {
    /// A node that receives no events: the worst case of a shared store.
    pub(crate) fn new(store: &Arc<MemoryStore>) -> Self {
        Self {
            store: store.clone(),
            down: Arc::default(),
            keyless: Arc::default(),
            full: Arc::default(),
            lag: 0,
            hears_events: false,
            exclusive: false,
            keeps_steps: true,
            gets: tokio::sync::watch::Sender::new(0),
            claim_takes: Arc::default(),
            before_updates: Arc::default(),
            update_takes: Arc::default(),
            start_takes: Arc::default(),
            read_takes: Arc::default(),
            refused: Arc::default(),
        }
    }

    /// A node whose answers come late, after the events.
    pub(crate) fn lagging(store: &Arc<MemoryStore>, lag: usize) -> Self {
        Self {
            lag,
            hears_events: true,
            ..Self::new(store)
        }
    }

    /// The only node of a store, as one on SQLite is.
    pub(crate) fn alone(store: &Arc<MemoryStore>) -> Self {
        Self {
            hears_events: true,
            exclusive: true,
            ..Self::new(store)
        }
    }

    /// The same node, whose store keeps no steps.
    pub(crate) fn without_steps(mut self) -> Self {
        self.keeps_steps = false;
        self
    }

    async fn lag(&self) {
        for _ in 0..self.lag {
            tokio::task::yield_now().await;
        }
    }

    /// The next claim that finds something is answered after this time.
    pub(crate) fn delay_claim(&self, time: Duration) {
        *self.claim_takes.lock().unwrap() = time;
    }

    /// The next update is answered after this time.
    pub(crate) fn delay_update(&self, time: Duration) {
        *self.update_takes.lock().unwrap() = time;
    }

    /// The next start is applied after this time.
    pub(crate) fn delay_start(&self, time: Duration) {
        *self.start_takes.lock().unwrap() = time;
    }

    /// The next read of steps is answered after this time.
    pub(crate) fn delay_read(&self, time: Duration) {
        *self.read_takes.lock().unwrap() = time;
    }

    /// Updates fail with what this gives, or panic as it does.
    pub(crate) fn before_updates(
        &self,
        hook: impl Fn(&[Update]) -> Result<(), StoreError> + Send + Sync + 'static,
    ) {
        *self.before_updates.lock().unwrap() = Some(Arc::new(hook));
    }

    pub(crate) fn set_down(&self, down: bool) {
        self.down.store(down, Ordering::SeqCst);
    }

    pub(crate) fn set_keyless(&self, keyless: bool) {
        self.keyless.store(keyless, Ordering::SeqCst);
    }

    /// Whether it says that it refuses starts.
    pub(crate) fn set_full(&self, full: bool) {
        self.full.store(full, Ordering::SeqCst);
    }

    fn check(&self) -> Result<(), StoreError> {
        match self.down.load(Ordering::SeqCst) {
            true => Err(StoreError::new(StoreErrorKind::Unavailable, "cut off")),
            false => Ok(()),
        }
    }
}

#[tonic::async_trait]
impl OperationStore for Node {
    async fn start(
        &self,
        operations: Vec<NewOperation>,
    ) -> Result<Vec<Result<Started, StartError>>, StoreError> {
        self.check()?;
        let takes = std::mem::take(&mut *self.start_takes.lock().unwrap());
        if !takes.is_zero() {
            tokio::time::sleep(takes).await;
        }
        let answer = self.store.start(operations).await;
        self.lag().await;
        answer
    }

    async fn claim(&self, claim: Claim) -> Result<Claimed, StoreError> {
        self.check()?;
        let answer = self.store.claim(claim).await?;
        self.lag().await;
        if !answer.operations.is_empty() {
            let takes = std::mem::take(&mut *self.claim_takes.lock().unwrap());
            tokio::time::sleep(takes).await;
        }
        Ok(answer)
    }

    async fn update(
        &self,
        updates: Vec<Update>,
    ) -> Result<Vec<Result<Updated, Refusal>>, StoreError> {
        self.check()?;
        let hook = self.before_updates.lock().unwrap().clone();
        if let Some(Err(error)) = hook.map(|hook| hook(&updates)) {
            tokio::time::sleep(LOCK_WAIT).await;
            return Err(error);
        }
        let refused = self.refused.lock().unwrap().clone();
        let refusal = |update: &Update| refused.get(&update.uid?).cloned();
        let refusals: Vec<_> = updates.iter().map(refusal).collect();
        if refusals.contains(&Some(Refusal::Locked)) {
            tokio::time::sleep(LOCK_WAIT).await;
        }
        let free = updates.into_iter().filter(|it| refusal(it).is_none());
        let mut answers = self.store.update(free.collect()).await?.into_iter();
        let takes = std::mem::take(&mut *self.update_takes.lock().unwrap());
        tokio::time::sleep(takes).await;
        let answers = refusals.into_iter().map(|refusal| match refusal {
            Some(refusal) => Err(refusal),
            None => answers.next().unwrap(),
        });
        Ok(answers.collect())
    }

    async fn steps(&self, query: StepQuery) -> Result<Vec<StepRow>, StoreError> {
        self.check()?;
        let takes = std::mem::take(&mut *self.read_takes.lock().unwrap());
        if !takes.is_zero() {
            tokio::time::sleep(takes).await;
        }
        self.store.steps(query).await
    }

    fn keeps_steps(&self) -> bool {
        self.keeps_steps && self.store.keeps_steps()
    }

    async fn get(&self, name: &OperationName) -> Result<Option<OperationRecord>, StoreError> {
        self.check()?;
        self.gets.send_modify(|gets| *gets += 1);
        self.store.get(name).await
    }

    async fn backlog(&self, now: Timestamp, limit: usize) -> Result<Vec<Backlog>, StoreError> {
        self.check()?;
        self.store.backlog(now, limit).await
    }

    async fn count(&self, query: CountQuery) -> Result<Counts, StoreError> {
        self.check()?;
        self.store.count(query).await
    }

    async fn get_deleted(
        &self,
        name: &OperationName,
    ) -> Result<Option<OperationRecord>, StoreError> {
        self.check()?;
        self.store.get_deleted(name).await
    }

    async fn list(&self, query: ListQuery) -> Result<Page, StoreError> {
        self.check()?;
        self.store.list(query).await
    }

    async fn purge(&self, limit: usize) -> Result<usize, StoreError> {
        self.check()?;
        self.store.purge(limit).await
    }

    async fn page_token_key(&self) -> Result<[u8; 32], StoreError> {
        self.check()?;
        if self.keyless.load(Ordering::SeqCst) {
            return Err(StoreError::new(StoreErrorKind::Unavailable, "no key"));
        }
        self.store.page_token_key().await
    }

    fn observe(&self, observer: Arc<dyn StoreObserver>) {
        if self.exclusive {
            self.store.observe(observer);
        } else if self.hears_events {
            self.store.observe(Arc::new(EventsOnly(observer)));
        }
    }

    fn is_exclusive(&self) -> bool {
        self.exclusive
    }

    fn accepts_starts(&self) -> bool {
        !self.full.load(Ordering::SeqCst)
    }

    fn event_gap(&self) -> Option<Duration> {
        (!self.hears_events).then_some(Duration::from_secs(1))
    }
}

/// The observer of a store that several processes share, which does not ask for the operations that
/// the node holds.
struct EventsOnly(Arc<dyn StoreObserver>);

impl StoreObserver for EventsOnly {
    fn on_event(&self, event: &StoreEvent) {
        self.0.on_event(event);
    }
}

/// Wall time that follows tokio's, paused or not.
#[derive(Debug)]
pub(crate) struct TokioClock(Instant);

impl TokioClock {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(Instant::now()))
    }
}

impl Clock for TokioClock {
    fn now(&self) -> Timestamp {
        Timestamp::EPOCH.saturating_add(self.0.elapsed())
    }
}
