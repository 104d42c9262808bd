//! The limits of messages that a body makes.

use lro_core::Reason;
use lro_core::pb::rpc;
use lro_core::store::OperationOutcome;

/// The limits that a running body meets:
/// [`OperationContext::limits`](crate::OperationContext::limits).
///
/// They are those of the [`Limits`](crate::Limits) of its worker's process.
///
/// ```
/// # use lro_server::OperationContext;
/// fn rows_per_page(operation: &OperationContext<()>, row_len: usize) -> usize {
///     operation.limits().max_response_len() / row_len
/// }
/// # assert_eq!(rows_per_page(&OperationContext::detached(), 1024), 1024);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyLimits {
    pub(crate) max_metadata_len: usize,
    pub(crate) max_checkpoint_len: usize,
    pub(crate) max_response_len: usize,
}

impl BodyLimits {
    /// The largest response, in bytes as encoded: [`Limits::max_response_len`](crate::Limits::max_response_len). A larger one fails the
    /// operation.
    pub fn max_response_len(&self) -> usize {
        self.max_response_len
    }

    /// The largest checkpoint, in bytes as encoded: [`Limits::max_checkpoint_len`](crate::Limits::max_checkpoint_len). A larger one is
    /// refused, and the body continues.
    pub fn max_checkpoint_len(&self) -> usize {
        self.max_checkpoint_len
    }

    /// The largest metadata, in bytes as encoded: [`Limits::max_metadata_len`](crate::Limits::max_metadata_len). Larger ones are left
    /// out.
    pub fn max_metadata_len(&self) -> usize {
        self.max_metadata_len
    }

    /// The outcome of an operation whose handler returned a response or an error of any size.
    pub(crate) fn bounded(self, outcome: OperationOutcome) -> OperationOutcome {
        let max = self.max_response_len;
        match outcome {
            OperationOutcome::Response(response) if response.value.len() > max => {
                let len = response.value.len();
                tracing::warn!(
                    len,
                    max,
                    "response too large: the operation fails; raise `Limits::max_response_len`"
                );
                let message = format!(
                    "the response has {len} bytes, more than the {max} that \
                     `Limits::max_response_len` allows"
                );
                let metadata = [
                    ("field", "response"),
                    ("length", &*len.to_string()),
                    ("limit", &max.to_string()),
                ];
                OperationOutcome::Error(Reason::LimitExceeded.operation_error(message, metadata))
            }
            OperationOutcome::Error(status) => OperationOutcome::Error(self.bounded_error(status)),
            OperationOutcome::Response(_) | OperationOutcome::Cancelled => outcome,
        }
    }

    /// An error that a store can keep.
    pub(crate) fn bounded_error(self, mut status: rpc::Status) -> rpc::Status {
        use prost::Message as _;
        let (len, max) = (status.encoded_len(), self.max_response_len);
        if len <= max {
            return status;
        }
        tracing::warn!(
            len,
            max,
            "a handler's error is too large; its details are dropped"
        );
        status.details.clear();
        let end = (0..=max.min(status.message.len())).rev();
        let end = end
            .into_iter()
            .find(|end| status.message.is_char_boundary(*end));
        status.message.truncate(end.unwrap_or(0));
        status
    }
}
