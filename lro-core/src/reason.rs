use tonic_types::{ErrorDetails, FieldViolation, StatusExt};

use crate::pb::rpc::Status;

/// The `domain` of every `google.rpc.ErrorInfo` which the framework itself writes.
pub const DOMAIN: &str = "longrunning.lro.rs";

const ERROR_INFO: &str = "type.googleapis.com/google.rpc.ErrorInfo";

/// The type of the resources that errors name.
const OPERATION_TYPE: &str = "google.longrunning.Operation";

/// The reason why the framework rejected a call or failed an operation: the `reason` of the
/// `google.rpc.ErrorInfo` (AIP-193), with its gRPC code.
///
/// ```
/// use lro_core::Reason;
///
/// let status = Reason::OperationNotFound.status("no operation `operations/1`", [("name", "operations/1")]);
/// assert_eq!(status.code(), tonic::Code::NotFound);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// A name, a parent or another field is malformed.
    InvalidField,
    /// The request's bytes are not the message that the rpc takes.
    RequestUndecodable,
    /// The filter of a list is malformed, or uses a feature that the service does not support.
    InvalidFilter,
    /// There is no such operation, or not any more.
    OperationNotFound,
    /// An operation of that name exists already.
    OperationAlreadyExists,
    /// The request id was used before, with another request.
    RequestIdReused,
    /// Another unfinished operation holds the exclusive key.
    ExclusiveKeyHeld,
    /// The operation has not ended, and the call is for ended ones.
    OperationNotDone,
    /// The server process does not serve the rpc that started the operation.
    MethodNotServed,
    /// A limit of the server was exceeded.
    LimitExceeded,
    /// The call exceeded its deadline.
    DeadlineExceeded,
    /// The server is shutting down.
    ShuttingDown,
    /// The server has no such method, or it is disabled.
    Unimplemented,
    /// The caller's credentials are missing or not valid.
    Unauthenticated,
    /// The caller may not do this, or the resource does not exist.
    PermissionDenied,
    /// The caller's token has none of the scopes that the service requires.
    ScopesInsufficient,
    /// The server's settings contradict its handlers.
    ServiceMisconfigured,
    /// The server failed unexpectedly.
    Internal,
    /// The operation was cancelled.
    OperationCancelled,
    /// The worker was lost and the operation may not run again.
    OperationInterrupted,
    /// The operation has used up its attempts.
    AttemptsExhausted,
    /// A run of the operation exceeded the method's timeout.
    OperationTimedOut,
    /// The handler panicked.
    HandlerPanicked,
    /// The handler returned the code 0 (OK) as an error.
    HandlerMisbehaved,
    /// A stored request, metadata or checkpoint does not have the type that the handler expects
    /// now.
    PayloadUnreadable,
    /// The operation has ended, and the call is for one that has not.
    OperationDone,
    /// The promise has an outcome already.
    PromiseCompleted,
    /// The body waits for a promise that its method does not declare.
    PromiseUndeclared,
    /// The operation no longer waits for the promise.
    PromiseExpired,
    /// The name of a durable call is malformed.
    StepNameInvalid,
    /// Two durable calls with the same name run side by side, so that their order does not tell which is which.
    StepNameAmbiguous,
    /// A durable call was made inside the closure of a step.
    StepNested,
    /// A durable call is under way that would be forgotten.
    StepUnderWay,
    /// A step that runs at most once was interrupted: whether it had an effect is unknown.
    StepInterrupted,
    /// A durable call was recorded as another kind of call, or with another type, than the code makes now.
    StepChanged,
    /// The code makes a new durable call before one that is recorded.
    StepOrderChanged,
    /// Some steps of a saga are not undone: an undo has failed, was not reached, or no attempt was left.
    UndoIncomplete,
    /// The operation has no such durable call recorded.
    StepNotFound,
    /// A worker runs the operation, and the call is for one that waits.
    OperationRunning,
    /// The operation is not blocked.
    OperationNotBlocked,
    /// The store cannot be reached.
    StoreUnavailable,
    /// The store is full.
    StoreFull,
    /// The stored data is corrupt.
    StoreCorrupt,
}

