//! report:F1 report:F2 report:E3 report:E4, in its CI share.

use std::time::Duration;

use torture::files::Files;
use torture::process::Program;
use torture::trials::{Until, run};

#[test]
fn a_database_that_is_tampered_with_keeps_what_was_acknowledged() {
    let program = Program(env!("CARGO_BIN_EXE_torture-server").into());
    let until = Until {
        checks: 16,
        time: Duration::from_secs(240),
    };
    let tally = run(&Files { program }, 1, until, 4);
    println!("{tally}");
    assert!(tally.failures.is_empty(), "{tally}");
    assert!(tally.passed >= 4, "not every kind was tried: {tally}");
}
