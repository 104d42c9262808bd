mod body;

use std::time::Duration;

pub use body::BodyLimits;

use lro_core::Reason;
use lro_core::store::{ListPolicy, NewOperation, Outcome};
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
///
/// The server rejects a call that exceeds a limit, with an `ErrorInfo` and the field at fault:
/// INVALID_ARGUMENT if a name, a key or an id is too long, RESOURCE_EXHAUSTED if a message is too
/// large. For oversized messages of a handler, each limit states the effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The largest request of a long-running rpc, in bytes as encoded: 1 MiB. Larger ones are
    /// RESOURCE_EXHAUSTED.
    pub request_len_max: usize,
    /// The largest metadata, in bytes as encoded: 64 KiB. A start with more is RESOURCE_EXHAUSTED.
    /// Larger metadata of a handler is dropped with one warning for each run: the operation keeps
    /// the last metadata that fitted.
    pub metadata_len_max: usize,
    /// The largest checkpoint, in bytes as encoded: 1 MiB. Larger ones are an error of
    /// [`OperationContext::checkpoint`](crate::OperationContext::checkpoint), RESOURCE_EXHAUSTED; the
    /// last one stays.
    pub checkpoint_len_max: usize,
    /// The largest response, in bytes as encoded: 1 MiB. A body that returns a larger one fails its
    /// operation with RESOURCE_EXHAUSTED and an explanation. An error of that size loses its
    /// details, and then the end of its message.
    pub response_len_max: usize,
    /// The maximum number of labels of an operation: 64, as on Google Cloud.
    pub labels_max: usize,
    /// The longest key of a label, in characters, at least one: 63, as on Google Cloud.
    pub label_key_len_max: usize,
    /// The longest value of a label, in characters: 63, as on Google Cloud.
    pub label_value_len_max: usize,
    /// The longest request id, in bytes: 128. AIP-155 recommends UUIDs, which have 36.
    pub request_id_len_max: usize,
    /// The longest exclusive key, in bytes: 512.
    pub exclusive_key_len_max: usize,
    /// The longest principal, in bytes: 512.
    pub principal_len_max: usize,
    /// The longest operation id that `prepare` may choose, in bytes: 63, as in AIP-122.
    /// [`OperationName`](lro_core::OperationName) lists the allowed characters.
    pub operation_id_len_max: usize,
    /// The maximum time that the server holds one WaitOperation call: 60 s. Then the caller calls
    /// again.
    pub wait_max: Duration,
    /// The maximum number of concurrent waits for one operation: 10,000. Further calls get its latest
    /// state immediately.
    pub waiters_per_operation_max: usize,
    /// The maximum number of concurrent waits for all operations: 100,000. Further calls get the
    /// latest state of their operation immediately.
    pub waiters_max: usize,
    /// The maximum number of concurrent subscribers to [changes](crate::changes::Changes), including
    /// watches over HTTP: 100,000. Further ones are RESOURCE_EXHAUSTED.
    pub max_change_subscribers: usize,
    /// The page size if the caller sets none: 50 operations.
    pub page_size_default: usize,
    /// The maximum page size: 1,000 operations. Larger values count as this one.
    pub page_size_max: usize,
    /// The maximum encoded size of a page, in bytes: 4 MiB, the largest message that most clients
    /// accept. A page ends before this limit with fewer operations than requested, and the next
    /// page continues there. A single operation above the limit is RESOURCE_EXHAUSTED, with its
    /// name. A server with a lower message limit ([`ServeLimits`](crate::serve::ServeLimits)) has
    /// smaller pages.
    pub max_page_len: usize,
    /// How long a page token is valid: 3 days. Older tokens are INVALID_ARGUMENT.
    pub page_token_age_max: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            request_len_max: 1024 * 1024,
            metadata_len_max: 64 * 1024,
            checkpoint_len_max: 1024 * 1024,
            response_len_max: 1024 * 1024,
            labels_max: 64,
            label_key_len_max: 63,
            label_value_len_max: 63,
            request_id_len_max: 128,
            exclusive_key_len_max: 512,
            principal_len_max: 512,
            operation_id_len_max: 63,
            wait_max: Duration::from_secs(60),
            waiters_per_operation_max: 10_000,
            waiters_max: 100_000,
            max_change_subscribers: 100_000,
            page_size_default: 50,
            page_size_max: 1_000,
            max_page_len: 4 * 1024 * 1024,
            page_token_age_max: Duration::from_secs(3 * 24 * 60 * 60),
        }
    }
}

