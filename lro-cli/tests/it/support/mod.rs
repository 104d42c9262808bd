//! Runs of the command in an environment of their own, and servers for them.

pub(crate) mod fake;
pub(crate) mod inspected;
pub(crate) mod live;
pub(crate) mod starting;
pub(crate) mod types;

use std::collections::BTreeMap;
use std::io::{Cursor, Read, Write};
use std::sync::{Arc, Mutex};

use lro_cli::environment::{Environment, Stream};
use lro_cli::exit::Exit;
use lro_core::{Clock, Timestamp};

/// The output of a run, and its exit code.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) exit: Exit,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// A clock that a test or a scripted server sets.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hands(Arc<Mutex<Timestamp>>);

impl Hands {
    pub(crate) fn at(text: &str) -> Self {
        let hands = Self::default();
        hands.set(time(text));
        hands
    }

    pub(crate) fn set(&self, now: Timestamp) {
        *self.0.lock().unwrap() = now;
    }
}

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

/// A time of an RFC 3339 text.
pub(crate) fn time(text: &str) -> Timestamp {
    let time: jiff::Timestamp = text.parse().unwrap();
    Timestamp::from_micros(time.as_microsecond())
}

/// A run to be.
#[derive(Clone, Debug)]
pub(crate) struct Lro {
    variables: BTreeMap<String, String>,
    stdin: String,
    terminal: Option<usize>,
    clock: Option<Hands>,
}

impl Lro {
    pub(crate) fn to(server: &str) -> Self {
        let variables = [
            ("LRO_SERVER", server),
            ("LRO_RETRY_ERRORS", "0"),
            ("LRO_CONFIG", "/nonexistent"),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Self {
            variables: variables.into(),
            stdin: String::new(),
            terminal: None,
            clock: None,
        }
    }

    pub(crate) fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    pub(crate) fn stdin(mut self, text: &str) -> Self {
        text.clone_into(&mut self.stdin);
        self
    }

    /// A terminal for stdin and stdout.
    pub(crate) fn terminal(mut self, width: usize) -> Self {
        self.terminal = Some(width);
        self
    }

    pub(crate) fn clock(mut self, clock: &Hands) -> Self {
        self.clock = Some(clock.clone());
        self
    }

    /// Runs the command with these words, separated by spaces; a word in single quotes keeps its
    /// own.
    pub(crate) async fn run(&self, words: &str) -> Ran {
        let (stdout, stderr) = (Buffer::default(), Buffer::default());
        let exit = self.run_into(words, &stdout, &stderr).await;
        Ran {
            exit,
            stdout: stdout.text(),
            stderr: stderr.text(),
        }
    }

    /// Runs the command until its data are as they should be, and then no further. Returns them.
    pub(crate) async fn until(&self, words: &str, is_there: impl Fn(&str) -> bool) -> String {
        let (stdout, stderr) = (Buffer::default(), Buffer::default());
        let written = async {
            loop {
                let more = stdout.more.notified();
                if is_there(&stdout.text()) {
                    return;
                }
                more.await;
            }
        };
        let limit = std::time::Duration::from_secs(60);
        tokio::select! {
            () = written => stdout.text(),
            exit = self.run_into(words, &stdout, &stderr) => {
                panic!("{exit:?}: {}{}", stdout.text(), stderr.text())
            }
            () = tokio::time::sleep(limit) => panic!("{}{}", stdout.text(), stderr.text()),
        }
    }

    /// Runs a command that serves, until its visitor, which gets the first line, has seen enough.
    pub(crate) async fn while_serving(&self, words: &str, visitor: impl AsyncFnOnce(&str)) {
        let (stdout, stderr) = (Buffer::default(), Buffer::default());
        let visited = async {
            loop {
                let more = stdout.more.notified();
                let text = stdout.text();
                if let Some((line, _)) = text.split_once('\n') {
                    return visitor(line).await;
                }
                more.await;
            }
        };
        tokio::select! {
            () = visited => {}
            exit = self.run_into(words, &stdout, &stderr) => {
                panic!("{exit:?}: {}{}", stdout.text(), stderr.text())
            }
        }
    }

    /// The same with this as stdin.
    pub(crate) async fn run_with(&self, words: &str, stdin: Box<dyn Read + Send>) -> Ran {
        let (stdout, stderr) = (Buffer::default(), Buffer::default());
        let exit = self.run_on(words, stdin, &stdout, &stderr).await;
        Ran {
            exit,
            stdout: stdout.text(),
            stderr: stderr.text(),
        }
    }

    async fn run_into(&self, words: &str, stdout: &Buffer, stderr: &Buffer) -> Exit {
        let stdin = Box::new(Cursor::new(self.stdin.clone()));
        self.run_on(words, stdin, stdout, stderr).await
    }

    async fn run_on(
        &self,
        words: &str,
        stdin: Box<dyn Read + Send>,
        stdout: &Buffer,
        stderr: &Buffer,
    ) -> Exit {
        let words = shlex::split(words).unwrap();
        let environment = Environment {
            variables: self.variables.clone(),
            clock: match &self.clock {
                Some(clock) => Arc::new(clock.clone()),
                None => Arc::new(lro_core::SystemClock),
            },
            stdin,
            stdin_is_terminal: self.terminal.is_some(),
            stdout: match self.terminal {
                Some(width) => Stream::terminal(stdout.clone(), width),
                None => Stream::plain(stdout.clone()),
            },
            stderr: Stream::plain(stderr.clone()),
        };
        let words = std::iter::once("lro".to_owned()).chain(words);
        lro_cli::run(words, environment).await
    }

    /// A whole session: the command, what it has written on both streams, and its exit code.
    pub(crate) async fn session(&self, words: &str) -> String {
        // As on a terminal: both streams in the order in which they were written.
        let both = Buffer::default();
        let exit = self.run_into(words, &both, &both).await as u8;
        let end = if exit == 0 {
            String::new()
        } else {
            format!("$ echo $?\n{exit}\n")
        };
        format!("$ lro {words}\n{}{end}", both.text())
    }
}

#[derive(Clone, Debug, Default)]
struct Buffer {
    bytes: Arc<Mutex<Vec<u8>>>,
    /// Told of each write.
    more: Arc<tokio::sync::Notify>,
}

impl Buffer {
    fn text(&self) -> String {
        String::from_utf8(self.bytes.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.bytes.lock().unwrap().write(bytes);
        self.more.notify_waiters();
        written
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
