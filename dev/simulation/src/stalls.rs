//! Bodies that block the runtime of their worker.

use std::collections::BTreeMap;
use std::time::Duration;

use lro_core::store::{OperationRecord, OperationState};

use crate::bug::Bug;
use crate::plan::Plan;
use crate::random::Random;
use crate::run::{Cluster, Report, report};
use crate::script::Step;
use crate::world::{Body, World};

/// The longest that the operations of a run take.
const PATIENCE: Duration = Duration::from_secs(60 * 60);

/// Which bodies block how long.
#[derive(Clone, Debug)]
pub(crate) struct StallPlan {
    seed: u64,
    bug: Option<Bug>,
    workers: usize,
    lease: Duration,
    max_runtime_stall: Duration,
    max_attempts: u32,
    sleepers: Vec<Duration>,
    blockers: Vec<Duration>,
    /// How long one body blocks beyond `max_runtime_stall` in its first run.
    stall: Option<Duration>,
}

impl StallPlan {
    /// Draws a plan.
    pub(crate) fn new(seed: u64, bug: Option<Bug>) -> Self {
        let mut random = Random::new(seed, 30);
        let lease = Duration::from_secs(random.between(2, 9));
        let mut part = |percent| lease * random.between(10, percent) as u32 / 100;
        let sleepers = (0..20).map(|_| part(400)).collect();
        let blockers = [part(400), part(400), part(400)];
        let stalls = random.per_mille(500);
        let max_runtime_stall = match stalls {
            true => lease * random.between(3, 9) as u32,
            // All that the blockers may do one after the other.
            false => lease * 20,
        };
        let beyond = lease * random.between(4, 40) as u32;
        Self {
            seed,
            bug,
            workers: random.between(if stalls { 2 } else { 1 }, 4) as usize,
            lease,
            max_runtime_stall,
            // The stalled worker may have run nothing else: then the loss counts.
            max_attempts: random.between(if stalls { 2 } else { 1 }, 4) as u32,
            sleepers,
            blockers: match stalls {
                true => Vec::new(),
                false => blockers[..random.between(1, 4) as usize].to_vec(),
            },
            stall: stalls.then_some(max_runtime_stall + beyond),
        }
    }

    fn scripts(&self) -> Vec<(String, Vec<Step>)> {
        let named = |kind: &str, number| format!("{kind}{number}");
        let soon = Step::sleep(self.lease / 20);
        let sleepers = self.sleepers.iter().enumerate();
        let sleepers =
            sleepers.map(|(number, time)| (named("sleeper", number), vec![Step::sleep(*time)]));
        let blockers = self.blockers.iter().enumerate();
        let blockers = blockers
            .map(|(number, time)| (named("blocker", number), vec![soon, Step::block(*time)]));
        let stall = self.stall.iter();
        let stall = stall.map(|time| (named("stall", 0), vec![soon, Step::block_once(*time)]));
        sleepers.chain(blockers).chain(stall).collect()
    }

    /// Runs it.
    pub(crate) fn simulate(self) -> Report {
        let mut plan = Plan::quiet(self.seed, self.bug, self.workers, self.lease);
        plan.policy.max_attempts = self.max_attempts;
        plan.concurrency = 64;
        plan.max_runtime_stall = Some(self.max_runtime_stall);
        crate::run::block_on(async {
            let cluster = Cluster::new(plan).await;
            let world = cluster.world.clone();
            let scripts = self.scripts();
            let all = scripts.len();
            cluster.start_scripts(scripts).await;
            while world.notes().ended.len() < all && world.now() < PATIENCE {
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
            let records = cluster.records().await;
            self.check(&world, &records);
            let mut report = report(cluster, &records);
            // A body that a stalled runtime does not poll is still there when its operation runs
            // elsewhere. Only the fence helps.
            report.violations.retain(|violation| {
                self.stall.is_none() || violation.checker != "one body at a time"
            });
            report
        })
    }

    fn check(&self, world: &World, records: &[OperationRecord]) {
        for record in records {
            if record.state != OperationState::Succeeded {
                let what = format!("{} is {:?}", record.name, record.state);
                world.violation("everything succeeds", what);
            }
        }
        let mut by_name: BTreeMap<String, Vec<Body>> = BTreeMap::new();
        for body in &world.notes().bodies {
            let bodies = by_name.entry(body.name.clone()).or_default();
            bodies.push(body.clone());
        }
        match self.stall {
            None => {
                for (name, bodies) in by_name.iter().filter(|(_, bodies)| bodies.len() > 1) {
                    let what = format!("{name} was run {} times", bodies.len());
                    world.violation("leases beside a blocked runtime", what);
                }
            }
            Some(_) => self.check_stall(world, &by_name),
        }
    }

    /// The operations of the stalled worker begin elsewhere after `max_runtime_stall`, and not before.
    fn check_stall(&self, world: &World, by_name: &BTreeMap<String, Vec<Body>>) {
        let stalling = by_name.iter().find(|(name, _)| name.contains("stall"));
        let Some(first) = stalling.and_then(|(_, bodies)| bodies.first()) else {
            return world.violation("stalls", "the stalling body did not run".to_owned());
        };
        let begun = first.begun + self.lease / 20;
        // The probe is polled in intervals of a sixth of a lease, the renewals begin each third.
        let earliest = begun + self.max_runtime_stall - self.lease / 2;
        let latest = begun + self.max_runtime_stall + self.lease * 3;
        for (name, bodies) in by_name {
            let stalled = bodies[0].node == first.node
                && (bodies[0].ended.is_none_or(|ended| ended > begun) || bodies.len() > 1);
            let again = bodies.get(1).map(|body| body.begun);
            let in_time = again.is_some_and(|again| again >= earliest && again <= latest);
            if stalled && !in_time {
                let what = format!(
                    "{name} was to begin again between {earliest:?} and {latest:?}, not {again:?}"
                );
                world.violation("stalls", what);
            }
        }
    }
}
