//! One run: a seed, from its first start to the verdict of the checkers.

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use lro_core::store::{
    MemoryStore, OperationRecord, OperationStore as _, StepQuery, StepRow, Suspects,
};
use parking_lot::Mutex;

use crate::bug::{Bug, Scenario};
use crate::check;
use crate::check::linear::Call;
use crate::client::{Client, Door, Doors, start_script};
use crate::deaths::DeathPlan;
use crate::durable::DurablePlan;
use crate::families::FamilyPlan;
use crate::node::Node;
use crate::outages::OutagePlan;
use crate::plan::Plan;
use crate::planted::Planted;
use crate::random::Random;
use crate::script::Step;
use crate::service::{self, Job};
use crate::stalls::StallPlan;
use crate::world::{Notes, Truth, Violation, World};

/// The checkers that tell operations of one name apart.
const BY_UID: [&str; 5] = [
    "linearizability",
    "everything ends",
    "records",
    "results",
    "metadata",
];

/// The result of a run.
#[derive(Clone, Debug)]
pub struct Report {
    /// The violations found.
    pub violations: Vec<Violation>,
    /// The same for every run of the same seed.
    pub trace: u64,
    /// How long it took, by the simulated clock.
    pub simulated: Duration,
    /// How many events there were.
    pub events: u64,
    /// How many bodies were run.
    pub bodies: usize,
    /// How many operations there were.
    pub operations: usize,
    /// How many processes were killed by a body.
    pub deaths: usize,
    /// For how many operations the search for an order was given up.
    pub undecided: usize,
    /// All that is known of the operations that a violation names.
    pub history: Vec<String>,
}

/// Runs a seed.
pub fn simulate(seed: u64, bug: Option<Bug>) -> Report {
    simulate_plan(Plan::new(seed, bug))
}

/// Runs a seed of a scenario.
pub fn simulate_in(scenario: Scenario, seed: u64, bug: Option<Bug>) -> Report {
    match scenario {
        Scenario::Faults => simulate(seed, bug),
        Scenario::Deaths => DeathPlan::new(seed, bug).simulate(),
        Scenario::Stalls => StallPlan::new(seed, bug).simulate(),
        Scenario::Outages => OutagePlan::new(seed, bug).simulate(),
        Scenario::Durable => DurablePlan::new(seed, bug).simulate(),
        Scenario::Families => FamilyPlan::new(seed, bug).simulate(),
    }
}

/// The command that runs a seed again.
pub fn command(scenario: Scenario, seed: u64) -> String {
    let run = "cargo run --release -p simulation --";
    match scenario {
        Scenario::Faults => format!("{run} --seed {seed} -v"),
        Scenario::Deaths => format!("{run} --scenario deaths --seed {seed} -v"),
        Scenario::Stalls => format!("{run} --scenario stalls --seed {seed} -v"),
        Scenario::Outages => format!("{run} --scenario outages --seed {seed} -v"),
        Scenario::Durable => format!("{run} --scenario durable --seed {seed} -v"),
        Scenario::Families => format!("{run} --scenario families --seed {seed} -v"),
    }
}

/// Runs a plan.
///
/// # Panics
///
/// When there is no memory for a runtime.
pub fn simulate_plan(plan: Plan) -> Report {
    block_on(run(plan))
}

/// Runs a future by a clock that jumps to the next timer.
pub(crate) fn block_on<T>(run: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build();
    let runtime = runtime.unwrap_or_else(|error| panic!("no runtime: {error}"));
    runtime.block_on(run)
}

async fn run(plan: Plan) -> Report {
    let mut cluster = Cluster::new(plan).await;
    let world = cluster.world.clone();
    let clients: Vec<_> = (0..world.plan.clients)
        .map(|id| tokio::spawn(Client::new(&world, &cluster.doors, id).run()))
        .collect();
    for _ in 0..world.plan.faults {
        cluster.fault().await;
    }
    for client in clients {
        client.await.ok();
    }
    cluster.calm().await;
    let records = settle(&world, &cluster.store, &cluster.doors).await;
    report(cluster, &records)
}

