//! Google's own clients against the server: google-api-core and a client that gapic-generator makes
//! of the proto, in Python; google-gax, in Node. Their scripts are in tests/clients.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests too")]

mod support;

use std::path::Path;
use std::process::Command;

use support::Folders;
use support::process::ServerProcess;
use test_programs::Environment;

/// Where the scripts are, and what they require.
const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients");

/// Below the target folder.
const TESTS: &str = env!("CARGO_TARGET_TMPDIR");

const PROTOS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/proto");

/// The protos of google, as they come with lro-build.
const GOOGLE_PROTOS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../lro-build/proto");

/// Runs a script that prints `ok NAME` for each of its checks, against a server of its own.
fn check(mut script: Command, more: &[&str], checks: usize) {
    let folders = Folders::new();
    let server = ServerProcess::start(&folders.data(), &[]);
    script.arg(&server.url);
    script.args([folders.small("small"), folders.endless("endless")]);
    let output = script.args(more).output().unwrap();
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{out}\n{err}");
    let passed = out.lines().filter(|line| line.starts_with("ok ")).count();
    assert_eq!(passed, checks, "{out}\n{err}");
}

#[test]
fn clients_that_google_generates_for_python_start_poll_list_and_cancel() {
    let Some(environment) = Environment::GOOGLE_API_CORE.make_or_skip(TESTS.as_ref()) else {
        return;
    };
    let generated = tempfile::tempdir().unwrap();
    let python = environment.join("bin/python");
    let plugin = environment.join("bin/protoc-gen-python_gapic");
    let generator = Command::new(&python)
        .args(["-m", "grpc_tools.protoc", "-I", PROTOS, "-I", GOOGLE_PROTOS])
        .arg(format!("--plugin={}", plugin.display()))
        .arg(format!("--python_gapic_out={}", generated.path().display()))
        .arg("--python_gapic_opt=transport=grpc")
        .arg(Path::new(PROTOS).join("examples/archiver/v1/archiver.proto"))
        .output()
        .unwrap();
    let complaint = String::from_utf8_lossy(&generator.stderr);
    assert!(generator.status.success(), "{complaint}");

    let mut script = Command::new(&python);
    script.env("PYTHONPATH", generated.path());
    script.arg(Path::new(SCRIPTS).join("client.py"));
    check(script, &[], 11);
}

#[test]
fn gax_for_node_starts_watches_lists_and_cancels() {
    let Some(folder) = Environment::GOOGLE_GAX.make_or_skip(TESTS.as_ref()) else {
        return;
    };
    let mut script = Command::new("node");
    script.env("NODE_PATH", folder.join("node_modules"));
    script.arg(Path::new(SCRIPTS).join("client.js"));
    check(script, &[PROTOS, GOOGLE_PROTOS], 8);
}
