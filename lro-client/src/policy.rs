//! The pace of a poller, and its reaction to polls that failed.

use std::error::Error;
use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::ExponentialBackoff;
use crate::transport::is_broken_path;

/// How far a wait has come, for the policies to decide by.
///
/// ```
/// let mut state = lro_client::PollingState::default();
/// state.polls = 3;
/// assert_eq!(state.consecutive_errors, 0);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PollingState {
    /// How long the wait has lasted.
    pub elapsed: Duration,
    /// How many polls there were in this wait, failed ones included.
    pub polls: u64,
    /// How many of the last polls have failed. A wait that the network cut is not counted.
    pub consecutive_errors: u32,
    /// The pause that the server asks for with a `google.rpc.RetryInfo` in the error at hand, zero
    /// if it gives no length. `None`: the error has no RetryInfo, or there is no error.
    pub retry_delay: Option<Duration>,
}

/// How long to pause between two calls of GetOperation.
///
/// It is asked where a poller polls: when progress is watched, and when the server does not offer
/// WaitOperation. A pause of less than 10 ms is made 10 ms.
///
/// ```
/// use std::time::Duration;
/// use lro_client::{PollingBackoffPolicy, PollingState};
///
/// struct Steady(Duration);
///
/// impl PollingBackoffPolicy for Steady {
///     fn wait_period(&self, _state: &PollingState) -> Duration {
///         self.0
///     }
/// }
/// # fn example(poller: lro_client::Poller<(), ()>) {
/// let poller = poller.backoff_policy(Steady(Duration::from_secs(5)));
/// # }
/// ```
pub trait PollingBackoffPolicy: Send + Sync {
    /// How long to pause after a poll that was answered.
    fn wait_period(&self, state: &PollingState) -> Duration;
}

impl PollingBackoffPolicy for ExponentialBackoff {
    fn wait_period(&self, state: &PollingState) -> Duration {
        let index = u32::try_from(state.polls.saturating_sub(1));
        self.delay(index.unwrap_or(u32::MAX))
    }
}

/// Decides whether to continue after a failed poll.
///
/// The poller asks it about every failed poll, with three exceptions: the server does not offer
/// WaitOperation; the network or a time limit cut a call of WaitOperation that was being held
/// (the poller calls GetOperation next, and makes the next wait shorter); an operation that has
/// only just started is not found yet. An error with a `google.rpc.RetryInfo` always reaches the
/// policy, with the server's delay in [`PollingState::retry_delay`].
///
/// ```
/// use lro_client::{PollingErrorAction, PollingErrorPolicy, PollingState};
/// use tonic::{Code, Status};
///
/// /// Also takes a full quota for something that passes.
/// struct Patient;
///
/// impl PollingErrorPolicy for Patient {
///     fn on_error(&self, _state: &PollingState, error: &Status) -> PollingErrorAction {
///         match error.code() {
///             Code::Unavailable | Code::ResourceExhausted => PollingErrorAction::Continue,
///             _ => PollingErrorAction::Stop,
///         }
///     }
/// }
/// # fn example(poller: lro_client::Poller<(), ()>) {
/// let poller = poller.error_policy(Patient);
/// # }
/// ```
pub trait PollingErrorPolicy: Send + Sync {
    /// The reaction to `error`, which `state` has counted already.
    fn on_error(&self, state: &PollingState, error: &Status) -> PollingErrorAction;
}

/// The reaction to a poll that failed.
///
/// ```
/// use lro_client::PollingErrorAction;
/// use tonic::{Code, Status};
///
/// /// The reaction of a policy that retries only while the server is unavailable.
/// fn action(error: &Status) -> PollingErrorAction {
///     if error.code() == Code::Unavailable {
///         PollingErrorAction::Continue
///     } else {
///         PollingErrorAction::Stop
///     }
/// }
/// # assert_eq!(action(&Status::internal("")), PollingErrorAction::Stop);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PollingErrorAction {
    /// Poll again, after a pause that grows with each failure from 0.5 s to 10 s, or that the
    /// server asks for with a `google.rpc.RetryInfo` (at most 60 s).
    Continue,
    /// Give up with the error.
    Stop,
}

