//! guarantee:R17, in its CI share.

use std::time::Duration;

use torture::process::Program;
use torture::recovery::Recovery;
use torture::trials::{Until, run};

/// The aim is half of this, on a machine that does nothing else.
const P99_MAX: Duration = Duration::from_secs(2);

#[test]
fn interrupted_operations_run_again_at_once() {
    let program = Program(env!("CARGO_BIN_EXE_torture-server").into());
    let until = Until {
        checks: 20,
        time: Duration::from_secs(60),
    };
    let tally = run(&Recovery { program }, 1, until, 1);
    println!("{tally}");
    // That a body waited is judged by the times of all; any other failure is one that never ran.
    let late = |failure: &String| failure.starts_with(Recovery::LATE);
    assert!(tally.failures.iter().all(late), "{tally}");
    let p99 = tally.percentile(Recovery::LISTENING, 99);
    assert!(p99.is_some_and(|time| time <= P99_MAX), "{tally}");
}
