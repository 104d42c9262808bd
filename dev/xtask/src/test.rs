//! `cargo xtask test`: everything that CI does.

mod count;
mod published;

use std::cell::OnceCell;
use std::ffi::OsStr;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::process::{self, cargo, run_watched, works};
use crate::{codegen, package, quickstart, tidy};
use count::Count;

/// The arguments of `cargo xtask test`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Continue after a step that failed. Set when the environment says `CI=true`.
    #[arg(long)]
    keep_going: bool,
}

/// One step: its heading, and what it does.
struct Step {
    name: &'static str,
    run: fn(&Session) -> Result<Count>,
}

/// The quick ones first, so that what fails fails soon.
const STEPS: &[Step] = &[
    Step {
        name: "format: cargo fmt --check",
        run: |_| check(&["fmt", "--all", "--check"], &[]),
    },
    Step {
        name: "tidy: cargo xtask tidy",
        run: |_| tidy::check().map(|()| Count::ONE),
    },
    Step {
        name: "generated code: cargo xtask codegen --check",
        run: |_| codegen::run(true).map(|()| Count::ONE),
    },
    Step {
        name: "what tests need: PostgreSQL, PgBouncer, Python, Node",
        run: |session| {
            let mut skipped = Vec::new();
            let asked = run_watched(&mut test_programs("check")?, |line| {
                if line.starts_with("without ") {
                    skipped.push(line.to_owned());
                }
            })?;
            // There is one step of this kind.
            let _ = session.skipped.set(skipped);
            match asked {
                true => Ok(Count::ONE),
                false => bail!("programs that tests need are missing"),
            }
        },
    },
    Step {
        name: "lints: cargo clippy",
        run: |session| {
            let args = ["clippy", "--workspace", "--all-targets", "--all-features"];
            check(
                &args,
                &[session.locked(), &["--", "-D", "warnings"]].concat(),
            )
        },
    },
    Step {
        name: "documentation: cargo doc",
        run: |session| {
            let mut doc = cargo();
            doc.args(["doc", "--workspace", "--no-deps", "--all-features"]);
            doc.args(session.locked())
                .env("RUSTDOCFLAGS", "-D warnings");
            process::run(&mut doc).map(|()| Count::ONE)
        },
    },
    Step {
        name: "build, with no protoc: cargo build --all-targets",
        run: |session| {
            let args = ["build", "--workspace", "--all-targets", "--all-features"];
            check(&args, session.locked())
        },
    },
    Step {
        name: "unit, ui and integration tests",
        run: unit_and_integration_tests,
    },
    Step {
        name: "simulation, optimized",
        run: simulation,
    },
    Step {
        name: "quick start of README.md: cargo xtask quickstart",
        run: |_| quickstart::run().map(|()| Count::ONE),
    },
    Step {
        name: "packages: cargo xtask package",
        run: |session| package::run(session.ci).map(|()| Count::ONE),
    },
    Step {
        name: "documentation tests: cargo test --doc",
        run: |session| {
            let args = [
                "test",
                "--doc",
                "--workspace",
                "--all-features",
                "--no-fail-fast",
            ];
            counted(cargo().args(args).args(session.locked()))
        },
    },
    Step {
        name: "published protos: cargo xtask protos",
        run: published::protos,
    },
    Step {
        name: "a published API served to its own client: tests/foreign-api",
        run: published::api,
    },
    Step {
        name: "Google's clients for Rust over HTTP/JSON: tests/google-cloud",
        run: published::rust_clients,
    },
];

/// Where the tests run.
struct Session {
    ci: bool,
    nextest: bool,
    /// Which tests are skipped, once that is known.
    skipped: OnceCell<Vec<String>>,
}

impl Session {
    /// CI builds what was committed, or nothing.
    fn locked(&self) -> &'static [&'static str] {
        match self.ci {
            true => &["--locked"],
            false => &[],
        }
    }
}

/// `cargo xtask test`.
///
/// # Errors
///
/// When a step failed.
pub(crate) fn run(args: &Args) -> Result<()> {
    let ci = in_ci();
    let nextest = works(cargo().args(["nextest", "--version"]));
    let session = Session {
        ci,
        nextest,
        skipped: OnceCell::new(),
    };
    run_steps(&session, STEPS, ci || args.keep_going)
}

