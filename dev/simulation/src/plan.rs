//! The plan of one seed: the number of nodes, the quality of their links and clocks, and the
//! events.

use std::time::Duration;

use crate::bug::{Bug, Scenario};
use crate::model::Policy;
use crate::random::Random;
use crate::seeds::regressions;

/// One run, as its seed has drawn it.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The seed.
    pub seed: u64,
    /// The planted bug, if any.
    pub bug: Option<Bug>,
    /// The nodes.
    pub nodes: Vec<NodePlan>,
    /// How long leases last by the store's clock.
    pub lease: Duration,
    /// How operations are run.
    pub policy: Policy,
    /// How long they are kept.
    pub retain: Duration,
    /// How long a cancelled body may continue.
    pub cancel_grace: Duration,
    /// How long a body may take.
    pub timeout: Duration,
    /// How many bodies a node runs at a time.
    pub concurrency: usize,
    /// How many clients there are.
    pub clients: u64,
    /// How many calls each makes.
    pub calls: u64,
    /// How many of a thousand calls are lost before, and how many after the commit.
    pub lost: u64,
    /// How many of a thousand calls take longer than a lease.
    pub slow: u64,
    /// How many faults there are.
    pub faults: u64,
    /// Whether clients start operations of the same few names again and again.
    pub reuse_names: bool,
    /// How long the runtime of a worker may poll nothing; none if bodies never block it.
    pub max_runtime_stall: Option<Duration>,
    /// Whether bodies make durable calls. The model of an operation knows no rows, and so not which records
    /// change something: their histories are not compared with it.
    pub has_steps: bool,
}

/// One node.
#[derive(Clone, Debug)]
pub struct NodePlan {
    /// Whether it runs bodies, or only answers calls.
    pub worker: bool,
    /// How long events of other nodes may go unnoticed; none when no event is ever lost.
    pub event_gap: Option<Duration>,
    /// How fast its clock is, in percent of the true speed.
    pub speed: u32,
    /// By how much its wall clock is off, in seconds.
    pub skew: i64,
}

impl NodePlan {
    /// Whether its monotonic clock is at least as fast as the store's, so that it lets go in time.
    pub fn is_punctual(&self) -> bool {
        self.speed >= 100
    }

    /// Converts a span of true time to a setting of the node: a slow clock lengthens every span
    /// that it measures.
    pub fn stretched(&self, span: Duration) -> Duration {
        span * 100 / self.speed.max(1)
    }
}

impl Plan {
    /// Draws a plan.
    pub fn new(seed: u64, bug: Option<Bug>) -> Self {
        let mut random = Random::new(seed, 0);
        let seconds = Duration::from_secs;
        let count = random.between(1, 5);
        let calm = random.per_mille(150);
        let drifting = random.per_mille(250);
        let lossy_events = random.per_mille(600);
        let nodes = (0..count)
            .map(|index| NodePlan {
                worker: index == 0 || random.per_mille(800),
                event_gap: lossy_events.then(|| Duration::from_millis(random.between(200, 2_000))),
                speed: match drifting {
                    true => random.pick(&[10, 50, 100, 200, 1_000]),
                    false => 100,
                },
                skew: random.pick(&[0, 0, 3_600, -3_600, 17]),
            })
            .collect();
        Self {
            seed,
            bug,
            nodes,
            lease: seconds(random.between(2, 9)),
            policy: Policy {
                max_attempts: random.between(1, 5) as u32,
                abort_on_crash: random.per_mille(150),
            },
            retain: seconds(random.pick(&[30, 3_600])),
            cancel_grace: seconds(random.pick(&[0, 0, 1, 3])),
            timeout: seconds(random.pick(&[15, 40])),
            concurrency: random.between(1, 8) as usize,
            clients: random.between(1, 5),
            calls: random.between(6, 20),
            lost: if calm {
                0
            } else {
                random.pick(&[0, 10, 50, 150])
            },
            slow: if calm { 0 } else { random.pick(&[0, 5, 20]) },
            faults: if calm { 0 } else { random.below(9) },
            // The seeds that have found something did so without.
            reuse_names: Random::new(seed, 4).per_mille(400)
                && !regressions().any(|known| known == (Scenario::Faults, seed)),
            max_runtime_stall: None,
            has_steps: false,
        }
    }

    /// A plan without clients and without faults: one node that only answers calls, and workers.
    pub(crate) fn quiet(seed: u64, bug: Option<Bug>, workers: usize, lease: Duration) -> Self {
        // Processes that share a store do not receive every event.
        let event_gap = (workers > 1).then_some(Duration::from_millis(500));
        let node = |worker| NodePlan {
            worker,
            event_gap,
            speed: 100,
            skew: 0,
        };
        Self {
            seed,
            bug,
            nodes: (0..=workers).map(|index| node(index > 0)).collect(),
            lease,
            policy: Policy {
                max_attempts: 1,
                abort_on_crash: false,
            },
            retain: Duration::from_secs(100_000),
            cancel_grace: Duration::ZERO,
            timeout: Duration::from_secs(100_000),
            concurrency: 1,
            clients: 0,
            calls: 0,
            lost: 0,
            slow: 0,
            // The runs of these plans disturb the workers.
            faults: 1,
            reuse_names: false,
            max_runtime_stall: None,
            has_steps: false,
        }
    }
}
