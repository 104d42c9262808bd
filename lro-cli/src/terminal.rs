//! The two streams of the command: data on stdout, talk on stderr.

use std::collections::HashSet;
use std::io::{self, Write as _};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::environment::{Environment, Stream};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::neutral;

/// How many lines of talk are kept back at most.
const MAX_HELD: usize = 100;

/// Writes data and talk. Text on a terminal is neutralised; elsewhere data is exact.
#[derive(Debug)]
pub(crate) struct Terminal {
    stdout: Mutex<Stream>,
    stderr: Mutex<Stream>,
    /// Notes that were written, which are not repeated.
    noted: Mutex<HashSet<String>>,
    /// Whether bars own the screen: talk goes through them.
    bars: Mutex<Option<indicatif::MultiProgress>>,
    /// Talk that is kept back while a screen is drawn.
    held: Mutex<Option<Vec<String>>>,
    pub(crate) stdout_is_terminal: bool,
    pub(crate) stderr_is_terminal: bool,
    pub(crate) colour: Colour,
    pub(crate) unicode: bool,
    pub(crate) quiet: bool,
    pub(crate) verbose: u8,
}

/// On which streams there is colour.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Colour {
    pub(crate) stdout: bool,
    pub(crate) stderr: bool,
}

/// A colour, which carries no meaning alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Paint {
    Red,
    Green,
    Yellow,
    Grey,
}

impl Paint {
    pub(crate) fn on(self, text: &str) -> String {
        let code = match self {
            Self::Red => 31,
            Self::Green => 32,
            Self::Yellow => 33,
            Self::Grey => 90,
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }
}

impl Terminal {
    pub(crate) fn new(
        environment: &mut Environment,
        colour: &str,
        quiet: bool,
        verbose: u8,
    ) -> Self {
        let set = |name| environment.variable(name).is_some();
        let dumb = environment.variable("TERM") == Some("dumb");
        let by_choice = |stream: &Stream| match colour {
            "always" => true,
            "never" => false,
            _ if set("NO_COLOR") => false,
            _ if environment
                .variable("CLICOLOR_FORCE")
                .is_some_and(|it| it != "0") =>
            {
                true
            }
            _ => stream.is_terminal && !dumb,
        };
        let colour = Colour {
            stdout: by_choice(&environment.stdout),
            stderr: by_choice(&environment.stderr),
        };
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter();
        let locale = locale.filter_map(|name| environment.variable(name)).next();
        let unicode = locale.is_none_or(|it| {
            let it = it.to_ascii_lowercase();
            it.contains("utf-8") || it.contains("utf8")
        });
        let take = |stream: &mut Stream| {
            let width = stream.width;
            let is_terminal = stream.is_terminal;
            let writer = std::mem::replace(&mut stream.writer, Box::new(io::sink()));
            Stream {
                writer,
                is_terminal,
                width,
            }
        };
        let (stdout, stderr) = (take(&mut environment.stdout), take(&mut environment.stderr));
        Self {
            stdout_is_terminal: stdout.is_terminal,
            stderr_is_terminal: stderr.is_terminal,
            stdout: Mutex::new(stdout),
            stderr: Mutex::new(stderr),
            noted: Mutex::default(),
            bars: Mutex::default(),
            held: Mutex::default(),
            colour,
            unicode,
            quiet,
            verbose,
        }
    }

    /// The columns of stdout. `None`: it is no terminal, and nothing is cut.
    pub(crate) fn width(&self) -> Option<usize> {
        let stdout = lock(&self.stdout);
        stdout.is_terminal.then(|| stdout.width.unwrap_or(80))
    }

    /// Writes data that is safe already, as it is.
    pub(crate) fn data(&self, text: &str) -> Result<(), Failure> {
        let mut stdout = lock(&self.stdout);
        let written = stdout.writer.write_all(text.as_bytes());
        written
            .and_then(|()| stdout.writer.flush())
            .map_err(|error| unwritten(&error))
    }

    /// A line of data, neutralised where stdout is a terminal.
    pub(crate) fn line(&self, text: &str) -> Result<(), Failure> {
        self.data(&format!("{}\n", self.cell(text)))
    }

    /// A JSON document of one or more lines.
    pub(crate) fn json(&self, document: &str) -> Result<(), Failure> {
        if self.stdout_is_terminal {
            self.data(&format!("{}\n", neutral::json(document)))
        } else {
            self.data(&format!("{document}\n"))
        }
    }

