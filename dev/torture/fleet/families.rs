//! steps:C1 steps:C2 steps:C5 steps:C6 steps:W6: parents and children on two workers, which are killed.
//!
//! A front end starts families; their parents and children run in two workers on one PostgreSQL. In half of the
//! trials one of them runs the parents and the other the children. Each is killed with SIGKILL at random, now and then
//! both. With locks, a transaction of an operator holds the row of a parent while a child of it ends, so that the
//! end has to wait as a row of `operation_wake`; other operations are locked at random meanwhile. In the end the notes
//! of the bodies and the database have to agree.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use test_programs::postgres::Cluster;
use tonic::transport::Channel;

use super::member::{Member, Witness};
use super::operator::{Locks, Session};
use super::reader;
use super::world::blocking;
use torture::family::{Client, audit, report};
use torture::node::SCHEMA;
use torture::process::Program;
use torture::random::Random;
use torture::trials::{Tally, Trial};

const LEASE: Duration = Duration::from_secs(1);
const POLL: Duration = Duration::from_millis(200);

/// The methods of parents, and of children.
const METHODS: [&str; 2] = ["/torture.v1.Families/Raise", "/torture.v1.Families/Grow"];

/// The families that are started between two kills.
const STARTS: u64 = 2;

/// How long everything has to end when nothing is killed any more.
const FINISH_MAX: Duration = Duration::from_secs(120);

/// How long a child has to end while its parent is locked, or another one to be found.
const CHILD_MAX: Duration = Duration::from_secs(20);

/// How long a parent may not learn of the end of a child when the lock is released: five polls, and two seconds for a
/// busy machine.
const WAKE_MAX: Duration = Duration::from_millis(5 * 200 + 2_000);

/// Families on two workers: one trial is a number of kills, or of locks, on one database.
#[derive(Clone, Debug)]
pub(crate) struct FamilyFleet {
    /// The program with the command `node`.
    pub(crate) program: Program,
    /// Whether parents are locked while their children end, instead of kills.
    pub(crate) locks: bool,
    /// The number of times that a trial kills workers, or locks a parent.
    pub(crate) cycles: u64,
}

impl FamilyFleet {
    /// The default of [`cycles`](Self::cycles).
    pub(crate) const CYCLES: u64 = 20;
}

impl Trial for FamilyFleet {
    fn name(&self) -> &'static str {
        "family-fleet"
    }

    fn flags(&self) -> String {
        let locks = if self.locks { " --locks" } else { "" };
        format!(" --cycles {}{locks}", self.cycles)
    }

    fn run(&self, seed: u64, tally: &mut Tally) -> anyhow::Result<()> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()?;
        runtime.block_on(self.strike(seed, tally))
    }
}

impl FamilyFleet {
    async fn strike(&self, seed: u64, tally: &mut Tally) -> anyhow::Result<()> {
        let mut random = Random::new(seed);
        let folder = tempfile::tempdir()?;
        let ledger = folder.path().join("ledger");
        let mut nodes = Nodes::start(&self.program, &ledger, seed)?;
        let mut client = Client::default();
        let mut checks = 0;
        if self.locks {
            let locks = Locks::begin(&nodes.cluster, Random::new(random.bits()))?;
            for _ in 0..self.cycles {
                checks += nodes.lock_a_parent(&mut client, &mut random, tally).await?;
            }
            tally.add("operations locked at random", blocking(|| locks.end())?);
        } else {
            for _ in 0..self.cycles {
                checks += nodes.kill_some(&mut client, &mut random).await?;
            }
        }
        let channel = nodes.channel().await?;
        if let Err(error) = client.wait_for_all(&channel, FINISH_MAX).await {
            return Err(error.context(blocking(|| nodes.unfinished())?));
        }
        blocking(|| nodes.until_no_wake_is_left())?;
        let found = blocking(|| reader::families(&nodes.cluster))?;
        let ledger = std::fs::read_to_string(ledger)?;
        report(&audit(&ledger, &found, client.names()), checks, tally);
        Ok(())
    }
}

/// A database, a front end and two workers.
struct Nodes {
    cluster: Cluster,
    program: Program,
    witness: Arc<Witness>,
    front_end: Member,
    workers: Vec<(Member, Vec<String>)>,
}

