//! steps:S8 steps:W5, in their CI share.

use std::time::Duration;

use torture::durable::Durable;
use torture::process::Program;
use torture::trials::{Until, run};

/// Servers at once: they wait more than they work.
const THREADS: usize = 8;

/// steps:S7 steps:S8 steps:W5
#[test]
fn kills_repeat_no_recorded_effect_and_shorten_no_sleep() {
    let program = Program(env!("CARGO_BIN_EXE_torture-server").into());
    let until = Until {
        checks: 200,
        time: Duration::from_secs(120),
    };
    let tally = run(&Durable { program }, 1, until, THREADS);
    println!("{tally}");
    assert!(tally.failures.is_empty(), "{tally}");
    assert!(tally.passed >= 25, "too slow to mean anything: {tally}");
    let repeated = tally.counts["effects that a kill repeated"];
    let replayed = tally.counts["results passed again"];
    assert!(repeated > 0 && replayed > 0, "no kill met a body: {tally}");
}
