//! Measures the cost of long-running operations: `cargo xtask bench`, or one part of it by name.
//!
//! Every figure is a ratio within one run, against the limit of the disk or of the wire, because
//! the machines that run this are shared; absolute times are for orientation.

mod children;
mod clock;
mod console;
mod cycle;
mod footprint;
mod get;
mod growth;
mod lists;
mod postgres;
mod raw;
mod rest;
mod retention;
mod service;
mod steps;
mod suspended;
mod table;
mod wait;

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use clap::{Parser, ValueEnum};

/// Prints a table for each part.
#[derive(Parser)]
#[command(bin_name = "cargo xtask bench")]
struct Args {
    /// The parts to run; all when none is named.
    parts: Vec<Part>,
    /// Where the databases are made; the system's temporary folder unless named.
    #[arg(long)]
    dir: Option<PathBuf>,
    /// A tenth of the work, for a quick look.
    #[arg(long)]
    quick: bool,
    /// `cargo bench` adds it.
    #[arg(long, hide = true)]
    bench: bool,
    /// Be one of the servers of the part `wait`.
    #[arg(long, hide = true)]
    serve_waits: Option<wait::Role>,
    /// Be the tabs of the part `console`, on the console at this address.
    #[arg(long, hide = true)]
    open_tabs: Option<std::net::SocketAddr>,
    /// How many operations that server has, or how many tabs there are.
    #[arg(long, hide = true, default_value_t = 0)]
    operations: usize,
    /// Be a process of the part `suspended` that opens this file.
    #[arg(long, hide = true)]
    open_suspended: Option<PathBuf>,
    /// Be one of the workers of the part `postgres`, on that schema of the database of `--database`.
    #[arg(long, hide = true, requires = "database")]
    work: Option<String>,
    #[arg(long, hide = true)]
    database: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Start to done: in process and over gRPC, against a raw group-commit loop.
    Cycle,
    /// Bodies of durable steps, against a loop that writes the same rows.
    Steps,
    /// Parents and children, against operations of their own.
    Children,
    /// Operations that wait: a million in a file, ten thousand that wake within a second, and one
    /// that resumes behind a thousand steps.
    Suspended,
    /// GetOperation against a bare tonic service.
    Get,
    /// HTTP/JSON against gRPC on the same port: GetOperation, lists, watches, and without a socket.
    Rest,
    /// The console over a million operations: pages, tabs, and 10,000 changes a second.
    Console,
    /// Memory for each pending and each running operation.
    Footprint,
    /// Start and list with a million finished operations in the database.
    Growth,
    /// Memory and wake-up of 100,000 calls of WaitOperation, against a bare tonic service.
    Wait,
    /// Pages by filter, out of ten thousand and out of a million operations: SQLite.
    Lists,
    /// The same: PostgreSQL.
    PostgresLists,
    /// Removal of a million expired operations, and what starts feel of it.
    Retention,
    /// The PostgreSQL store against a raw loop: start to done, over processes, what it costs the
    /// server, with a million finished operations, and how soon other nodes hear.
    Postgres,
    /// Durable steps on PostgreSQL: alone, and in lives of ten, against the same rows.
    PostgresSteps,
    /// Starts of children on PostgreSQL, against starts of operations without a parent.
    PostgresChildren,
    /// Lives of ten steps beside workflows of dbos. Only when named: it is built first.
    StepPeers,
    /// graphile_worker and apalis-postgres beside it. Only when named: they are built first.
    Peers,
}

/// The settings of every part.
pub(crate) struct Setting {
    dir: Option<PathBuf>,
    quick: bool,
}

impl Setting {
    /// A fresh folder on the disk that is measured.
    pub(crate) fn folder(&self) -> std::io::Result<tempfile::TempDir> {
        match &self.dir {
            Some(dir) => tempfile::tempdir_in(dir),
            None => tempfile::tempdir(),
        }
    }

    /// `full`, or a tenth of it.
    pub(crate) fn scale(&self, full: usize) -> usize {
        if self.quick { full / 10 } else { full }
    }

    /// How long one rate is measured that is measured several times.
    pub(crate) fn span(&self) -> Duration {
        Duration::from_millis(if self.quick { 300 } else { 1_500 })
    }
}

/// This program again, to be one of its hidden processes.
pub(crate) fn this_program() -> std::io::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("--bench");
    Ok(command)
}

fn main() -> anyhow::Result<()> {
    // A run of all targets as tests only builds this.
    if !std::env::args().any(|argument| argument == "--bench") {
        return Ok(());
    }
    let args = Args::parse();
    let setting = Setting {
        dir: args.dir,
        quick: args.quick,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    if let Some(role) = args.serve_waits {
        return runtime.block_on(wait::serve(role, args.operations));
    }
    if let Some(address) = args.open_tabs {
        return runtime.block_on(console::open_tabs(address, args.operations));
    }
    if let Some(path) = args.open_suspended {
        return runtime.block_on(suspended::open(&path));
    }
    if let (Some(schema), Some(database)) = (args.work, args.database) {
        return runtime.block_on(postgres::work(&database, &schema));
    }
    for part in Part::value_variants() {
        let has_peers = matches!(part, Part::Peers | Part::StepPeers);
        let is_meant = args.parts.is_empty() && !has_peers;
        if is_meant || args.parts.contains(part) {
            runtime.block_on(async {
                match part {
                    Part::Cycle => cycle::run(&setting).await,
                    Part::Steps => steps::run(&setting).await,
                    Part::Children => children::run(&setting).await,
                    Part::Suspended => suspended::run(&setting).await,
                    Part::Get => get::run(&setting).await,
                    Part::Rest => rest::run(&setting).await,
                    Part::Console => console::run(&setting).await,
                    Part::Footprint => footprint::run(&setting).await,
                    Part::Growth => growth::run(&setting).await,
                    Part::Wait => wait::run(&setting).await,
                    Part::Retention => retention::run(&setting).await,
                    Part::Lists => lists::run(&setting).await,
                    Part::PostgresLists => lists::postgres::run(&setting).await,
                    Part::Postgres => postgres::run(&setting).await,
                    Part::PostgresSteps => postgres::steps(&setting).await,
                    Part::PostgresChildren => postgres::children(&setting).await,
                    Part::StepPeers => postgres::step_peers(&setting).await,
                    Part::Peers => postgres::peers(&setting).await,
                }
            })?;
        }
    }
    Ok(())
}
