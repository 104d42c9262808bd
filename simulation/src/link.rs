//! A node's way to the store: slow, lossy, cut off at times; it notes every call and its answer.

mod act;

mod ear;

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use lro_core::store::{
    Change, Claim, Claimed, Command, ListQuery, NewOperation, OperationRecord, OperationStore,
    Page, Refusal, StartError, Started, StoreError, StoreErrorKind, StoreObserver, Update, Updated,
    WorkerId,
};
use lro_core::{Clock as _, OperationName, Timestamp};
use parking_lot::Mutex;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use self::ear::Ear;

use self::act::act;
use crate::check::linear::{Input, Output};
use crate::model::{Act, Op, digest};
use crate::plan::NodePlan;
use crate::planted::Planted;
use crate::world::{Created, Ticket, World};

/// One life of one node, as the store sees it.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    world: Arc<World>,
    store: Arc<Planted>,
    node: usize,
    life: u64,
    cut: AtomicBool,
    dead: CancellationToken,
    uids: AtomicU64,
}

/// Locks that are held for a moment are never poisoned by what is done here.
fn unknown() -> StoreError {
    StoreError::new(StoreErrorKind::Unavailable, "the answer was lost")
}

impl Link {
    /// The way of this node, in this life.
    pub(crate) fn new(world: &Arc<World>, store: &Arc<Planted>, node: usize, life: u64) -> Self {
        Self {
            inner: Arc::new(Inner {
                world: world.clone(),
                store: store.clone(),
                node,
                life,
                cut: AtomicBool::new(false),
                dead: CancellationToken::new(),
                uids: AtomicU64::new(life << 32),
            }),
        }
    }

    /// Cuts the node off, or connects it again.
    pub(crate) fn set_cut(&self, cut: bool) {
        self.inner.cut.store(cut, Ordering::SeqCst);
        let now = self.inner.world.now();
        let mut notes = self.inner.world.notes();
        let trouble = &mut notes.trouble[self.inner.node];
        *trouble = (*trouble).max(now);
    }

    /// Ends the node's life: nothing that it does or did any more has an effect, but for what is on
    /// its way already.
    pub(crate) fn kill(&self) {
        self.inner.dead.cancel();
    }

    /// Is cancelled when the node dies.
    pub(crate) fn dead(&self) -> &CancellationToken {
        &self.inner.dead
    }

    /// Which node.
    pub(crate) fn node(&self) -> usize {
        self.inner.node
    }

    /// Which of its lives.
    pub(crate) fn life(&self) -> u64 {
        self.inner.life
    }

    /// The run.
    pub(crate) fn world(&self) -> &Arc<World> {
        &self.inner.world
    }

    fn plan(&self) -> &NodePlan {
        &self.inner.world.plan.nodes[self.inner.node]
    }

    fn is_cut(&self) -> bool {
        self.inner.cut.load(Ordering::SeqCst)
    }

    /// Carries a call to the store and its answer back. A call in transit still arrives if the
    /// caller drops it or crashes.
    async fn carry<T: Send + 'static>(
        &self,
        commit: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> Result<T, StoreError> {
        if self.inner.dead.is_cancelled() {
            return std::future::pending().await;
        }
        let inner = self.inner.clone();
        let (way_there, way_back, lost_there, lost_back) = self.draw();
        let (answer, answered) = oneshot::channel();
        tokio::spawn(async move {
            let is_cut = || inner.cut.load(Ordering::SeqCst);
            pause(way_there).await;
            if lost_there || is_cut() {
                pause(Duration::from_millis(100)).await;
                answer.send(Err(unknown())).ok();
                return;
            }
            inner.world.notes().causer = Some(inner.node);
            let outcome = commit.await;
            inner.world.notes().causer = None;
            pause(way_back).await;
            let lost = lost_back || is_cut();
            answer
                .send(if lost { Err(unknown()) } else { outcome })
                .ok();
        });
        let outcome = answered.await.unwrap_or_else(|_| Err(unknown()));
        if self.inner.dead.is_cancelled() {
            return std::future::pending().await;
        }
        outcome
    }

    fn draw(&self) -> (Duration, Duration, bool, bool) {
        let world = &self.inner.world;
        let now = world.now();
        let mut notes = world.notes();
        let plan = &world.plan;
        let lease = u64::try_from(plan.lease.as_millis()).unwrap_or(0);
        let (slow, lost) = match notes.calm {
            Some(_) => (0, 0),
            None => (plan.slow, plan.lost),
        };
        let mut way = || match notes.random.per_mille(slow) {
            true => notes.random.below(2 * lease),
            false => notes.random.pick(&[0, 0, 1, 1, 3, 10, 30]),
        };
        let (there, back) = (way(), way());
        let lost = (notes.random.per_mille(lost), notes.random.per_mille(lost));
        let (there, back) = (Duration::from_millis(there), Duration::from_millis(back));
        if there + back > Duration::from_millis(100) {
            let trouble = &mut notes.trouble[self.inner.node];
            *trouble = (*trouble).max(now + there + back);
        }
        (there, back, lost.0, lost.1)
    }

    /// An id that depends on nothing but the run, and on what the node takes for the time.
    fn uid(&self) -> Uuid {
        let now = self.inner.world.clock.now().as_micros() / 1_000;
        let wall = now + self.plan().skew * 1_000;
        let count = self.inner.uids.fetch_add(1, Ordering::SeqCst);
        let time = u128::from(wall.unsigned_abs()) << 80;
        Uuid::from_u128(time | (self.inner.node as u128) << 64 | u128::from(count))
    }

    fn worker_id(&self) -> WorkerId {
        let id = (self.inner.node as u128 + 1) << 64 | u128::from(self.inner.life);
        WorkerId::from_uuid(Uuid::from_u128(id))
    }

    fn note_started(&self, ticket: &Ticket, answer: &Result<Started, StartError>) {
        let world = &self.inner.world;
        let look = |name: &OperationName, output: Output| {
            let look = {
                let mut notes = world.notes();
                let invoked = notes.calls[&ticket.name][ticket.index].invoked;
                notes.push(name.as_str(), invoked, Input::Look)
            };
            world.returned(&look, output);
        };
        let silence = || {
            let mut notes = world.notes();
            if let Some(calls) = notes.calls.get_mut(&ticket.name) {
                calls[ticket.index].input = Input::Look;
            }
        };
        match answer {
            Ok(started) if started.existing => {
                silence();
                look(&started.record.name, Output::Seen(Op::of(&started.record)));
            }
            Ok(started) => {
                world.returned(ticket, Output::Seen(Op::of(&started.record)));
            }
            Err(StartError::AlreadyExists(_)) => world.returned(ticket, Output::Present),
            Err(StartError::ExclusiveKeyHeld(holder)) => {
                silence();
                look(holder, Output::Unfinished);
            }
            Err(StartError::RequestIdReused(holder)) => {
                silence();
                look(holder, Output::Present);
            }
            Err(_) => {}
        }
    }
}

/// The options of a start, besides its name.
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

async fn pause(duration: Duration) {
    if !duration.is_zero() {
        tokio::time::sleep(duration).await;
    }
}

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
                (world.notes()).starts(self.inner.node, &started.record, created);
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
        let (claimed, tickets) = self
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
            world.notes().claims(self.inner.node, record);
            world.returned(ticket, Output::Seen(Op::of(record)));
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
