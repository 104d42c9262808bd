//! The engine in simulation: no seed finds anything.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use simulation::{Scenario, command, regressions, simulate_in};

/// The number of seeds, if they fit into the time.
const SEEDS: u64 = 2_000;
const TIME: Duration = Duration::from_secs(120);

fn passes(scenario: Scenario, seed: u64) {
    let report = simulate_in(scenario, seed, None);
    assert!(
        report.violations.is_empty() && report.undecided == 0,
        "{}\n{:#?}",
        command(scenario, seed),
        report.violations
    );
}

#[test]
fn seeds_that_have_found_something_find_nothing_any_more() {
    regressions().for_each(|(scenario, seed)| passes(scenario, seed));
}

#[test]
fn no_seed_finds_anything() {
    let next = AtomicU64::new(1);
    let begun = Instant::now();
    let work = || {
        while begun.elapsed() < TIME {
            let seed = next.fetch_add(1, Ordering::SeqCst);
            if seed > SEEDS {
                return;
            }
            passes(Scenario::Faults, seed);
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(work);
        scope.spawn(work);
    });
    let ran = next.load(Ordering::SeqCst).min(SEEDS + 1) - 1;
    println!("{ran} passed, 0 failed");
    assert!(ran >= 100, "only {ran} seeds in {TIME:?}");
}

#[test]
fn the_same_seed_is_the_same_run() {
    for scenario in [
        Scenario::Faults,
        Scenario::Deaths,
        Scenario::Stalls,
        Scenario::Outages,
        Scenario::Families,
    ] {
        for seed in 1..=30 {
            let run = || simulate_in(scenario, seed, None);
            let (first, second) = (run(), run());
            assert_eq!(first.trace, second.trace, "{scenario:?}, seed {seed}");
        }
    }
}
