//! Scripts that check a server and print `ok NAME` for each check that passed.

use std::path::{Path, PathBuf};

use test_programs::Environment;
use tokio::process::Command;

/// The folder for tests below the target folder.
const TESTS: &str = env!("CARGO_TARGET_TMPDIR");

/// The protos of google, as they come with lro-build.
pub(crate) const GOOGLE_PROTOS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../lro-build/proto");

/// The folder of an environment, or `None`, which has been reported, where it cannot be installed. The
/// installation takes minutes the first time, so it has a thread of its own.
pub(crate) async fn environment(environment: Environment) -> Option<PathBuf> {
    let made = move || environment.make_or_skip(TESTS.as_ref());
    tokio::task::spawn_blocking(made).await.unwrap()
}

/// A script of this folder.
pub(crate) fn script(name: &str) -> PathBuf {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/rest_clients/scripts");
    Path::new(folder).join(name)
}

/// Runs a program to its end. Its standard output.
pub(crate) async fn run(command: &mut Command) -> String {
    let output = command.kill_on_drop(true).output().await.unwrap();
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{out}\n{err}");
    out.into_owned()
}

/// Runs a script that has this number of checks.
pub(crate) async fn check(command: &mut Command, checks: usize) {
    let out = run(command).await;
    let passed = out.lines().filter(|line| line.starts_with("ok ")).count();
    assert_eq!(passed, checks, "{out}");
}
