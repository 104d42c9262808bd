//! Bodies that kill their process or block their runtime, bodies of durable calls, families, and outages of the store.

use std::time::{Duration, Instant};

use simulation::{DeathCounts, DeathPlan, Report, Scenario, command, simulate_in};

/// The number of seeds, if they fit into the time.
const SEEDS: u64 = 500;
const TIME: Duration = Duration::from_secs(60);

fn no_seed_finds_anything(scenario: Scenario, each: impl FnMut(u64, &Report)) {
    none_of(SEEDS, scenario, each);
}

fn none_of(seeds: u64, scenario: Scenario, mut each: impl FnMut(u64, &Report)) {
    let begun = Instant::now();
    let mut ran = 0;
    for seed in (1..=seeds).take_while(|_| begun.elapsed() < TIME) {
        let report = simulate_in(scenario, seed, None);
        assert!(
            report.violations.is_empty() && report.undecided == 0,
            "{}\n{:#?}",
            command(scenario, seed),
            report.violations
        );
        each(seed, &report);
        ran += 1;
    }
    println!("{ran} passed, 0 failed");
    assert!(ran >= 50, "only {ran} seeds in {TIME:?}");
}

/// report:N2: every innocent operation succeeds, each poison ends ATTEMPTS_EXHAUSTED, one or two of
/// them after at most `max_attempts` + 8 deaths of processes.
#[test]
fn poisons_fail_alone() {
    let mut counts = DeathCounts::default();
    no_seed_finds_anything(Scenario::Deaths, |seed, report| {
        counts.add(&DeathPlan::new(seed, None), report.deaths);
    });
    print!("{counts}");
}

/// report:N1: a blocked runtime costs no operation its lease until it counts as stalled, and then it
/// loses all.
#[test]
fn a_blocked_runtime_keeps_its_leases_until_it_counts_as_stalled() {
    no_seed_finds_anything(Scenario::Stalls, |_, _| {});
}

/// report:N2: an outage of the store that no worker dies of uses up no attempt and makes no suspect.
#[test]
fn an_outage_of_the_store_costs_no_operation_an_attempt() {
    no_seed_finds_anything(Scenario::Outages, |_, _| {});
}

/// steps:S2 steps:S7 steps:S8 steps:S11 steps:W5 steps:W6: under crashes, cuts, drains and lost answers, every
/// run of a body gets the same, no closure runs after its row, no sleep ends early, and all succeed.
#[test]
fn durable_calls_survive_faults() {
    none_of(2_000, Scenario::Durable, |_, _| {});
}

/// steps:C1 steps:C2 steps:C5 steps:C6 steps:C7 steps:C11 steps:E3 steps:E4 steps:U1 steps:U3 steps:U4 steps:U5
/// steps:W1 steps:W2: under the same, with cancellations, timeouts and wrong clocks, exactly what was reached is undone, the
/// newest first and once, children end with their parents, and outcomes are those without faults.
#[test]
fn sagas_and_children_survive_faults() {
    none_of(2_000, Scenario::Families, |_, _| {});
}
