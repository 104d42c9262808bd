//! guarantee:R7, in its CI share.

use std::time::Duration;

use torture::pause::Pause;
use torture::process::Program;
use torture::stale::Stale;
use torture::takeover::Takeover;
use torture::trials::{Trial, Until, run, threads};

fn check(trial: &impl Trial, checks: u64, threads: usize) {
    let until = Until {
        checks,
        time: Duration::from_secs(120),
    };
    let tally = run(trial, 1, until, threads);
    println!("{tally}");
    assert!(tally.failures.is_empty(), "{tally}");
}

#[test]
fn a_paused_server_ends_each_operation_once() {
    let program = Program(env!("CARGO_BIN_EXE_torture-server").into());
    check(&Pause { program }, 200, 16);
}

#[test]
fn a_paused_worker_does_not_write_over_its_successor() {
    check(&Takeover, 200, 16);
}

#[test]
fn stale_writes_are_refused() {
    check(&Stale, 100_000, threads(None));
}
