//! A node: the real engine on a simulated link.

use std::sync::Arc;
use std::time::Duration;

use lro_server::__private::Executor;
use lro_server::{Operations, Worker, WorkerBuilder};

use crate::bug::Bug;
use crate::link::Link;
use crate::planted::Planted;
use crate::service::Service;
use crate::thread::NeverBlocked;
use crate::world::World;

/// One life of one node.
#[derive(Debug)]
pub(crate) struct Node {
    /// Its way to the store.
    pub(crate) link: Link,
    /// The operations that clients call.
    pub(crate) operations: Operations,
    worker: Option<Worker>,
}

impl Node {
    /// Begins a life.
    pub(crate) async fn start(
        world: &Arc<World>,
        store: &Arc<Planted>,
        node: usize,
        life: u64,
    ) -> Self {
        let link = Link::new(world, store, node, life);
        link.set_cut(false);
        let operations = Operations::new(link.clone());
        let plan = &world.plan.nodes[node];
        let service = Arc::new(Service {
            link: link.clone(),
            operations: operations.clone(),
        });
        let mut lease = plan.stretched(world.plan.lease);
        if world.plan.bug == Some(Bug::WorkerTrustsTooLong) {
            lease *= 4;
        }
        let worker = match plan.worker {
            false => None,
            true => {
                let worker = Worker::builder(&operations)
                    .host(service)
                    .concurrency(world.plan.concurrency)
                    .lease_duration(lease)
                    .drain_timeout(Duration::from_millis(500));
                let worker = match world.plan.bug {
                    Some(Bug::NeverSuspended) => worker.suspend_after(Duration::MAX),
                    _ => worker,
                };
                on_its_thread(worker, &link).start().await.ok()
            }
        };
        Self {
            link,
            operations,
            worker,
        }
    }

    /// Dies: no clean-up of its has any effect.
    pub(crate) fn crash(&mut self) {
        self.link.kill();
        let (node, life) = (self.link.node(), self.link.life());
        let world = self.link.world();
        let now = world.now();
        for body in &mut world.notes().bodies {
            if (body.node, body.life) == (node, life) {
                body.ended.get_or_insert(now);
            }
        }
        self.worker = None;
    }

    /// Shuts down in good order, then dies.
    pub(crate) async fn drain(&mut self) {
        self.operations.close();
        if let Some(worker) = self.worker.take() {
            worker.drain().await;
        }
        self.crash();
    }
}

/// The bodies run on the thread of the node if they may block it, and the renewals beside it.
fn on_its_thread(worker: WorkerBuilder, link: &Link) -> WorkerBuilder {
    let plan = &link.world().plan;
    let Some(max_runtime_stall) = plan.max_runtime_stall else {
        return worker;
    };
    let thread = link.thread().clone();
    let renew_on: Arc<dyn Executor> = match plan.bug {
        Some(Bug::RenewalsOnRuntime) => thread.clone(),
        _ => Arc::new(NeverBlocked),
    };
    let max_runtime_stall = match plan.bug {
        Some(Bug::StallIgnored) => Duration::MAX,
        Some(Bug::StallTooEarly) => plan.lease,
        _ => max_runtime_stall,
    };
    worker
        .max_runtime_stall(max_runtime_stall)
        .simulated(thread, renew_on)
}
