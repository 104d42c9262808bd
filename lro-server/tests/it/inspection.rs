//! The service `lro.v1.Inspection`.

mod access;
mod describing;
mod isolation;
mod listing;
mod operators;
mod repairing;
mod resubmitting;
mod steps;
mod watching;

use lro_core::inspection as pb;
use lro_core::inspection::OperationRecord;
use lro_core::inspection::inspection_server::Inspection as _;
use lro_server::Operations;
use lro_server::inspection::InspectionService;
use tonic::{Request, Status};

/// The service without a socket.
fn service(operations: &Operations) -> InspectionService {
    operations.clone().into()
}

async fn describe(operations: &Operations, name: &str) -> Result<OperationRecord, Status> {
    let request = pb::DescribeOperationRequest {
        name: name.to_owned(),
        unredacted: false,
    };
    let inspection = service(operations);
    let answer = inspection.describe_operation(Request::new(request));
    Ok(answer.await?.into_inner())
}

/// The name of the record's operation.
fn name_of(record: &OperationRecord) -> &str {
    &record.operation.as_ref().unwrap().name
}
