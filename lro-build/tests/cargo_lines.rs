//! The lines for cargo that a build script prints.

use std::path::Path;
use std::process::Command;

use lro_build::{Builder, configure};

/// Set in the child that plays the build script of a test.
const CHILD: &str = "LRO_BUILD_SCRIPT";

/// The lines for cargo on standard output of a build script that compiles the fixtures. The child
/// is this program again, at the test of the same name; there it is `None`.
fn lines(test: &str, builder: Builder) -> Option<Vec<String>> {
    if std::env::var_os(CHILD).is_some() {
        let protos = [
            "several/alpha.proto",
            "several/beta.proto",
            "well_known.proto",
        ];
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
        let protos = protos.map(|proto| fixtures.join(proto));
        builder
            .compile_protos(&protos, &[fixtures])
            .expect("the fixtures compile");
        return None;
    }
    let out = tempfile::tempdir().expect("a temporary folder");
    let child = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", test, "--nocapture"])
        .env(CHILD, "")
        .env("OUT_DIR", out.path())
        .env("HOST", "here")
        .output()
        .expect("the child starts");
    assert!(child.status.success(), "{child:?}");
    assert!(out.path().join("several.beta.rs").exists());
    let text = String::from_utf8(child.stdout).expect("text");
    // The test's own report may stand before a line.
    let lines = text
        .lines()
        .filter_map(|line| line.find("cargo:").map(|at| line[at..].to_owned()));
    Some(lines.collect())
}

#[test]
fn every_proto_that_was_read_is_watched() {
    let test = "every_proto_that_was_read_is_watched";
    let Some(lines) = lines(test, configure()) else {
        return;
    };
    let watched: Vec<&str> = lines
        .iter()
        .filter_map(|line| line.strip_prefix("cargo:rerun-if-changed="))
        .map(|path| path.rsplit_once("fixtures/").expect("a fixture").1)
        .collect();
    for proto in [
        "several/alpha.proto",
        // Imported only.
        "several/alpha_types.proto",
        "several/beta.proto",
        "well_known.proto",
    ] {
        assert!(watched.contains(&proto), "{proto} is not in {watched:?}");
    }
    let warning = lines.iter().find(|line| line.starts_with("cargo:warning="));
    let warning = warning.expect("an rpc of the fixtures is a warning");
    assert!(warning.contains(".proto:"), "{warning}");
}

#[test]
fn watching_can_be_turned_off() {
    let builder = configure().emit_rerun_if_changed(false);
    let Some(lines) = lines("watching_can_be_turned_off", builder) else {
        return;
    };
    assert!(!lines.is_empty());
    assert!(lines.iter().all(|line| line.starts_with("cargo:warning=")));
}
