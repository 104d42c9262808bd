//! A database, front ends, workers, and the links between them.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use test_programs::postgres::Cluster;

use super::calls::{self, PATIENCE};
use super::member::{Member, Witness};
use super::proxy::Proxy;
use torture::journal::Journal;
use torture::process::Program;
use torture::server::Script;

/// How long leases last.
pub(super) const LEASE: Duration = Duration::from_secs(1);
/// How often nodes poll that do not hear notifications.
pub(super) const POLL: Duration = Duration::from_millis(500);

const FRONT_ENDS: usize = 2;
const WORKERS: usize = 2;

/// How many transactions commit between the moment when replication is synchronous and the crash.
const COMMITS_BEFORE_CRASH: u64 = 50;

/// How many operations run while a worker is stopped, besides those of the clients.
const LONG_ONES: u64 = 8;

/// A node with its own link to the database.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) proxy: Proxy,
    pub(super) member: Member,
    args: Vec<String>,
}

impl Node {
    /// A new process in place of one that was killed.
    pub(super) fn restart(
        &mut self,
        program: &Program,
        witness: &Arc<Witness>,
    ) -> anyhow::Result<()> {
        self.member = blocking(|| Member::start(program, &self.args, witness))?;
        Ok(())
    }
}

#[derive(Debug)]
pub(super) struct World {
    pub(super) program: Program,
    /// The server that takes writes.
    pub(super) cluster: Cluster,
    /// The server that follows it.
    pub(super) standby: Option<Cluster>,
    /// A server that took writes before, and is read-only now.
    retired: Option<Cluster>,
    pub(super) front_ends: Vec<Node>,
    pub(super) workers: Vec<Node>,
    pub(super) witness: Arc<Witness>,
    pub(super) journal: Arc<Journal>,
    pub(super) lease: Duration,
    urls: Arc<Mutex<Vec<String>>>,
    /// So that ids are given once.
    count: u64,
}

impl World {
    /// All nodes start at once, on a database without a schema.
    pub(super) async fn start(program: &Program, notifications: bool) -> anyhow::Result<Self> {
        let cluster = blocking(Cluster::start)?;
        let standby = blocking(|| cluster.standby())?;
        let mut world = Self {
            program: program.clone(),
            cluster,
            standby: Some(standby),
            retired: None,
            front_ends: Vec::new(),
            workers: Vec::new(),
            witness: Arc::default(),
            journal: Arc::default(),
            lease: LEASE,
            urls: Arc::default(),
            count: 0,
        };
        world.start_nodes(notifications, false).await?;
        Ok(world)
    }

    /// The standby takes over in order, and connections to the server before live on: that takes no
    /// writes any more, and its last ones are replayed first.
    pub(super) fn switch_over(&mut self) -> anyhow::Result<()> {
        let standby = self.standby.take().context("there is no standby")?;
        let primary = &self.cluster;
        blocking(|| {
            primary.set("default_transaction_read_only", "on")?;
            // Transactions that have begun before may still write.
            let writing = "SELECT count(*) FROM pg_stat_activity WHERE backend_xid IS NOT NULL";
            until("transactions still write", || {
                Ok(primary.sql(writing)? == "0")
            })?;
            primary.wait_for_standby(&standby)?;
            standby.promote()?;
            anyhow::Ok(())
        })?;
        self.retired = Some(std::mem::replace(&mut self.cluster, standby));
        self.lead_to_primary();
        Ok(())
    }

    /// The server crashes while replication is synchronous, and the standby takes over. A new standby
    /// takes its place.
    pub(super) fn fail_over(&mut self) -> anyhow::Result<()> {
        let standby = self.standby.take().context("there is no standby")?;
        let primary = &self.cluster;
        blocking(|| {
            primary.set("synchronous_standby_names", "*")?;
            // Commits from before did not wait for the standby.
            primary.wait_for_standby(&standby)?;
            // Many commits under load, each of which waits for it.
            let count = "SELECT sum(xact_commit) FROM pg_stat_database";
            let begun: u64 = primary.sql(count)?.parse()?;
            until("too few transactions commit", || {
                Ok(primary.sql(count)?.parse::<u64>()? >= begun + COMMITS_BEFORE_CRASH)
            })?;
            primary.kill()?;
            standby.promote()?;
            anyhow::Ok(())
        })?;
        self.cluster = standby;
        self.lead_to_primary();
        self.standby = Some(blocking(|| self.cluster.standby())?);
        Ok(())
    }