impl Reason {
    /// The text in `ErrorInfo.reason`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidField => "INVALID_FIELD",
            Self::RequestUndecodable => "REQUEST_UNDECODABLE",
            Self::InvalidFilter => "INVALID_FILTER",
            Self::OperationNotFound => "OPERATION_NOT_FOUND",
            Self::OperationAlreadyExists => "OPERATION_ALREADY_EXISTS",
            Self::RequestIdReused => "REQUEST_ID_REUSED",
            Self::ExclusiveKeyHeld => "EXCLUSIVE_KEY_HELD",
            Self::OperationNotDone => "OPERATION_NOT_DONE",
            Self::MethodNotServed => "METHOD_NOT_SERVED",
            Self::LimitExceeded => "LIMIT_EXCEEDED",
            Self::DeadlineExceeded => "DEADLINE_EXCEEDED",
            Self::ShuttingDown => "SHUTTING_DOWN",
            Self::Unimplemented => "UNIMPLEMENTED_HERE",
            Self::Unauthenticated => "UNAUTHENTICATED",
            Self::PermissionDenied => "PERMISSION_DENIED",
            Self::ScopesInsufficient => "ACCESS_TOKEN_SCOPE_INSUFFICIENT",
            Self::ServiceMisconfigured => "SERVICE_MISCONFIGURED",
            Self::Internal => "INTERNAL_ERROR",
            Self::OperationCancelled => "OPERATION_CANCELLED",
            Self::OperationInterrupted => "OPERATION_INTERRUPTED",
            Self::AttemptsExhausted => "ATTEMPTS_EXHAUSTED",
            Self::OperationTimedOut => "OPERATION_TIMED_OUT",
            Self::HandlerPanicked => "HANDLER_PANICKED",
            Self::HandlerMisbehaved => "HANDLER_MISBEHAVED",
            Self::PayloadUnreadable => "PAYLOAD_UNREADABLE",
            Self::OperationDone => "OPERATION_DONE",
            Self::PromiseCompleted => "PROMISE_COMPLETED",
            Self::PromiseExpired => "PROMISE_EXPIRED",
            Self::PromiseUndeclared => "PROMISE_UNDECLARED",
            Self::StepNameInvalid => "STEP_NAME_INVALID",
            Self::StepNameAmbiguous => "STEP_NAME_AMBIGUOUS",
            Self::StepNested => "STEP_NESTED",
            Self::StepUnderWay => "STEP_UNDER_WAY",
            Self::StepInterrupted => "STEP_INTERRUPTED",
            Self::StepChanged => "STEP_CHANGED",
            Self::StepOrderChanged => "STEP_ORDER_CHANGED",
            Self::UndoIncomplete => "UNDO_INCOMPLETE",
            Self::StepNotFound => "STEP_NOT_FOUND",
            Self::OperationRunning => "OPERATION_RUNNING",
            Self::OperationNotBlocked => "OPERATION_NOT_BLOCKED",
            Self::StoreUnavailable => "STORE_UNAVAILABLE",
            Self::StoreFull => "STORE_FULL",
            Self::StoreCorrupt => "STORE_CORRUPT",
        }
    }

    /// The gRPC code of the reason.
    pub const fn code(self) -> tonic::Code {
        use tonic::Code;
        match self {
            Self::InvalidField
            | Self::RequestUndecodable
            | Self::InvalidFilter
            | Self::RequestIdReused => Code::InvalidArgument,
            Self::OperationNotFound | Self::StepNotFound => Code::NotFound,
            Self::OperationAlreadyExists | Self::PromiseCompleted => Code::AlreadyExists,
            Self::ExclusiveKeyHeld
            | Self::OperationInterrupted
            | Self::AttemptsExhausted
            | Self::UndoIncomplete
            | Self::StepInterrupted => Code::Aborted,
            Self::OperationNotDone
            | Self::OperationDone
            | Self::OperationRunning
            | Self::OperationNotBlocked
            | Self::PromiseExpired
            | Self::MethodNotServed
            | Self::StepNested
            | Self::StepUnderWay
            | Self::StepChanged
            | Self::StepOrderChanged => Code::FailedPrecondition,
            Self::LimitExceeded | Self::StoreFull => Code::ResourceExhausted,
            Self::Unimplemented => Code::Unimplemented,
            Self::Unauthenticated => Code::Unauthenticated,
            Self::PermissionDenied | Self::ScopesInsufficient => Code::PermissionDenied,
            Self::ServiceMisconfigured | Self::Internal => Code::Internal,
            Self::OperationCancelled => Code::Cancelled,
            Self::OperationTimedOut | Self::DeadlineExceeded => Code::DeadlineExceeded,
            Self::HandlerPanicked
            | Self::HandlerMisbehaved
            | Self::PayloadUnreadable
            | Self::PromiseUndeclared
            | Self::StepNameInvalid
            | Self::StepNameAmbiguous => Code::Internal,
            Self::StoreUnavailable | Self::ShuttingDown => Code::Unavailable,
            Self::StoreCorrupt => Code::DataLoss,
        }
    }

    /// An rpc error with an `ErrorInfo`. The dynamic parts of the message stand in `metadata`.
    pub fn status<'a>(
        self,
        message: impl Into<String>,
        metadata: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> tonic::Status {
        tonic::Status::with_error_details(self.code(), message, self.details(metadata))
    }

    /// An rpc error with an `ErrorInfo` and a `BadRequest` that names the field at fault.
    pub fn field_status(self, field: &str, description: impl Into<String>) -> tonic::Status {
        self.field_status_with(field, description, [])
    }

    /// The same, with the dynamic parts of the description also in the `ErrorInfo`.
    pub fn field_status_with<'a>(
        self,
        field: &'a str,
        description: impl Into<String>,
        metadata: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> tonic::Status {
        let description = description.into();
        let message = format!("{field}: {description}");
        let mut details = self.details([("field", field)].into_iter().chain(metadata));
        details.set_bad_request(vec![FieldViolation::new(field, description)]);
        tonic::Status::with_error_details(self.code(), message, details)
    }

    /// An rpc error with an `ErrorInfo` and a `ResourceInfo` that names the operation, or the parent
    /// of operations, in question.
    pub fn resource_status<'a>(
        self,
        message: impl Into<String>,
        resource: &'a str,
        metadata: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> tonic::Status {
        let mut details = self.details(metadata.into_iter().chain([("name", resource)]));
        details.set_resource_info(OPERATION_TYPE, resource, "", "");
        tonic::Status::with_error_details(self.code(), message, details)
    }

    /// The error of an operation, with an `ErrorInfo`.
    pub fn operation_error<'a>(
        self,
        message: impl Into<String>,
        metadata: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Status {
        Status {
            code: self.code() as i32,
            message: message.into(),
            details: vec![self.detail(metadata)],
        }
    }

    /// The `ErrorInfo` alone, to be added to the details of an error.
    ///
    /// ```
    /// use lro_core::Reason;
    ///
    /// let mut error = Reason::OperationCancelled.operation_error("cancelled", []);
    /// error.details.push(Reason::UndoIncomplete.detail([("steps", "create-network")]));
    /// assert!(Reason::UndoIncomplete.is_told_by(&error));
    /// ```
    pub fn detail<'a>(
        self,
        metadata: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> prost_types::Any {
        prost_types::Any {
            type_url: ERROR_INFO.to_owned(),
            value: self.encode_info(metadata),
        }
    }

    /// Whether one of the error's details is an `ErrorInfo` of the framework with this reason.
    pub fn is_told_by(self, error: &Status) -> bool {
        use prost::Message as _;
        use tonic_types::pb::ErrorInfo;
        let mut infos = error
            .details
            .iter()
            .filter(|detail| detail.type_url == ERROR_INFO)
            .filter_map(|detail| ErrorInfo::decode(&*detail.value).ok());
        infos.any(|info| info.domain == DOMAIN && info.reason == self.as_str())
    }

    /// Equal input gives equal bytes: they are stored, and all stores must write the same record. A
    /// hash map has no order, so each entry is encoded on its own; the concatenation of messages is
    /// their union.
    fn encode_info<'a>(self, metadata: impl IntoIterator<Item = (&'a str, &'a str)>) -> Vec<u8> {
        use prost::Message as _;
        use tonic_types::pb::ErrorInfo;
        let head = ErrorInfo {
            reason: self.as_str().to_owned(),
            domain: DOMAIN.to_owned(),
            ..Default::default()
        };
        let mut bytes = head.encode_to_vec();
        for entry in metadata {
            let entry = ErrorInfo {
                metadata: own([entry]),
                ..Default::default()
            };
            bytes.extend(entry.encode_to_vec());
        }
        bytes
    }

    fn details<'a>(self, metadata: impl IntoIterator<Item = (&'a str, &'a str)>) -> ErrorDetails {
        ErrorDetails::with_error_info(self.as_str(), DOMAIN, own(metadata))
    }
}

