//! The calls of the store, carried there and back, and noted.

use std::sync::Arc;
use std::time::Duration;

use lro_core::store::{
    Change, Claim, Claimed, Command, ListQuery, NewOperation, OperationRecord, OperationStore,
    Page, Refusal, StartError, Started, StepQuery, StepRow, StoreError, StoreObserver, Suspects,
    Update, Updated,
};
use lro_core::{OperationName, Timestamp};
use parking_lot::Mutex;

use super::Link;
use super::act::act;
use super::ear::Ear;
use crate::bug::Bug;
use crate::check::linear::{Input, Output};
use crate::model::{Act, Op, digest};
use crate::world::Created;

#[async_trait::async_trait]
impl OperationStore for Link {
    async fn start(
        &self,
        mut operations: Vec<NewOperation>,
    ) -> Result<Vec<Result<Started, StartError>>, StoreError> {
        for new in &mut operations {
            new.uid = self.uid();
            if let Some((worker, lease)) = &mut new.claimed_by {
                *worker = self.worker_id();
                *lease = self.inner.world.plan.lease;
            }
        }
        let tickets: Vec<_> = operations
            .iter()
            .map(|new| {
                let input = Input::Start {
                    uid: new.uid.as_u128(),
                    metadata: new.metadata.as_ref().map(digest),
                    born_claimed: new.claimed_by.is_some(),
                };
                self.inner.world.invoked(new.name.as_str(), input)
            })
            .collect();
        let world = &self.inner.world;
        let wishes: Vec<_> = operations.iter().map(Wish::of).collect();
        let (noted, names) = (world.clone(), tickets.clone());
        let store = self.inner.store.clone();
        let answers = self
            .carry(async move {
                let answers = store.start(operations).await?;
                let mut notes = noted.notes();
                for (ticket, answer) in names.iter().zip(&answers) {
                    if matches!(answer, Ok(started) if !started.existing) {
                        *notes.made.entry(ticket.name.clone()).or_default() += 1;
                    }
                }
                drop(notes);
                Ok(answers)
            })
            .await?;
        for (wish, answer) in wishes.into_iter().zip(&answers) {
            if let Ok(started) = answer
                && !started.existing
            {
                let created = wish.at(started.record.create_time);
                let name = started.record.name.as_str().to_owned();
                world.notes().created.insert(name, created);
            }
        }
        for (ticket, answer) in tickets.iter().zip(&answers) {
            self.note_started(ticket, answer);
        }
        Ok(answers)
    }

    async fn claim(&self, mut claim: Claim) -> Result<Claimed, StoreError> {
        claim.worker = self.worker_id();
        claim.lease_duration = self.inner.world.plan.lease;
        let (world, store) = (self.inner.world.clone(), self.inner.store.clone());
        let invoked = world.notes().number();
        let noted = world.clone();
        if self.forgets_losses() {
            claim.suspects = Suspects::default();
        }
        let (mut claimed, tickets) = self
            .carry(async move {
                let claimed = store.claim(claim).await?;
                let mut notes = noted.notes();
                let tickets: Vec<_> = claimed
                    .operations
                    .iter()
                    .map(|record| {
                        let claim = Input::Act(Act::Claim, Some(record.uid.as_u128()));
                        notes.push(record.name.as_str(), invoked, claim)
                    })
                    .collect();
                Ok((claimed, tickets))
            })
            .await?;
        for (record, ticket) in claimed.operations.iter().zip(&tickets) {
            world.returned(ticket, Output::Seen(Op::of(record)));
        }
        claimed.suspects_wait &= world.plan.bug != Some(Bug::SuspectsUnannounced);
        for record in &mut claimed.operations {
            match world.plan.bug {
                Some(Bug::TrialsTogether) => record.losses = record.losses.min(1),
                _ if self.forgets_losses() => record.losses = 0,
                _ => {}
            }
        }
        Ok(claimed)
    }

