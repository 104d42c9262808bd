//! Bodies with sagas and children, under faults, cancellations, timeouts and wrong clocks.

mod block;
mod body;
mod check;
mod ledger;
mod model;
mod program;

use std::time::Duration;

use lro_core::store::OperationRecord;
use tonic::Code;

use self::check::Case;
use self::program::{MANY, max_attempts, mix};
use crate::bug::Bug;
use crate::client::{Client, start_script};
use crate::plan::Plan;
use crate::random::Random;
use crate::run::{Cluster, Report, report};
use crate::service::Job;
use crate::world::World;

pub(crate) use body::follow;
pub(crate) use check::CANCEL_BOUND;
pub(crate) use ledger::FamilyLedger;

/// The longest that the operations of a run take after the faults.
const PATIENCE: Duration = Duration::from_secs(2 * 60 * 60);

/// Which families run under which faults.
#[derive(Clone, Debug)]
pub(crate) struct FamilyPlan {
    plan: Plan,
    families: u64,
    faults: u64,
    cancels: u64,
}

impl FamilyPlan {
    /// Draws a plan.
    pub(crate) fn new(seed: u64, bug: Option<Bug>) -> Self {
        let mut random = Random::new(seed, 70);
        let seconds = Duration::from_secs;
        let lease = seconds(random.between(2, 9));
        let workers = random.between(1, 4) as usize;
        let mut plan = Plan::quiet(seed, bug, workers, lease);
        plan.has_steps = true;
        plan.concurrency = random.pick(&[1, 2, 4]);
        plan.policy.max_attempts = max_attempts(seed);
        plan.policy.abort_on_crash = random.per_mille(100);
        plan.cancel_grace = seconds(random.pick(&[0, 0, 1]));
        if random.per_mille(150) {
            plan.timeout = seconds(random.pick(&[5, 20]));
        }
        plan.lost = random.pick(&[0, 10, 50]);
        plan.slow = random.pick(&[0, 5, 20]);
        let drifts = random.per_mille(250);
        for node in &mut plan.nodes {
            node.skew = random.pick(&[0, 0, 3_600, -3_600]);
            if drifts {
                node.speed = random.pick(&[50, 100, 200]);
            }
        }
        Self {
            plan,
            families: random.between(1, 4),
            faults: random.below(9),
            cancels: random.pick(&[0, 0, 1, 2, 4]),
        }
    }

    /// Whether nothing but the programs and cancellations makes an operation fail.
    fn is_strict(&self) -> bool {
        let plan = &self.plan;
        let has_time = plan.timeout > PATIENCE;
        plan.policy.max_attempts == MANY && !plan.policy.abort_on_crash && has_time
    }

    /// Runs it.
    pub(crate) fn simulate(self) -> Report {
        crate::run::block_on(async {
            let mut cluster = Cluster::new(self.plan.clone()).await;
            let world = cluster.world.clone();
            for family in 1..=self.families {
                start(&cluster, family).await;
            }
            let mut client = Client::new(&world, cluster.doors(), 98);
            let mut random = Random::new(self.plan.seed, 72);
            for disturbance in 0..self.faults.max(self.cancels) {
                if disturbance < self.cancels {
                    cancel(&world, &mut client, &mut random).await;
                }
                if disturbance < self.faults {
                    cluster.fault().await;
                }
                check_slots(&cluster).await;
            }
            cluster.calm().await;
            let until = world.now() + PATIENCE;
            while !all_ended(&world) && world.now() < until {
                check_slots(&cluster).await;
                tokio::time::sleep(Duration::from_millis(1_500)).await;
            }
            let records = cluster.records().await;
            self.check(&cluster, &records).await;
            report(cluster, &records)
        })
    }

    async fn check(&self, cluster: &Cluster, records: &[OperationRecord]) {
        let mut rows = Vec::new();
        for record in records {
            rows.push(cluster.rows(record).await);
        }
        let found = Case::new(self, &cluster.world, records, rows).check();
        for (checker, what) in found {
            cluster.world.violation(checker, what);
        }
    }
}

/// Starts the first operation of a family. An answer may be lost, so that it is there already.
async fn start(cluster: &Cluster, family: u64) {
    let name = format!("family{family}");
    for _ in 0..20 {
        let job = Job {
            id: mix(cluster.world.plan.seed, family, "family"),
            generation: 1,
            ..Job::default()
        };
        match start_script(&cluster.nodes[0].operations, &name, job).await {
            Err(status) if status.code() == Code::Unavailable => {}
            _ => return,
        }
    }
}

/// Cancels an operation, parent or child.
async fn cancel(world: &World, client: &mut Client, random: &mut Random) {
    let pause = Duration::from_millis(random.below(6_000));
    tokio::time::sleep(pause).await;
    let names: Vec<_> = world.notes().made.keys().cloned().collect();
    if !names.is_empty() {
        let name = &names[random.below(names.len() as u64) as usize];
        client.cancel(name).await;
    }
}

fn all_ended(world: &World) -> bool {
    let notes = world.notes();
    notes.made.keys().all(|name| notes.ended.contains_key(name))
}

/// A suspended operation has no body: its worker has dropped that before.
async fn check_slots(cluster: &Cluster) {
    let world = &cluster.world;
    let open = |body: &&crate::world::Body| body.ended.is_none();
    let bodies: Vec<_> = world.notes().bodies.iter().filter(open).cloned().collect();
    for body in bodies {
        let record = cluster.record(&body.name).await;
        if record.is_some_and(|record| record.is_suspended() && record.fence == body.fence) {
            let what = format!("{} is suspended and has a body", body.name);
            world.violation("suspended operations hold no slot", what);
        }
    }
}
