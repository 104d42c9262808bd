//! A node: the real engine on a simulated link.

use std::sync::Arc;
use std::time::Duration;

use lro_server::{Operations, Worker};

use crate::bug::Bug;
use crate::link::Link;
use crate::planted::Planted;
use crate::service::Service;
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
        let service = Arc::new(Service { link: link.clone() });
        let mut lease = plan.stretched(world.plan.lease);
        if world.plan.bug == Some(Bug::WorkerTrustsTooLong) {
            lease *= 4;
        }
        let worker = match plan.worker {
            false => None,
            true => Worker::builder(&operations)
                .host(service)
                .concurrency(world.plan.concurrency)
                .lease_duration(lease)
                .drain_timeout(Duration::from_millis(500))
                .start()
                .await
                .ok(),
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