/// The usual [`PollingErrorPolicy`]: retries errors that may pass by themselves.
///
/// That is UNAVAILABLE (which includes a connection or a stream that broke), DEADLINE_EXCEEDED (a
/// poll that was not answered in time), and an error of any code but UNAUTHENTICATED with a
/// `google.rpc.RetryInfo`, by which the server says that it passes. There is no limit in number; [`Poller::time_limit`] sets one in time.
///
/// ```
/// # fn example(poller: lro_client::Poller<(), ()>) {
/// let policy = lro_client::ContinueOnTransient::default().with_consecutive_limit(5);
/// let poller = poller.error_policy(policy);
/// # }
/// ```
///
/// [`Poller::time_limit`]: crate::Poller::time_limit
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ContinueOnTransient {
    consecutive_limit: Option<u32>,
}

impl ContinueOnTransient {
    /// Stops at the error after this many in a row: with 0, at the first one.
    #[must_use]
    pub const fn with_consecutive_limit(mut self, limit: u32) -> Self {
        self.consecutive_limit = Some(limit);
        self
    }
}

impl PollingErrorPolicy for ContinueOnTransient {
    fn on_error(&self, state: &PollingState, error: &Status) -> PollingErrorAction {
        let limit = self.consecutive_limit.unwrap_or(u32::MAX);
        let passes = is_transient(error) || retry_delay(error).is_some();
        if state.consecutive_errors <= limit && passes {
            PollingErrorAction::Continue
        } else {
            PollingErrorAction::Stop
        }
    }
}

/// Whether an error passes by itself. The transport has made UNAVAILABLE of broken connections.
pub(crate) fn is_transient(status: &Status) -> bool {
    match status.code() {
        Code::Unavailable | Code::DeadlineExceeded => true,
        // A status of the server's has no source: tonic gave up on this call.
        Code::Cancelled => status.source().is_some(),
        // A policy can also be asked about errors that did not come through this client.
        _ => is_broken_path(status),
    }
}

/// The delay of a `google.rpc.RetryInfo`, with which the server says that an error passes; zero if
/// it names none. UNAUTHENTICATED never passes by itself: tries with the same token only add to
/// the failures that a server counts.
pub(crate) fn retry_delay(status: &Status) -> Option<Duration> {
    if status.details().is_empty() || status.code() == Code::Unauthenticated {
        return None;
    }
    let info = status.get_details_retry_info()?;
    Some(info.retry_delay.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    fn action(status: &Status) -> PollingErrorAction {
        let state = PollingState {
            consecutive_errors: 1,
            ..PollingState::default()
        };
        ContinueOnTransient::default().on_error(&state, status)
    }

    #[test]
    fn transient_errors_are_retried() {
        let reset = || io::Error::from(io::ErrorKind::ConnectionReset);
        for status in [
            Status::unavailable("down"),
            Status::deadline_exceeded("slow"),
            Status::from_error(Box::new(reset())),
            Status::from_error(Box::new(tonic::TimeoutExpired(()))),
        ] {
            assert_eq!(action(&status), PollingErrorAction::Continue, "{status:?}");
        }
    }

    #[test]
    fn final_errors_are_not_retried() {
        for code in (1..=16).map(Code::from) {
            let passes = matches!(code, Code::Unavailable | Code::DeadlineExceeded);
            let stops = action(&Status::new(code, "")) == PollingErrorAction::Stop;
            assert_eq!(stops, !passes, "{code:?}");
        }
        let layer = Status::from_error("a layer has failed".into());
        assert_eq!(action(&layer), PollingErrorAction::Stop);
    }
}
