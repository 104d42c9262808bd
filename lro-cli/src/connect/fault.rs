//! Why a connection could not be made.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use tonic::Status;

/// Why a connection could not be made, and what to do about it.
#[derive(Clone, Debug)]
pub(crate) struct ConnectFault {
    pub(crate) what: String,
    pub(crate) advice: Vec<String>,
    /// Whether the next try would fail in the same way.
    pub(crate) permanent: bool,
}

impl ConnectFault {
    /// A fault that may pass by itself.
    pub(crate) fn passing(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            advice: Vec::new(),
            permanent: false,
        }
    }

    /// A fault that stays until something is changed.
    pub(crate) fn permanent(what: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            advice: vec![advice.into()],
            permanent: true,
        }
    }

    pub(crate) fn advise(mut self, advice: impl Into<String>) -> Self {
        self.advice.push(advice.into());
        self
    }

    /// The status of a call that was not sent. UNAVAILABLE is retried, so a permanent fault has
    /// another code.
    pub(super) fn into_status(self) -> Status {
        let mut status = if self.permanent {
            Status::failed_precondition(self.what.clone())
        } else {
            Status::unavailable(self.what.clone())
        };
        status.set_source(Arc::new(self));
        status
    }

    /// The fault behind the status of a call.
    pub(crate) fn of(status: &Status) -> Option<&Self> {
        let first = status.source()?;
        let mut chain = std::iter::successors(Some(first), |error| (*error).source());
        chain.find_map(|error| error.downcast_ref())
    }
}

impl fmt::Display for ConnectFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl Error for ConnectFault {}

/// The status of a call that was not sent.
pub(super) fn unsent(error: tonic::transport::Error) -> Status {
    let first: &(dyn Error + 'static) = &error;
    let mut chain = std::iter::successors(Some(first), |error| (*error).source());
    if let Some(fault) = chain.find_map(|error| error.downcast_ref::<ConnectFault>()) {
        return fault.clone().into_status();
    }
    #[cfg(feature = "tls")]
    if let Some(fault) = super::tls::refused_certificate(&error) {
        return fault.into_status();
    }
    let chain = std::iter::successors(Some(first), |error| (*error).source());
    let last = chain.last().map(ToString::to_string).unwrap_or_default();
    let mut status = Status::unavailable(format!("the connection broke: {last}"));
    status.set_source(Arc::new(error));
    status
}