fn own<'a>(
    metadata: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> std::collections::HashMap<String, String> {
    metadata
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// spec:135
    #[test]
    fn an_error_carries_one_error_info() {
        let status = Reason::RequestIdReused.field_status("request_id", "was used before");
        let details = status.get_error_details();
        let info = details.error_info().unwrap();
        assert_eq!(info.reason, "REQUEST_ID_REUSED");
        assert_eq!(info.domain, DOMAIN);
        assert_eq!(info.metadata["field"], "request_id");
        let violations = &details.bad_request().unwrap().field_violations;
        assert_eq!(violations[0].field, "request_id");
    }

    /// spec:26
    #[test]
    fn the_error_of_an_operation_is_never_ok() {
        let error = Reason::AttemptsExhausted.operation_error("gave up", []);
        assert_eq!(error.code, tonic::Code::Aborted as i32);
        assert_eq!(error.details.len(), 1);
    }
    #[test]
    fn the_error_of_an_operation_is_the_same_to_the_byte_each_time() {
        use prost::Message as _;
        let entries = [("z", "1"), ("a", "2"), ("m", "3"), ("b", "4")];
        let make = || Reason::AttemptsExhausted.operation_error("gave up", entries);
        let error = make();
        assert!((0..50).all(|_| make() == error));
        let info = tonic_types::pb::ErrorInfo::decode(&*error.details[0].value).unwrap();
        assert_eq!(info.reason, "ATTEMPTS_EXHAUSTED");
        assert_eq!(info.domain, DOMAIN);
        assert_eq!(info.metadata, own(entries));
    }
}