    /// A server that has become read-only ends, and a new standby takes its place. It cannot follow the
    /// one that took over from it: it has written checkpoints of its own since.
    pub(super) fn settle(&mut self) -> anyhow::Result<()> {
        if let Some(retired) = self.retired.take() {
            blocking(|| drop(retired));
            self.standby = Some(blocking(|| self.cluster.standby())?);
        }
        Ok(())
    }

    fn lead_to_primary(&self) {
        let server = SocketAddr::from(([127, 0, 0, 1], self.cluster.port()));
        self.nodes().for_each(|node| node.proxy.lead_to(server));
    }

    /// New processes in place of all there are, which hold nothing back.
    pub(super) async fn restart_to_finish(&mut self) -> anyhow::Result<()> {
        self.front_ends.clear();
        self.workers.clear();
        self.start_nodes(true, true).await
    }

    async fn start_nodes(&mut self, notifications: bool, finish: bool) -> anyhow::Result<()> {
        let mut links = Vec::new();
        for number in 0..FRONT_ENDS + WORKERS {
            let server = SocketAddr::from(([127, 0, 0, 1], self.cluster.port()));
            let proxy = Proxy::start(server).await?;
            let own = format!(":{}/", self.cluster.port());
            let url = self
                .cluster
                .url()
                .replace(&own, &format!(":{}/", proxy.port));
            let mut args = vec!["--database".to_owned(), url];
            args.extend(["--lease".to_owned(), LEASE.as_millis().to_string()]);
            args.extend(["--poll".to_owned(), POLL.as_millis().to_string()]);
            let flags = [
                ("--no-notifications", !notifications),
                ("--finish", finish),
                ("--work", number >= FRONT_ENDS),
            ];
            let flags = flags.into_iter().filter(|(_, on)| *on);
            args.extend(flags.map(|(flag, _)| flag.to_owned()));
            links.push((proxy, args));
        }
        let (program, witness) = (&self.program, &self.witness);
        let members = blocking(|| {
            std::thread::scope(|scope| {
                let starting: Vec<_> = links
                    .iter()
                    .map(|(_, args)| scope.spawn(|| Member::start(program, args, witness)))
                    .collect();
                let members = starting.into_iter().map(|it| it.join().ok());
                members.collect::<Option<Vec<_>>>()
            })
        });
        let members = members.context("a node could not be started")?;
        for (member, (proxy, args)) in members.into_iter().zip(links) {
            let member = member?;
            let nodes = match member.url {
                Some(_) => &mut self.front_ends,
                None => &mut self.workers,
            };
            nodes.push(Node {
                proxy,
                member,
                args,
            });
        }
        self.publish_urls();
        Ok(())
    }

    pub(super) fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.front_ends.iter().chain(&self.workers)
    }

    /// All links carry again.
    pub(super) fn mend(&self) {
        self.nodes().for_each(|node| node.proxy.mend());
    }

    /// Where the front ends listen: of the moment, for clients that connect again.
    pub(super) fn urls(&self) -> Arc<Mutex<Vec<String>>> {
        self.urls.clone()
    }

    pub(super) fn publish_urls(&self) {
        let urls = self.front_ends.iter();
        let urls = urls.filter_map(|node| node.member.url.clone()).collect();
        *self.urls.lock().unwrap_or_else(PoisonError::into_inner) = urls;
    }

    /// The address of one of the front ends.
    pub(super) fn url(&self, number: usize) -> anyhow::Result<String> {
        let urls = self.urls.lock().unwrap_or_else(PoisonError::into_inner);
        let url = urls.get(number % urls.len().max(1));
        url.cloned().context("there is no front end")
    }

    /// An id that was not given before.
    pub(super) fn new_id(&mut self, what: &str) -> String {
        self.count += 1;
        format!("{what}-{}", self.count)
    }

    /// Bodies that are likely to end while their worker stands still.
    pub(super) async fn start_some_long_ones(&mut self) {
        for number in 0..LONG_ONES {
            let id = self.new_id("long");
            let Ok(url) = self.url(number as usize) else {
                return;
            };
            // One that fails is one the fewer.
            let _ = calls::start(&url, &id, Script::Once, None, &self.journal).await;
        }
    }
}

/// Asks the database until it says yes.
fn until(what: &str, mut is_so: impl FnMut() -> anyhow::Result<bool>) -> anyhow::Result<()> {
    let begun = Instant::now();
    while !is_so()? {
        ensure!(begun.elapsed() < PATIENCE, "{what} after {PATIENCE:?}");
    }
    Ok(())
}

/// Runs a blocking function while the other tasks continue.
pub(super) fn blocking<T>(work: impl FnOnce() -> T) -> T {
    tokio::task::block_in_place(work)
}
