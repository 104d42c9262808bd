//! The exit codes of the command.

use std::process::ExitCode;

use tonic::Code;

/// How the command ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Exit {
    /// Done; with several operations, all succeeded.
    Done = 0,
    /// A fault of the command itself: I/O, a bug, a broken configuration.
    Fault = 1,
    /// Wrong usage, a refused filter among it.
    Usage = 2,
    /// An operation ended with an error.
    Failed = 3,
    /// An operation ended CANCELLED.
    Cancelled = 4,
    /// The time limit of the command was reached. The operation still runs.
    TimedOut = 5,
    /// There is no such operation.
    NotFound = 6,
    /// Not authenticated, or not permitted.
    Denied = 7,
    /// The state could not be found out: the server is unreachable, or too many calls failed.
    Unknown = 8,
    /// The server refused some or all of what was asked for.
    Refused = 9,
    /// The server does not offer the call.
    Unimplemented = 10,
    /// SIGINT ended the watching. The operation still runs.
    Interrupted = 130,
    /// SIGTERM ended the watching. The operation still runs.
    Terminated = 143,
}

impl Exit {
    /// The precedence where several operations end differently: the first that occurs.
    const ORDER: [Self; 11] = [
        Self::Interrupted,
        Self::Terminated,
        Self::Denied,
        Self::Unknown,
        Self::Unimplemented,
        Self::NotFound,
        Self::Failed,
        Self::TimedOut,
        Self::Cancelled,
        Self::Refused,
        Self::Usage,
    ];

    /// The exit code of several operations.
    pub fn of_several(ends: impl IntoIterator<Item = Self>) -> Self {
        let ends: Vec<Self> = ends.into_iter().collect();
        let decisive = Self::ORDER.into_iter().find(|exit| ends.contains(exit));
        decisive
            .or_else(|| ends.into_iter().find(|exit| *exit != Self::Done))
            .unwrap_or(Self::Done)
    }

    /// The exit code of a call that failed with this code. It never says that an operation failed.
    #[must_use]
    pub fn of_call(code: Code) -> Self {
        match code {
            Code::Ok => Self::Done,
            Code::NotFound => Self::NotFound,
            Code::Unauthenticated | Code::PermissionDenied => Self::Denied,
            Code::InvalidArgument => Self::Usage,
            Code::Unimplemented => Self::Unimplemented,
            Code::AlreadyExists | Code::FailedPrecondition | Code::OutOfRange => Self::Refused,
            Code::Cancelled
            | Code::Unknown
            | Code::DeadlineExceeded
            | Code::ResourceExhausted
            | Code::Aborted
            | Code::Internal
            | Code::Unavailable
            | Code::DataLoss => Self::Unknown,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// The name of a code, as in the error of an operation: `NOT_FOUND`. A code that gRPC does not have is its
/// number.
#[must_use]
pub fn code_name(code: i32) -> String {
    const NAMES: [&str; 17] = [
        "OK",
        "CANCELLED",
        "UNKNOWN",
        "INVALID_ARGUMENT",
        "DEADLINE_EXCEEDED",
        "NOT_FOUND",
        "ALREADY_EXISTS",
        "PERMISSION_DENIED",
        "RESOURCE_EXHAUSTED",
        "FAILED_PRECONDITION",
        "ABORTED",
        "OUT_OF_RANGE",
        "UNIMPLEMENTED",
        "INTERNAL",
        "UNAVAILABLE",
        "DATA_LOSS",
        "UNAUTHENTICATED",
    ];
    let name = usize::try_from(code).ok().and_then(|it| NAMES.get(it));
    name.map_or_else(|| format!("code {code}"), |name| (*name).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_operation_and_an_unknown_state_are_different_codes() {
        for code in (0..=16).map(Code::from) {
            assert_ne!(Exit::of_call(code), Exit::Failed, "{code:?}");
        }
        assert_eq!(Exit::of_call(Code::Unavailable), Exit::Unknown);
    }

    #[test]
    fn the_first_of_7_8_6_3_5_4_decides() {
        use Exit::{Cancelled, Denied, Done, Failed, NotFound, TimedOut, Unknown};
        let order = [Denied, Unknown, NotFound, Failed, TimedOut, Cancelled, Done];
        for (index, first) in order.into_iter().enumerate() {
            let mut rest = order[index..].to_vec();
            rest.reverse();
            assert_eq!(Exit::of_several(rest), first);
        }
        assert_eq!(Exit::of_several([]), Done);
    }

    #[test]
    fn codes_have_the_names_of_the_standard() {
        assert_eq!(code_name(5), "NOT_FOUND");
        assert_eq!(code_name(-12345), "code -12345");
    }
}
