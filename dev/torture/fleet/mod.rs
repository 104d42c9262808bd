//! guarantee:R9: many nodes on one PostgreSQL, and everything between them breaks.
//!
//! Two front ends that host no worker and two workers that serve no rpc, each a process with a link
//! of its own to a private PostgreSQL, under the load of clients that record every answer. Faults
//! strike one after the other, each kind once, in an order that the seed decides. After each, while
//! the load continues, the fleet must serve again, grant each key once, and deliver notifications
//! across processes in time. Then the faults stop, all operations must finish, and an independent
//! reader compares the database with the records.

mod calls;
pub(crate) mod families;
mod fault;
pub(crate) mod horizon;
mod member;
mod operator;
mod probe;
mod proxy;
mod reader;
mod world;

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use tokio::task::JoinSet;

use self::fault::Fault;
use self::world::{World, blocking};
use torture::audit::compare;
use torture::journal::{Entry, Journal};
use torture::kill::Tampering;
use torture::kill::client::{Client, wait_until_done};
use torture::node::SCHEMA;
use torture::process::Program;
use torture::random::Random;
use torture::server::Script;
use torture::trials::{Tally, Trial};

/// How many clients there are.
const CLIENTS: u64 = 4;

/// The longest pause of a client between two calls, to leave the machine some capacity.
const CLIENT_PAUSE: Duration = Duration::from_millis(40);

/// The scripts that clients start. Few of them run long, because those accumulate.
const SCRIPTS: [Script; 12] = [
    Script::Now,
    Script::Now,
    Script::Now,
    Script::Steps,
    Script::Steps,
    Script::Steps,
    Script::Fail,
    Script::Retry,
    Script::Retry,
    Script::Once,
    Script::Long,
    Script::Hold,
];

/// How long everything has to end when no fault strikes any more.
const FINISH_MAX: Duration = Duration::from_secs(240);

/// The number of concurrent waits at the end.
const WAITS: usize = 16;

/// A trial: a number of faults on one database.
#[derive(Clone, Debug)]
pub(crate) struct Fleet {
    /// The program with the command `node`.
    pub(crate) program: Program,
    /// How many faults there are in one trial.
    pub(crate) faults: usize,
    /// A corruption of the database before the audit.
    pub(crate) tampering: Option<Tampering>,
}

impl Fleet {
    /// The default of [`faults`](Self::faults): each kind once.
    pub(crate) const FAULTS: usize = Fault::ALL.len();
}

impl Trial for Fleet {
    fn name(&self) -> &'static str {
        "fleet"
    }

    fn flags(&self) -> String {
        let faults = format!(" --faults {}", self.faults);
        match self.tampering {
            None => faults,
            Some(Tampering::Lose) => faults + " --tampering lose",
            Some(Tampering::Change) => faults + " --tampering change",
            Some(Tampering::Revive) => faults + " --tampering revive",
        }
    }

    fn run(&self, seed: u64, tally: &mut Tally) -> anyhow::Result<()> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()?;
        runtime.block_on(self.strike(seed, tally))
    }
}

impl Fleet {
    async fn strike(&self, seed: u64, tally: &mut Tally) -> anyhow::Result<()> {
        let mut random = Random::new(seed);
        // Every second fleet does without notifications.
        let notifications = seed % 2 == 1;
        let mut world = World::start(&self.program, notifications).await?;
        let mut load = JoinSet::new();
        for number in 0..CLIENTS {
            let (urls, journal) = (world.urls(), world.journal.clone());
            load.spawn(keep_calling(
                number,
                urls,
                journal,
                Random::new(random.bits()),
            ));
        }
        for fault in order(self.faults, &mut random) {
            let struck = async {
                fault.strike(&mut world, &mut random).await?;
                probe::after(fault, &mut world, notifications, tally).await
            };
            let struck = struck.await;
            let mut faults = world.journal.faults();
            faults.extend(struck.err().map(|error| format!("{error:#}")));
            tally.add(fault.name(), 1);
            match faults.is_empty() {
                true => tally.pass(),
                false => faults
                    .into_iter()
                    .for_each(|it| tally.fail(format!("{}: {it}", fault.name()))),
            }
        }
        load.shutdown().await;
        self.finish(&mut world).await?;
        if let Some(tampering) = self.tampering {
            let sql = format!("SET search_path = {}; {}", SCHEMA, tampering.sql());
            blocking(|| world.cluster.sql(&sql))?;
        }
        let found = blocking(|| reader::read(&world.cluster))?;
        let mut faults = compare(&found, &world.journal, true);
        faults.extend(world.journal.faults());
        faults.extend(twice(&world));
        faults.into_iter().for_each(|fault| tally.fail(fault));
        count(&world, tally);
        Ok(())
    }