/// Runs the steps and says how each went. The closing line counts tests; a step without tests
/// counts as one.
fn run_steps(session: &Session, steps: &[Step], keep_going: bool) -> Result<()> {
    let mut summary = Vec::new();
    let mut total = Count::default();
    for (number, step) in steps.iter().enumerate() {
        println!("==> {}/{} {}", number + 1, steps.len(), step.name);
        let began = Instant::now();
        let (count, word) = match (step.run)(session) {
            Ok(count) if count.failed == 0 => (count, "ok"),
            Ok(count) => (count, "FAILED"),
            Err(error) => {
                eprintln!("{error:#}");
                (
                    Count {
                        passed: 0,
                        failed: 1,
                    },
                    "FAILED",
                )
            }
        };
        total = total + count;
        summary.push((word, step.name, began.elapsed()));
        if count.failed > 0 && !keep_going {
            break;
        }
    }
    print_summary(&summary, steps.len());
    for skipped in session.skipped.get().into_iter().flatten() {
        println!("{skipped}");
    }
    println!("{total}");
    if total.failed > 0 {
        bail!("`cargo xtask test` failed");
    }
    Ok(())
}

fn print_summary(summary: &[(&str, &str, Duration)], steps: usize) {
    println!("==> summary");
    for (word, name, took) in summary {
        println!("{word:>8} {:>7.1} s  {name}", took.as_secs_f64());
    }
    let left = steps - summary.len();
    if left > 0 {
        println!("{left} later steps were not run");
    }
}

/// Whether the environment says `CI`, as test-programs reads it.
fn in_ci() -> bool {
    std::env::var("CI").is_ok_and(|ci| !matches!(&*ci, "" | "0" | "false"))
}

/// A command of the crate test-programs, on the folder where cargo lets tests write. It is no dependency: cargo
/// packages no crate that is built with an unpublished one.
fn test_programs(command: &str) -> Result<Command> {
    let mut program = cargo();
    program.args(["run", "--quiet", "--package", "test-programs", "--"]);
    program.arg(command).arg(crate::target()?.join("tmp"));
    Ok(program)
}

fn check(args: &[&str], more: &[&str]) -> Result<Count> {
    process::run(cargo().args(args).args(more)).map(|()| Count::ONE)
}

fn unit_and_integration_tests(session: &Session) -> Result<Count> {
    tests(session, &["--workspace", "--exclude", "simulation"], "dev")
}

/// Seeds and states take ten times as long without optimization.
fn simulation(session: &Session) -> Result<Count> {
    tests(session, &["--package", "simulation"], "simulation")
}

/// Runs the tests of these packages, in a profile of Cargo.
fn tests(session: &Session, packages: &[&str], profile: &str) -> Result<Count> {
    let targets = ["--all-targets", "--all-features"];
    let mut tests = cargo();
    if session.nextest {
        let settings = if session.ci { "ci" } else { "default" };
        tests.args(["nextest", "run", "--profile", settings]);
        tests.args(["--cargo-profile", profile]);
    } else {
        println!("cargo-nextest is not installed: running the same tests with `cargo test`");
        tests.args(["test", "--no-fail-fast", "--profile", profile]);
    }
    counted(tests.args(packages).args(targets).args(session.locked()))
}

/// Runs tests and counts them, as their own closing lines do.
fn counted(tests: &mut Command) -> Result<Count> {
    let mut count = Count::default();
    let succeeded = run_watched(tests, |line| count.add_line(line))?;
    if !succeeded && count.failed == 0 {
        let args: Vec<_> = tests.get_args().map(OsStr::to_string_lossy).collect();
        bail!("`cargo {}` failed", args.join(" "));
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session() -> Session {
        Session {
            ci: true,
            nextest: false,
            skipped: OnceCell::new(),
        }
    }

    #[test]
    fn a_failed_step_fails_the_run_and_stops_it_by_default() {
        static LATER: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
        let steps = [
            Step {
                name: "good",
                run: |_| Ok(Count::ONE),
            },
            Step {
                name: "bad",
                run: |_| bail!("as intended"),
            },
            Step {
                name: "later",
                run: |_| {
                    LATER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    Ok(Count::ONE)
                },
            },
        ];
        let later = || LATER.load(std::sync::atomic::Ordering::Relaxed);
        run_steps(&session(), &steps, false).unwrap_err();
        assert_eq!(later(), 0);
        run_steps(&session(), &steps, true).unwrap_err();
        assert_eq!(later(), 1);
        run_steps(&session(), &steps[..1], false).unwrap();
    }

    #[test]
    fn a_step_whose_tests_failed_has_failed() {
        let steps = [Step {
            name: "tests",
            run: |_| {
                Ok(Count {
                    passed: 7,
                    failed: 1,
                })
            },
        }];
        run_steps(&session(), &steps, false).unwrap_err();
    }
}
