//! How far an operation is: a bar on a terminal, lines elsewhere. On stderr.

use std::fmt;
use std::io::{self, IsTerminal as _, Write as _};

use indicatif::{HumanBytes, ProgressBar, ProgressStyle};

use crate::pb::{CreateArchiveMetadata, DeleteArchiveMetadata, VerifyArchiveMetadata};

/// The shown part of an operation's metadata.
pub(super) trait Describe {
    fn stage(&self) -> Stage;
}

/// How far an operation is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Stage {
    verb: &'static str,
    files_done: u64,
    files_total: u64,
    bytes_done: u64,
    bytes_total: u64,
}

impl Describe for CreateArchiveMetadata {
    fn stage(&self) -> Stage {
        Stage {
            verb: "packing",
            files_done: unsigned(self.files_done),
            files_total: unsigned(self.files_total),
            bytes_done: unsigned(self.bytes_done),
            bytes_total: unsigned(self.bytes_total),
        }
    }
}

impl Describe for VerifyArchiveMetadata {
    fn stage(&self) -> Stage {
        Stage {
            verb: "verifying",
            files_done: unsigned(self.files_done),
            files_total: unsigned(self.files_total),
            bytes_done: unsigned(self.bytes_done),
            bytes_total: unsigned(self.bytes_total),
        }
    }
}

impl Describe for DeleteArchiveMetadata {
    fn stage(&self) -> Stage {
        Stage {
            verb: "deleting",
            ..Stage::default()
        }
    }
}

impl Stage {
    /// Of a hundred.
    fn percent(&self) -> u64 {
        let (done, total) = match self.bytes_total {
            0 => (self.files_done, self.files_total),
            total => (self.bytes_done, total),
        };
        match total {
            0 => 0,
            total => u64::try_from(u128::from(done) * 100 / u128::from(total)).unwrap_or(100),
        }
    }

    fn counts(&self) -> String {
        if self.files_total == 0 && self.bytes_total == 0 {
            return String::new();
        }
        format!(
            "{}/{} files, {}/{}",
            self.files_done,
            self.files_total,
            HumanBytes(self.bytes_done),
            HumanBytes(self.bytes_total)
        )
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (verb, counts, percent) = (self.verb, self.counts(), self.percent());
        match counts.is_empty() {
            true => f.write_str(verb),
            false => write!(f, "{verb}: {percent}%, {counts}"),
        }
    }
}

/// Shows stages as they come.
#[derive(Debug)]
pub(super) enum Display {
    Bar(ProgressBar),
    /// The last line.
    Lines(Option<Stage>),
}

impl Display {
    /// A bar if people are looking on.
    pub(super) fn new() -> Self {
        if !(io::stderr().is_terminal() && io::stdout().is_terminal()) {
            return Self::Lines(None);
        }
        let bar = ProgressBar::new(100);
        let template = "{msg:.bold} {wide_bar} {percent:>3}% {prefix}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        Self::Bar(bar)
    }

    /// Shows it, if it is news.
    pub(super) fn show(&mut self, stage: Stage) {
        match self {
            Self::Bar(bar) => {
                bar.set_message(stage.verb);
                bar.set_prefix(stage.counts());
                bar.set_position(stage.percent());
            }
            Self::Lines(last) => {
                if is_news(last.as_ref(), &stage) {
                    line(&stage.to_string());
                    *last = Some(stage);
                }
            }
        }
    }

    /// Says something beside the progress.
    pub(super) fn say(&self, text: &str) {
        match self {
            Self::Bar(bar) => bar.println(text),
            Self::Lines(_) => line(text),
        }
    }

    /// Takes the bar away.
    pub(super) fn finish(&self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}

/// A line for every tenth.
fn is_news(last: Option<&Stage>, stage: &Stage) -> bool {
    match last {
        None => true,
        Some(last) => {
            last.verb != stage.verb
                || last.percent() / 10 != stage.percent() / 10
                || (last != stage && stage.percent() == 100)
        }
    }
}

fn line(text: &str) {
    // Unreadable progress is not worth failing for.
    let _ = writeln!(io::stderr(), "{text}");
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(bytes_done: i64) -> Stage {
        let metadata = CreateArchiveMetadata {
            files_done: 1,
            files_total: 2,
            bytes_done,
            bytes_total: 1024,
            ..CreateArchiveMetadata::default()
        };
        metadata.stage()
    }

    #[test]
    fn a_line_for_every_tenth() {
        assert_eq!(at(512).counts(), "1/2 files, 512 B/1.00 KiB");
        assert_eq!((at(512).percent(), Stage::default().percent()), (50, 0));
        assert!(is_news(None, &at(0)));
        assert!(!is_news(Some(&at(0)), &at(100)));
        assert!(is_news(Some(&at(100)), &at(103)));
        assert!(!is_news(Some(&at(1024)), &at(1024)));
    }
}
