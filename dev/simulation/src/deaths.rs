//! Bodies that kill their process, among innocent ones, and a supervisor that restarts each process.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use lro_core::Reason;
use lro_core::store::{OperationRecord, OperationResult, OperationState};
use tokio::task::JoinSet;

use crate::bug::Bug;
use crate::plan::Plan;
use crate::random::Random;
use crate::run::{Cluster, Report, report};
use crate::script::Step;
use crate::world::World;

/// The longest that the operations of a run take.
const PATIENCE: Duration = Duration::from_secs(24 * 60 * 60);

/// Which operations run on how many workers.
#[derive(Clone, Debug)]
pub struct DeathPlan {
    /// The seed.
    pub seed: u64,
    /// The planted bug, if any.
    pub bug: Option<Bug>,
    /// The number of workers, each in a process of its own.
    pub workers: usize,
    /// How many bodies a worker runs at a time.
    pub concurrency: usize,
    /// How long leases last.
    pub lease: Duration,
    /// How long the supervisor takes at most to restart a process.
    pub max_restart: Duration,
    /// How often the body of an operation may run.
    pub max_attempts: u32,
    /// How long the bodies of the innocent operations run, one each.
    pub innocents: Vec<Duration>,
    /// How many checkpoints each innocent body saves.
    pub checkpoints: u32,
    /// After which time the body of each poison kills its process.
    pub poisons: Vec<Duration>,
}

impl fmt::Display for DeathPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} workers of {} slots, leases of {:?}, restarts within {:?}, {} attempts; \
             {} innocents of at most {:?}, {} checkpoints each; poisons after {:?}",
            self.workers,
            self.concurrency,
            self.lease,
            self.max_restart,
            self.max_attempts,
            self.innocents.len(),
            self.innocents.iter().max().copied().unwrap_or_default(),
            self.checkpoints,
            self.poisons,
        )
    }
}

impl DeathPlan {
    /// Draws a plan.
    pub fn new(seed: u64, bug: Option<Bug>) -> Self {
        let mut random = Random::new(seed, 20);
        let millis = Duration::from_millis;
        let count = random.between(10, 61);
        // Short bodies, bodies that are longer than a lease, or both.
        let longest = random.pick(&[50, 1_000, 4_000, 20_000]);
        let workers = random.between(1, 5) as usize;
        // A worker that shares its store becomes idle for suspects only by chance.
        let longest = if workers > 1 {
            longest.min(4_000)
        } else {
            longest
        };
        let innocents = (0..count).map(|_| millis(random.below(longest)));
        let innocents = innocents.collect();
        let poisons = random.between(1, 3);
        let at_once: Vec<_> = (0..poisons)
            .map(|_| millis(random.pick(&[0, 0, 20, 300, 900])))
            .collect();
        // One that outlives its first quarantines is lost beside others more often.
        let slow = millis(random.below(60_000));
        let poisons = match random.per_mille(200) {
            true => vec![slow],
            false => at_once,
        };
        Self {
            seed,
            bug,
            poisons,
            innocents,
            workers,
            concurrency: random.pick(&[4, 16, 64]),
            lease: Duration::from_secs(random.between(2, 9)),
            max_restart: millis(random.pick(&[1, 500, 10_000])),
            max_attempts: random.between(1, 4) as u32,
            checkpoints: random.pick(&[0, 0, 2]),
        }
    }

    /// The most deaths that the guarantee allows.
    pub fn most_deaths(&self) -> usize {
        self.max_attempts as usize + 8
    }

    /// The steps of each operation by name; the poisons lie among the others.
    fn scripts(&self) -> Vec<(String, Vec<Step>)> {
        let mut random = Random::new(self.seed, 21);
        let innocents = self.innocents.iter().enumerate();
        let mut scripts: Vec<_> = innocents
            .map(|(number, time)| {
                let part = *time / (self.checkpoints + 1);
                let mut steps = vec![Step::sleep(part)];
                for _ in 0..self.checkpoints {
                    steps.extend([Step::save(), Step::sleep(part)]);
                }
                (format!("innocent{number}"), steps)
            })
            .collect();
        for (number, after) in self.poisons.iter().enumerate() {
            let place = random.below(scripts.len() as u64 + 1) as usize;
            let steps = vec![Step::sleep(*after), Step::kill()];
            scripts.insert(place, (format!("poison{number}"), steps));
        }
        scripts
    }

