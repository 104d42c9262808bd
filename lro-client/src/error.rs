use std::error::Error;
use std::fmt::{self, Write as _};
use std::time::Duration;

use lro_core::pb::rpc;
use lro_core::{Operation, UnpackError};
use prost::Message;
use tokio::time::Instant;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, RpcStatusExt as _};

use crate::Poller;

/// Why there is no response: something came of the operation, or something of the wait.
///
/// ```
/// # async fn example(poller: lro_client::Poller<(), ()>) -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
///
/// match poller.time_limit(Duration::from_secs(30)).until_done().await {
///     Ok(response) => println!("{response:?}"),
///     Err(error) if error.is_cancelled() => println!("{} was cancelled", error.name()),
///     Err(error) if error.is_failed() => println!("{error}: {:?}", error.details()),
///     // The wait has ended, not the operation: continue waiting.
///     Err(error) if error.is_timeout() => error.into_poller()?.await?,
///     Err(error) => return Err(error.into()),
/// }
/// # Ok(()) }
/// ```
///
/// | what has happened | predicate | [`code`](Self::code) | poller returned |
/// | --- | --- | --- | --- |
/// | the operation failed | [`is_failed`](Self::is_failed) | the operation's | no |
/// | the operation was cancelled, by anybody | [`is_cancelled`](Self::is_cancelled) | CANCELLED | no |
/// | the response is of another type, or does not decode | [`is_invalid_response`](Self::is_invalid_response) | INTERNAL | no |
/// | the operation is done, without a response or an error | [`is_missing_result`](Self::is_missing_result) | INTERNAL | no |
/// | the time limit was reached | [`is_timeout`](Self::is_timeout) | DEADLINE_EXCEEDED | yes |
/// | a poll failed for good | [`is_poll_failed`](Self::is_poll_failed) | the poll's | yes |
/// | it could not be cancelled | [`is_cancel_failed`](Self::is_cancel_failed) | the call's | yes |
pub struct WaitError<R, M>(Box<Inner<R, M>>);

struct Inner<R, M> {
    ending: Ending,
    elapsed: Duration,
    polls: u64,
    poller: Poller<R, M>,
}

/// How a wait ends that has no response.
#[derive(Debug)]
pub(crate) enum Ending {
    Failed(rpc::Status),
    Cancelled(rpc::Status),
    InvalidResponse(UnpackError),
    MissingResult,
    Timeout { last_error: Option<Status> },
    PollFailed(Status),
    CancelFailed(Status),
}

impl<R, M> WaitError<R, M> {
    pub(crate) fn new(ending: Ending, poller: Poller<R, M>) -> Self {
        let state = poller.state(Instant::now());
        Self(Box::new(Inner {
            ending,
            elapsed: state.elapsed,
            polls: state.polls,
            poller: poller.rewound(),
        }))
    }

    /// Whether the operation has failed. [`status`](Self::status) says why.
    pub fn is_failed(&self) -> bool {
        matches!(self.0.ending, Ending::Failed(_))
    }

    /// Whether the operation was cancelled, no matter by whom.
    pub fn is_cancelled(&self) -> bool {
        matches!(self.0.ending, Ending::Cancelled(_))
    }

    /// Whether the operation has succeeded with a response that cannot be read as an `R`.
    /// [`unpack_error`](Self::unpack_error) names both types.
    pub fn is_invalid_response(&self) -> bool {
        matches!(self.0.ending, Ending::InvalidResponse(_))
    }

    /// Whether the operation is done, but the server gives neither a response nor an error.
    pub fn is_missing_result(&self) -> bool {
        matches!(self.0.ending, Ending::MissingResult)
    }

    /// Whether the time limit was reached. The operation continues.
    pub fn is_timeout(&self) -> bool {
        matches!(self.0.ending, Ending::Timeout { .. })
    }

    /// Whether a poll has failed with an error after which the policy stops. It says nothing
    /// about the operation.
    pub fn is_poll_failed(&self) -> bool {
        matches!(self.0.ending, Ending::PollFailed(_))
    }