impl Nodes {
    fn start(program: &Program, ledger: &Path, seed: u64) -> anyhow::Result<Self> {
        let cluster = blocking(Cluster::start)?;
        let witness = Arc::default();
        let mut args = vec!["--database".to_owned(), cluster.url()];
        args.extend(["--lease".to_owned(), LEASE.as_millis().to_string()]);
        args.extend(["--poll".to_owned(), POLL.as_millis().to_string()]);
        args.extend(["--ledger".to_owned(), ledger.display().to_string()]);
        if seed.is_multiple_of(3) {
            args.push("--no-notifications".to_owned());
        }
        let front_end = blocking(|| Member::start(program, &args, &witness))?;
        args.push("--work".to_owned());
        let mut workers = Vec::new();
        for method in METHODS {
            let mut args = args.clone();
            // By turns, parents and children share their workers, and do not.
            if seed.is_multiple_of(2) {
                args.extend(["--method".to_owned(), method.to_owned()]);
            }
            let member = blocking(|| Member::start(program, &args, &witness))?;
            workers.push((member, args));
        }
        Ok(Self {
            cluster,
            program: program.clone(),
            witness,
            front_end,
            workers,
        })
    }

    async fn channel(&self) -> anyhow::Result<Channel> {
        let url = self.front_end.url.clone().context("no front end")?;
        Ok(Channel::from_shared(url)?.connect().await?)
    }

    /// Starts families and kills one worker, or both; gives how many.
    async fn kill_some(&mut self, client: &mut Client, random: &mut Random) -> anyhow::Result<u64> {
        let channel = self.channel().await?;
        for _ in 0..STARTS {
            client.start(&channel, random).await?;
        }
        tokio::time::sleep(Duration::from_micros(random.below(700_000))).await;
        client.cancel_one(&channel, random).await?;
        tokio::time::sleep(Duration::from_micros(random.below(100_000))).await;
        let victims: &[usize] = [&[0][..], &[1], &[0, 1]][random.index(3)];
        for victim in victims {
            self.workers[*victim].0.kill()?;
        }
        for victim in victims {
            let (member, args) = &mut self.workers[*victim];
            *member = blocking(|| Member::start(&self.program, args, &self.witness))?;
        }
        Ok(victims.len() as u64)
    }

