//! `simulate`: runs seeds, says which fail.

use std::time::{Duration, Instant};

use clap::Parser;
use simulation::exhaustive::{Bounds, search};
use simulation::{Bug, DeathCounts, DeathPlan, Scenario, machine, regressions, simulate_in};

/// Runs the engine in simulation.
#[derive(Debug, Parser)]
struct Args {
    /// Runs this seed only, or begins with it.
    #[arg(long)]
    seed: Option<u64>,
    /// The number of seeds to run.
    #[arg(long, default_value_t = 1)]
    seeds: u64,
    /// Runs seeds for this number of hours.
    #[arg(long)]
    hours: Option<f64>,
    /// Plants a bug: a name of the table in SIMULATION.md, or `all` for that table.
    #[arg(long)]
    bug: Option<String>,
    /// The kind of the runs.
    #[arg(long, value_enum, default_value_t)]
    scenario: Scenario,
    /// Walks this number of steps of the store's state machine instead.
    #[arg(long)]
    steps: Option<u64>,
    /// Searches all states of a small world instead, with this number of claims of each operation.
    #[arg(long)]
    exhaustive: Option<u8>,
    /// Shows what was found.
    #[arg(long, short)]
    verbose: bool,
}

fn main() -> std::process::ExitCode {
    let args = Args::parse();
    let first = args.seed.unwrap_or(1);
    if let Some(steps) = args.steps {
        return walk(first, steps);
    }
    if let Some(claims) = args.exhaustive {
        return all_states(claims);
    }
    let bug = args.bug.as_deref().and_then(|name| {
        Bug::ALL
            .iter()
            .copied()
            .find(|bug| format!("{bug:?}") == name)
    });
    if args.bug.as_deref() == Some("all") {
        for bug in Bug::ALL {
            let found = (first..first + args.seeds).find_map(|seed| {
                let report = simulate_in(bug.scenario(), seed, Some(*bug));
                report
                    .violations
                    .into_iter()
                    .next()
                    .map(|violation| (seed, violation))
            });
            match found {
                Some((seed, violation)) => println!(
                    "| `{bug:?}` | {} | {} | {} |",
                    bug.about(),
                    violation.checker,
                    seed - first + 1
                ),
                None => println!(
                    "| `{bug:?}` | {} | NOT FOUND | {} |",
                    bug.about(),
                    args.seeds
                ),
            }
        }
        return std::process::ExitCode::SUCCESS;
    }
    let limit = args
        .hours
        .map(|hours| Duration::from_secs_f64(hours * 3_600.0));
    let begun = Instant::now();
    let (mut passed, mut failed) = (0_u64, 0_u64);
    let mut seed = first;
    let regressions = args.seed.is_none().then(regressions).into_iter().flatten();
    let mut regressions = regressions.filter(|(scenario, _)| *scenario == args.scenario);
    let mut deaths = DeathCounts::default();
    let mut simulated = Duration::ZERO;
    let (mut events, mut undecided) = (0, 0);
    while match limit {
        Some(limit) => begun.elapsed() < limit,
        None => seed < first + args.seeds,
    } {
        let regression = regressions.next();
        let seed_now = regression.map_or(seed, |(_, seed)| seed);
        let report = simulate_in(args.scenario, seed_now, bug);
        if args.scenario == Scenario::Deaths {
            let plan = DeathPlan::new(seed_now, bug);
            deaths.add(&plan, report.deaths);
            if args.verbose {
                println!("{plan}");
            }
        }
        simulated += report.simulated;
        events += report.events;
        undecided += report.undecided;
        if args.verbose {
            println!(
                "seed {seed_now}: trace {:016x}, {:?}, {} events, {} bodies, {} operations",
                report.trace, report.simulated, report.events, report.bodies, report.operations
            );
        }
        match report.violations.is_empty() {
            true => passed += 1,
            false => {
                failed += 1;
                let scenario = args.scenario;
                println!("FAILED: {}", simulation::command(scenario, seed_now));
                if args.verbose {
                    report.history.iter().for_each(|line| println!("  {line}"));
                }
                for violation in &report.violations {
                    println!("  {}: {}", violation.checker, violation.what);
                }
            }
        }
        seed += u64::from(regression.is_none());
    }
    println!(
        "{events} events, {:.1} simulated hours in {:.1} s, {undecided} undecided",
        simulated.as_secs_f64() / 3_600.0,
        begun.elapsed().as_secs_f64()
    );
    print!("{deaths}");
    println!("{passed} passed, {failed} failed");
    match failed {
        0 => std::process::ExitCode::SUCCESS,
        _ => std::process::ExitCode::FAILURE,
    }
}

/// Three workers, two operations.
fn all_states(claims: u8) -> std::process::ExitCode {
    let bounds = Bounds {
        workers: 3,
        operations: 2,
        claims,
        generations: 1,
        flying: 1,
        steps: false,
        sagas: false,
        children: None,
        mistake: None,
    };
    match search(bounds) {
        Ok(seen) => {
            println!("{bounds:?}: {seen:?}, 0 violations");
            std::process::ExitCode::SUCCESS
        }
        Err(wrong) => {
            println!("FAILED: {wrong}");
            std::process::ExitCode::FAILURE
        }
    }
}

/// Walks of 10,000 steps each.
fn walk(first: u64, steps: u64) -> std::process::ExitCode {
    let (mut passed, mut failed) = (0_u64, 0_u64);
    for seed in first..first + steps / 10_000 {
        match machine::walk(seed, 10_000) {
            Ok(_) => passed += 1,
            Err(what) => {
                failed += 1;
                println!(
                    "FAILED: cargo run --release -p simulation -- --steps 10000 --seed {seed}"
                );
                println!("  {what}");
            }
        }
    }
    println!("{passed} passed, {failed} failed (walks of 10,000 steps)");
    match failed {
        0 => std::process::ExitCode::SUCCESS,
        _ => std::process::ExitCode::FAILURE,
    }
}