/// Ends a run, and checks what was noted of it.
pub(crate) fn report(mut cluster: Cluster, records: &[OperationRecord]) -> Report {
    for node in &mut cluster.nodes {
        node.crash();
    }
    let world = &cluster.world;
    let notes = world.notes();
    let (mut violations, undecided) = check::all(&world.plan, &notes, records);
    violations.splice(0..0, notes.violations.iter().cloned());
    // Of a name that several operations have had, one after the other, clients and bodies cannot say
    // which one they mean. The store's calls can: the checkers compare each operation with the model
    // by its uid. So can the final records: a response names the body that made it.
    let remade: Vec<_> = notes.made.iter().filter(|(_, times)| **times > 1).collect();
    violations.retain(|violation| {
        let remade = remade.iter().any(|(name, _)| violation.is_about(name));
        BY_UID.contains(&violation.checker) || !remade
    });
    Report {
        trace: notes.trace_hash(),
        simulated: world.now(),
        events: notes.events,
        bodies: notes.bodies.len(),
        operations: notes.calls.len(),
        deaths: 0,
        undecided,
        history: history(&notes, &violations),
        violations,
    }
}

fn history(notes: &Notes, violations: &[Violation]) -> Vec<String> {
    let named = |name: &str| violations.iter().any(|violation| violation.is_about(name));
    let mut lines = Vec::new();
    for (name, calls) in notes.calls.iter().filter(|(name, _)| named(name)) {
        lines.push(format!("{name}:"));
        lines.extend(calls.iter().map(|call| {
            let Call {
                invoked,
                returned,
                input,
                output,
            } = call;
            let returned = if *returned == u64::MAX { 0 } else { *returned };
            format!("  {invoked}-{returned} {input:?} -> {output:?}")
        }));
        let bodies = notes.bodies.iter().filter(|body| body.name == *name);
        lines.extend(bodies.map(|body| format!("  {body:?}")));
        let asked = notes
            .client_calls
            .iter()
            .filter(|call| format!("{call:?}").contains(name));
        lines.extend(asked.map(|call| format!("  {call:?}")));
    }
    lines
}

/// The nodes of a run and their store.
pub(crate) struct Cluster {
    /// The run.
    pub(crate) world: Arc<World>,
    store: Arc<Planted>,
    /// The current life of each node.
    pub(crate) nodes: Vec<Node>,
    doors: Doors,
    lives: u64,
    random: Random,
}

impl Cluster {
    /// Starts the nodes of a plan.
    pub(crate) async fn new(plan: Plan) -> Self {
        service::set_options(&plan);
        let world = World::new(plan);
        let memory = Arc::new(MemoryStore::with_clock(world.clock.clone()));
        memory.observe(Arc::new(Truth(world.clone())));
        let store = Planted::new(memory.clone(), &world);
        let mut nodes = Vec::new();
        for node in 0..world.plan.nodes.len() {
            nodes.push(Node::start(&world, &store, node, 0).await);
        }
        let doors = nodes.iter().map(door).collect();
        Self {
            random: Random::new(world.plan.seed, 3),
            world,
            store,
            nodes,
            doors: Arc::new(Mutex::new(doors)),
            lives: 0,
        }
    }

    /// Starts operations whose bodies follow scripts, by way of the first node.
    pub(crate) async fn start_scripts(&self, scripts: Vec<(String, Vec<Step>)>) {
        for (id, (name, steps)) in (1..).zip(scripts) {
            let job = Job {
                id,
                steps,
                ..Job::default()
            };
            let started = start_script(&self.nodes[0].operations, &name, job).await;
            if let Err(status) = started {
                let what = format!("{name} was not started: {status}");
                self.world.violation("starts", what);
            }
        }
    }

    /// All operations, as they are stored.
    pub(crate) async fn records(&self) -> Vec<OperationRecord> {
        all(&self.world, &self.store).await
    }

    /// An operation, as it is stored, whatever bug is planted.
    pub(crate) async fn record(&self, name: &str) -> Option<OperationRecord> {
        let name = name.parse().ok()?;
        self.store.truth().get(&name).await.ok().flatten()
    }

    /// The recorded steps of the present epoch, whatever bug is planted.
    pub(crate) async fn rows(&self, record: &OperationRecord) -> Vec<StepRow> {
        let epoch = record.steps.as_deref().map_or(0, |steps| steps.epoch);
        let query = StepQuery::all(record.uid, epoch);
        self.store.truth().steps(query).await.unwrap_or_default()
    }

