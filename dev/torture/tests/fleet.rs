//! guarantee:R9, in its CI share.

#[path = "../fleet/mod.rs"]
mod fleet;

use std::time::Duration;

use torture::kill::Tampering;
use torture::process::Program;
use torture::trials::{Tally, Until, run};

use fleet::Fleet;
use fleet::families::FamilyFleet;
use fleet::horizon::Horizon;

/// `None`, which is said, where there is no PostgreSQL.
fn strike(faults: usize, tampering: Option<Tampering>, until: Until) -> Option<Tally> {
    test_programs::postgres::shared_or_skip()?;
    let program = Program(env!("CARGO_BIN_EXE_torture-server").into());
    let fleet = Fleet {
        program,
        faults,
        tampering,
    };
    let tally = run(&fleet, 1, until, 1);
    println!("{tally}");
    Some(tally)
}

#[test]
fn a_fleet_survives_whatever_breaks() {
    let until = Until {
        checks: 50,
        time: Duration::from_secs(90),
    };
    // Two fleets, one with notifications, one without: every fault, and ten of them again.
    let Some(tally) = strike(Fleet::FAULTS + 10, None, until) else {
        return;
    };
    assert!(tally.failures.is_empty(), "{tally}");
    assert!(tally.passed >= 10, "too slow to mean anything: {tally}");
}

#[test]
fn the_audit_finds_what_is_lost_changed_or_unfinished() {
    let until = Until {
        checks: 1,
        time: Duration::from_secs(60),
    };
    for tampering in Tampering::ALL {
        let Some(tally) = strike(1, Some(tampering), until) else {
            return;
        };
        let what = match tampering {
            Tampering::Lose => "was acknowledged and is lost",
            Tampering::Change | Tampering::Revive => "was done, and has changed",
        };
        let found = tally.failures.iter().any(|it| it.contains(what));
        assert!(found, "{tampering:?}: {tally}");
    }
}

#[test]
fn claims_do_not_walk_through_what_an_old_snapshot_keeps() {
    if test_programs::postgres::shared_or_skip().is_none() {
        return;
    }
    let until = Until {
        checks: 1,
        time: Duration::from_secs(60),
    };
    let tally = run(&Horizon, 1, until, 1);
    println!("{tally}");
    assert!(tally.failures.is_empty(), "{tally}");
}

/// Families of one trial after the other: `None`, which is said, where there is no PostgreSQL.
fn raise(seed: u64, locks: bool, cycles: u64) -> Option<Tally> {
    test_programs::postgres::shared_or_skip()?;
    let program = Program(env!("CARGO_BIN_EXE_torture-server").into());
    let until = Until {
        checks: 1,
        time: Duration::from_secs(120),
    };
    let fleet = FamilyFleet {
        program,
        locks,
        cycles,
    };
    let tally = run(&fleet, seed, until, 1);
    println!("{tally}");
    Some(tally)
}

/// steps:C1 steps:C2 steps:C5 steps:C6 steps:C7 steps:S8 steps:U1 steps:U4 steps:W6
#[test]
fn kills_of_two_workers_start_no_child_twice_and_leave_none_alone() {
    // One worker runs the parents, the other one the children.
    let Some(tally) = raise(2, false, FamilyFleet::CYCLES / 2) else {
        return;
    };
    assert!(tally.failures.is_empty(), "{tally}");
    let elsewhere = tally.counts["children that ran in another process than the start"];
    assert!(elsewhere > 0, "{tally}");
}

/// The end of a child waits as a row while its parent is locked.
/// steps:W6
#[test]
fn no_end_of_a_child_is_lost_while_its_parent_is_locked() {
    let Some(tally) = raise(1, true, FamilyFleet::CYCLES / 4) else {
        return;
    };
    assert!(tally.failures.is_empty(), "{tally}");
    let ends = tally.counts["ends of children whose parents were locked"];
    assert!(ends > 0, "{tally}");
}
