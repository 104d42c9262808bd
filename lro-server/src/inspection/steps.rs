//! The service `lro.v1.Steps`: recorded steps, and values for promises.

mod list;
mod outcome;
mod repair;
mod shown;

use lro_core::OperationsRpc;
use lro_core::inspection as pb;
use lro_core::inspection::steps_server::{Steps, StepsServer};
use lro_core::store::{Actor, Command, OperationRecord};
use tonic::metadata::MetadataMap;
use tonic::{Request, Response, Status};

use super::InspectionService;
use super::service::{answer, parse};
use crate::access::{Caller, InspectionPermission};
use crate::operations::{MaxMessageLen, Operations};
use crate::rpc::reason::actor;

const LIST: &str = "/lro.v1.Steps/ListSteps";
const COMPLETE: &str = "/lro.v1.Steps/CompletePromise";
const FORGET: &str = "/lro.v1.Steps/ForgetSteps";
const UNBLOCK: &str = "/lro.v1.Steps/Unblock";

/// `lro.v1.Steps` over [`Operations`]: what [`Operations::steps_server`] serves.
///
/// ```
/// use lro_server::Operations;
///
/// # let store = lro_server::lro_core::store::MemoryStore::new();
/// let operations = Operations::new(store);
/// let server = tonic::transport::Server::builder()
///     .add_service(operations.inspection())
///     .add_service(operations.steps_server());
/// ```
#[derive(Clone, Debug)]
pub struct StepsService {
    inspection: InspectionService,
}

impl Operations {
    /// The gRPC service `lro.v1.Steps`, for a server: the recorded steps of operations, and values for
    /// their promises. See the [module](crate::inspection#steps).
    pub fn steps_server(&self) -> StepsServer<StepsService> {
        StepsServer::new(StepsService::from(self.clone()))
    }
}

/// For servers that wrap the service themselves.
impl From<Operations> for StepsService {
    fn from(operations: Operations) -> Self {
        Self {
            inspection: operations.into(),
        }
    }
}

#[tonic::async_trait]
impl Steps for StepsService {
    async fn list_steps(
        &self,
        request: Request<pb::ListStepsRequest>,
    ) -> Result<Response<pb::ListStepsResponse>, Status> {
        let (headers, extensions, request) = request.into_parts();
        answer(async {
            let caller = Caller::new(&headers, &extensions, LIST);
            let visit = self.inspection.enter(OperationsRpc::Get, caller).await?;
            let principal = visit.principal().name().to_owned();
            let name = parse(&request.name)?;
            let grant = visit.operation(&name).await?;
            let record = self.operations().record(&grant, &name).await?;
            let sight = list::Sight::new(&request)?;
            for permission in sight.permissions() {
                grant.inspects(permission, &record).await?;
                tracing::info!(%name, ?principal, %permission, "a caller reads recorded values");
            }
            let max_message = extensions.get::<MaxMessageLen>().copied();
            self.list(&record, &request, sight, &principal, max_message)
                .await
        })
        .await
    }

    async fn complete_promise(
        &self,
        request: Request<pb::CompletePromiseRequest>,
    ) -> Result<Response<pb::CompletePromiseResponse>, Status> {
        let (headers, extensions, request) = request.into_parts();
        answer(async {
            let (name, permission) = (&request.name, InspectionPermission::Complete);
            let caller = Caller::new(&headers, &extensions, COMPLETE);
            let (record, actor) = self.admit(caller, &headers, name, permission).await?;
            let outcome = outcome::of(request.outcome)?;
            let (name, promise) = (&record.name, &*request.promise);
            let settled = self
                .operations()
                .settle(name, Some(record.uid), promise, outcome);
            settled.await?;
            let Actor { principal, reason } = actor;
            tracing::info!(%name, promise, ?principal, ?reason, "a caller completed a promise");
            Ok(pb::CompletePromiseResponse {})
        })
        .await
    }

    async fn forget_steps(
        &self,
        request: Request<pb::ForgetStepsRequest>,
    ) -> Result<Response<pb::ForgetStepsResponse>, Status> {
        let (headers, extensions, request) = request.into_parts();
        answer(async {
            let (name, permission) = (&request.name, InspectionPermission::Repair);
            let caller = Caller::new(&headers, &extensions, FORGET);
            let (record, actor) = self.admit(caller, &headers, name, permission).await?;
            let keys = repair::keys(&request.keys)?;
            self.repair(&record, Command::ForgetSteps { keys }).await?;
            let (name, keys) = (&record.name, &request.keys);
            let Actor { principal, reason } = actor;
            tracing::info!(%name, ?keys, ?principal, ?reason, "a caller made an operation forget steps");
            Ok(pb::ForgetStepsResponse {})
        })
        .await
    }

    async fn unblock(
        &self,
        request: Request<pb::UnblockRequest>,
    ) -> Result<Response<pb::UnblockResponse>, Status> {
        let (headers, extensions, request) = request.into_parts();
        answer(async {
            let (name, permission) = (&request.name, InspectionPermission::Repair);
            let caller = Caller::new(&headers, &extensions, UNBLOCK);
            let (record, actor) = self.admit(caller, &headers, name, permission).await?;
            self.repair(&record, Command::Unblock).await?;
            let (name, Actor { principal, reason }) = (&record.name, actor);
            tracing::info!(%name, ?principal, ?reason, "a caller unblocked an operation");
            Ok(pb::UnblockResponse {})
        })
        .await
    }
}

impl StepsService {
    fn operations(&self) -> &Operations {
        &self.inspection.operations
    }

    /// The operation that the caller may change, and who the caller is.
    async fn admit(
        &self,
        caller: Caller<'_>,
        headers: &MetadataMap,
        name: &str,
        permission: InspectionPermission,
    ) -> Result<(OperationRecord, Actor), Status> {
        let visit = self.inspection.enter(OperationsRpc::Get, caller).await?;
        let name = parse(name)?;
        let limits = self.operations().engine().limits();
        let actor = actor(headers, visit.principal().name(), limits)?;
        let grant = visit.operation(&name).await?;
        let record = self.operations().record(&grant, &name).await?;
        grant.inspects(permission, &record).await?;
        Ok((record, actor))
    }
}
