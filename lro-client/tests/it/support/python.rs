// The server in tests/python.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use test_programs::Environment;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python");

pub(crate) struct Python {
    child: Child,
    /// With WaitOperation.
    pub(crate) waiting: String,
    /// Without it.
    pub(crate) polling: String,
}

impl Python {
    /// `None`, after saying so, where there is no Python. In CI, where there has to be one, that
    /// fails.
    pub(crate) fn start() -> Option<Self> {
        let environment = Environment::GRPCIO.make_or_skip(env!("CARGO_TARGET_TMPDIR").as_ref())?;
        let python = environment.join("bin/python");
        let mut child = Command::new(python)
            .arg(Path::new(FOLDER).join("server.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the server starts");
        let stdout = child.stdout.take().expect("stdout is a pipe");
        let mut line = String::new();
        let read = BufReader::new(stdout).read_line(&mut line);
        read.expect("the server prints its ports");
        let ports = line.trim().split_once(' ');
        let (waiting, polling) = ports.expect("the server prints two ports");
        Some(Self {
            child,
            waiting: format!("http://127.0.0.1:{waiting}"),
            polling: format!("http://127.0.0.1:{polling}"),
        })
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        // Its standard input ends with it, too, if this should fail.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
