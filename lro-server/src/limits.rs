use std::time::Duration;

use lro_core::Reason;
use tonic::Status;

/// The limits of a server, each with its default.
///
/// ```
/// use std::time::Duration;
/// use lro_server::Limits;
///
/// let limits = Limits { wait_max: Duration::from_secs(20), ..Limits::default() };
/// assert_eq!(limits.page_size_max, 1_000);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The largest request of a long-running rpc, in bytes as encoded: 1 MiB. Larger ones are
    /// RESOURCE_EXHAUSTED.
    pub request_len_max: usize,
    /// The longest that one WaitOperation call is held: 60 s. Callers ask again.
    pub wait_max: Duration,
    /// How many operations a page has when the caller does not say: 50.
    pub page_size_default: usize,
    /// How many operations a page has at most: 1,000. Larger wishes are cut down to it.
    pub page_size_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            request_len_max: 1024 * 1024,
            wait_max: Duration::from_secs(60),
            page_size_default: 50,
            page_size_max: 1_000,
        }
    }
}

impl Limits {
    pub(crate) fn page_size(&self, wanted: i32) -> Result<usize, Status> {
        match usize::try_from(wanted) {
            Ok(0) => Ok(self.page_size_default),
            Ok(wanted) => Ok(wanted.min(self.page_size_max)),
            Err(_) => {
                let message = "is negative; leave it at 0 for the default";
                Err(Reason::InvalidField.field_status("page_size", message))
            }
        }
    }

    pub(crate) fn check_request_len(&self, len: usize) -> Result<(), Status> {
        if len <= self.request_len_max {
            return Ok(());
        }
        let max = self.request_len_max;
        let message = format!("the request has {len} bytes, more than the {max} that are allowed");
        let metadata = [("length", &*len.to_string()), ("limit", &max.to_string())];
        Err(Reason::LimitExceeded.status(message, metadata))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spec_089_090_091_page_sizes() {
        let limits = Limits::default();
        assert_eq!(limits.page_size(0).unwrap(), 50);
        assert_eq!(limits.page_size(7).unwrap(), 7);
        assert_eq!(limits.page_size(i32::MAX).unwrap(), 1_000);
        let error = limits.page_size(-1).unwrap_err();
        assert_eq!(error.code(), tonic::Code::InvalidArgument);
    }
}
