//! The new operation that a start asks for.

use lro_core::OperationName;
use lro_core::store::{NewOperation, Origin};
use tonic::Status;
use uuid::Uuid;

use super::request::{CallOrigin, StartRequest};
use super::request_id;
use super::start_time::checked_start_time;
use crate::access::Principal;

/// # Errors
///
/// INTERNAL for a response of another type; INVALID_ARGUMENT for a malformed request id or a start time that
/// cannot be meant.
pub(super) fn new_operation(
    start: StartRequest,
    uid: Uuid,
    name: OperationName,
    principal: &Principal,
    origin: &CallOrigin,
) -> Result<NewOperation, Status> {
    let StartRequest {
        method,
        method_options,
        request,
        fields,
        metadata,
        choices,
    } = start;
    let response = choices.response;
    let outcome = response.map(|response| method.checked_response(response));
    let owner = if choices.principal.is_empty() {
        principal.name().to_owned()
    } else {
        choices.principal
    };
    let request_id = choices.request_id.unwrap_or(fields.request_id);
    let standard_metadata = method_options
        .standard_fields
        .then(|| (method.standard_metadata)(&fields.target))
        .flatten();
    let mut operation = NewOperation::new(uid, name, method.path, request);
    operation.outcome = outcome.transpose()?;
    operation.metadata = metadata;
    operation.labels = choices.labels;
    operation.request_id = request_id::of(&request_id, &owner, &operation.request)?;
    operation.exclusive_key = choices.exclusive_key;
    operation.ready_time = choices.start_time.map(checked_start_time).transpose()?;
    operation.policy = method_options.policy;
    operation.origin = Origin {
        principal: owner,
        trace_parent: origin.header("traceparent"),
        trace_state: origin.header("tracestate"),
        standard_metadata,
    };
    Ok(operation)
}