    /// Whether [`Poller::cancel_and_wait`] could not ask the server to cancel: many servers cancel
    /// nothing, with UNIMPLEMENTED. The operation continues.
    pub fn is_cancel_failed(&self) -> bool {
        matches!(self.0.ending, Ending::CancelFailed(_))
    }

    /// The code that goes with it; see the table above. A code that gRPC does not have is UNKNOWN,
    /// and so is a failed operation's code 0 (OK).
    pub fn code(&self) -> Code {
        match &self.0.ending {
            Ending::Failed(status) | Ending::Cancelled(status) => match status.code.into() {
                Code::Ok => Code::Unknown,
                code => code,
            },
            Ending::InvalidResponse(_) | Ending::MissingResult => Code::Internal,
            Ending::Timeout { .. } => Code::DeadlineExceeded,
            Ending::PollFailed(status) | Ending::CancelFailed(status) => status.code(),
        }
    }

    /// The error of a failed or cancelled operation, as the server has sent it.
    pub fn status(&self) -> Option<&rpc::Status> {
        match &self.0.ending {
            Ending::Failed(status) | Ending::Cancelled(status) => Some(status),
            _ => None,
        }
    }

    /// The status of the poll or of the cancellation that failed; after a timeout, that of the last
    /// poll, if it failed.
    pub fn call_status(&self) -> Option<&Status> {
        match &self.0.ending {
            Ending::PollFailed(status) | Ending::CancelFailed(status) => Some(status),
            Ending::Timeout { last_error } => last_error.as_ref(),
            _ => None,
        }
    }

    /// The standard details in the operation's [`status`](Self::status), or in the status of the
    /// failed call, decoded. Empty if there are none, or if one of them does not decode:
    /// [`status`](Self::status) has them as they came.
    ///
    /// ```
    /// use lro_client::{WaitError, tonic_types};
    ///
    /// // The server: a handler of `lro_server`, which has `tonic_types` too.
    /// fn too_many_exports() -> tonic::Status {
    ///     use tonic_types::{ErrorDetails, StatusExt as _};
    ///     let metadata = [("limit".to_owned(), "10".to_owned())];
    ///     let details = ErrorDetails::with_error_info("TOO_MANY_EXPORTS", "example.com", metadata);
    ///     tonic::Status::with_error_details(tonic::Code::ResourceExhausted, "too many", details)
    /// }
    ///
    /// // The caller.
    /// fn limit<R, M>(error: &WaitError<R, M>) -> Option<String> {
    ///     let details = error.details();
    ///     let info = details.error_info()?;
    ///     (info.reason == "TOO_MANY_EXPORTS").then(|| info.metadata.get("limit").cloned())?
    /// }
    /// # use lro_client::{OperationsClient, Poller};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// # let refused = tower::service_fn(async |_: http::Request<tonic::body::Body>| {
    /// #     Err::<http::Response<tonic::body::Body>, _>(too_many_exports())
    /// # });
    /// # let operations = OperationsClient::new(refused);
    /// # let error = Poller::<(), ()>::resume("operations/1", &operations).until_done().await;
    /// # assert_eq!(limit(&error.unwrap_err()).as_deref(), Some("10"));
    /// # }
    /// ```
    pub fn details(&self) -> ErrorDetails {
        match &self.0.ending {
            Ending::Failed(status) | Ending::Cancelled(status) => status.get_error_details(),
            Ending::PollFailed(status) | Ending::CancelFailed(status) => {
                tonic_types::StatusExt::get_error_details(status)
            }
            _ => ErrorDetails::new(),
        }
    }

    /// The wanted and the found type of the response, when that is what is wrong.
    pub fn unpack_error(&self) -> Option<&UnpackError> {
        match &self.0.ending {
            Ending::InvalidResponse(error) => Some(error),
            _ => None,
        }
    }

    /// The operation's name.
    pub fn name(&self) -> &str {
        self.0.poller.name()
    }

