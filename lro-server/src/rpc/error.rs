//! How failures of the store, and refused starts, become the errors of calls.

use lro_core::store::{ChildRefusal, Refusal, StartError, StoreError, StoreErrorKind};
use lro_core::{InvalidName, OperationName, Reason};
use tonic::Status;

/// The answer to a call when the store has failed.
pub(crate) fn store_failed(error: &StoreError) -> Status {
    tracing::error!(error = ?error, "the store of operations failed");
    let (reason, message) = match error.kind() {
        StoreErrorKind::Full => (Reason::StoreFull, "the store of operations is full"),
        StoreErrorKind::Corrupt => (
            Reason::StoreCorrupt,
            "the stored operation cannot be read or written",
        ),
        _ => (
            Reason::StoreUnavailable,
            "the store of operations is not available",
        ),
    };
    reason.status(message, [])
}

/// The answer to a start that made no operation.
pub(crate) fn start_refused(error: &StartError) -> Status {
    let (reason, name) = match error {
        StartError::AlreadyExists(name) => (Reason::OperationAlreadyExists, name),
        StartError::RequestIdReused(_) => {
            return Reason::RequestIdReused.field_status("request_id", error.to_string());
        }
        StartError::ExclusiveKeyHeld(name) => (Reason::ExclusiveKeyHeld, name),
        StartError::Child(refusal) => return child_refused(refusal),
        _ => return Reason::StoreUnavailable.status(error.to_string(), []),
    };
    reason.resource_status(error.to_string(), name.as_str(), [])
}

/// The answer to the start of a child that its parent refuses.
fn child_refused(refusal: &ChildRefusal) -> Status {
    let message = refusal.to_string();
    match refusal {
        ChildRefusal::NotItsChild(_) => Reason::RequestIdReused.field_status("request_id", message),
        ChildRefusal::Parent(Refusal::Stale | Refusal::NotFound) => {
            Reason::OperationInterrupted.status(message, [])
        }
        ChildRefusal::Parent(refusal) => refusal.reason().status(message, []),
        _ => Reason::Internal.status(message, []),
    }
}

/// The answer to a start that the named operation is in the way of, to one who may not know of it.
pub(crate) fn start_refused_to_stranger(error: &StartError) -> Status {
    match error {
        StartError::ExclusiveKeyHeld(_) => {
            let message = "another operation holds the exclusive key and has not finished";
            Reason::ExclusiveKeyHeld.status(message, [])
        }
        // The name is the caller's own choice, so this reveals nothing new.
        StartError::AlreadyExists(name) => {
            let message = format!("permission denied to start operation `{name}`");
            Reason::PermissionDenied.resource_status(message, name.as_str(), [])
        }
        error => start_refused(error),
    }
}

/// The answer to a call for an operation that is not there.
pub(crate) fn not_found(name: &OperationName) -> Status {
    let message = format!("there is no operation `{name}`");
    Reason::OperationNotFound.resource_status(message, name.as_str(), [])
}

/// The answer to a call with a malformed parent.
#[cfg(feature = "inspection")]
pub(crate) fn invalid_parent(error: &InvalidName) -> Status {
    Reason::InvalidField.field_status("parent", error.to_string())
}

/// The answer to a call with a malformed name.
pub(crate) fn invalid_name(error: &InvalidName) -> Status {
    Reason::InvalidField.field_status("name", error.to_string())
}
