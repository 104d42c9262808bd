//! Tests whose programs are not there.

use std::fmt;

/// Whether the environment says `CI`, and not that it is none: nothing may be skipped then.
pub fn in_ci() -> bool {
    std::env::var("CI").is_ok_and(|ci| !matches!(&*ci, "" | "0" | "false"))
}

/// The program that a test needs, or `None`, which is said, where that is missing: the test returns then.
///
/// # Panics
///
/// When it is missing [in CI](in_ci).
#[expect(clippy::panic, reason = "a run that is to test everything has failed")]
pub fn there_or_skip<T>(what: Result<T, impl fmt::Display>) -> Option<T> {
    match what {
        Ok(there) => Some(there),
        Err(error) if in_ci() => panic!("{error}"),
        Err(error) => {
            eprintln!("SKIPPED, {error}");
            None
        }
    }
}
