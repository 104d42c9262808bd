//! The error that an outcome of a body stands for.

use crate::pb::rpc::Status;
use crate::reason::Reason;
use crate::store::OperationOutcome;

/// The error of an outcome; of a response, that it came too early.
pub(super) fn error(outcome: OperationOutcome) -> Status {
    match outcome {
        OperationOutcome::Response(_) => {
            let message =
                "the handler returned a response while a saga was open, or a child had not ended";
            Reason::HandlerMisbehaved.operation_error(message, [])
        }
        OperationOutcome::Error(status) => never_ok(status),
        OperationOutcome::Cancelled => {
            Reason::OperationCancelled.operation_error("the operation was cancelled", [])
        }
    }
}

pub(super) fn never_ok(status: Status) -> Status {
    if status.code != tonic::Code::Ok as i32 {
        return status;
    }
    Reason::HandlerMisbehaved.operation_error("the handler gave OK as its error", [])
}
