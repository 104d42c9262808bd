//! Errors of bodies, and their conversion to errors of operations.

use std::sync::Arc;
use std::time::Duration;

use lro_core::pb::rpc;
use prost::Message as _;
use tonic::Status;

use crate::rpc::status::inform;

/// An error of a handler that says whether to run the body again.
///
/// A handler whose error type is [`Status`], or converts into one, fails permanently with its first
/// error. A handler that returns `Result<_, HandlerError>` may ask for another attempt; `?` on a
/// `Status` stays final.
///
/// ```
/// use std::time::Duration;
/// use lro_server::HandlerError;
/// use tonic::Status;
///
/// fn fetch() -> Result<(), HandlerError> {
///     let busy = Status::unavailable("the mirror is busy");
///     Err(HandlerError::retry(busy).after(Duration::from_secs(5)))
/// }
/// assert!(fetch().unwrap_err().is_retryable());
/// assert!(!HandlerError::from(Status::not_found("no such shelf")).is_retryable());
/// ```
#[derive(Clone, Debug)]
pub struct HandlerError {
    status: Status,
    retry: Option<Retry>,
}

/// A request for another attempt. It travels in the source of a status that a step returns, through
/// the `?` of a body whose errors are statuses.
#[derive(Clone, Copy, Debug, Default)]
struct Retry {
    after: Option<Duration>,
}

impl std::fmt::Display for Retry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("another attempt may succeed")
    }
}

impl std::error::Error for Retry {}

impl HandlerError {
    /// Fails the operation permanently, even if attempts are left, like `?` on a [`Status`].
    ///
    /// ```
    /// use lro_server::HandlerError;
    /// use tonic::Status;
    ///
    /// assert!(!HandlerError::permanent(Status::not_found("no such shelf")).is_retryable());
    /// ```
    pub fn permanent(status: Status) -> Self {
        Self {
            status,
            retry: None,
        }
    }

    /// Asks for another attempt; `status` is the operation's error when none is left.
    pub fn retry(status: Status) -> Self {
        Self {
            status,
            retry: Some(Retry::default()),
        }
    }

    /// How long to pause before the next attempt. Without it the pause doubles from 1 s to 60 s.
    #[must_use]
    pub fn after(mut self, pause: Duration) -> Self {
        self.retry = Some(Retry { after: Some(pause) });
        self
    }

    /// Whether the error asks for another attempt.
    pub fn is_retryable(&self) -> bool {
        self.retry.is_some()
    }

    /// The error itself.
    pub fn status(&self) -> &Status {
        &self.status
    }

    /// The pause that the error asks for.
    pub(crate) fn wanted_pause(&self) -> Option<Duration> {
        self.retry?.after
    }

    /// The status, which converts back into this error.
    pub(crate) fn into_status(self) -> Status {
        let Self { mut status, retry } = self;
        if let Some(retry) = retry {
            status.set_source(Arc::new(retry));
        }
        status
    }

    /// How long to pause before attempt `attempt + 1`, if there is one.
    pub(crate) fn pause(&self, attempt: u32) -> Option<Duration> {
        let retry = self.retry?;
        Some(retry.after.unwrap_or_else(|| default_pause(attempt)))
    }
}

/// The pause after an attempt that asks for none of its own: 1 s, doubling, up to 60 s.
pub(crate) fn default_pause(attempt: u32) -> Duration {
    let doubling = Duration::from_secs(1 << attempt.saturating_sub(1).min(6));
    doubling.min(Duration::from_secs(60))
}

impl From<Status> for HandlerError {
    fn from(status: Status) -> Self {
        let source = std::error::Error::source(&status);
        let retry = source.and_then(|source| source.downcast_ref::<Retry>());
        Self {
            retry: retry.copied(),
            status,
        }
    }
}

impl std::fmt::Display for HandlerError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.status.message())
    }
}

impl std::error::Error for HandlerError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        // The status itself stands in the text.
        self.status.source()
    }
}

/// Whether a status was not sent by a server, but made of an error on the way to it.
pub(crate) fn is_of_transport(status: &Status) -> bool {
    let source = std::error::Error::source(status);
    source.is_some_and(|source| !source.is::<Retry>())
}

/// The error type of a handler: anything that converts into a [`Status`], or a
/// [`HandlerError`].
///
/// ```
/// use lro_server::registration::IntoHandlerError;
/// use lro_server::HandlerError;
/// use tonic::Status;
///
/// /// An error of the application.
/// struct NoSuchTable(String);
///
/// impl From<NoSuchTable> for Status {
///     fn from(error: NoSuchTable) -> Self {
///         Status::not_found(format!("there is no table `{}`", error.0))
///     }
/// }
///
/// let error: HandlerError = NoSuchTable("users".into()).into_handler_error();
/// assert!(!error.is_retryable());
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the error of a long-running handler",
    label = "does not convert into `tonic::Status`",
    note = "return `tonic::Status`, a type with `impl From<{Self}> for tonic::Status`, or `lro_server::HandlerError`"
)]
pub trait IntoHandlerError {
    /// Converts the error, and decides whether the body runs again.
    fn into_handler_error(self) -> HandlerError;
}

#[diagnostic::do_not_recommend]
impl<E: Into<Status>> IntoHandlerError for E {
    fn into_handler_error(self) -> HandlerError {
        HandlerError::from(self.into())
    }
}

impl IntoHandlerError for HandlerError {
    fn into_handler_error(self) -> HandlerError {
        self
    }
}

/// The wire's status for a handler's, its details kept to the byte, with an ErrorInfo if they have
/// none.
pub(crate) fn to_rpc_status(status: &Status) -> rpc::Status {
    let mut error = to_plain_rpc_status(status);
    inform(&mut error);
    error
}

/// The wire's status for a handler's, its details kept to the byte.
pub(crate) fn to_plain_rpc_status(status: &Status) -> rpc::Status {
    let details = match rpc::Status::decode(status.details()) {
        Ok(decoded) => decoded.details,
        Err(error) => {
            tracing::warn!(%error, "the details of a handler's error cannot be read and are dropped");
            Vec::new()
        }
    };
    rpc::Status {
        code: status.code() as i32,
        message: status.message().to_owned(),
        details,
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;

    /// report:W6
    #[test]
    fn an_error_says_its_status_once() {
        let error = HandlerError::permanent(Status::not_found("no such table"));
        assert_eq!(error.to_string(), "no such table");
        assert!(error.source().is_none());
        let io = std::io::Error::other("disk full");
        let error = HandlerError::permanent(Status::from_error(Box::new(io)));
        assert!(error.source().is_some(), "{error}");
    }
}
