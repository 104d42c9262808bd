//! Every planted bug is found.

use simulation::{Bug, simulate_in};

/// The maximum number of seeds until a bug is found. The checkers hardly see a bug that is found
/// late.
const SEEDS: u64 = 1_000;

/// report:N1 report:N2
#[test]
fn every_planted_bug_is_found() {
    let mut missed = Vec::new();
    for bug in Bug::ALL {
        let found = (1..=SEEDS).find_map(|seed| {
            let violations = simulate_in(bug.scenario(), seed, Some(*bug)).violations;
            Some((seed, violations.into_iter().next()?))
        });
        match found {
            Some((seeds, violation)) => {
                println!(
                    "| `{bug:?}` | {} | {} | {seeds} |",
                    bug.about(),
                    violation.checker
                );
            }
            None => missed.push(bug),
        }
    }
    assert!(
        missed.is_empty(),
        "not found within {SEEDS} seeds: {missed:?}"
    );
}