    /// The state of the operation that was last seen, its metadata included.
    pub fn operation(&self) -> &Operation<R, M> {
        self.0.poller.operation()
    }

    /// How long the wait has lasted.
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed
    }

    /// How many polls the wait has made, failed ones included.
    pub fn polls(&self) -> u64 {
        self.0.polls
    }

    /// Returns the poller to continue with, when [the time limit passed](Self::is_timeout), [a poll
    /// failed](Self::is_poll_failed) or [the cancellation failed](Self::is_cancel_failed). The poller begins
    /// a new wait with the full time limit.
    ///
    /// # Errors
    ///
    /// The error itself again, when the operation has ended and there is nothing to wait for.
    pub fn into_poller(self) -> Result<Poller<R, M>, Self> {
        match self.0.ending {
            Ending::Timeout { .. } | Ending::PollFailed(_) | Ending::CancelFailed(_) => {
                Ok(self.0.poller)
            }
            _ => Err(self),
        }
    }
}

impl<R, M> fmt::Display for WaitError<R, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "operation `{}` ", OneLine(self.name()))?;
        match &self.0.ending {
            Ending::Failed(status) => {
                write!(
                    f,
                    "failed with {:?}: {}",
                    self.code(),
                    OneLine(&status.message)
                )
            }
            Ending::Cancelled(status) if status.message.is_empty() => f.write_str("was cancelled"),
            Ending::Cancelled(status) => write!(f, "was cancelled: {}", OneLine(&status.message)),
            Ending::InvalidResponse(error) => {
                write!(
                    f,
                    "has an unreadable response: {}",
                    OneLine(&error.to_string())
                )
            }
            Ending::MissingResult => f.write_str("is done, without a response or an error"),
            Ending::Timeout { .. } => {
                let (elapsed, polls) = (self.0.elapsed, self.0.polls);
                write!(
                    f,
                    "is not known to be done after {elapsed:.3?} and {polls} polls"
                )
            }
            Ending::PollFailed(status) => {
                let message = OneLine(status.message());
                write!(f, "could not be polled: {:?}: {message}", status.code())
            }
            Ending::CancelFailed(status) => {
                let message = OneLine(status.message());
                write!(f, "could not be cancelled: {:?}: {message}", status.code())
            }
        }
    }
}

impl<R, M> fmt::Debug for WaitError<R, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitError")
            .field("name", &self.name())
            .field("ending", &self.0.ending)
            .field("elapsed", &self.0.elapsed)
            .field("polls", &self.0.polls)
            .finish_non_exhaustive()
    }
}

impl<R, M> Error for WaitError<R, M> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.0.ending {
            // These stand in the text.
            Ending::InvalidResponse(error) => error.source(),
            Ending::PollFailed(status) | Ending::CancelFailed(status) => status.source(),
            Ending::Timeout { last_error } => last_error.as_ref().map(|status| status as _),
            Ending::Failed(_) | Ending::Cancelled(_) | Ending::MissingResult => None,
        }
    }
}

/// For a service that waits on behalf of its own callers: with the [`code`](WaitError::code), the
/// message and the details of the operation's error, or of the poll's.
impl<R, M> From<WaitError<R, M>> for Status {
    fn from(error: WaitError<R, M>) -> Self {
        let code = error.code();
        match error.0.ending {
            Ending::Failed(mut status) | Ending::Cancelled(mut status) => {
                status.code = code.into();
                let details = match status.details.is_empty() {
                    true => Vec::new(),
                    false => status.encode_to_vec(),
                };
                Status::with_details(code, status.message, details.into())
            }
            Ending::PollFailed(status) | Ending::CancelFailed(status) => status,
            _ => Status::new(code, error.to_string()),
        }
    }
}

/// Text from a server, on one line whatever it holds.
struct OneLine<'a>(&'a str);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|char| match char.is_control() {
            true => write!(f, "{}", char.escape_debug()),
            false => f.write_char(char),
        })
    }
}
