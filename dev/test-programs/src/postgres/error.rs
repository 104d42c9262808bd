use std::fmt;
use std::io::{self, ErrorKind};

/// Why there is no server.
#[derive(Debug)]
pub struct Error {
    message: String,
    kind: Option<ErrorKind>,
}

impl Error {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            kind: None,
        }
    }

    /// The attempted step, and its outcome.
    pub(crate) fn of(what: impl fmt::Display) -> impl FnOnce(io::Error) -> Self {
        move |error| Self {
            message: format!("{what}: {error}"),
            kind: Some(error.kind()),
        }
    }

    /// Whether a file or folder was not there.
    pub(crate) fn is_not_found(&self) -> bool {
        self.kind == Some(ErrorKind::NotFound)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}
