//! The faults of a fleet.

use std::time::Duration;

use nix::sys::signal::Signal;

use super::world::{World, blocking};
use torture::node::SCHEMA;
use torture::random::Random;

const READ_ONLY: &str = "default_transaction_read_only";

/// Limits that a role may have, in all versions of PostgreSQL.
const LIMITS: [&str; 3] = [
    "statement_timeout",
    "lock_timeout",
    "idle_in_transaction_session_timeout",
];

/// One kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// SIGKILL of a worker, and a new one.
    KillWorker,
    /// SIGKILL of a front end, and a new one.
    KillFrontEnd,
    /// SIGSTOP of a worker for longer than its leases last.
    StopWorker,
    /// SIGKILL of the server of the database, and its recovery.
    KillDatabase,
    /// `pg_ctl stop -m immediate`, and its recovery.
    StopDatabase,
    /// `pg_terminate_backend` of everybody.
    EndBackends,
    /// The same of those who listen.
    EndListeners,
    /// A node's connections are closed, and new ones refused for a while.
    Cut,
    /// A node's connections stay open and say nothing any more.
    HalfOpen,
    /// Nothing passes between a node and the database for a while.
    BlackOut,
    /// The standby takes over in order; connections to the server before live on, which is read-only.
    SwitchOver,
    /// SIGKILL of PostgreSQL under synchronous replication; the standby takes over.
    FailOver,
    /// `default_transaction_read_only` for a while.
    ReadOnly,
    /// The role gets limits, and new sessions have them.
    RoleLimits,
    /// `ALTER TABLE .. TYPE` of a column that statements read.
    Alter,
}

impl Fault {
    pub(super) const ALL: [Self; 15] = [
        Self::KillWorker,
        Self::KillFrontEnd,
        Self::StopWorker,
        Self::KillDatabase,
        Self::StopDatabase,
        Self::EndBackends,
        Self::EndListeners,
        Self::Cut,
        Self::HalfOpen,
        Self::BlackOut,
        Self::SwitchOver,
        Self::FailOver,
        Self::ReadOnly,
        Self::RoleLimits,
        Self::Alter,
    ];

    /// The name under which the fault is counted and measured.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::KillWorker => "SIGKILL of a worker",
            Self::KillFrontEnd => "SIGKILL of a front end",
            Self::StopWorker => "SIGSTOP of a worker",
            Self::KillDatabase => "SIGKILL of PostgreSQL",
            Self::StopDatabase => "immediate stop of PostgreSQL",
            Self::EndBackends => "end of all backends",
            Self::EndListeners => "end of the listeners",
            Self::Cut => "cut connections",
            Self::HalfOpen => "half-open connections",
            Self::BlackOut => "black-out",
            Self::SwitchOver => "switchover to a standby",
            Self::FailOver => "crash and failover to a synchronous standby",
            Self::ReadOnly => "read-only server",
            Self::RoleLimits => "limits of the role",
            Self::Alter => "ALTER TABLE beside the load",
        }
    }

    /// Does it, and puts right what the world would put right: processes and links come back.
    pub(super) async fn strike(self, world: &mut World, random: &mut Random) -> anyhow::Result<()> {
        world.settle()?;
        match self {
            Self::KillWorker => {
                let at = random.index(world.workers.len());
                world.workers[at].member.kill()?;
                pause(random, 300).await;
                world.workers[at].restart(&world.program, &world.witness)?;
            }
            Self::KillFrontEnd => {
                let at = random.index(world.front_ends.len());
                world.front_ends[at].member.kill()?;
                pause(random, 300).await;
                world.front_ends[at].restart(&world.program, &world.witness)?;
                world.publish_urls();
            }
            Self::StopWorker => {
                world.start_some_long_ones().await;
                pause(random, 400).await;
                let at = random.index(world.workers.len());
                world.workers[at].member.signal(Signal::SIGSTOP)?;
                tokio::time::sleep(world.lease).await;
                pause(random, 500).await;
                world.workers[at].member.signal(Signal::SIGCONT)?;
            }
            Self::KillDatabase => {
                blocking(|| world.cluster.kill())?;
                pause(random, 300).await;
                blocking(|| world.cluster.restart())?;
            }
            Self::StopDatabase => {
                blocking(|| world.cluster.stop_immediate())?;
                pause(random, 300).await;
                blocking(|| world.cluster.restart())?;
            }
            Self::EndBackends => {
                blocking(|| world.cluster.terminate_backends())?;
            }
            Self::EndListeners => {
                let listeners = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
                                 WHERE query LIKE 'LISTEN %' OR query LIKE '%pg_notify%' \
                                 AND pid <> pg_backend_pid()";
                blocking(|| world.cluster.sql(listeners))?;
            }
            Self::Cut => {
                let at = random.index(world.nodes().count());
                let cut = |world: &World| world.nodes().nth(at).map(|node| node.proxy.cut());
                cut(world);
                pause(random, 500).await;
                world.mend();
            }
            Self::HalfOpen => {
                let at = random.index(world.nodes().count());
                if let Some(node) = world.nodes().nth(at) {
                    node.proxy.freeze();
                }
            }
            Self::BlackOut => {
                let at = random.index(world.nodes().count());
                if let Some(node) = world.nodes().nth(at) {
                    node.proxy.black_out();
                }
                pause(random, 2_500).await;
                world.mend();
            }
            Self::SwitchOver => world.switch_over()?,
            Self::FailOver => world.fail_over()?,
            Self::ReadOnly => {
                blocking(|| world.cluster.set(READ_ONLY, "on"))?;
                pause(random, 1_500).await;
                blocking(|| world.cluster.set(READ_ONLY, "off"))?;
            }
            Self::RoleLimits => {
                let limits =
                    LIMITS.map(|name| format!("ALTER DATABASE postgres SET {name} = '2s'"));
                blocking(|| {
                    world.cluster.sql(&limits.join("; "))?;
                    world.cluster.terminate_backends()
                })?;
            }
            Self::Alter => {
                let len = 5_000 + random.below(5_000);
                let alter = format!(
                    "ALTER TABLE {SCHEMA}.operation \
                     ALTER COLUMN name TYPE varchar({len}) COLLATE \"C\", \
                     ALTER COLUMN method TYPE varchar({len}) COLLATE \"C\""
                );
                blocking(|| world.cluster.sql(&alter))?;
            }
        }
        Ok(())
    }
}

/// Pauses for up to `millis` milliseconds.
async fn pause(random: &mut Random, millis: u64) {
    tokio::time::sleep(Duration::from_micros(random.below(millis * 1_000))).await;
}