impl Limits {
    pub(crate) fn page_size(&self, wanted: i32, policy: &ListPolicy) -> Result<usize, Status> {
        let default = policy.page_size_default.unwrap_or(self.page_size_default);
        // A page of none would never end.
        let max = policy.page_size_max.unwrap_or(self.page_size_max).max(1);
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
        if len <= self.request_len_max {
            return Ok(());
        }
        let max = self.request_len_max;
        let message = format!("the request has {len} bytes, more than the {max} that are allowed");
        let metadata = [("length", &*len.to_string()), ("limit", &max.to_string())];
        Err(Reason::LimitExceeded.status(message, metadata))
    }

    /// Everything of a start but its request.
    pub(crate) fn check_start(&self, operation: &NewOperation) -> Result<(), Status> {
        let id = operation.name.operation_id();
        let request_id = operation.request_id.as_ref().map_or("", |id| &id.id);
        let exclusive_key = operation.exclusive_key.as_deref().unwrap_or_default();
        let principal = &*operation.origin.principal;
        for (field, text, max) in [
            // Those that the engine makes are UUIDs.
            ("operation_id", id, self.operation_id_len_max.max(UUID_LEN)),
            ("request_id", request_id, self.request_id_len_max),
            ("exclusive_key", exclusive_key, self.exclusive_key_len_max),
            ("principal", principal, self.principal_len_max),
        ] {
            check_text(field, "bytes", text.len(), max)?;
        }
        check_text("labels", "entries", operation.labels.len(), self.labels_max)?;
        for (key, value) in &operation.labels {
            if key.is_empty() {
                return Err(Reason::InvalidField.field_status("labels", "has an empty key"));
            }
            let (key_len, value_len) = (key.chars().count(), value.chars().count());
            check_text(
                "labels",
                "characters in a key",
                key_len,
                self.label_key_len_max,
            )?;
            let what = "characters in a value";
            check_text("labels", what, value_len, self.label_value_len_max)?;
        }
        if let Some(metadata) = &operation.metadata {
            check_len("metadata", metadata.value.len(), self.metadata_len_max)?;
        }
        if let Some(Outcome::Response(response)) = &operation.outcome {
            check_len("response", response.value.len(), self.response_len_max)?;
        }
        Ok(())
    }

