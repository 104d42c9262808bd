//! The server as a process.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// How long a server has to start.
const START_MAX: Duration = Duration::from_secs(60);

/// The path of the program `torture-server`.
#[derive(Clone, Debug)]
pub struct Program(pub PathBuf);

/// A server that runs, killed when it is dropped.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    /// Where it listens.
    pub(crate) url: String,
    /// When it said so.
    pub(crate) listening: Instant,
    /// When its process was made.
    pub(crate) spawned: Instant,
    runs: Receiver<Line>,
    seen: Vec<Run>,
}

/// A run of a body, as the server has told it.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    pub(crate) id: String,
    pub(crate) at: Instant,
}

enum Line {
    Listening(String, Instant),
    Ran(Run),
}

impl Process {
    /// Returns when it listens.
    pub(crate) fn start(program: &Program, data: &Path, flags: &[&str]) -> anyhow::Result<Self> {
        Self::spawn(Command::new(&program.0), data, flags)
    }

    /// The same on a file system of 32 MiB in that folder, which only the server sees. Gives where
    /// this process finds it; `None` where mounting is not allowed.
    pub(crate) fn start_on_small_disk(
        program: &Program,
        data: &Path,
        flags: &[&str],
    ) -> anyhow::Result<Option<(Self, PathBuf)>> {
        let unshared = |script: &str| {
            let mut command = Command::new("unshare");
            let mount = format!("mount -t tmpfs -o size=32m tmpfs \"$1\" && {script}");
            command
                .args(["--mount", "sh", "-c", &mount, "sh"])
                .arg(data);
            command
        };
        let tried = unshared("true").output();
        if !tried.is_ok_and(|output| output.status.success()) {
            return Ok(None);
        }
        let mut command = unshared("shift && exec \"$@\"");
        command.arg(&program.0);
        let process = Self::spawn(command, data, flags)?;
        let disk = crate::files::seen_by(process.child.id(), data);
        Ok(Some((process, disk)))
    }

    fn spawn(mut command: Command, data: &Path, flags: &[&str]) -> anyhow::Result<Self> {
        let spawned = Instant::now();
        let mut child = command
            .args(["serve", "--data"])
            .arg(data)
            .args(flags)
            // Never written to: it ends when this process does, and the server with it.
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("the server does not start")?;
        let (lines, runs) = channel();
        if let Some(stdout) = child.stdout.take() {
            thread::spawn(move || read(stdout, &lines));
        }
        let mut process = Self {
            child,
            url: String::new(),
            listening: spawned,
            spawned,
            runs,
            seen: Vec::new(),
        };
        loop {
            match process.runs.recv_timeout(START_MAX) {
                Ok(Line::Listening(address, at)) => {
                    process.url = format!("http://{address}");
                    process.listening = at;
                    return Ok(process);
                }
                Ok(Line::Ran(run)) => process.seen.push(run),
                Err(_) => bail!("the server does not listen"),
            }
        }
    }

    /// The next run of a body; `None` when there is none for so long.
    pub(crate) fn next_run(&mut self, timeout: Duration) -> Option<Run> {
        if !self.seen.is_empty() {
            return Some(self.seen.remove(0));
        }
        loop {
            match self.runs.recv_timeout(timeout) {
                Ok(Line::Ran(run)) => return Some(run),
                Ok(Line::Listening(..)) => {}
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return None,
            }
        }
    }

    /// SIGKILL.
    pub(crate) fn kill(mut self) -> anyhow::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// SIGSTOP.
    pub(crate) fn pause(&self) -> anyhow::Result<()> {
        self.signal(Signal::SIGSTOP)
    }

    /// SIGCONT.
    pub(crate) fn go_on(&self) -> anyhow::Result<()> {
        self.signal(Signal::SIGCONT)
    }

    fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        let pid = Pid::from_raw(self.child.id().try_into()?);
        Ok(kill(pid, signal)?)
    }
}

fn read(stdout: ChildStdout, lines: &Sender<Line>) {
    for line in BufReader::new(stdout).lines() {
        let Ok(line) = line else { return };
        let at = Instant::now();
        let line = match line.strip_prefix("listening on ") {
            Some(address) => Line::Listening(address.to_owned(), at),
            None => {
                let id = line.split(' ').nth(1).unwrap_or_default().to_owned();
                Line::Ran(Run { id, at })
            }
        };
        // Without a receiver it reads on, or the server would stand still.
        let _ = lines.send(line);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // An error is that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
