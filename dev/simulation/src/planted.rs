//! A store with one bug in it, or none.

mod families;
mod relay;
mod store;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use lro_core::store::{
    Change, Command, MemoryStore, NewOperation, OperationOutcome, OperationRecord, OperationResult,
    OperationState, OperationStore as _, Refusal, StepWake, StoreError, Update, Updated,
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

    /// The store without the bug.
    pub(crate) fn truth(&self) -> &MemoryStore {
        &self.inner
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

    /// Expires the leases that are over, all in the same way.
    async fn expire_all(&self, command: &Command) -> Result<(), StoreError> {
        let now = lro_core::Clock::now(&*self.world.clock);
        let names: Vec<String> = self.world.notes().created.keys().cloned().collect();
        for name in names.iter().filter_map(|name| name.parse().ok()) {
            let record = self.inner.get(&name).await?;
            let lease = record.and_then(|record| record.lease);
            if lease.is_some_and(|lease| lease.expire_time < now) {
                let _ = self.one(Update::by_name(name, command.clone())).await?;
            }
        }
        Ok(())
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
        let as_if = |record: &OperationRecord, change| Updated::new(change, record);
        let is_end = matches!(update.command, Command::Finish { .. });
        if self.is(Bug::UidIgnored) {
            update.uid = None;
        }
        self.bend_steps(&mut update);
        if let (true, Command::Cancel(_), Some(record)) =
            (self.is(Bug::CancelForgetsDebts), &update.command, &before)
            && record.state == OperationState::Pending
        {
            self.forget_debts(record).await?;
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
                    update_time: record.update_time,
                }));
            }
            (Some(Bug::StepNotKept), Command::Record { fence, .. }, Some(record))
                if self.chance(100) && record.fence == *fence =>
            {
                return Ok(Ok(as_if(record, Change::Record)));
            }
            (Some(Bug::StepFenceIgnored), Command::Record { fence, .. }, Some(record)) => {
                *fence = record.fence;
            }
            (Some(Bug::SleepsHalved), Command::Suspend { .. }, _) => {
                for step in &mut update.steps {
                    if let Some(StepWake::After(duration)) = &mut step.wake {
                        *duration /= 2;
                    }
                }
            }
            (Some(Bug::CancelForgotten), Command::Cancel(_), Some(record))
                if record.state == OperationState::Running =>
            {
                return Ok(Ok(Updated {
                    change: Change::Record,
                    state: OperationState::Cancelling,
                    revision: record.revision + 1,
                    update_time: record.update_time,
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
            (Some(Bug::DeleteCancels), Command::Delete(_), _) => {
                let cancel = Update::by_name(name.clone(), Command::cancel());
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
            (Some(Bug::LateReleaseRefused), Command::Release { .. }, Some(record))
                if record.lease.as_ref().is_some_and(|lease| {
                    lease.expire_time < lro_core::Clock::now(&*self.world.clock)
                }) =>
            {
                return Ok(Err(Refusal::Stale));
            }
            (Some(Bug::ReleaseLost), Command::Release { .. }, Some(record)) => {
                return Ok(Ok(Updated {
                    change: Change::Record,
                    state: OperationState::Pending,
                    revision: record.revision + 1,
                    update_time: record.update_time,
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
                    && let OperationOutcome::Response(response) = outcome
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
