//! A node's process, and what all of them have told.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::sync::Notify;

use torture::process::Program;

/// How long a node has to start.
const START_MAX: Duration = Duration::from_secs(60);

/// A node that runs, killed when it is dropped.
#[derive(Debug)]
pub(super) struct Member {
    child: Child,
    /// Where it listens, if it does.
    pub(super) url: Option<String>,
}

impl Member {
    /// Returns when it listens or works.
    pub(super) fn start(
        program: &Program,
        args: &[String],
        witness: &Arc<Witness>,
    ) -> anyhow::Result<Self> {
        let mut child = Command::new(&program.0)
            .arg("node")
            .args(args)
            // Never written to: it ends when this process does, and the node with it.
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("the node does not start")?;
        let (ready, started) = channel();
        if let Some(stdout) = child.stdout.take() {
            let witness = witness.clone();
            thread::spawn(move || read(stdout, &ready, &witness));
        }
        let mut member = Self { child, url: None };
        match started.recv_timeout(START_MAX) {
            Ok(url) => member.url = url,
            Err(_) => bail!("a node neither listens nor works"),
        }
        Ok(member)
    }

    /// SIGKILL.
    pub(super) fn kill(&mut self) -> anyhow::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    pub(super) fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        let pid = Pid::from_raw(self.child.id().try_into()?);
        Ok(kill(pid, signal)?)
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        // An error is that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read(stdout: ChildStdout, ready: &Sender<Option<String>>, witness: &Witness) {
    for line in BufReader::new(stdout).lines() {
        let Ok(line) = line else { return };
        let words: Vec<_> = line.split(' ').collect();
        match *words {
            ["listening", "on", address] => {
                let _ = ready.send(Some(format!("http://{address}")));
            }
            ["working"] => {
                let _ = ready.send(None);
            }
            ["ran", id, _] => witness.note(|state| {
                state
                    .ran
                    .entry(id.to_owned())
                    .or_default()
                    .push(Instant::now());
            }),
            ["ended", id, verdict] => witness.note(|state| {
                let ends = state.ends.entry(id.to_owned()).or_default();
                match verdict {
                    "accepted" => ends.accepted.push(Instant::now()),
                    _ => ends.refused += 1,
                }
            }),
            _ => witness.note(|state| state.strange.push(line.clone())),
        }
    }
}

/// The output of the nodes.
#[derive(Debug, Default)]
pub(super) struct Witness {
    state: Mutex<Told>,
    changed: Notify,
}

#[derive(Debug, Default)]
pub(super) struct Told {
    /// When bodies began.
    pub(super) ran: BTreeMap<String, Vec<Instant>>,
    pub(super) ends: BTreeMap<String, Ends>,
    /// Output that no node should produce.
    pub(super) strange: Vec<String>,
}

/// The answers to the ends of one operation.
#[derive(Clone, Debug, Default)]
pub(super) struct Ends {
    pub(super) accepted: Vec<Instant>,
    pub(super) refused: u64,
}

impl Witness {
    /// Waits for output that matches; `None` if there is none in time.
    pub(super) async fn wait<T>(
        &self,
        timeout: Duration,
        find: impl Fn(&Told) -> Option<T>,
    ) -> Option<T> {
        let found = async {
            loop {
                let changed = self.changed.notified();
                tokio::pin!(changed);
                changed.as_mut().enable();
                if let Some(found) = find(&self.told()) {
                    return found;
                }
                changed.await;
            }
        };
        tokio::time::timeout(timeout, found).await.ok()
    }

    pub(super) fn told(&self) -> MutexGuard<'_, Told> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, note: impl FnOnce(&mut Told)) {
        note(&mut self.told());
        self.changed.notify_waiters();
    }
}