    async fn update(
        &self,
        mut updates: Vec<Update>,
    ) -> Result<Vec<Result<Updated, Refusal>>, StoreError> {
        let lease = self.inner.world.plan.lease;
        // Workers gather their runs in no particular order.
        let mut order: Vec<_> = (0..updates.len()).collect();
        order.sort_by(|a, b| updates[*a].name.as_str().cmp(updates[*b].name.as_str()));
        for update in &mut updates {
            match &mut update.command {
                Command::Renew { lease_duration, .. }
                | Command::Checkpoint { lease_duration, .. } => *lease_duration = lease,
                _ => {}
            }
        }
        let sorted: Vec<_> = order.iter().map(|index| updates[*index].clone()).collect();
        let world = &self.inner.world;
        let tickets: Vec<_> = sorted
            .iter()
            .map(|update| {
                let uid = update.uid.map(|uid| uid.as_u128());
                let input = Input::Act(act(&update.command), uid);
                world.invoked(update.name.as_str(), input)
            })
            .collect();
        let store = self.inner.store.clone();
        let commands = sorted.clone();
        let answers = self
            .carry(async move { store.update(sorted).await })
            .await?;
        let mut unsorted = vec![Err(Refusal::NotFound); answers.len()];
        for (place, (ticket, answer)) in order.iter().zip(tickets.iter().zip(&answers)) {
            let output = match answer {
                Ok(updated) => Output::Updated(updated.change, updated.state, updated.revision),
                Err(refusal) => Output::Refused(refusal.clone()),
            };
            world.returned(ticket, output);
            unsorted[*place] = answer.clone();
        }
        for (update, answer) in commands.iter().zip(&answers) {
            if let (Command::Release { .. }, Ok(updated)) = (&update.command, answer)
                && updated.change != Change::Nothing
            {
                let name = update.name.as_str().to_owned();
                *world.notes().released.entry(name).or_default() += 1;
            }
        }
        Ok(unsorted)
    }

    async fn steps(&self, query: StepQuery) -> Result<Vec<StepRow>, StoreError> {
        let store = self.inner.store.clone();
        self.carry(async move { store.steps(query).await }).await
    }

    fn keeps_steps(&self) -> bool {
        true
    }

    async fn get(&self, name: &OperationName) -> Result<Option<OperationRecord>, StoreError> {
        let world = &self.inner.world;
        let ticket = world.invoked(name.as_str(), Input::Get);
        let (store, asked) = (self.inner.store.clone(), name.clone());
        let answer = self.carry(async move { store.get(&asked).await }).await?;
        let seen = |record: &OperationRecord| Output::Seen(Op::of(record));
        world.returned(&ticket, answer.as_ref().map_or(Output::Absent, seen));
        Ok(answer)
    }

    async fn list(&self, query: ListQuery) -> Result<Page, StoreError> {
        let world = &self.inner.world;
        let invoked = world.notes().number();
        let store = self.inner.store.clone();
        let page = self.carry(async move { store.list(query).await }).await?;
        for record in &page.records {
            let ticket = world
                .notes()
                .push(record.name.as_str(), invoked, Input::Get);
            world.returned(&ticket, Output::Listed(Op::of(record).public_part()));
        }
        Ok(page)
    }

    async fn purge(&self, limit: usize) -> Result<usize, StoreError> {
        let store = self.inner.store.clone();
        self.carry(async move { store.purge(limit).await }).await
    }

    async fn page_token_key(&self) -> Result<[u8; 32], StoreError> {
        let store = self.inner.store.clone();
        self.carry(async move { store.page_token_key().await })
            .await
    }

    fn observe(&self, observer: Arc<dyn StoreObserver>) {
        let ear = Ear {
            link: self.clone(),
            observer,
            heard: Mutex::new(0),
        };
        self.inner.store.observe(Arc::new(ear));
    }

    fn event_gap(&self) -> Option<Duration> {
        self.plan().event_gap
    }
}

/// The settings of a start beside its name.
struct Wish {
    key: Option<String>,
    not_before: Option<Timestamp>,
}

impl Wish {
    fn of(new: &NewOperation) -> Self {
        Self {
            key: new.exclusive_key.clone(),
            not_before: new.ready_time,
        }
    }

    fn at(self, created: Timestamp) -> Created {
        Created {
            at: created,
            key: self.key,
            not_before: self.not_before,
        }
    }
}