    /// New processes finish everything.
    async fn finish(&self, world: &mut World) -> anyhow::Result<()> {
        world.restart_to_finish().await?;
        let channel = calls::connect(&world.url(0)?).await?;
        let left = async {
            let mut waits = JoinSet::new();
            for (id, entry) in world.journal.entries() {
                if waits.len() == WAITS
                    && let Some(waited) = waits.join_next().await
                {
                    waited??;
                }
                let (channel, journal) = (channel.clone(), world.journal.clone());
                waits.spawn(async move { wait_until_done(channel, &id, &entry, &journal).await });
            }
            while let Some(waited) = waits.join_next().await {
                waited??;
            }
            // No client can wait for an operation that was deleted while it ran: its row is removed
            // when it ends.
            while blocking(|| reader::unfinished(&world.cluster))? > 0 {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            anyhow::Ok(())
        };
        let finished = tokio::time::timeout(FINISH_MAX, left).await;
        finished.context("not everything has ended after the last fault")?
    }
}

/// Each kind before any comes again, in an order of its own.
fn order(count: usize, random: &mut Random) -> Vec<Fault> {
    let mut order = Vec::new();
    while order.len() < count {
        let mut left = Fault::ALL.to_vec();
        while !left.is_empty() {
            order.push(left.swap_remove(random.index(left.len())));
        }
    }
    order.truncate(count);
    order
}

/// A client that connects again, to any front end, whenever a call has failed.
async fn keep_calling(
    number: u64,
    urls: Arc<Mutex<Vec<String>>>,
    journal: Arc<Journal>,
    mut random: Random,
) {
    for life in 0_u64.. {
        let urls = urls.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let url = random.pick(&urls).cloned().unwrap_or_default();
        let Ok(channel) = calls::connect(&url).await else {
            tokio::time::sleep(CLIENT_PAUSE).await;
            continue;
        };
        let client = Client {
            name: format!("{number}-{life}"),
            channel,
            journal: journal.clone(),
            dying: Arc::new(AtomicBool::new(true)),
            expected: calls::is_expected,
            scripts: &SCRIPTS,
            pause: CLIENT_PAUSE,
            random: Random::new(random.bits()),
        };
        client.run().await;
    }
}

/// Operations whose end was accepted more than once, and lines that no node should print.
fn twice(world: &World) -> Vec<String> {
    let told = world.witness.told();
    let ends = told.ends.iter().filter(|(_, ends)| ends.accepted.len() > 1);
    let ends = ends.map(|(id, ends)| format!("{id} was ended {} times", ends.accepted.len()));
    let strange = told
        .strange
        .iter()
        .map(|line| format!("a node says: {line}"));
    ends.chain(strange).collect()
}

fn count(world: &World, tally: &mut Tally) {
    tally.add("acknowledged", world.journal.acknowledged());
    let entries = world.journal.entries();
    let count =
        |which: fn(&Entry) -> bool| entries.values().filter(|entry| which(entry)).count() as u64;
    tally.add("acknowledged starts", count(|it| it.started));
    tally.add("starts without an answer", count(|it| !it.started));
    tally.add("acknowledged cancellations", count(|it| it.cancelled));
    tally.add("acknowledged deletions", count(|it| it.deleted));
    tally.add("results seen", count(|it| it.result.is_some()));
    tally.add("databases audited in the end", 1);
    let told = world.witness.told();
    let refused: u64 = told.ends.values().map(|it| it.refused).sum();
    tally.add("late ends that were refused", refused);
    let again = told.ran.values().filter(|it| it.len() > 1).count();
    tally.add("operations that ran again", again as u64);
}
