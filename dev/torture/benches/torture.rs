//! Runs a check for a number of trials or for hours; see `TORTURE.md`.
//!
//! This is a benchmark to cargo, because only tests and benchmarks may use test-programs, which is not published.

#[path = "../fleet/mod.rs"]
mod fleet;

use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use torture::durable::Durable;
use torture::family::Family;
use torture::files::Files;
use torture::kill::{Kill, Tampering};
use torture::pause::Pause;
use torture::power_loss::{Planted, PowerLoss};
use torture::process::Program;
use torture::recovery::Recovery;
use torture::stale::Stale;
use torture::takeover::Takeover;
use torture::trials::{self, Trial, Until};

use fleet::Fleet;
use fleet::families::FamilyFleet;
use fleet::horizon::Horizon;

/// Power losses, kills and pauses under the embedded store and the server.
#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask torture")]
struct Arguments {
    #[command(subcommand)]
    check: Check,
    /// `cargo bench` adds it.
    #[arg(long, hide = true, global = true)]
    bench: bool,
}

#[derive(Debug, Subcommand)]
enum Check {
    /// Power losses under the store, on a disk in memory.
    PowerLoss {
        #[command(flatten)]
        run: Run,
        /// A planted fault.
        #[arg(long, value_enum, default_value_t)]
        planted: Planted,
        /// Begins every life but the first with a file of the store's first version.
        #[arg(long)]
        upgrade: bool,
    },
    /// SIGKILL of a server under load.
    Kill {
        #[command(flatten)]
        run: Run,
        /// A change of the database before the last audit.
        #[arg(long, value_enum)]
        tampering: Option<Tampering>,
    },
    /// SIGKILL of a server whose bodies make durable calls.
    Durable {
        #[command(flatten)]
        run: Run,
    },
    /// SIGKILL of a server whose parents wait for their children.
    Family {
        #[command(flatten)]
        run: Run,
    },
    /// SIGKILL of two workers on PostgreSQL that run parents and children.
    FamilyFleet {
        #[command(flatten)]
        run: Run,
        /// An operator locks parents while their children end; no worker is killed.
        #[arg(long)]
        locks: bool,
        /// How often each trial kills workers, or locks a parent.
        #[arg(long, default_value_t = FamilyFleet::CYCLES)]
        cycles: u64,
    },
    /// A server whose database is linked, moved or removed, or whose disk is full.
    Files {
        #[command(flatten)]
        run: Run,
    },
    /// SIGSTOP of a server for longer than its leases last.
    Pause {
        #[command(flatten)]
        run: Run,
    },
    /// A worker that stands still, and one that takes its operations over.
    Takeover {
        #[command(flatten)]
        run: Run,
    },
    /// Writes by workers whose claim is over.
    Stale {
        #[command(flatten)]
        run: Run,
    },
    /// How soon interrupted operations run again after a kill.
    Recovery {
        #[command(flatten)]
        run: Run,
    },
    /// Everything that may break between front ends, workers and PostgreSQL.
    Fleet {
        #[command(flatten)]
        run: Run,
        /// How many faults each trial has.
        #[arg(long, default_value_t = Fleet::FAULTS)]
        faults: usize,
        /// A change of the database before the audit.
        #[arg(long, value_enum)]
        tampering: Option<Tampering>,
    },
    /// Claims while a reader keeps an old snapshot of the database.
    Horizon {
        #[command(flatten)]
        run: Run,
    },
}

#[derive(Clone, Copy, Debug, Args)]
struct Run {
    /// The first seed; each trial has the next one.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Checks to make, at least; the trial under way is finished.
    #[arg(long)]
    count: Option<u64>,
    /// Hours to run.
    #[arg(long)]
    hours: Option<f64>,
    /// Trials at once.
    #[arg(long)]
    threads: Option<usize>,
}

/// Trials at once that do little but wait.
const WAITING: usize = 16;

impl Run {
    /// Sets the number of concurrent trials, unless the command line does.
    fn at_once(mut self, threads: usize) -> Self {
        self.threads = self.threads.or(Some(threads));
        self
    }
}

fn main() -> ExitCode {
    // A run of all targets as tests only builds this.
    if !std::env::args().any(|argument| argument == "--bench") {
        return ExitCode::SUCCESS;
    }
    let program = Program(env!("CARGO_BIN_EXE_torture-server").into());
    match Arguments::parse().check {
        Check::PowerLoss {
            run,
            planted,
            upgrade,
        } => report(&PowerLoss { planted, upgrade }, run),
        Check::Kill { run, tampering } => report(&Kill { program, tampering }, run),
        Check::Durable { run } => report(&Durable { program }, run.at_once(WAITING)),
        Check::Family { run } => report(&Family { program }, run.at_once(WAITING)),
        Check::FamilyFleet { run, locks, cycles } => {
            let fleet = FamilyFleet {
                program,
                locks,
                cycles,
            };
            report(&fleet, run.at_once(1))
        }
        Check::Files { run } => report(&Files { program }, run.at_once(WAITING)),
        Check::Pause { run } => report(&Pause { program }, run.at_once(WAITING)),
        Check::Takeover { run } => report(&Takeover, run.at_once(WAITING)),
        Check::Stale { run } => report(&Stale, run),
        Check::Recovery { run } => report(&Recovery { program }, run.at_once(1)),
        Check::Fleet {
            run,
            faults,
            tampering,
        } => {
            let fleet = Fleet {
                program,
                faults,
                tampering,
            };
            report(&fleet, run.at_once(1))
        }
        Check::Horizon { run } => report(&Horizon, run.at_once(1)),
    }
}

fn report(trial: &impl Trial, run: Run) -> ExitCode {
    let threads = trials::threads(run.threads);
    let hours = run
        .hours
        .map(|hours| Duration::from_secs_f64(hours * 3_600.0));
    let checks = match (run.count, hours) {
        (Some(count), _) => count,
        (None, Some(_)) => u64::MAX,
        (None, None) => 1_000,
    };
    println!(
        "{}: seed {}, {threads} at once{}",
        trial.name(),
        run.seed,
        trial.flags()
    );
    let until = Until {
        checks,
        time: hours.unwrap_or(Duration::MAX),
    };
    let tally = trials::run(trial, run.seed, until, threads);
    println!("{tally}");
    match tally.failures.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}
