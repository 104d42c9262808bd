//! The inspection service of a scripted server: records of its operations, as a test tells them.

use std::pin::Pin;
use std::sync::{Arc, Mutex};

use lro_core::inspection as pb;
use lro_core::inspection::inspection_server::Inspection;
use lro_core::inspection::operation_record::State;
use tokio_stream::Stream;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::{Request, Response, Status};

use super::fake::Script;
use super::types::running;

pub(super) struct Inspected(pub(super) Arc<Mutex<Script>>);

/// A record in this state.
pub(crate) fn record(state: State, method: &str, principal: &str) -> pb::OperationRecord {
    pb::OperationRecord {
        state: state.into(),
        method: format!("/google.example.v1.{method}"),
        principal: principal.to_owned(),
        ..Default::default()
    }
}

impl Inspected {
    /// The record with its operation as it is now.
    fn record(&self, name: &str) -> Option<pb::OperationRecord> {
        let script = self.0.lock().unwrap();
        let operation = Some(script.now(name)?);
        let record = script.records.get(name)?.clone();
        Some(pb::OperationRecord {
            operation,
            ..record
        })
    }

    fn called(&self, call: &str) {
        self.0.lock().unwrap().calls.push(call.to_owned());
    }
}

fn unused<T>() -> Result<Response<T>, Status> {
    Err(Status::unimplemented("no test needs it"))
}

#[tonic::async_trait]
impl Inspection for Inspected {
    async fn describe_operation(
        &self,
        request: Request<pb::DescribeOperationRequest>,
    ) -> Result<Response<pb::OperationRecord>, Status> {
        let name = request.into_inner().name;
        self.called(&format!("describe {name}"));
        let record = self.record(&name);
        record
            .map(Response::new)
            .ok_or_else(|| Status::not_found("no such operation"))
    }

    async fn list_operations(
        &self,
        request: Request<pb::ListOperationsRequest>,
    ) -> Result<Response<pb::ListOperationsResponse>, Status> {
        let query = request.into_inner();
        self.called(&format!("inspect {} {}", query.page_size, query.filter));
        let names = self.0.lock().unwrap().order.clone();
        let start: usize = query.page_token.parse().unwrap_or_default();
        let size = usize::try_from(query.page_size).unwrap().max(1);
        let page = names.iter().skip(start).take(size);
        let more = start + size < names.len();
        Ok(Response::new(pb::ListOperationsResponse {
            operations: page.filter_map(|name| self.record(name)).collect(),
            next_page_token: if more {
                (start + size).to_string()
            } else {
                String::new()
            },
        }))
    }

    type WatchOperationsStream =
        Pin<Box<dyn Stream<Item = Result<pb::WatchOperationsResponse, Status>> + Send>>;

    async fn watch_operations(
        &self,
        request: Request<pb::WatchOperationsRequest>,
    ) -> Result<Response<Self::WatchOperationsStream>, Status> {
        self.called(&format!("watch {}", request.into_inner().names.join(" ")));
        let told = self.0.lock().unwrap().watches.pop_front();
        let told = told.ok_or_else(|| Status::permission_denied("for operators only"))?;
        Ok(Response::new(Box::pin(UnboundedReceiverStream::new(told))))
    }

    async fn count_operations(
        &self,
        _: Request<pb::CountOperationsRequest>,
    ) -> Result<Response<pb::CountOperationsResponse>, Status> {
        unused()
    }

    async fn list_methods(
        &self,
        _: Request<pb::ListMethodsRequest>,
    ) -> Result<Response<pb::ListMethodsResponse>, Status> {
        unused()
    }

    async fn list_workers(
        &self,
        _: Request<pb::ListWorkersRequest>,
    ) -> Result<Response<pb::ListWorkersResponse>, Status> {
        unused()
    }

    async fn resubmit_operation(
        &self,
        request: Request<pb::ResubmitOperationRequest>,
    ) -> Result<Response<pb::ResubmitOperationResponse>, Status> {
        let name = request.into_inner().name;
        let others = self.0.lock().unwrap().resubmits_at_once.clone();
        if let Some(others) = others {
            others.wait().await;
        }
        if name.ends_with("running") {
            return Err(Status::failed_precondition("it has not ended"));
        }
        let operation = Some(running(&format!("{name}-again"), "{}"));
        Ok(Response::new(pb::ResubmitOperationResponse { operation }))
    }
}
