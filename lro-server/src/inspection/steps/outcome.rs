//! The outcome of a promise, from the wire.

use lro_core::inspection::complete_promise_request::Outcome;
use lro_core::pb::rpc;
use lro_core::store::StepOutcome;
use lro_core::{Reason, type_name};
use prost_types::Any;
use tonic::Status;

/// The greatest code of `google.rpc.Code`.
const MAX_CODE: i32 = 16;

pub(super) fn of(outcome: Option<Outcome>) -> Result<StepOutcome, Status> {
    match outcome {
        Some(Outcome::Response(response)) => Ok(StepOutcome::Response(typed(response)?)),
        Some(Outcome::Error(error)) => Ok(StepOutcome::Error(failed(error)?)),
        None => {
            let message = "is not set; give a response or an error";
            Err(Reason::InvalidField.field_status("outcome", message))
        }
    }
}

fn typed(response: Any) -> Result<Any, Status> {
    let name = type_name(&response.type_url);
    if response.type_url.contains('/') && !name.is_empty() {
        return Ok(response);
    }
    let message = format!(
        "{:?} names no type; write it as `type.googleapis.com/google.protobuf.BoolValue`",
        response.type_url
    );
    Err(Reason::InvalidField.field_status("response.type_url", message))
}

fn failed(error: rpc::Status) -> Result<rpc::Status, Status> {
    if (1..=MAX_CODE).contains(&error.code) {
        return Ok(error);
    }
    let message = format!(
        "{} is no code of an error; give one from 1 to {MAX_CODE}",
        error.code
    );
    Err(Reason::InvalidField.field_status("error.code", message))
}
