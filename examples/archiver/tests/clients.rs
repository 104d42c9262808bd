//! Google's own clients against the server: google-api-core and a client that gapic-generator makes
//! of the proto, in Python; google-gax, in Node. What they do is in tests/clients.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests too")]

mod support;

use std::path::Path;
use std::process::Command;

use support::Folders;
use support::foreign::{self, SCRIPTS, runs, skip};
use support::process::ServerProcess;

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
    let test = "the test with Google's Python clients";
    if !runs(Command::new("python3").arg("--version")) {
        return skip(test, "there is no python3");
    }
    let Some(environment) = foreign::python() else {
        return skip(
            test,
            "a virtual environment with google-api-core cannot be made",
        );
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
    let test = "the test with google-gax for Node";
    if !runs(Command::new("node").arg("--version")) {
        return skip(test, "there is no node");
    }
    let Some(folder) = foreign::node() else {
        return skip(test, "google-gax cannot be installed");
    };
    let mut script = Command::new("node");
    script.env("NODE_PATH", folder.join("node_modules"));
    script.arg(Path::new(SCRIPTS).join("client.js"));
    check(script, &[PROTOS, GOOGLE_PROTOS], 8);
}
