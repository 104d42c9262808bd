// The server in tests/python, in a virtual environment below the target folder that is made on
// first use.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

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
        if !runs(Command::new("python3").arg("--version")) {
            return skipped("there is no python3");
        }
        let Some(environment) = environment() else {
            return skipped("a virtual environment with grpcio cannot be made");
        };
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

/// Says that the tests are skipped. In CI nothing may be.
fn skipped(why: &str) -> Option<Python> {
    let said = format!("{why}: the tests against a grpcio server are skipped");
    assert!(std::env::var_os("CI").is_none(), "{said}");
    eprintln!("{said}");
    None
}

/// The virtual environment with what requirements.txt pins; `None` when it cannot be made.
fn environment() -> Option<PathBuf> {
    let pinned = Path::new(FOLDER).join("requirements.txt");
    let wanted = std::fs::read_to_string(&pinned).expect("requirements.txt is there");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("grpcio");
    let stamp = folder.join("installed.txt");
    if std::fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Some(folder);
    }
    eprintln!(
        "making a virtual environment with grpcio in {}",
        folder.display()
    );
    let made = runs(
        Command::new("python3")
            .args(["-m", "venv", "--clear"])
            .arg(&folder),
    );
    if !made {
        return None;
    }
    let mut pip = Command::new(folder.join("bin/python"));
    pip.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
    ]);
    if !runs(pip.arg("-r").arg(&pinned)) {
        return None;
    }
    std::fs::write(&stamp, wanted).expect("the target folder can be written to");
    Some(folder)
}

fn runs(command: &mut Command) -> bool {
    let status = command.stdout(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}