    fn plan(&self) -> Plan {
        let mut plan = Plan::quiet(self.seed, self.bug, self.workers, self.lease);
        plan.policy.max_attempts = self.max_attempts;
        plan.concurrency = self.concurrency;
        plan
    }

    /// Runs it.
    ///
    /// # Panics
    ///
    /// When there is no memory for a runtime.
    pub fn simulate(self) -> Report {
        crate::run::block_on(async {
            let mut cluster = Cluster::new(self.plan()).await;
            let world = cluster.world.clone();
            cluster.start_scripts(self.scripts()).await;
            let (deaths, records) = self.supervise(&mut cluster).await;
            self.check(&world, &records, deaths);
            let mut report = report(cluster, &records);
            report.deaths = deaths;
            report
        })
    }

    /// Restarts processes until everything has finished.
    async fn supervise(&self, cluster: &mut Cluster) -> (usize, Vec<OperationRecord>) {
        let world = cluster.world.clone();
        let mut random = Random::new(self.seed, 22);
        let most = u64::try_from(self.max_restart.as_millis()).unwrap_or(0);
        let mut restarts: JoinSet<usize> = JoinSet::new();
        let mut deaths = 0;
        loop {
            tokio::select! {
                biased;
                () = world.body_killed.notified() => {
                    let killed = std::mem::take(&mut world.notes().killed);
                    for node in killed {
                        cluster.nodes[node].crash();
                        deaths += 1;
                        let pause = Duration::from_millis(random.below(most + 1));
                        restarts.spawn(async move {
                            tokio::time::sleep(pause).await;
                            node
                        });
                    }
                }
                Some(Ok(node)) = restarts.join_next() => cluster.restart(node).await,
                () = tokio::time::sleep(Duration::from_millis(200)) => {
                    let finished = world.notes().ended.len();
                    let all = self.innocents.len() + self.poisons.len();
                    if finished == all || world.now() > PATIENCE || deaths > 100 {
                        return (deaths, cluster.records().await);
                    }
                }
            }
        }
    }

    fn check(&self, world: &World, records: &[OperationRecord], deaths: usize) {
        if deaths > self.most_deaths() {
            let most = self.most_deaths();
            world.violation(
                "deaths",
                format!("{deaths} processes died, of at most {most}"),
            );
        }
        let mut runs: BTreeMap<String, usize> = BTreeMap::new();
        for body in &world.notes().bodies {
            *runs.entry(body.name.clone()).or_default() += 1;
        }
        for record in records {
            let name = record.name.as_str();
            let runs = runs.get(name).copied().unwrap_or(0);
            if name.contains("innocent") {
                if record.state != OperationState::Succeeded {
                    let what = format!("{name} is {:?} after {runs} runs", record.state);
                    world.violation("innocents succeed", what);
                }
            } else if !is_exhausted(record) {
                let what = format!("{name} is {:?} after {runs} runs", record.state);
                world.violation("poisons fail", what);
            }
        }
    }
}

fn is_exhausted(record: &OperationRecord) -> bool {
    let Some(OperationResult::Error(status)) = &record.result else {
        return false;
    };
    let reason = Reason::AttemptsExhausted.as_str().as_bytes();
    let mut details = status.details.iter();
    details.any(|any| any.value.windows(reason.len()).any(|part| part == reason))
}

/// How many runs had how many deaths, by the number of poisons and of attempts.
#[derive(Debug, Default)]
pub struct DeathCounts(BTreeMap<(usize, u32), BTreeMap<usize, usize>>);

impl DeathCounts {
    /// Adds a run.
    pub fn add(&mut self, plan: &DeathPlan, deaths: usize) {
        let kind = (plan.poisons.len(), plan.max_attempts);
        let counts = self.0.entry(kind).or_default();
        *counts.entry(deaths).or_default() += 1;
    }
}

impl fmt::Display for DeathCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for ((poisons, max_attempts), counts) in &self.0 {
            let most = max_attempts + 8;
            let counts = counts.iter();
            let counts: Vec<_> = counts
                .map(|(deaths, runs)| format!("{deaths} deaths: {runs} runs"))
                .collect();
            let counts = counts.join(", ");
            writeln!(
                f,
                "{poisons} poisons of {max_attempts} attempts, at most {most} deaths; {counts}"
            )?;
        }
        Ok(())
    }
}
