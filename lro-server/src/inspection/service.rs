//! The rpcs of the service.

use futures_util::stream::BoxStream;
use lro_core::inspection as pb;
use lro_core::inspection::inspection_server::Inspection;
use lro_core::{OperationName, OperationsRpc, ParentPattern};
use tonic::metadata::MetadataMap;
use tonic::{Extensions, Request, Response, Status};

use super::InspectionService;
use super::watch::Watch;
use crate::access::{Caller, InspectionPermission, Visit};
use crate::operations::MaxMessageLen;
use crate::rpc::error::{invalid_name, invalid_parent};
use crate::rpc::status::complete;

pub(super) const DESCRIBE: &str = "/lro.v1.Inspection/DescribeOperation";
const LIST: &str = "/lro.v1.Inspection/ListOperations";
pub(super) const COUNT: &str = "/lro.v1.Inspection/CountOperations";
pub(super) const METHODS: &str = "/lro.v1.Inspection/ListMethods";
const WORKERS: &str = "/lro.v1.Inspection/ListWorkers";
const RESUBMIT: &str = "/lro.v1.Inspection/ResubmitOperation";

#[tonic::async_trait]
impl Inspection for InspectionService {
    type WatchOperationsStream = BoxStream<'static, Result<pb::WatchOperationsResponse, Status>>;

    async fn describe_operation(
        &self,
        request: Request<pb::DescribeOperationRequest>,
    ) -> Result<Response<pb::OperationRecord>, Status> {
        let (headers, extensions, request) = request.into_parts();
        answer(async {
            let caller = Caller::new(&headers, &extensions, DESCRIBE);
            let visit = self.enter(OperationsRpc::Get, caller).await?;
            let sight = visit.sight().await?;
            let name = parse(&request.name)?;
            let grant = visit.operation(&name).await?;
            let record = self.operations.record(&grant, &name).await?;
            grant
                .inspects(InspectionPermission::Inspect, &record)
                .await?;
            if request.unredacted {
                let permission = InspectionPermission::InspectUnredacted;
                grant.inspects(permission, &record).await?;
                tracing::info!(%name, "inspected without redaction");
            }
            Ok(self.describe(&record, sight, request.unredacted))
        })
        .await
    }

    async fn list_operations(
        &self,
        request: Request<pb::ListOperationsRequest>,
    ) -> Result<Response<pb::ListOperationsResponse>, Status> {
        let (headers, extensions, request) = request.into_parts();
        answer(async {
            let caller = Caller::new(&headers, &extensions, LIST);
            let visit = self.enter(OperationsRpc::List, caller).await?;
            let sight = visit.sight().await?;
            let parent = parse_parent(&request.parent)?;
            let grant = visit.list(&parent).await?;
            grant.inspects_list(InspectionPermission::Inspect).await?;
            let max_message = extensions.get::<MaxMessageLen>().copied();
            self.list(&grant, parent, request, sight, max_message).await
        })
        .await
    }

    async fn watch_operations(
        &self,
        request: Request<pb::WatchOperationsRequest>,
    ) -> Result<Response<Self::WatchOperationsStream>, Status> {
        let (headers, extensions, request) = request.into_parts();
        answer(async { Watch::begin(self, headers, extensions, request).await }).await
    }

    async fn count_operations(
        &self,
        request: Request<pb::CountOperationsRequest>,
    ) -> Result<Response<pb::CountOperationsResponse>, Status> {
        let (headers, extensions, request) = request.into_parts();
        answer(async {
            let caller = Caller::new(&headers, &extensions, COUNT);
            let visit = self.enter(OperationsRpc::List, caller).await?;
            let parent = parse_parent(&request.parent)?;
            let grant = visit.list(&parent).await?;
            grant.inspects_list(InspectionPermission::Inspect).await?;
            self.count(&grant, parent, &request).await
        })
        .await
    }

    async fn list_methods(
        &self,
        request: Request<pb::ListMethodsRequest>,
    ) -> Result<Response<pb::ListMethodsResponse>, Status> {
        let (headers, extensions, _) = request.into_parts();
        answer(async {
            self.operated(METHODS, &headers, &extensions).await?;
            self.methods().await
        })
        .await
    }

    async fn list_workers(
        &self,
        request: Request<pb::ListWorkersRequest>,
    ) -> Result<Response<pb::ListWorkersResponse>, Status> {
        let (headers, extensions, _) = request.into_parts();
        answer(async {
            self.operated(WORKERS, &headers, &extensions).await?;
            Ok(self.workers())
        })
        .await
    }

    async fn resubmit_operation(
        &self,
        request: Request<pb::ResubmitOperationRequest>,
    ) -> Result<Response<pb::ResubmitOperationResponse>, Status> {
        let (headers, extensions, request) = request.into_parts();
        answer(async {
            let caller = Caller::new(&headers, &extensions, RESUBMIT);
            let visit = self.enter(OperationsRpc::Get, caller).await?;
            let name = parse(&request.name)?;
            let grant = visit.operation(&name).await?;
            let record = self.operations.record(&grant, &name).await?;
            grant
                .inspects(InspectionPermission::Resubmit, &record)
                .await?;
            self.resubmit(record, request, &headers, &extensions).await
        })
        .await
    }
}

impl InspectionService {
    pub(super) async fn enter<'a>(
        &'a self,
        method: OperationsRpc,
        caller: Caller<'a>,
    ) -> Result<Visit<'a>, Status> {
        self.operations.gate().enter(method, caller).await
    }

    /// Fails unless the caller is an operator.
    pub(super) async fn operated(
        &self,
        rpc: &str,
        headers: &MetadataMap,
        extensions: &Extensions,
    ) -> Result<(), Status> {
        let caller = Caller::new(headers, extensions, rpc);
        let visit = self.operations.gate().enter_inspection(caller).await?;
        visit.operates().await
    }
}

/// The answer to a call: an error is completed on its way out.
pub(super) async fn answer<T>(
    call: impl Future<Output = Result<T, Status>>,
) -> Result<Response<T>, Status> {
    call.await.map(Response::new).map_err(complete)
}

pub(super) fn parse(name: &str) -> Result<OperationName, Status> {
    name.parse().map_err(|error| invalid_name(&error))
}

pub(super) fn parse_parent(parent: &str) -> Result<ParentPattern, Status> {
    parent.parse().map_err(|error| invalid_parent(&error))
}
