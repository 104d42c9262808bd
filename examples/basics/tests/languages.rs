//! The callers in other languages that docs/guide/calling-from-other-languages.md shows.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests too")]

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use test_programs::Environment;

const CLIENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/clients");
const PROTOS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../quickstart/proto");
const GOOGLE_PROTOS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../lro-build/proto");

/// The example `serve`, which is stopped when it is dropped.
struct Server {
    process: Child,
    address: String,
}

impl Server {
    fn start() -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_serve"))
            .arg("127.0.0.1:0")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut printed = BufReader::new(process.stdout.take().unwrap());
        printed.read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("serving on ").unwrap().to_owned();
        Self { process, address }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        self.process.wait().unwrap();
    }
}

fn check(caller: &mut Command, expected: &str) {
    let output = caller.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        expected,
        "{errors}"
    );
    assert!(output.status.success(), "{errors}");
}

fn target() -> &'static Path {
    env!("CARGO_TARGET_TMPDIR").as_ref()
}

#[test]
fn python() {
    let Some(environment) = Environment::GOOGLE_API_CORE.make_or_skip(target()) else {
        return;
    };
    let generated = tempfile::tempdir().unwrap();
    let python = environment.join("bin/python");
    let mut generator = Command::new(&python);
    generator.args(["-m", "grpc_tools.protoc", "-I", PROTOS, "-I", GOOGLE_PROTOS]);
    generator.args(["--python_out=.", "--grpc_python_out=.", "exporter.proto"]);
    check(generator.current_dir(&generated), "");
    let server = Server::start();
    let mut caller = Command::new(&python);
    caller.arg(Path::new(CLIENTS).join("client.py"));
    caller
        .arg(&server.address)
        .env("PYTHONPATH", generated.path());
    check(&mut caller, "exported 2 tables\n2 of 2\n");
}

#[test]
fn node() {
    let Some(environment) = Environment::GOOGLE_GAX.make_or_skip(target()) else {
        return;
    };
    let server = Server::start();
    let mut caller = Command::new("node");
    caller.arg(Path::new(CLIENTS).join("client.js"));
    caller.args([&server.address, PROTOS, GOOGLE_PROTOS]);
    caller.env("NODE_PATH", environment.join("node_modules"));
    check(&mut caller, "exported 2 tables\n");
}