    /// Holds the row of a parent while a child of it ends; gives 1. The parent has to learn of it afterwards.
    async fn lock_a_parent(
        &mut self,
        client: &mut Client,
        random: &mut Random,
        tally: &mut Tally,
    ) -> anyhow::Result<u64> {
        let channel = self.channel().await?;
        client.start(&channel, random).await?;
        client.cancel_one(&channel, random).await?;
        let mut operator = blocking(|| Session::open(&self.cluster))?;
        let held = Duration::from_micros(random.below(600_000));
        let child = blocking(|| self.end_of_a_child(&mut operator, held));
        let child = match child {
            Err(error) => return Err(error.context(blocking(|| self.unfinished())?)),
            Ok(child) => child,
        };
        let Some((parent, key)) = child else {
            tally.add("parents that ended before they were locked", 1);
            return Ok(0);
        };
        let begun = Instant::now();
        let step = format!(
            "SELECT count(*) FROM {SCHEMA}.operation_step WHERE end_time IS NOT NULL \
             AND uid = '{parent}' AND key = '{key}'"
        );
        while blocking(|| self.count(&step))? == 0 {
            let waits = begun.elapsed();
            ensure!(
                waits < WAKE_MAX,
                "{key} of {parent} is not told for {waits:?}"
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        tally.measure("lock released, parent told", begun.elapsed());
        tally.add("ends of children whose parents were locked", 1);
        Ok(1)
    }

    /// Locks a parent, waits for the end of one of its children, and releases the parent later. Gives the uid of the
    /// parent and the key of the child's step, which does not know of the end.
    #[expect(
        clippy::disallowed_methods,
        reason = "an operator holds the lock for a while"
    )]
    fn end_of_a_child(
        &self,
        operator: &mut Session,
        held: Duration,
    ) -> anyhow::Result<Option<(String, String)>> {
        let running = format!(
            "SELECT p.uid, s.key, c.uid FROM {SCHEMA}.operation c \
             JOIN {SCHEMA}.operation p ON p.name = c.parent_operation \
             JOIN {SCHEMA}.operation_step s ON s.uid = p.uid AND s.end_time IS NULL \
             AND position(uuid_send(c.uid) IN s.child) > 0 \
             WHERE c.end_time IS NULL AND position('hold'::bytea IN c.request) = 0 \
             ORDER BY c.create_time DESC, c.uid LIMIT 1"
        );
        let begun = Instant::now();
        let left = format!("SELECT count(*) FROM {SCHEMA}.operation WHERE end_time IS NULL");
        let row = loop {
            let row = self.cluster.sql(&running)?.trim().to_owned();
            if !row.is_empty() {
                break row;
            }
            if self.count(&left)? == 0 {
                return Ok(None);
            }
            ensure!(begun.elapsed() < CHILD_MAX, "no parent waits for a child");
        };
        let columns: Vec<_> = row.split('|').map(str::to_owned).collect();
        let [parent, key, child] = &*columns else {
            anyhow::bail!("the row {row:?}");
        };
        let locked = operator.lock(&format!("uid = '{parent}'"))?;
        ensure!(locked == 1, "the parent {parent} is lost");
        let is_told = format!(
            "SELECT count(*) FROM {SCHEMA}.operation_step WHERE end_time IS NOT NULL \
             AND uid = '{parent}' AND key = '{key}'"
        );
        if self.count(&is_told)? > 0 {
            operator.release()?;
            return Ok(None);
        }
        let ended = format!(
            "SELECT count(*) FROM {SCHEMA}.operation WHERE end_time IS NOT NULL AND uid = '{child}'"
        );
        self.until(&ended, |count| count == "1", begun)
            .context("a child does not end while its parent is locked")?;
        let waits = format!(
            "SELECT count(*) FROM {SCHEMA}.operation_wake \
             WHERE position(uuid_send('{child}'::uuid) IN told) > 0"
        );
        ensure!(
            self.count(&waits)? > 0 && self.count(&is_told)? == 0,
            "the end of {child} is not kept for its locked parent {parent}"
        );
        std::thread::sleep(held);
        ensure!(
            self.count(&waits)? > 0,
            "the end of {child} is forgotten while its parent {parent} is locked"
        );
        operator.release()?;
        Ok(Some((parent.clone(), key.clone())))
    }

    /// Asks until the answer fits.
    #[expect(
        clippy::disallowed_methods,
        reason = "no signal tells what the database holds"
    )]
    fn until(
        &self,
        sql: &str,
        fits: impl Fn(&str) -> bool,
        begun: Instant,
    ) -> anyhow::Result<String> {
        loop {
            let answer = self.cluster.sql(sql)?;
            let answer = answer.trim();
            if fits(answer) {
                return Ok(answer.to_owned());
            }
            let waits = begun.elapsed();
            ensure!(waits < CHILD_MAX, "{sql} gives {answer:?} after {waits:?}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn count(&self, sql: &str) -> anyhow::Result<u64> {
        Ok(self.cluster.sql(sql)?.trim().parse()?)
    }

    /// The operations that have not ended, in words.
    fn unfinished(&self) -> anyhow::Result<String> {
        let sql = format!(
            "SELECT concat_ws(' ', name, method, 'state', state, 'attempt', attempt, 'losses', \
             losses, 'of', parent_operation, 'waits', (SELECT string_agg(key, ', ') \
             FROM {SCHEMA}.operation_step s WHERE s.uid = o.uid AND s.end_time IS NULL)) \
             FROM {SCHEMA}.operation o WHERE end_time IS NULL"
        );
        Ok(self.cluster.sql(&sql)?)
    }

    fn until_no_wake_is_left(&self) -> anyhow::Result<()> {
        let wakes = format!("SELECT count(*) FROM {SCHEMA}.operation_wake");
        let left = self.until(&wakes, |count| count == "0", Instant::now());
        left.context("ends of children are left").map(drop)
    }
}
