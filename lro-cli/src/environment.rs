//! The process as the command sees it: arguments, variables, streams and the clock.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{IsTerminal as _, Read, Write};
use std::sync::Arc;

use lro_core::{Clock, SystemClock};

/// The process around a run of the command. A test makes its own.
pub struct Environment {
    /// Environment variables.
    pub variables: BTreeMap<String, String>,
    /// The clock for ages and expiries.
    pub clock: Arc<dyn Clock>,
    /// Names, requests and answers to prompts.
    pub stdin: Box<dyn Read + Send>,
    /// Whether a person answers on stdin.
    pub stdin_is_terminal: bool,
    /// The data.
    pub stdout: Stream,
    /// Progress, hints and errors.
    pub stderr: Stream,
}

/// A stream that the command writes to.
pub struct Stream {
    /// Where the bytes go.
    pub writer: Box<dyn Write + Send>,
    /// Whether it is a terminal.
    pub is_terminal: bool,
    /// Columns of the terminal.
    pub width: Option<usize>,
}

impl Stream {
    /// A stream that is no terminal.
    pub fn plain(writer: impl Write + Send + 'static) -> Self {
        Self {
            writer: Box::new(writer),
            is_terminal: false,
            width: None,
        }
    }

    /// A terminal of this width.
    pub fn terminal(writer: impl Write + Send + 'static, width: usize) -> Self {
        Self {
            writer: Box::new(writer),
            is_terminal: true,
            width: Some(width),
        }
    }
}

impl Environment {
    /// The environment of this process.
    #[must_use]
    pub fn of_process() -> Self {
        let variables = std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        });
        let width = |term: &console::Term| term.size_checked().map(|(_, it)| it.into());
        Self {
            variables: variables.collect(),
            clock: Arc::new(SystemClock),
            stdin: Box::new(std::io::stdin()),
            stdin_is_terminal: std::io::stdin().is_terminal(),
            stdout: Stream {
                writer: Box::new(std::io::stdout()),
                is_terminal: std::io::stdout().is_terminal(),
                width: width(&console::Term::stdout()),
            },
            stderr: Stream {
                writer: Box::new(std::io::stderr()),
                is_terminal: std::io::stderr().is_terminal(),
                width: width(&console::Term::stderr()),
            },
        }
    }

    /// A variable that is set to something.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<&str> {
        let value = self.variables.get(name)?;
        (!value.is_empty()).then_some(value)
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the variables, which may hold a token.
        f.debug_struct("Environment")
            .field("stdout_is_terminal", &self.stdout.is_terminal)
            .field("stderr_is_terminal", &self.stderr.is_terminal)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream")
            .field("is_terminal", &self.is_terminal)
            .field("width", &self.width)
            .finish_non_exhaustive()
    }
}
