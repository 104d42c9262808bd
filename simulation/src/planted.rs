//! A store with one bug in it, or none.

mod relay;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use lro_core::store::{
    Change, Claim, Claimed, Command, ListQuery, MemoryStore, NewOperation, OperationRecord,
    OperationResult, OperationState, OperationStore, Outcome, Page, Refusal, StartError, Started,
    StoreError, StoreObserver, Update, Updated,
};
use lro_core::{OperationName, pb};
use parking_lot::{Mutex, MutexGuard};

use self::relay::Relay;
use crate::bug::Bug;
use crate::random::Random;
use crate::world::World;

/// The one store that all nodes of a run share.
#[derive(Debug)]
pub(crate) struct Planted {
    inner: Arc<MemoryStore>,
    world: Arc<World>,
    bug: Option<Bug>,
    state: Mutex<State>,
    relay: Arc<Relay>,
}

#[derive(Debug)]
struct State {
    random: Random,
    /// Older states, for reads that are stale.
    older: BTreeMap<OperationName, OperationRecord>,
    /// Results that replace others.
    replaced: BTreeMap<OperationName, OperationResult>,
    /// The operations that the purge removed wrongly.
    purged: BTreeSet<OperationName>,
    /// The operations of the last claim.
    claimed: Vec<OperationName>,
    /// Metadata that is written one write too late.
    late: BTreeMap<OperationName, prost_types::Any>,
    /// The last record of a page.
    last: Option<OperationRecord>,
}

