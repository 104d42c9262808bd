//! Outages of the store that are longer than leases, while no process dies.

use std::time::Duration;

use lro_core::store::{OperationRecord, OperationState};

use crate::bug::Bug;
use crate::plan::Plan;
use crate::random::Random;
use crate::run::{Cluster, Report, report};
use crate::script::Step;
use crate::world::World;

/// The longest that the operations of a run take.
const PATIENCE: Duration = Duration::from_secs(60 * 60);

/// After an outage, the first and the last worker reach the store within this time.
const SPREAD_MILLIS: u64 = 3_000;

/// Which bodies run when the store is away.
#[derive(Clone, Debug)]
pub(crate) struct OutagePlan {
    seed: u64,
    bug: Option<Bug>,
    workers: usize,
    concurrency: usize,
    lease: Duration,
    bodies: Vec<Duration>,
    /// How long after the last outage each begins, and how long it lasts.
    outages: Vec<(Duration, Duration)>,
}

impl OutagePlan {
    /// Draws a plan.
    pub(crate) fn new(seed: u64, bug: Option<Bug>) -> Self {
        let mut random = Random::new(seed, 40);
        let lease = Duration::from_secs(random.between(2, 9));
        let mut part = |from, to| lease * random.between(from, to) as u32 / 100;
        let outages = [
            (part(10, 200), part(20, 400)),
            (part(10, 200), part(20, 400)),
        ];
        let bodies: Vec<_> = (0..30).map(|_| part(10, 500)).collect();
        let (few, most) = (random.between(1, 5), random.between(5, 31));
        // A worker may hold one operation only, whose loss would count.
        let count = random.pick(&[few, most]) as usize;
        Self {
            seed,
            bug,
            workers: random.between(1, 5) as usize,
            concurrency: random.pick(&[1, 4, 64]),
            lease,
            bodies: bodies[..count].to_vec(),
            outages: outages[..random.between(1, 3) as usize].to_vec(),
        }
    }

    /// Runs it.
    pub(crate) fn simulate(self) -> Report {
        // One attempt: no loss may count.
        let mut plan = Plan::quiet(self.seed, self.bug, self.workers, self.lease);
        plan.concurrency = self.concurrency;
        crate::run::block_on(async {
            let cluster = Cluster::new(plan).await;
            let world = cluster.world.clone();
            let bodies = self.bodies.iter().enumerate();
            let scripts =
                bodies.map(|(number, time)| (format!("body{number}"), vec![Step::sleep(*time)]));
            cluster.start_scripts(scripts.collect()).await;
            let mut random = Random::new(self.seed, 41);
            for (after, lasts) in &self.outages {
                tokio::time::sleep(*after).await;
                cut(&cluster, *lasts, &mut random).await;
            }
            while world.notes().ended.len() < self.bodies.len() && world.now() < PATIENCE {
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
            let records = cluster.records().await;
            check(&world, &records);
            report(cluster, &records)
        })
    }
}

/// Cuts all workers off at once. They reach the store again one after the other.
async fn cut(cluster: &Cluster, lasts: Duration, random: &mut Random) {
    let links = cluster.nodes.iter().map(|node| &node.link);
    let mut pauses: Vec<_> = links
        .map(|link| {
            link.set_cut(true);
            (random.below(SPREAD_MILLIS), link)
        })
        .collect();
    pauses.sort_by_key(|(millis, _)| *millis);
    tokio::time::sleep(lasts).await;
    let mut passed = 0;
    for (millis, link) in pauses {
        tokio::time::sleep(Duration::from_millis(millis - passed)).await;
        passed = millis;
        link.set_cut(false);
    }
}

fn check(world: &World, records: &[OperationRecord]) {
    for record in records {
        if record.state != OperationState::Succeeded || record.losses > 0 {
            let what = format!(
                "{} is {:?} with {} losses",
                record.name, record.state, record.losses
            );
            world.violation("outages cost nothing", what);
        }
    }
}
