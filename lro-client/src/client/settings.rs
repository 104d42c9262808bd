use std::time::Duration;

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
/// let settings = CallSettings {
///     timeout: Duration::from_secs(2),
///     ..CallSettings::default()
/// };
/// let operations = operations.with_call_settings(settings);
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CallSettings {
    /// How long one try may take. After this time the call has failed with DEADLINE_EXCEEDED. Of
    /// [`Wait`](OperationsMethod::Wait), how much longer than the wait itself.
    pub timeout: Duration,
    /// How many tries there are at most, the first one included. None is one.
    pub attempts: u32,
    /// The pauses between tries, at most [`CallSettings::BACKOFF_MAX`] by default.
    pub backoff: ExponentialBackoff,
    /// After which codes a call is tried again: [`CallSettings::RETRY_CODES`] by default.
    pub retry_codes: &'static [Code],
}

impl CallSettings {
    /// The default [`timeout`](Self::timeout) of a try: 10 s.
    pub const TIMEOUT: Duration = Duration::from_secs(10);
    /// The default number of [`attempts`](Self::attempts): 5.
    pub const ATTEMPTS: u32 = 5;
    /// The first pause between tries by default: 0.5 s.
    pub const BACKOFF_INITIAL: Duration = Duration::from_millis(500);
    /// The longest pause between tries by default: 10 s.
    pub const BACKOFF_MAX: Duration = Duration::from_secs(10);
    /// After which codes a call is tried again by default: UNAVAILABLE.
    pub const RETRY_CODES: &[Code] = &[Code::Unavailable];
}

impl Default for CallSettings {
    fn default() -> Self {
        Self {
            timeout: Self::TIMEOUT,
            attempts: Self::ATTEMPTS,
            backoff: ExponentialBackoff::new(Self::BACKOFF_INITIAL, Self::BACKOFF_MAX),
            retry_codes: Self::RETRY_CODES,
        }
    }
}

/// A method of `google.longrunning.Operations`, to give it [settings](CallSettings) of its own.
///
/// ```
/// use lro_client::OperationsMethod;
///
/// assert_eq!(OperationsMethod::Wait.default_settings().attempts, 1);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OperationsMethod {
    /// GetOperation.
    Get,
    /// ListOperations.
    List,
    /// CancelOperation.
    Cancel,
    /// DeleteOperation.
    Delete,
    /// WaitOperation, for which nothing is published: it is tried once.
    Wait,
}

impl OperationsMethod {
    /// All methods.
    pub const ALL: [Self; 5] = [
        Self::Get,
        Self::List,
        Self::Cancel,
        Self::Delete,
        Self::Wait,
    ];

    /// The name of the rpc.
    pub(super) fn rpc(self) -> &'static str {
        match self {
            Self::Get => "GetOperation",
            Self::List => "ListOperations",
            Self::Cancel => "CancelOperation",
            Self::Delete => "DeleteOperation",
            Self::Wait => "WaitOperation",
        }
    }

    /// The settings of a new client: as published, with a single try of
    /// [`Wait`](OperationsMethod::Wait) that lasts up to 10 s longer than the wait.
    pub fn default_settings(self) -> CallSettings {
        match self {
            Self::Wait => CallSettings {
                attempts: 1,
                ..CallSettings::default()
            },
            _ => CallSettings::default(),
        }
    }
}

/// Which operations [`OperationsClient::list`](crate::OperationsClient::list) and
/// [`list_all`](crate::OperationsClient::list_all) ask for.
///
/// ```
/// let options = lro_client::ListOptions {
///     page_size: 50,
///     ..Default::default()
/// };
/// assert_eq!(options.filter, "");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListOptions {
    /// An expression (AIP-160) in the terms of the server; empty for all operations.
    pub filter: String,
    /// How many operations a page has at most; 0 leaves it to the server, and the server may
    /// always return fewer.
    pub page_size: i32,
    /// The `next_page_token` of the page before; empty for the first page.
    pub page_token: String,
    /// Whether to return what could be reached when a part of the operations could not. A server
    /// that does not offer this answers UNIMPLEMENTED.
    pub return_partial_success: bool,
}
