//! One line for everything that goes wrong.

use std::error::Error;
use std::io::{self, Write as _};
use std::process::ExitCode;

use lro_client::WaitError;
use tonic::{Code, Status};

/// The error that ends the program: one line for people.
#[derive(Debug)]
pub(super) struct Failure {
    message: String,
}

impl Failure {
    /// The failed step, and the error with all its causes.
    pub(super) fn new(what: &str, error: &dyn Error) -> Self {
        let mut message = what.to_owned();
        let mut cause = Some(error);
        while let Some(error) = cause {
            // Errors of other libraries repeat their cause.
            let text = error.to_string();
            if !message.ends_with(&text) {
                message.push_str(": ");
                message.push_str(&text);
            }
            cause = error.source();
        }
        Self { message }
    }

    /// A message that says it all.
    pub(super) fn message(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
        }
    }

    /// Prints the line.
    pub(super) fn report(&self) -> ExitCode {
        let line = one_line(&self.message);
        // There is nowhere left to complain to.
        let _ = writeln!(io::stderr(), "error: {line}");
        ExitCode::FAILURE
    }
}

impl From<crate::serve::Error> for Failure {
    fn from(error: crate::serve::Error) -> Self {
        Self::new("cannot start the server", &error)
    }
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        match status.code() {
            // The server's message is complete.
            Code::NotFound | Code::InvalidArgument | Code::AlreadyExists => {
                Self::message(status.message())
            }
            code => Self::message(format!("{code}: {}", status.message())),
        }
    }
}

impl<R, M> From<WaitError<R, M>> for Failure {
    fn from(error: WaitError<R, M>) -> Self {
        Self::message(error.to_string())
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::new("cannot print", &error)
    }
}

/// Prints what clap says of the arguments: help as it is, mistakes as one line.
pub(super) fn usage(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        return match error.print() {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        };
    }
    let text = error.to_string();
    // The mistake comes first; a blank line stands between it and the usage.
    let lines = text.lines().take_while(|line| !line.trim().is_empty());
    let mistake = lines.map(str::trim).collect::<Vec<_>>().join(" ");
    let mistake = match error.kind() {
        clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
        | clap::error::ErrorKind::MissingSubcommand => "error: a command is missing",
        _ => &mistake,
    };
    let line = one_line(mistake);
    let _ = writeln!(io::stderr(), "{line} (see `archiver --help`)");
    ExitCode::from(2)
}

fn one_line(text: &str) -> String {
    let plain = |char: char| if char.is_control() { ' ' } else { char };
    text.chars().map(plain).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// report:W6
    #[test]
    fn a_failure_tells_all_causes_in_one_line() {
        let cause = io::Error::other("disk\non fire");
        let error = crate::archive::Error::Io {
            path: "/a".into(),
            cause,
        };
        let failure = Failure::new("cannot pack", &error);
        let line = one_line(&failure.message);
        assert_eq!(line, "cannot pack: cannot read or write /a: disk on fire");
    }
}
