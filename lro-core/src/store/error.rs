//! The error of a store's call.

use std::error::Error as StdError;
use std::fmt;

/// A store that failed.
///
/// ```
/// use lro_core::store::{StoreError, StoreErrorKind};
///
/// let error = StoreError::new(StoreErrorKind::Full, "the disk is full");
/// assert!(error.is_retryable());
/// assert_eq!(error.to_string(), "the disk is full");
/// ```
///
/// [`kind`](Self::kind) says what a caller can do about it.
pub struct StoreError {
    kind: StoreErrorKind,
    message: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// The kind of a [`StoreError`], which says how a caller can react.
///
/// ```
/// use lro_core::store::{StoreError, StoreErrorKind};
///
/// let error = StoreError::new(StoreErrorKind::Unusable, "the database is of a newer version");
/// assert_eq!(error.kind(), StoreErrorKind::Unusable);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StoreErrorKind {
    /// The store cannot be reached or is busy; later it may work.
    Unavailable,
    /// The store has no room.
    Full,
    /// The stored data is corrupt, or cannot be changed.
    Corrupt,
    /// It cannot be opened: it is another's, newer, or not a store.
    Unusable,
    /// The store does not have this feature.
    Unimplemented,
}

impl StoreError {
    /// An error with a message for people: lower case, no full stop.
    pub fn new(kind: StoreErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            source: None,
        }
    }

    /// The error of a call that the store `S` does not implement, for example
    /// `MemoryStore does not implement `steps``.
    pub fn unimplemented<S: ?Sized>(method: &str) -> Self {
        let message = format!("{} does not implement `{method}`", type_name::<S>());
        Self::new(StoreErrorKind::Unimplemented, message)
    }

    /// With what caused it.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The kind, which says how a caller can react.
    pub fn kind(&self) -> StoreErrorKind {
        self.kind
    }

    /// Whether the same call may work later.
    pub fn is_retryable(&self) -> bool {
        matches!(
            self.kind,
            StoreErrorKind::Unavailable | StoreErrorKind::Full
        )
    }
}

impl StoreError {
    /// The message, and behind it the causes whose text it does not repeat already.
    fn text<'e>(&self, causes: impl Iterator<Item = &'e (dyn StdError + 'static)>) -> String {
        let mut text = self.message.clone();
        for cause in causes {
            let cause = cause.to_string();
            if !text.contains(&cause) {
                text.push_str(": ");
                text.push_str(&cause);
            }
        }
        text
    }

    fn cause(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

/// The name of a type without its path.
pub(super) fn type_name<S: ?Sized>() -> &'static str {
    let name = std::any::type_name::<S>();
    name.rsplit("::").next().unwrap_or(name)
}

/// The message with its cause.
impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text(self.cause().into_iter()))
    }
}

// Readable, because it is what `main` prints when it returns one.
impl fmt::Debug for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let causes = std::iter::successors(self.cause(), |cause| (*cause).source());
        f.write_str(&self.text(causes))
    }
}

/// The [`source`](StdError::source) is what lies behind the cause that the message names, so that
/// printing the chain says nothing twice.
impl StdError for StoreError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.cause()?.source()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{text}")]
    struct Cause {
        text: &'static str,
        source: Option<std::io::Error>,
    }

    /// As programs print an error with its causes.
    fn chain(error: &dyn StdError) -> String {
        let all = std::iter::successors(Some(error), |error| (*error).source());
        let all: Vec<_> = all.map(ToString::to_string).collect();
        all.join(": ")
    }

    /// report:W6
    #[test]
    fn an_error_says_its_cause_once() {
        let cause = |text| {
            let source = Some(std::io::Error::other("disk on fire"));
            Cause { text, source }
        };
        for (message, text) in [
            (
                "cannot open `a.db`",
                "cannot open `a.db`: file is not a database",
            ),
            ("file is not a database", "file is not a database"),
            (
                "cannot open `a.db`: file is not a database",
                "cannot open `a.db`: file is not a database",
            ),
        ] {
            let error = StoreError::new(StoreErrorKind::Unusable, message)
                .with_source(cause("file is not a database"));
            assert_eq!(error.to_string(), text);
            let whole = format!("{text}: disk on fire");
            assert_eq!(format!("{error:?}"), whole);
            assert_eq!(chain(&error), whole);
        }
        let alone = StoreError::new(StoreErrorKind::Unusable, "no store");
        assert_eq!(format!("{alone} {alone:?}"), "no store no store");
        assert!(alone.source().is_none());
    }
}
