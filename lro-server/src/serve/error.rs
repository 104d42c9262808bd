use std::error::Error as StdError;
use std::fmt;

/// Why a server could not begin.
#[derive(Debug)]
pub struct Error {
    what: String,
    source: Box<dyn StdError + Send + Sync>,
}

impl Error {
    pub(super) fn new(
        what: impl Into<String>,
        source: impl Into<Box<dyn StdError + Send + Sync>>,
    ) -> Self {
        Self {
            what: what.into(),
            source: source.into(),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&*self.source)
    }
}
