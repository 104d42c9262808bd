use std::time::Duration;

use lro_core::OperationsRpc;
use tonic::Code;

use crate::ExponentialBackoff;

/// How long a call may take and how often it is tried.
///
/// The default is what the service's published configuration says for Get, List, Cancel and
/// Delete: 10 s for each of at most 5 tries, after the pauses 0.5 s, 1 s, 2 s and 4 s (each
/// shortened by up to a half at random). The client retries UNAVAILABLE, which includes a
/// connection that broke, and errors of any code but UNAUTHENTICATED with a `google.rpc.RetryInfo`,
/// by which the server says that they pass: not before the delay that it asks for, and not at all if that is longer
/// than the longest pause.
///
/// ```
/// # fn example(operations: lro_client::OperationsClient) {
/// use std::time::Duration;
/// use lro_client::CallSettings;
///
/// let settings = CallSettings::default().timeout(Duration::from_secs(2));
/// let operations = operations.with_call_settings(settings);
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct CallSettings {
    /// How long one try may take. After this time the call has failed with DEADLINE_EXCEEDED. Of
    /// [`Wait`](OperationsRpc::Wait), how much longer than the wait itself.
    pub timeout: Duration,
    /// How many tries there are at most, the first one included. None is one.
    pub attempts: u32,
    /// The pauses between tries, at most [`CallSettings::DEFAULT_MAX_BACKOFF`] by default.
    pub backoff: ExponentialBackoff,
    /// After which codes a call is tried again: [`CallSettings::DEFAULT_RETRY_CODES`] by default.
    pub retry_codes: &'static [Code],
}

impl CallSettings {
    /// The settings that a new client has for an rpc: as published, with a single try of
    /// [`Wait`](OperationsRpc::Wait) that lasts up to 10 s longer than the wait.
    ///
    /// ```
    /// use lro_client::{CallSettings, OperationsRpc};
    ///
    /// assert_eq!(CallSettings::default_of(OperationsRpc::Wait).attempts, 1);
    /// ```
    pub fn default_of(rpc: OperationsRpc) -> Self {
        let attempts = match rpc {
            OperationsRpc::Wait => 1,
            _ => Self::DEFAULT_ATTEMPTS,
        };
        Self {
            attempts,
            ..Self::default()
        }
    }

    /// The default [`timeout`](Self#structfield.timeout) of a try: 10 s.
    pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);
    /// The default number of [`attempts`](Self#structfield.attempts): 5.
    pub const DEFAULT_ATTEMPTS: u32 = 5;
    /// The first pause between tries by default: 0.5 s.
    pub const DEFAULT_INITIAL_BACKOFF: Duration = Duration::from_millis(500);
    /// The longest pause between tries by default: 10 s.
    pub const DEFAULT_MAX_BACKOFF: Duration = Duration::from_secs(10);
    /// After which codes a call is tried again by default: UNAVAILABLE.
    pub const DEFAULT_RETRY_CODES: &[Code] = &[Code::Unavailable];

    /// Sets the [`timeout`](Self#structfield.timeout) of one try.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets the largest number of tries, the first one included.
    #[must_use]
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts;
        self
    }

    /// Sets the pauses between tries.
    #[must_use]
    pub fn backoff(mut self, backoff: ExponentialBackoff) -> Self {
        self.backoff = backoff;
        self
    }

    /// Sets the codes after which a call is tried again.
    #[must_use]
    pub fn retry_codes(mut self, retry_codes: &'static [Code]) -> Self {
        self.retry_codes = retry_codes;
        self
    }
}

impl Default for CallSettings {
    fn default() -> Self {
        Self {
            timeout: Self::DEFAULT_TIMEOUT,
            attempts: Self::DEFAULT_ATTEMPTS,
            backoff: ExponentialBackoff::new(
                Self::DEFAULT_INITIAL_BACKOFF,
                Self::DEFAULT_MAX_BACKOFF,
            ),
            retry_codes: Self::DEFAULT_RETRY_CODES,
        }
    }
}
