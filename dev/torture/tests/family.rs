//! Parents and children under kills, in their CI share.

use std::time::Duration;

use torture::family::Family;
use torture::process::Program;
use torture::trials::{Until, run};

/// Servers at once: they wait more than they work.
const THREADS: usize = 8;

/// steps:C1 steps:C2 steps:C5 steps:C6 steps:C7 steps:S8 steps:U1 steps:U4 steps:U5 steps:W6
#[test]
fn kills_start_no_child_twice_and_leave_none_alone() {
    let program = Program(env!("CARGO_BIN_EXE_torture-server").into());
    let until = Until {
        // One database for each thread.
        checks: Family::CYCLES,
        time: Duration::from_secs(120),
    };
    let tally = run(&Family { program }, 1, until, THREADS);
    println!("{tally}");
    assert!(tally.failures.is_empty(), "{tally}");
    assert!(tally.passed >= 25, "too slow to mean anything: {tally}");
    for what in [
        "effects that a kill repeated",
        "results passed again",
        "operations that succeeded",
        "operations that were undone",
    ] {
        assert!(tally.counts[what] > 0, "no {what}: {tally}");
    }
}