    /// The nodes as clients see them.
    pub(crate) fn doors(&self) -> &Doors {
        &self.doors
    }

    async fn sleep(&mut self, most: Duration) {
        let most = u64::try_from(most.as_millis()).unwrap_or(0);
        tokio::time::sleep(Duration::from_millis(self.random.below(most))).await;
    }

    /// Disturbs the nodes for a while.
    pub(crate) async fn fault(&mut self) {
        self.sleep(Duration::from_secs(4)).await;
        let lease = self.world.plan.lease;
        let index = self.random.below(self.nodes.len() as u64) as usize;
        match self.random.below(10) {
            0..4 => {
                self.nodes[index].crash();
                self.sleep(lease * 3 / 2).await;
                self.restart(index).await;
            }
            4..7 => {
                self.nodes[index].link.set_cut(true);
                self.sleep(lease * 2).await;
                self.nodes[index].link.set_cut(false);
            }
            7 => {
                for node in &self.nodes {
                    node.link.set_cut(true);
                }
                self.sleep(lease * 2).await;
                for node in &self.nodes {
                    node.link.set_cut(false);
                }
            }
            _ => {
                self.nodes[index].drain().await;
                self.restart(index).await;
            }
        }
    }

    /// Begins a new life of a node.
    pub(crate) async fn restart(&mut self, index: usize) {
        self.lives += 1;
        self.nodes[index] = Node::start(&self.world, &self.store, index, self.lives).await;
        let mut doors = self.doors.lock();
        doors[index] = door(&self.nodes[index]);
    }

    /// Ends all faults, and lets what they have left behind run out.
    pub(crate) async fn calm(&mut self) {
        self.world.set_calm();
        for node in &self.nodes {
            node.link.set_cut(false);
        }
        tokio::time::sleep(self.world.plan.lease * 4).await;
    }
}

fn door(node: &Node) -> Door {
    Door {
        node: node.link.node(),
        operations: node.operations.clone(),
        dead: node.link.dead().clone(),
    }
}

/// Cancels what has not ended, and gives it the time that it may need. Answers what is stored then.
async fn settle(world: &Arc<World>, store: &Arc<Planted>, doors: &Doors) -> Vec<OperationRecord> {
    let mut client = Client::new(world, doors, 99);
    // Operations that depend on a timeout, retries or a schedule end by themselves.
    let plan = &world.plan;
    let slowest = plan
        .nodes
        .iter()
        .map(|node| node.stretched(plan.lease))
        .max();
    let bound = plan.timeout + plan.cancel_grace + slowest.unwrap_or_default() * 2;
    // Hidden operations cannot be cancelled here, and suspects among them run one after the other.
    let hidden = u32::try_from(world.notes().hidden.len()).unwrap_or(u32::MAX);
    let each = (bound + Suspects::PATIENCE) * (plan.policy.max_attempts + 1);
    let patience = each * (hidden + 1) + Duration::from_secs(30);
    for record in all(world, store).await {
        if !record.state.is_done() {
            client.cancel(record.name.as_str()).await;
        }
    }
    let until = world.now() + patience;
    while world.now() < until {
        let hidden = !world.notes().hidden.is_empty();
        if !hidden
            && all(world, store)
                .await
                .iter()
                .all(|record| record.state.is_done())
        {
            break;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let records = all(world, store).await;
    for record in records.iter().filter(|record| !record.state.is_done()) {
        let what = format!("{} is still {:?}", record.name, record.state);
        world.violation("everything ends", what);
    }
    let hidden: Vec<_> = world.notes().hidden.keys().cloned().collect();
    for name in hidden {
        world.violation(
            "everything ends",
            format!("{name} was deleted and never ended"),
        );
    }
    records
}

async fn all(world: &Arc<World>, store: &Arc<Planted>) -> Vec<OperationRecord> {
    let names: BTreeSet<_> = world.notes().calls.keys().cloned().collect();
    let mut records = Vec::new();
    for name in names {
        if let Ok(name) = name.parse()
            && let Ok(Some(record)) = store.get(&name).await
        {
            records.push(record);
        }
    }
    records
}
