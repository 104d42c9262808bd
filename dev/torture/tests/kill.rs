//! guarantee:R2, in its CI share.

use std::time::Duration;

use torture::kill::{Kill, Tampering};
use torture::process::Program;
use torture::trials::{Tally, Until, run};

/// Servers at once, at most: they wait for their start more than they work.
const THREADS: u64 = 8;

fn kill(tampering: Option<Tampering>, checks: u64) -> Tally {
    let program = Program(env!("CARGO_BIN_EXE_torture-server").into());
    let until = Until {
        checks,
        time: Duration::from_secs(240),
    };
    let threads = checks.min(THREADS) as usize;
    let tally = run(&Kill { program, tampering }, 1, until, threads);
    println!("{tally}");
    tally
}

#[test]
fn nothing_acknowledged_is_lost() {
    let tally = kill(None, 1_000);
    assert!(tally.failures.is_empty(), "{tally}");
    assert!(tally.passed >= 25, "too slow to mean anything: {tally}");
}

#[test]
fn the_audit_finds_what_is_lost_changed_or_unfinished() {
    for tampering in Tampering::ALL {
        let tally = kill(Some(tampering), 1);
        let what = match tampering {
            Tampering::Lose => "was acknowledged and is lost",
            Tampering::Change | Tampering::Revive => "was done, and has changed",
        };
        let found = tally.failures.iter().any(|it| it.contains(what));
        assert!(found, "{tampering:?}: {tally}");
    }
}