impl Planted {
    /// A store with the bug of the run's plan.
    pub(crate) fn new(inner: Arc<MemoryStore>, world: &Arc<World>) -> Arc<Self> {
        let relay = Arc::new(Relay {
            bug: world.plan.bug,
            observers: Mutex::default(),
        });
        inner.observe(relay.clone());
        Arc::new(Self {
            inner,
            world: world.clone(),
            bug: world.plan.bug,
            state: Mutex::new(State {
                random: Random::new(world.plan.seed, 2),
                older: BTreeMap::new(),
                replaced: BTreeMap::new(),
                purged: BTreeSet::new(),
                claimed: Vec::new(),
                late: BTreeMap::new(),
                last: None,
            }),
            relay,
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    fn is(&self, bug: Bug) -> bool {
        self.bug == Some(bug)
    }

    fn chance(&self, per_mille: u64) -> bool {
        self.state().random.per_mille(per_mille)
    }

    async fn one(&self, update: Update) -> Result<Result<Updated, Refusal>, StoreError> {
        let mut answers = self.inner.update(vec![update]).await?;
        Ok(answers.pop().unwrap_or(Err(Refusal::NotFound)))
    }

    async fn bent_update(
        &self,
        mut update: Update,
    ) -> Result<Result<Updated, Refusal>, StoreError> {
        let name = update.name.clone();
        let before = self.inner.get(&name).await?;
        if self.state().purged.contains(&name) {
            return Ok(Err(Refusal::NotFound));
        }
        let as_if = |record: &OperationRecord, change| Updated {
            change,
            state: record.state,
            revision: record.revision,
        };
        let is_end = matches!(update.command, Command::Finish { .. });
        if self.is(Bug::UidIgnored) {
            update.uid = None;
        }
        match (self.bug, &mut update.command, &before) {
            (
                Some(Bug::NoFenceCheck),
                Command::Renew { fence, .. }
                | Command::Checkpoint { fence, .. }
                | Command::Finish { fence, .. }
                | Command::Retry { fence, .. }
                | Command::Release { fence, .. },
                Some(record),
            ) => *fence = record.fence,
            (Some(Bug::AcknowledgedNotApplied), Command::Finish { .. }, Some(record))
                if self.chance(50) =>
            {
                return Ok(Ok(Updated {
                    change: Change::Record,
                    state: OperationState::Succeeded,
                    revision: record.revision + 1,
                }));
            }
            (Some(Bug::CancelForgotten), Command::Cancel, Some(record))
                if record.state == OperationState::Running =>
            {
                return Ok(Ok(Updated {
                    change: Change::Record,
                    state: OperationState::Cancelling,
                    revision: record.revision + 1,
                }));
            }
            (
                Some(Bug::CheckpointDropped),
                Command::Checkpoint {
                    fence,
                    lease_duration,
                    metadata,
                    ..
                },
                _,
            ) => {
                update.command = Command::Renew {
                    fence: *fence,
                    lease_duration: *lease_duration,
                    metadata: metadata.take(),
                };
            }
            (
                Some(Bug::MetadataReordered),
                Command::Renew { metadata, .. } | Command::Checkpoint { metadata, .. },
                _,
            ) => {
                if let Some(newer) = metadata.take() {
                    *metadata = self.state().late.insert(name.clone(), newer);
                }
            }
            (Some(Bug::DeleteCancels), Command::Delete, _) => {
                let cancel = Update::by_name(name.clone(), Command::Cancel);
                let _ = self.one(cancel).await?;
            }
            (Some(Bug::ReleaseCounts), Command::Release { fence, metadata }, _) => {
                update.command = Command::Retry {
                    fence: *fence,
                    error: pb::rpc::Status::default(),
                    delay: Duration::ZERO,
                    metadata: metadata.take(),
                };
            }
            (Some(Bug::ReleaseLost), Command::Release { .. }, Some(record)) => {
                return Ok(Ok(Updated {
                    change: Change::Record,
                    state: OperationState::Pending,
                    revision: record.revision + 1,
                }));
            }
            (Some(Bug::RenewForgotten), Command::Renew { metadata: None, .. }, Some(record)) => {
                return Ok(Ok(as_if(record, Change::Lease)));
            }
            (Some(Bug::LeaseNeverEnds), Command::Renew { lease_duration, .. }, _) => {
                *lease_duration = Duration::from_secs(1_000_000);
            }
            (Some(Bug::RetryPauseForgotten), Command::Retry { delay, .. }, _) => {
                *delay = Duration::ZERO;
            }
            (
                Some(Bug::EventBeforeCommit | Bug::EndBeforeCommit),
                Command::Finish { .. },
                Some(record),
            ) => {
                self.relay.tell_end(record, &update.command);
                tokio::time::sleep(Duration::from_millis(60)).await;
            }
            _ => {}
        }
        let command = update.command.clone();
        let answer = self.one(update).await?;
        if let (Some(record), Ok(_)) = (before, &answer) {
            self.state().older.insert(name.clone(), record);
        }
        match (self.bug, &answer, self.inner.get(&name).await?) {
            (Some(Bug::FinishOverwrites), Err(Refusal::Stale), Some(record))
                if is_end && record.state.is_done() =>
            {
                if let Command::Finish { outcome, .. } = command
                    && let Outcome::Response(response) = outcome
                {
                    let result = OperationResult::Response(response);
                    self.state().replaced.insert(name, result);
                }
                Ok(Ok(as_if(&record, Change::Record)))
            }
            (Some(Bug::RenewRevives), Err(Refusal::Stale), Some(record))
                if matches!(command, Command::Renew { .. }) =>
            {
                Ok(Ok(as_if(&record, Change::Lease)))
            }
            _ => Ok(answer),
        }
    }

    fn bend_new(&self, new: &mut NewOperation) {
        match self.bug {
            Some(Bug::RequestIdNotIndexed) => new.request_id = None,
            Some(Bug::FingerprintIgnored) => {
                if let Some(request_id) = &mut new.request_id {
                    request_id.fingerprint = [0; 32];
                }
            }
            Some(Bug::ExclusiveKeyNotKept) => new.exclusive_key = None,
            Some(Bug::ScheduleForgotten) => new.ready_time = None,
            Some(Bug::AttemptsUnlimited) => new.policy.max_attempts = 100,
            Some(Bug::LeaseNeverEnds) => {
                if let Some((_, lease)) = &mut new.claimed_by {
                    *lease = Duration::from_secs(1_000_000);
                }
            }
            _ => {}
        }
    }

    fn shown(&self, mut record: OperationRecord) -> Option<OperationRecord> {
        let state = self.state();
        if let Some(result) = state.replaced.get(&record.name) {
            record.result = Some(result.clone());
        }
        (!state.purged.contains(&record.name)).then_some(record)
    }
}

#[async_trait::async_trait]
impl OperationStore for Planted {
    async fn start(
        &self,
        mut operations: Vec<NewOperation>,
    ) -> Result<Vec<Result<Started, StartError>>, StoreError> {
        operations.iter_mut().for_each(|new| self.bend_new(new));
        if self.is(Bug::StartNotDurable) && self.chance(40) {
            let now = lro_core::Clock::now(&*self.world.clock);
            let lost = operations.into_iter().map(|new| {
                Ok(Started {
                    record: OperationRecord::new(new, now),
                    existing: false,
                })
            });
            return Ok(lost.collect());
        }
        self.inner.start(operations).await
    }

    async fn claim(&self, mut claim: Claim) -> Result<Claimed, StoreError> {
        if self.is(Bug::LeaseNeverEnds) {
            claim.lease_duration = Duration::from_secs(1_000_000);
        }
        if self.is(Bug::ExpiryByWrongClock) {
            let lease = i64::try_from(self.world.plan.lease.as_micros()).unwrap_or(0);
            self.world.clock.bend(lease);
            let mut nothing = claim.clone();
            nothing.limit = 0;
            let expired = self.inner.claim(nothing).await;
            self.world.clock.bend(0);
            expired?;
        }
        let limit = claim.limit;
        let mut claimed = self.inner.claim(claim).await?;
        if self.is(Bug::DoubleClaim) && claimed.operations.len() < limit {
            let held = self.state().claimed.clone();
            for name in held {
                let record = self.inner.get(&name).await?;
                if let Some(record) = record.filter(|record| record.state.is_running())
                    && !claimed
                        .operations
                        .iter()
                        .any(|other| other.name == record.name)
                    && self.chance(30)
                {
                    claimed.operations.push(record);
                    break;
                }
            }
        }
        let names = claimed.operations.iter().map(|record| record.name.clone());
        self.state().claimed.extend(names);
        Ok(claimed)
    }

    async fn update(
        &self,
        updates: Vec<Update>,
    ) -> Result<Vec<Result<Updated, Refusal>>, StoreError> {
        if self.bug.is_none() {
            return self.inner.update(updates).await;
        }
        let half = updates.len().div_ceil(2);
        let mut answers = Vec::new();
        for (index, update) in updates.into_iter().enumerate() {
            if self.is(Bug::HalfABatch)
                && index >= half
                && let Some(record) = self.inner.get(&update.name).await?
            {
                answers.push(Ok(Updated {
                    change: Change::Lease,
                    state: record.state,
                    revision: record.revision,
                }));
                continue;
            }
            answers.push(self.bent_update(update).await?);
        }
        Ok(answers)
    }

    async fn get(&self, name: &OperationName) -> Result<Option<OperationRecord>, StoreError> {
        let record = self.inner.get(name).await?;
        if self.is(Bug::StaleRead) && record.is_some() && self.chance(100) {
            let older = self.state().older.get(name).cloned();
            return Ok(older.or(record));
        }
        Ok(record.and_then(|record| self.shown(record)))
    }

    async fn list(&self, mut query: ListQuery) -> Result<Page, StoreError> {
        let is_further = query.after.is_some();
        let (skips, repeats) = (self.is(Bug::ListSkips), self.is(Bug::ListRepeats));
        if skips && is_further {
            query.limit += 1;
        }
        let mut page = self.inner.list(query).await?;
        page.records = page
            .records
            .into_iter()
            .filter_map(|record| self.shown(record))
            .collect();
        if skips && is_further && page.records.len() > 1 {
            page.records.remove(0);
        }
        let mut state = self.state();
        if repeats
            && is_further
            && let Some(last) = state.last.take()
        {
            page.records.insert(0, last);
        }
        state.last = page.records.last().cloned();
        drop(state);
        Ok(page)
    }

    async fn purge(&self, limit: usize) -> Result<usize, StoreError> {
        if self.is(Bug::PurgeOfRunning) {
            let claimed = std::mem::take(&mut self.state().claimed);
            for name in claimed {
                let record = self.inner.get(&name).await?;
                if record.is_some_and(|record| record.state.is_running()) {
                    self.state().purged.insert(name);
                }
            }
        }
        if self.is(Bug::PurgeTooEarly) {
            let retain = self.world.plan.retain.as_micros();
            self.world.clock.bend(i64::try_from(retain).unwrap_or(0));
            let purged = self.inner.purge(limit).await;
            self.world.clock.bend(0);
            return purged;
        }
        self.inner.purge(limit).await
    }

    async fn page_token_key(&self) -> Result<[u8; 32], StoreError> {
        self.inner.page_token_key().await
    }

    fn observe(&self, observer: Arc<dyn StoreObserver>) {
        self.relay.observers.lock().push(observer);
    }

    fn event_gap(&self) -> Option<Duration> {
        None
    }
}
