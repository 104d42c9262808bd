//! How an operation of the kit has ended.

use std::fmt;

use lro_core::pb::rpc;
use lro_core::store::{OperationRecord, OperationResult};
use lro_core::{Reason, unpack};
use prost::{Message as _, Name};
use prost_types::Any;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

/// The end of an operation, which can be compared.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Outcome {
    Response(Any),
    Error(rpc::Status),
}

impl Outcome {
    pub(super) fn of(record: &OperationRecord) -> Option<Self> {
        Some(match record.result.clone()? {
            OperationResult::Response(response) => Self::Response(response),
            OperationResult::Error(error) => Self::Error(error),
        })
    }

    /// Whether a step that runs at most once was interrupted, which its author accepts.
    pub(super) fn is_interruption(&self) -> bool {
        let Self::Error(error) = self else {
            return false;
        };
        let details = status(error).get_error_details();
        let info = details.error_info();
        info.is_some_and(|info| info.reason == Reason::StepInterrupted.as_str())
    }

    pub(super) fn to_result<R>(&self) -> Result<R, Status>
    where
        R: prost::Message + Name + Default + 'static,
    {
        match self {
            Self::Response(response) => unpack(response)
                .map_err(|error| Status::internal(format!("the response cannot be read: {error}"))),
            Self::Error(error) => Err(status(error)),
        }
    }

    /// As people read it.
    pub(super) fn shown<R>(&self) -> String
    where
        R: prost::Message + Name + Default + fmt::Debug + 'static,
    {
        match self.to_result::<R>() {
            Ok(response) => format!("{response:?}"),
            Err(error) => format!("{:?}: {}", error.code(), error.message()),
        }
    }
}

/// The status of a stored error.
pub(super) fn status(error: &rpc::Status) -> Status {
    let code = Code::from_i32(error.code);
    Status::with_details(code, error.message.clone(), error.encode_to_vec().into())
}
