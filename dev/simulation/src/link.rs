//! A node's way to the store: slow, lossy, cut off at times; it notes every call and its answer.

mod act;
mod ear;
mod store;

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use lro_core::store::{StartError, Started, StoreError, StoreErrorKind, WorkerId};
use lro_core::{Clock as _, OperationName};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::bug::Bug;
use crate::check::linear::{Input, Output};
use crate::model::Op;
use crate::plan::NodePlan;
use crate::planted::Planted;
use crate::thread::OneThread;
use crate::world::{Moment, Ticket, World};

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
    born: Moment,
    cut: AtomicBool,
    dead: CancellationToken,
    thread: Arc<OneThread>,
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
                born: world.now(),
                cut: AtomicBool::new(false),
                dead: CancellationToken::new(),
                thread: Arc::default(),
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

    /// A body of the node kills it.
    pub(crate) fn kill_from_within(&self) {
        self.kill();
        let world = &self.inner.world;
        world.notes().killed.push(self.inner.node);
        world.body_killed.notify_one();
    }

    /// The thread that runs the bodies of the node, if they may block it.
    pub(crate) fn thread(&self) -> &Arc<OneThread> {
        &self.inner.thread
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

    /// Whether a planted bug hides from the worker which operations are suspects.
    fn forgets_losses(&self) -> bool {
        let (world, inner) = (&self.inner.world, &self.inner);
        match world.plan.bug {
            Some(Bug::SuspectsNotIsolated) => true,
            Some(Bug::QuarantineForgotten) => world.now() < inner.born + 2 * world.plan.lease,
            _ => false,
        }
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

async fn pause(duration: Duration) {
    if !duration.is_zero() {
        tokio::time::sleep(duration).await;
    }
}
