mod body;

use std::time::Duration;

pub use body::BodyLimits;

use lro_core::Reason;
use lro_core::store::{ListPolicy, NewOperation, OperationOutcome};
use tonic::Status;

use crate::setters::setters;

/// The limits of a server, each with its default.
///
/// ```
/// use std::time::Duration;
/// use lro_server::Limits;
///
/// let limits = Limits::default().max_wait(Duration::from_secs(20));
/// assert_eq!(limits.max_page_size, 1_000);
/// ```
///
/// The server rejects a call that exceeds a limit, with an `ErrorInfo` and the field at fault:
/// INVALID_ARGUMENT if a name, a key or an id is too long, RESOURCE_EXHAUSTED if a message is too
/// large. For oversized messages of a handler, each limit states the effect.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The largest request of a long-running rpc, in bytes as encoded: 1 MiB. Larger ones are
    /// RESOURCE_EXHAUSTED.
    pub max_request_len: usize,
    /// The largest metadata, in bytes as encoded: 64 KiB. A start with more is RESOURCE_EXHAUSTED.
    /// Larger metadata of a handler is dropped with one warning for each run: the operation keeps
    /// the last metadata that fitted.
    pub max_metadata_len: usize,
    /// The largest checkpoint, in bytes as encoded: 1 MiB. Larger ones are an error of
    /// [`OperationContext::checkpoint`](crate::OperationContext::checkpoint), RESOURCE_EXHAUSTED; the
    /// last one stays.
    pub max_checkpoint_len: usize,
    /// The largest response, in bytes as encoded: 1 MiB. A body that returns a larger one fails its
    /// operation with RESOURCE_EXHAUSTED and an explanation. An error of that size loses its
    /// details, and then the end of its message.
    pub max_response_len: usize,
    /// The maximum number of labels of an operation: 64, as on Google Cloud.
    pub max_labels: usize,
    /// The longest key of a label, in characters, at least one: 63, as on Google Cloud.
    pub max_label_key_len: usize,
    /// The longest value of a label, in characters: 63, as on Google Cloud.
    pub max_label_value_len: usize,
    /// The longest request id, in bytes: 128. AIP-155 recommends UUIDs, which have 36.
    pub max_request_id_len: usize,
    /// The longest exclusive key, in bytes: 512.
    pub max_exclusive_key_len: usize,
    /// The longest principal, in bytes: 512.
    pub max_principal_len: usize,
    /// The longest operation id that `prepare` may choose, in bytes: 63, as in AIP-122.
    /// [`OperationName`](lro_core::OperationName) lists the allowed characters.
    pub max_operation_id_len: usize,
    /// The maximum time that the server holds one WaitOperation call: 60 s. Then the caller calls
    /// again.
    pub max_wait: Duration,
    /// The maximum number of concurrent waits for one operation: 10,000. Further calls get its latest
    /// state immediately.
    pub max_waiters_per_operation: usize,
    /// The maximum number of concurrent waits for all operations: 100,000. Further calls get the
    /// latest state of their operation immediately.
    pub max_waiters: usize,
    /// The maximum number of concurrent subscribers to [changes](crate::changes::Changes), including
    /// watches over HTTP: 100,000. Further ones are RESOURCE_EXHAUSTED.
    pub max_change_subscribers: usize,
    /// The page size if the caller sets none: 50 operations.
    pub default_page_size: usize,
    /// The maximum page size: 1,000 operations. Larger values count as this one.
    pub max_page_size: usize,
    /// The maximum encoded size of a page, in bytes: 4 MiB, the largest message that most clients
    /// accept. A page ends before this limit with fewer operations than requested, and the next
    /// page continues there. A single operation above the limit is RESOURCE_EXHAUSTED, with its
    /// name. A server with a lower message limit ([`ServeLimits`](crate::serve::ServeLimits)) has
    /// smaller pages.
    pub max_page_len: usize,
    /// How long a page token is valid: 3 days. Older tokens are INVALID_ARGUMENT.
    pub max_page_token_age: Duration,
}

setters!(Limits {
    max_request_len: usize,
    max_metadata_len: usize,
    max_checkpoint_len: usize,
    max_response_len: usize,
    max_labels: usize,
    max_label_key_len: usize,
    max_label_value_len: usize,
    max_request_id_len: usize,
    max_exclusive_key_len: usize,
    max_principal_len: usize,
    max_operation_id_len: usize,
    max_wait: Duration,
    max_waiters_per_operation: usize,
    max_waiters: usize,
    max_change_subscribers: usize,
    default_page_size: usize,
    max_page_size: usize,
    max_page_len: usize,
    max_page_token_age: Duration,
});

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_request_len: 1024 * 1024,
            max_metadata_len: 64 * 1024,
            max_checkpoint_len: 1024 * 1024,
            max_response_len: 1024 * 1024,
            max_labels: 64,
            max_label_key_len: 63,
            max_label_value_len: 63,
            max_request_id_len: 128,
            max_exclusive_key_len: 512,
            max_principal_len: 512,
            max_operation_id_len: 63,
            max_wait: Duration::from_secs(60),
            max_waiters_per_operation: 10_000,
            max_waiters: 100_000,
            max_change_subscribers: 100_000,
            default_page_size: 50,
            max_page_size: 1_000,
            max_page_len: 4 * 1024 * 1024,
            max_page_token_age: Duration::from_secs(3 * 24 * 60 * 60),
        }
    }
}

