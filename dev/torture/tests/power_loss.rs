//! guarantee:R1, in its CI share.

use std::time::Duration;

use torture::power_loss::{Planted, PowerLoss};
use torture::trials::{Tally, Until, run, threads};

fn lose(planted: Planted, seed: u64, checks: u64) -> Tally {
    let until = Until {
        checks,
        time: Duration::from_secs(60),
    };
    let trial = PowerLoss {
        planted,
        ..PowerLoss::default()
    };
    let tally = run(&trial, seed, until, threads(None));
    println!("{tally}");
    tally
}

#[test]
fn nothing_acknowledged_is_lost() {
    let tally = lose(Planted::Nothing, 1, 20_000);
    assert!(tally.failures.is_empty(), "{tally}");
    assert!(tally.passed >= 1_000, "too slow to mean anything: {tally}");
}

/// guarantee:R18: power losses in mid-migration.
#[test]
fn a_file_of_the_first_version_is_brought_up_to_date_or_left_as_it_was() {
    let until = Until {
        checks: 2_000,
        time: Duration::from_secs(20),
    };
    let upgrade = PowerLoss {
        upgrade: true,
        ..PowerLoss::default()
    };
    let tally = run(&upgrade, 1, until, threads(None));
    println!("{tally}");
    assert!(tally.failures.is_empty(), "{tally}");
    assert!(tally.passed >= 200, "too slow to mean anything: {tally}");
}

/// Found here: a rollback journal whose removal had not reached the disk came back over a
/// write-ahead log that held acknowledged transactions.
#[test]
fn the_switch_to_the_log_is_safe_before_the_first_answer() {
    for seed in [1_001_103, 1_004_282] {
        let tally = lose(Planted::Nothing, seed, 1);
        assert!(tally.failures.is_empty(), "{tally}");
    }
}

#[test]
fn a_store_that_syncs_too_rarely_is_found_out() {
    assert_found(Planted::Normal);
}

#[test]
fn a_store_that_answers_too_early_is_found_out() {
    assert_found(Planted::EarlyAnswers);
}

#[test]
fn a_disk_that_lies_is_found_out() {
    assert_found(Planted::LyingDisk);
}

fn assert_found(planted: Planted) {
    let tally = lose(planted, 1, 400);
    let lost = tally.failures.iter().filter(|it| it.contains("lost: "));
    assert!(lost.count() > 20, "{tally}");
}
