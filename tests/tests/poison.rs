//! Requests that abort the process, among innocent ones, and a supervisor that restarts it.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests too")]

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The longest that a test waits.
const PATIENCE: Duration = Duration::from_secs(300);

/// The outcomes of the operations of a plan.
#[derive(Debug, Default)]
struct Outcome {
    deaths: usize,
    succeeded: usize,
    exhausted: usize,
    others: Vec<String>,
}

/// Runs this number of processes, each restarted when it dies, until one has seen all operations
/// finish.
fn supervise(processes: usize, store: &[&str], plan: &str) -> Outcome {
    let start = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_poison"));
        command.args(store).arg(plan);
        let command = command.stdin(Stdio::null()).stdout(Stdio::piped());
        command.stderr(Stdio::null()).spawn().unwrap()
    };
    let until = Instant::now() + PATIENCE;
    let mut outcome = Outcome::default();
    let mut running: Vec<Child> = (0..processes).map(|_| start()).collect();
    loop {
        for place in 0..processes {
            let Some(status) = running[place].try_wait().unwrap() else {
                continue;
            };
            if !status.success() {
                outcome.deaths += 1;
                running[place] = start();
                continue;
            }
            let finished = running.swap_remove(place);
            for mut child in running {
                child.kill().unwrap();
                child.wait().unwrap();
            }
            let said = finished.wait_with_output().unwrap().stdout;
            for line in String::from_utf8(said).unwrap().lines() {
                if line.ends_with(" succeeded") {
                    outcome.succeeded += 1;
                } else if line.contains("abort") && line.contains("the worker was lost") {
                    outcome.exhausted += 1;
                } else {
                    outcome.others.push(line.to_owned());
                }
            }
            return outcome;
        }
        if Instant::now() > until {
            for mut child in running {
                child.kill().unwrap();
                child.wait().unwrap();
            }
            panic!("not done in time: {outcome:?}");
        }
        // The end of one of several processes is not a signal to this thread.
        #[expect(
            clippy::disallowed_methods,
            reason = "waits for any of several processes"
        )]
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A plan with the poisons spread among the innocent operations.
fn plan(max_attempts: u32, slots: usize, innocents: usize, sleep: u32, poisons: &[u32]) -> String {
    let mut steps = vec![format!("sleep={sleep}"); innocents];
    for (number, after) in poisons.iter().enumerate() {
        let place = (number * 2 + 1) * innocents / (2 * poisons.len());
        steps.insert(place, format!("abort={after}"));
    }
    format!("{max_attempts},{slots},{}", steps.join(","))
}

fn check(outcome: &Outcome, innocents: usize, poisons: usize, max_attempts: usize) {
    println!("{} deaths", outcome.deaths);
    assert_eq!(outcome.others, [""; 0], "{outcome:?}");
    assert_eq!(outcome.succeeded, innocents, "{outcome:?}");
    assert_eq!(outcome.exhausted, poisons, "{outcome:?}");
    assert!(outcome.deaths <= max_attempts + 8, "{outcome:?}");
}

fn on_sqlite(max_attempts: u32, plan: &str, innocents: usize, poisons: usize) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("operations.db");
    let outcome = supervise(1, &["sqlite", file.to_str().unwrap()], plan);
    check(&outcome, innocents, poisons, max_attempts as usize);
}

/// report:N2
#[test]
fn one_poison_does_not_take_its_neighbours_along() {
    on_sqlite(3, &plan(3, 64, 50, 200, &[0]), 50, 1);
}

/// report:N2
#[test]
fn two_poisons_do_not_take_their_neighbours_along() {
    on_sqlite(3, &plan(3, 64, 50, 200, &[0, 20]), 50, 2);
}

/// report:N2: the bodies outlast the quarantine of the poisons.
#[test]
fn two_poisons_among_bodies_of_seconds_are_started_alone() {
    on_sqlite(3, &plan(3, 8, 20, 3_000, &[300, 0]), 20, 2);
}

/// report:N2
#[test]
fn an_innocent_operation_with_one_attempt_survives_many_neighbours_and_few_slots() {
    on_sqlite(1, &plan(1, 8, 200, 20, &[0, 5]), 200, 2);
}

/// report:N2
#[test]
fn a_poison_that_kills_after_its_quarantine_is_found() {
    on_sqlite(2, &plan(2, 16, 30, 300, &[1_500]), 30, 1);
}

/// report:N2
#[test]
fn three_workers_on_postgres_outlive_poisons() {
    let Some(cluster) = test_programs::postgres::shared_or_skip() else {
        return;
    };
    for (number, poisons) in [&[0][..], &[0, 20]].into_iter().enumerate() {
        let schema = format!("poison {number} {}", std::process::id());
        let store = ["postgres", cluster.url(), &schema];
        let outcome = supervise(3, &store, &plan(3, 16, 50, 200, poisons));
        check(&outcome, 50, poisons.len(), 3);
    }
}
