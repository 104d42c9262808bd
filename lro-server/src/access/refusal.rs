//! Error responses for denied callers.

use lro_core::{OperationName, ParentPattern, Reason};
use tonic::Status;

use super::OperationsRpc;
use crate::services::ServiceSettings;

/// One text for what is not allowed and for what is not there (AIP-193, AIP-211).
pub(super) fn denied(permission: &str, resource: &str) -> Status {
    let message =
        format!("permission `{permission}` denied on `{resource}` (or it might not exist)");
    Reason::PermissionDenied.resource_status(message, resource, [("permission", permission)])
}

pub(super) fn scopes_missing(permission: &str, resource: &str) -> Status {
    let message = format!("the token has none of the scopes that `{permission}` needs");
    Reason::ScopesInsufficient.resource_status(message, resource, [("permission", permission)])
}

pub(super) fn start_denied(rpc: &str, name: &OperationName) -> Status {
    let parent = collection(name.parent());
    let message = format!("permission denied to start operations of `{rpc}` in `{parent}`");
    Reason::PermissionDenied.resource_status(message, &parent, [("method", rpc)])
}

pub(super) fn unimplemented(method: OperationsRpc, service: &ServiceSettings) -> Status {
    let (rpc, service) = (method.name(), service.name());
    match service {
        "" => {
            let message = format!("{rpc} is not offered by this server");
            Reason::Unimplemented.status(message, [("method", rpc)])
        }
        service => {
            let message = format!("{rpc} is not offered for operations of {service}");
            Reason::Unimplemented.status(message, [("method", rpc), ("service", service)])
        }
    }
}

pub(super) fn no_such_parent(parent: &ParentPattern) -> Status {
    let parent = collection(parent.as_str());
    let message = format!("no service has operations in `{parent}`");
    Reason::OperationNotFound.resource_status(message, &parent, [])
}

/// The collection of operations below a parent.
pub(super) fn collection(parent: &str) -> String {
    match parent {
        "" => "operations".to_owned(),
        parent => format!("{parent}/operations"),
    }
}
