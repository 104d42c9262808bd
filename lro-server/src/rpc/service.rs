use std::pin::Pin;
use std::sync::LazyLock;
use std::time::Duration;

use lro_core::pb::operations_server::Operations as OperationsServer;
use lro_core::store::{Actor, Command};
use lro_core::{OperationName, ParentPattern, Reason, pb};
use tonic::metadata::MetadataMap;
use tonic::{Extensions, Request, Response, Status};

use crate::access::{Caller, OperationsRpc, Visit};
use crate::engine::deadline::{margin, time_left};
use crate::operations::{MaxMessageLen, Operations};
use crate::rpc::error::invalid_name;
use crate::rpc::reason::actor;
use crate::rpc::status::complete;

/// `google.longrunning.Operations` over [`Operations`]: what [`Operations::service`] serves.
///
/// ```
/// use lro_server::Operations;
///
/// # let store = lro_server::lro_core::store::MemoryStore::new();
/// let operations = Operations::new(store);
/// let server = tonic::transport::Server::builder().add_service(operations.service());
/// ```
#[derive(Clone, Debug)]
pub struct OperationsService {
    operations: Operations,
}

impl Operations {
    /// The gRPC service `google.longrunning.Operations`, for a tonic server.
    pub fn service(&self) -> pb::operations_server::OperationsServer<OperationsService> {
        pb::operations_server::OperationsServer::new(OperationsService::new(self.clone()))
    }
}

/// For servers that wrap the service themselves.
impl From<Operations> for OperationsService {
    fn from(operations: Operations) -> Self {
        Self::new(operations)
    }
}

impl OperationsService {
    pub(crate) fn new(operations: Operations) -> Self {
        Self { operations }
    }

    async fn enter<'a>(
        &'a self,
        method: OperationsRpc,
        headers: &'a MetadataMap,
        extensions: &'a Extensions,
    ) -> Result<Visit<'a>, Status> {
        let caller = Caller::new(headers, extensions, method.path());
        self.operations.gate().enter(method, caller).await
    }

    fn actor(&self, headers: &MetadataMap, visit: &Visit<'_>) -> Result<Actor, Status> {
        let limits = self.operations.engine().limits();
        actor(headers, visit.principal().name(), limits)
    }
}

#[tonic::async_trait]
impl OperationsServer for OperationsService {
    async fn list_operations(
        &self,
        request: Request<pb::ListOperationsRequest>,
    ) -> Result<Response<pb::ListOperationsResponse>, Status> {
        let (headers, extensions, request) = request.into_parts();
        answer(async {
            let visit = self
                .enter(OperationsRpc::List, &headers, &extensions)
                .await?;
            let parent: ParentPattern =
                request.name.parse().map_err(|error| invalid_name(&error))?;
            let grant = visit.list(&parent).await?;
            let max_message = extensions.get::<MaxMessageLen>().copied();
            self.operations
                .list_as(&grant, parent, &request, None, max_message)
                .await
        })
        .await
    }

    async fn get_operation(
        &self,
        request: Request<pb::GetOperationRequest>,
    ) -> Result<Response<pb::Operation>, Status> {
        let (headers, extensions, request) = request.into_parts();
        answer(async {
            let visit = self
                .enter(OperationsRpc::Get, &headers, &extensions)
                .await?;
            let name = parse(&request.name)?;
            let grant = visit.operation(&name).await?;
            self.operations.get_as(&grant, &name).await
        })
        .await
    }

    async fn delete_operation(
        &self,
        request: Request<pb::DeleteOperationRequest>,
    ) -> Result<Response<()>, Status> {
        let (headers, extensions, request) = request.into_parts();
        answer(async {
            let visit = self
                .enter(OperationsRpc::Delete, &headers, &extensions)
                .await?;
            let name = parse(&request.name)?;
            let actor = self.actor(&headers, &visit)?;
            let grant = visit.operation(&name).await?;
            let delete = Command::Delete(actor.clone());
            self.operations.update(&grant, &name, delete).await?;
            let Actor { principal, reason } = actor;
            tracing::info!(%name, ?principal, ?reason, "a caller deleted an operation");
            Ok(())
        })
        .await
    }

