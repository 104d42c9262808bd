//! The calls of the store, with what a planted bug makes of them.

use std::sync::Arc;
use std::time::Duration;

use lro_core::OperationName;
use lro_core::store::{
    Change, Claim, Claimed, Command, ListQuery, NewOperation, OperationRecord, OperationState,
    OperationStore, Page, Refusal, StartError, Started, StepKind, StepQuery, StepRow, StoreError,
    StoreObserver, Update, Updated,
};

use super::Planted;
use crate::bug::Bug;

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
        let mut answers = Vec::new();
        for new in operations {
            match new.child_of.clone() {
                Some(child_of) => answers.push(self.start_child(new, *child_of).await?),
                None => answers.extend(self.inner.start(vec![new]).await?),
            }
        }
        Ok(answers)
    }

    async fn claim(&self, mut claim: Claim) -> Result<Claimed, StoreError> {
        if self.is(Bug::LeaseNeverEnds) {
            claim.lease_duration = Duration::from_secs(1_000_000);
        }
        claim.expires_leases |= self.is(Bug::ExpiryAfterOutage);
        if self.is(Bug::ExpiryByWrongClock) {
            let lease = i64::try_from(self.world.plan.lease.as_micros()).unwrap_or(0);
            self.world.clock.bend(lease);
            let mut nothing = claim.clone();
            nothing.limit = 0;
            nothing.expires_leases = true;
            let expired = self.inner.claim(nothing).await;
            self.world.clock.bend(0);
            expired?;
        }
        match self.bug {
            Some(Bug::SharedLossesCount) => self.expire_all(&Command::Expire).await?,
            Some(Bug::LoneLossesFree) => self.expire_all(&Command::ExpireShared).await?,
            _ => {}
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
        for record in &claimed.operations {
            let verdict = record.steps.as_deref().and_then(|it| it.verdict.as_ref());
            if record.state == OperationState::Cancelling || verdict.is_some() {
                let families = &mut self.world.notes().families;
                families.condemned(record.name.as_str(), record.fence);
            }
        }
        for record in &mut claimed.operations {
            self.bend_claimed(record);
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
                answers.push(Ok(Updated::new(Change::Lease, &record)));
                continue;
            }
            answers.push(self.bent_update(update).await?);
        }
        Ok(answers)
    }

    async fn steps(&self, query: StepQuery) -> Result<Vec<StepRow>, StoreError> {
        let mut rows = self.inner.steps(query).await?;
        if self.is(Bug::NewestStepUnread) && self.chance(300) {
            rows.pop();
        }
        self.bend_rows(&mut rows);
        if self.is(Bug::StepsSwapped) {
            let mut steps = rows.iter_mut().filter(|row| row.kind == StepKind::Step);
            if let (Some(one), Some(other)) = (steps.next(), steps.next()) {
                std::mem::swap(&mut one.outcome, &mut other.outcome);
            }
        }
        Ok(rows)
    }

    fn keeps_steps(&self) -> bool {
        true
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