    /// A piece of a line of data: neutralised where stdout is a terminal.
    pub(crate) fn cell<'a>(&self, text: &'a str) -> std::borrow::Cow<'a, str> {
        if self.stdout_is_terminal {
            neutral::line(text)
        } else {
            text.into()
        }
    }

    /// A line for people, which `--quiet` leaves out. Its parts are neutralised by the caller.
    pub(crate) fn say(&self, text: &str) {
        if !self.quiet {
            self.tell(text);
        }
    }

    /// A line that is said once, however often its cause occurs.
    pub(crate) fn note(&self, text: &str) {
        if lock(&self.noted).insert(text.to_owned()) {
            self.say(text);
        }
    }

    /// A line about calls, with `-v`.
    pub(crate) fn trace(&self, text: &str) {
        if self.verbose > 0 {
            self.tell(text);
        }
    }

    /// A line for people that is never left out.
    pub(crate) fn tell(&self, text: &str) {
        let text = neutral_talk(text);
        if let Some(held) = &mut *lock(&self.held) {
            if held.len() < MAX_HELD {
                held.push(text);
            }
            return;
        }
        if let Some(bars) = &*lock(&self.bars)
            && bars.println(&text).is_ok()
        {
            return;
        }
        let mut stderr = lock(&self.stderr);
        // There is no stream left to complain on.
        let _ = writeln!(stderr.writer, "{text}");
        let _ = stderr.writer.flush();
    }

    /// Why the command, or one of its calls, failed.
    pub(crate) fn fail(&self, failure: &Failure) {
        let text = failure.to_string();
        match text.strip_prefix("error:") {
            Some(rest) if self.colour.stderr => {
                self.tell(&format!("{}{rest}", Paint::Red.on("error:")));
            }
            _ => self.tell(&text),
        }
    }

    /// A question without a line feed.
    pub(crate) fn ask(&self, text: &str) {
        let mut stderr = lock(&self.stderr);
        let _ = write!(stderr.writer, "{}", neutral_talk(text));
        let _ = stderr.writer.flush();
    }

    /// Hands the screen to bars, or takes it again.
    pub(crate) fn show_bars(&self, bars: Option<indicatif::MultiProgress>) {
        *lock(&self.bars) = bars;
    }

    /// Keeps talk back from now on.
    pub(crate) fn hold(&self) {
        *lock(&self.held) = Some(Vec::new());
    }

    /// The last line that was kept back.
    pub(crate) fn held(&self) -> Option<String> {
        lock(&self.held).as_ref()?.last().cloned()
    }

    /// Writes what was kept back.
    pub(crate) fn release(&self) {
        let held = lock(&self.held).take();
        held.iter().flatten().for_each(|line| self.tell(line));
    }

    /// Takes the size that the terminal has now.
    pub(crate) fn measure(&self) {
        let mut stdout = lock(&self.stdout);
        if stdout.is_terminal
            && let Some((_, columns)) = console::Term::stdout().size_checked()
        {
            stdout.width = Some(columns.into());
        }
    }

    /// The rows of the terminal, if it is one.
    pub(crate) fn height(&self) -> Option<usize> {
        let size = console::Term::stdout().size_checked();
        size.filter(|_| self.stdout_is_terminal)
            .map(|(rows, _)| rows.into())
    }

    /// The mark of a row that failed.
    pub(crate) fn cross(&self) -> &'static str {
        if self.unicode { "✗" } else { "x" }
    }

    /// The sign for what is left out of a name.
    pub(crate) fn ellipsis(&self) -> &'static str {
        if self.unicode { "…" } else { ".." }
    }
}

/// Talk is for people, also in a log file: only colours and line feeds are left in it.
fn neutral_talk(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("\u{1b}[") {
        let (before, sequence) = rest.split_at(start);
        out.push_str(&neutral::lines(before));
        let end = ["0m", "31m", "32m", "33m", "90m"]
            .into_iter()
            .find(|it| sequence[2..].starts_with(it));
        let len = end.map_or(1, |end| 2 + end.len());
        if end.is_some() {
            out.push_str(&sequence[..len]);
        } else {
            out.push_str("\\u{1b}");
        }
        rest = &sequence[len..];
    }
    out.push_str(&neutral::lines(rest));
    out
}

fn unwritten(error: &io::Error) -> Failure {
    if error.kind() == io::ErrorKind::BrokenPipe {
        // The reader has all that it wants, as in `lro list | head`.
        return Failure::silent(Exit::Done);
    }
    Failure::new(Exit::Fault, format!("cannot write to stdout: {error}"))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn talk_keeps_colours_and_nothing_else_of_a_terminal() {
        let text = format!("{} \u{1b}[2J\u{1b}]52;c;x\u{7}", Paint::Red.on("FAILED"));
        assert_eq!(
            neutral_talk(&text),
            "\u{1b}[31mFAILED\u{1b}[0m \\u{1b}[2J\\u{1b}]52;c;x\\u{7}"
        );
    }
}