    /// Those that a running body meets.
    pub(crate) fn of_bodies(&self) -> BodyLimits {
        BodyLimits {
            metadata_len_max: self.metadata_len_max,
            checkpoint_len_max: self.checkpoint_len_max,
            response_len_max: self.response_len_max,
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
mod tests {
    use lro_core::pb::rpc;

    use super::*;

    /// spec:89 spec:90 spec:91
    #[test]
    fn page_sizes() {
        let limits = Limits::default();
        let size = |wanted, policy: &ListPolicy| limits.page_size(wanted, policy).unwrap();
        let policy = ListPolicy::default();
        assert_eq!(
            [0, 7, i32::MAX].map(|wanted| size(wanted, &policy)),
            [50, 7, 1_000]
        );
        let policy = ListPolicy::service_infrastructure();
        assert_eq!(
            [0, 7, 101].map(|wanted| size(wanted, &policy)),
            [50, 7, 100]
        );
        let policy = ListPolicy::genomics_v1();
        assert_eq!(
            [0, 7, 257].map(|wanted| size(wanted, &policy)),
            [256, 7, 256]
        );
        let error = limits.page_size(-1, &policy).unwrap_err();
        assert_eq!(error.code(), tonic::Code::InvalidArgument);
    }

    fn operation() -> NewOperation {
        let name = "operations/1".parse().unwrap();
        NewOperation::new(uuid::Uuid::nil(), name, "/s/M", lro_core::pack(&()))
    }

    fn refused(operation: &NewOperation) -> (tonic::Code, String, String) {
        use tonic_types::StatusExt as _;
        let limits = Limits::default();
        let status = limits.check_start(operation).unwrap_err();
        let details = status.get_error_details();
        let info = details.error_info().unwrap();
        let violation = &details.bad_request().unwrap().field_violations[0];
        assert_eq!(info.metadata["field"], violation.field);
        (status.code(), info.reason.clone(), violation.field.clone())
    }

    #[test]
    fn options_of_a_start_are_bounded() {
        use tonic::Code::{InvalidArgument, ResourceExhausted};
        type Fill = fn(&mut NewOperation, usize);
        let cases: [(&str, usize, tonic::Code, Fill); 10] = [
            ("operation_id", 63, InvalidArgument, |it, len| {
                it.name = format!("operations/{}", "x".repeat(len)).parse().unwrap();
            }),
            ("request_id", 128, InvalidArgument, |it, len| {
                let id = "x".repeat(len);
                it.request_id = Some(lro_core::store::RequestId {
                    id,
                    fingerprint: [0; 32],
                });
            }),
            ("exclusive_key", 512, InvalidArgument, |it, len| {
                it.exclusive_key = Some("x".repeat(len));
            }),
            ("principal", 512, InvalidArgument, |it, len| {
                it.origin.principal = "x".repeat(len);
            }),
            ("labels", 64, InvalidArgument, |it, len| {
                it.labels = (0..len).map(|n| (n.to_string(), String::new())).collect();
            }),
            ("labels", 63, InvalidArgument, |it, len| {
                it.labels = [("é".repeat(len), String::new())].into();
            }),
            ("labels", 63, InvalidArgument, |it, len| {
                it.labels = [("key".to_owned(), "é".repeat(len))].into();
            }),
            ("labels", 63, InvalidArgument, |it, len| {
                let key = if len > 63 { "" } else { "key" };
                it.labels = [(key.to_owned(), String::new())].into();
            }),
            ("metadata", 64 * 1024, ResourceExhausted, |it, len| {
                it.metadata = Some(prost_types::Any {
                    value: vec![0; len],
                    ..Default::default()
                });
            }),
            ("response", 1024 * 1024, ResourceExhausted, |it, len| {
                let any = prost_types::Any {
                    value: vec![0; len],
                    ..Default::default()
                };
                it.outcome = Some(Outcome::Response(any));
            }),
        ];
        for (field, max, code, fill) in cases {
            let mut operation = operation();
            fill(&mut operation, max);
            Limits::default().check_start(&operation).unwrap();
            fill(&mut operation, max + 1);
            let (found, reason, at) = refused(&operation);
            assert_eq!((found, &*at), (code, field));
            let expected = match code {
                ResourceExhausted => "LIMIT_EXCEEDED",
                _ => "INVALID_FIELD",
            };
            assert_eq!(reason, expected);
        }
    }

    #[test]
    fn an_error_that_is_too_large_keeps_its_code_and_what_fits_of_its_message() {
        let limits = BodyLimits {
            response_len_max: 10,
            ..Limits::default().of_bodies()
        };
        let status = rpc::Status {
            code: 5,
            message: "é".repeat(20),
            details: vec![lro_core::pack(&())],
        };
        let bounded = limits.bounded_error(status);
        assert_eq!((bounded.code, &*bounded.message), (5, "ééééé"));
        assert!(bounded.details.is_empty());
        let fits = rpc::Status {
            code: 5,
            message: "no".to_owned(),
            details: Vec::new(),
        };
        assert_eq!(limits.bounded_error(fits.clone()), fits);
    }
}
