//! Google's published protos: all of them through lro-build, some through rustc, and one API served
//! to its own client. And Google's clients for Rust.

use std::path::PathBuf;

use anyhow::Result;

use super::count::Count;
use super::{Session, counted, test_programs};
use crate::process::{cargo, output};
use crate::protos::{self, Packages, Selection};

/// The packages that are put through rustc in every run.
const FIXED: [&str; 10] = [
    "google.appengine.v1",
    "google.cloud.automl.v1",
    "google.cloud.compute.v1small",
    "google.cloud.dataproc.v1",
    "google.cloud.filestore.v1",
    "google.cloud.notebooks.v1",
    "google.cloud.redis.v1",
    "google.cloud.workflows.v1",
    "google.container.v1",
    "google.spanner.admin.database.v1",
];
/// How many more the commit chooses.
const CHOSEN: usize = 10;
/// The files in this folder are the compiler's own, or inputs of its tests: broken on purpose, with
/// editions, or with imports from another root.
const COMPILERS_OWN: &str = "google/protobuf";

/// Generates the code of all packages, and puts twenty of them through rustc.
pub(super) fn protos(session: &Session) -> Result<Count> {
    let Some(root) = root(session)? else {
        return Ok(Count::default());
    };
    let packages = Packages::find(
        [root.to_string_lossy().as_ref()].into_iter(),
        std::slice::from_ref(&root),
        &[COMPILERS_OWN],
    )?;
    let seed = protos::commit_seed()?;
    println!(
        "{CHOSEN} packages are chosen by the commit; `cargo xtask protos --only-check --check \
         {CHOSEN} --seed {seed} {}` repeats them",
        root.display(),
    );
    let selection = Selection::of(FIXED).and(Selection::random(&packages, CHOSEN, seed));
    let failed = protos::generate(&packages)? + protos::check(&packages, &selection)?;
    Ok(Count {
        passed: u64::from(failed == 0),
        failed: u64::try_from(failed)?,
    })
}

/// Serves one of the APIs to its published client.
pub(super) fn api(session: &Session) -> Result<Count> {
    let Some(root) = root(session)? else {
        return Ok(Count::default());
    };
    let manifest = crate::root().join("tests/foreign-api/Cargo.toml");
    let mut test = cargo();
    test.args(["test", "--manifest-path"]).arg(manifest);
    test.args(session.locked())
        .env("GOOGLE_PROTO_FILES", root)
        .env("CARGO_TARGET_DIR", crate::target()?);
    counted(&mut test)
}

/// Runs Google's clients for Rust against the gateway.
pub(super) fn rust_clients(session: &Session) -> Result<Count> {
    let manifest = crate::root().join("tests/google-cloud/Cargo.toml");
    let mut test = cargo();
    test.args(["test", "--test", "operations", "--manifest-path"])
        .arg(manifest)
        .args(session.locked())
        .env("CARGO_TARGET_DIR", crate::target()?);
    counted(&mut test)
}

/// Where the protos are, or `None`, which the step before the tests has reported.
fn root(session: &Session) -> Result<Option<PathBuf>> {
    match output(&mut test_programs("google-proto-files")?) {
        Ok(folder) => Ok(Some(folder.trim_end().into())),
        Err(error) if session.ci => Err(error),
        Err(error) => {
            println!("SKIPPED, {error:#}");
            Ok(None)
        }
    }
}
