use std::error::Error as StdError;
use std::fmt;

/// The reason why a server could not start: the failed step, with its cause.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// use lro_core::store::MemoryStore;
/// use lro_server::{Operations, serve::Server};
///
/// let operations = Operations::new(MemoryStore::new());
/// let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
/// let server = Server::builder(&operations);
/// let error = server.serve(taken.local_addr()?, std::future::pending()).await.unwrap_err();
/// assert!(error.to_string().starts_with("cannot listen on 127.0.0.1:"), "{error}");
/// # Ok::<(), std::io::Error>(()) }).unwrap();
/// ```
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
        write!(f, "{}: {}", self.what, self.source)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        // The cause itself stands in the text.
        self.source.source()
    }
}

// Readable, because it is what `main` prints when it returns one.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)?;
        let mut cause = self.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// report:W6
    #[test]
    fn an_error_says_its_cause_once() {
        let taken = std::io::Error::other("address in use");
        let error = Error::new("cannot listen on 0.0.0.0:1", taken);
        let text = "cannot listen on 0.0.0.0:1: address in use";
        assert_eq!(error.to_string(), text);
        assert_eq!(format!("{error:?}"), text);
        assert!(error.source().is_none());
    }
}