    async fn cancel_operation(
        &self,
        request: Request<pb::CancelOperationRequest>,
    ) -> Result<Response<()>, Status> {
        let (headers, extensions, request) = request.into_parts();
        answer(async {
            let visit = self
                .enter(OperationsRpc::Cancel, &headers, &extensions)
                .await?;
            let name = parse(&request.name)?;
            let actor = self.actor(&headers, &visit)?;
            let grant = visit.operation(&name).await?;
            let cancel = Command::Cancel(actor.clone());
            self.operations.update(&grant, &name, cancel).await?;
            let Actor { principal, reason } = actor;
            tracing::info!(%name, ?principal, ?reason, "a caller cancelled an operation");
            Ok(())
        })
        .await
    }

    fn wait_operation<'s, 'w>(
        &'s self,
        request: Request<pb::WaitOperationRequest>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<pb::Operation>, Status>> + Send + 'w>>
    where
        's: 'w,
        Self: 'w,
    {
        let rpc_timeout = time_left(&request);
        let (headers, extensions, request) = request.into_parts();
        let from = self.operations.gate().asks();
        let from = from.then(|| Box::new((headers, extensions)));
        Box::pin(answer(self.hold(from, rpc_timeout, request)))
    }
}

impl OperationsService {
    /// WaitOperation. Whatever is alive while it waits is there 100,000 times: so headers come along
    /// only where an authorizer reads them, and what is done before and after is boxed.
    async fn hold(
        &self,
        from: Option<Box<Parts>>,
        rpc_timeout: Option<Duration>,
        mut request: pb::WaitOperationRequest,
    ) -> Result<pb::Operation, Status> {
        let (headers, extensions) = from.as_deref().unwrap_or(&NO_PARTS);
        let visit = Box::pin(self.enter(OperationsRpc::Wait, headers, extensions)).await?;
        let name = parse(&std::mem::take(&mut request.name))?;
        let grant = Box::pin(visit.operation(&name)).await?;
        let asked = request.timeout.map(to_duration).transpose()?;
        let allowed = rpc_timeout.map(|limit| limit.saturating_sub(margin(limit)));
        let timeout = [asked, allowed].into_iter().flatten().min();
        self.operations.wait_as(&grant, &name, timeout).await
    }
}

/// Where a call comes from.
type Parts = (MetadataMap, Extensions);

/// For calls whose caller no authorizer asks for.
static NO_PARTS: LazyLock<Parts> = LazyLock::new(Parts::default);

/// The answer to a call: an error is completed on its way out.
async fn answer<T>(call: impl Future<Output = Result<T, Status>>) -> Result<Response<T>, Status> {
    call.await.map(Response::new).map_err(complete)
}

fn parse(name: &str) -> Result<OperationName, Status> {
    name.parse().map_err(|error| invalid_name(&error))
}

/// A duration from the wire: not negative, and in the range that the type has.
fn to_duration(wire: prost_types::Duration) -> Result<Duration, Status> {
    /// About 10,000 years, as `google.protobuf.Duration` says.
    const SECONDS_MAX: u64 = 315_576_000_000;
    match (u64::try_from(wire.seconds), u32::try_from(wire.nanos)) {
        (Ok(seconds @ ..=SECONDS_MAX), Ok(nanos @ ..=999_999_999)) => {
            Ok(Duration::new(seconds, nanos))
        }
        _ => {
            let message = "is negative or out of range; give 0 or more seconds";
            Err(Reason::InvalidField.field_status("timeout", message))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// spec:52
    #[test]
    fn bad_timeouts_are_refused() {
        let convert = |seconds, nanos| to_duration(prost_types::Duration { seconds, nanos });
        assert_eq!(convert(0, 0).unwrap(), Duration::ZERO);
        assert_eq!(convert(0, 900_000_000).unwrap(), Duration::from_millis(900));
        for (seconds, nanos) in [
            (-1, 0),
            (0, -1),
            (1, -1),
            (0, 1_000_000_000),
            (315_576_000_001, 0),
            (i64::MAX, 0),
        ] {
            let error = convert(seconds, nanos).unwrap_err();
            assert_eq!(error.code(), tonic::Code::InvalidArgument);
        }
    }
}