impl Limits {
    pub(crate) fn page_size(&self, wanted: i32, policy: &ListPolicy) -> Result<usize, Status> {
        let default = policy.default_page_size.unwrap_or(self.default_page_size);
        // A page of none would never end.
        let max = policy.max_page_size.unwrap_or(self.max_page_size).max(1);
        match usize::try_from(wanted) {
            Ok(0) => Ok(default.clamp(1, max)),
            Ok(wanted) => Ok(wanted.min(max)),
            Err(_) => {
                let message = "is negative; leave it at 0 for the default";
                Err(Reason::InvalidField.field_status("page_size", message))
            }
        }
    }

    pub(crate) fn check_request_len(&self, len: usize) -> Result<(), Status> {
        if len <= self.max_request_len {
            return Ok(());
        }
        let max = self.max_request_len;
        let message = format!("the request has {len} bytes, more than the {max} that are allowed");
        let metadata = [("length", &*len.to_string()), ("limit", &max.to_string())];
        Err(Reason::LimitExceeded.status(message, metadata))
    }

    /// Everything of a start but its request.
    pub(crate) fn check_start(&self, operation: &NewOperation) -> Result<(), Status> {
        let id = operation.name.operation_id();
        let request_id = operation.request_id.as_ref().map_or("", |id| &id.id);
        let exclusive_key = operation.exclusive_key.as_deref().unwrap_or_default();
        for (field, text, max) in [
            // Those that the engine makes are UUIDs.
            ("operation_id", id, self.max_operation_id_len.max(UUID_LEN)),
            ("request_id", request_id, self.max_request_id_len),
            ("exclusive_key", exclusive_key, self.max_exclusive_key_len),
        ] {
            check_text(field, "bytes", text.len(), max)?;
        }
        self.check_principal(&operation.origin.principal)?;
        check_text("labels", "entries", operation.labels.len(), self.max_labels)?;
        for (key, value) in &operation.labels {
            if key.is_empty() {
                return Err(Reason::InvalidField.field_status("labels", "has an empty key"));
            }
            let (key_len, value_len) = (key.chars().count(), value.chars().count());
            check_text(
                "labels",
                "characters in a key",
                key_len,
                self.max_label_key_len,
            )?;
            let what = "characters in a value";
            check_text("labels", what, value_len, self.max_label_value_len)?;
        }
        if let Some(metadata) = &operation.metadata {
            check_len("metadata", metadata.value.len(), self.max_metadata_len)?;
        }
        if let Some(OperationOutcome::Response(response)) = &operation.outcome {
            check_len("response", response.value.len(), self.max_response_len)?;
        }
        Ok(())
    }

    /// The principal of a caller whom a record is about to name.
    pub(crate) fn check_principal(&self, principal: &str) -> Result<(), Status> {
        check_text(
            "principal",
            "bytes",
            principal.len(),
            self.max_principal_len,
        )
    }

    /// Those that a running body meets.
    pub(crate) fn of_bodies(&self) -> BodyLimits {
        BodyLimits {
            max_metadata_len: self.max_metadata_len,
            max_checkpoint_len: self.max_checkpoint_len,
            max_response_len: self.max_response_len,
        }
    }
}

const UUID_LEN: usize = 36;

/// A caller's text, or how many of something.
fn check_text(field: &str, what: &str, len: usize, max: usize) -> Result<(), Status> {
    if len <= max {
        return Ok(());
    }
    let description = format!("has {len} {what}, more than the {max} that are allowed");
    let metadata = [("length", &*len.to_string()), ("limit", &max.to_string())];
    Err(Reason::InvalidField.field_status_with(field, description, metadata))
}

/// A message.
pub(crate) fn check_len(field: &str, len: usize, max: usize) -> Result<(), Status> {
    if len <= max {
        return Ok(());
    }
    let description = format!("has {len} bytes, more than the {max} that are allowed");
    let metadata = [("length", &*len.to_string()), ("limit", &max.to_string())];
    Err(Reason::LimitExceeded.field_status_with(field, description, metadata))
}

#[cfg(test)]
mod tests;
