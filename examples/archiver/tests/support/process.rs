//! The program as a process.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

const PROGRAM: &str = env!("CARGO_BIN_EXE_archiver");

/// Runs the program to its end.
pub fn archiver(args: &[&str]) -> Output {
    let mut command = Command::new(PROGRAM);
    command.args(args).env_remove("RUST_LOG");
    command.output().unwrap()
}

/// The program, to be run otherwise.
pub fn command() -> Command {
    let mut command = Command::new(PROGRAM);
    command.env_remove("RUST_LOG");
    command
}

/// `archiver serve`, killed when it is dropped.
pub struct ServerProcess {
    child: Child,
    pub url: String,
    stdout: BufReader<std::process::ChildStdout>,
}

impl ServerProcess {
    /// Returns when it listens.
    pub fn start(data: &Path, args: &[&str]) -> Self {
        let mut child = Command::new(PROGRAM)
            .args(["serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(data)
            .args(args)
            .env("RUST_LOG", "error")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let address = line.trim_end().strip_prefix("listening on ");
        let scheme = match args.contains(&"--tls-cert") {
            true => "https",
            false => "http",
        };
        let url = format!(
            "{scheme}://{}",
            address.unwrap_or_else(|| panic!("{line:?}"))
        );
        Self { child, url, stdout }
    }

    /// SIGKILL.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM. Gives how it ended, and what else it has printed.
    pub fn terminate(mut self) -> (ExitStatus, String) {
        let pid = Pid::from_raw(self.child.id().try_into().unwrap());
        kill(pid, Signal::SIGTERM).unwrap();
        let mut more = String::new();
        std::io::Read::read_to_string(&mut self.stdout, &mut more).unwrap();
        (self.child.wait().unwrap(), more)
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        // An error is that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
