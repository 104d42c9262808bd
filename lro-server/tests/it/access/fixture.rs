//! Calls of the service as a given principal. The module `transport` says how they get there.

use std::sync::Arc;

use exporter::pb::ExportRequest;
use exporter::pb::exporter_server::Exporter as ExporterRpc;
use lro_core::pb;
use lro_core::pb::operations_server::Operations as _;
use lro_server::Operations;
use lro_server::access::{
    Access, Authorizer, Call, Caller, OperationFacts, OperationsRpc, Principal, StartCall,
};
use prost_types::Duration;
use tonic::{Request, Status};

use crate::access::transport;
use crate::support::{Exporter, Typed, exported};

/// The service of the support module.
pub(crate) const SERVICE: &str = "exporter.v1.Exporter";

/// A policy of a test.
pub(crate) type Policy = Box<dyn Fn(&Call<'_>) -> Result<Access, Status> + Send + Sync>;
type OwnerPolicy = Box<dyn Fn(&Call<'_>, &OperationFacts<'_>) -> bool + Send + Sync>;
type StartPolicy = Box<dyn Fn(&StartCall<'_>) -> bool + Send + Sync>;

/// Callers say who they are by `x-user` and `x-scopes`; the rest is each test's.
pub(crate) struct Policies {
    pub(crate) call: Policy,
    pub(crate) operation: OwnerPolicy,
    pub(crate) start: StartPolicy,
}

impl Policies {
    pub(crate) fn new(
        call: impl Fn(&Call<'_>) -> Result<Access, Status> + Send + Sync + 'static,
    ) -> Self {
        Self {
            call: Box::new(call),
            operation: Box::new(|_, _| true),
            start: Box::new(|_| true),
        }
    }

    /// Each caller has what is below `users/{name}`.
    pub(crate) fn tenants() -> Self {
        let own = |name: &str| format!("users/{name}");
        let mut policies = Self::new(move |call| {
            Ok(Access::allowed_if(
                call.is_within(&own(call.principal().name())),
            ))
        });
        policies.start = Box::new(move |start| start.is_within(&own(start.principal().name())));
        policies
    }
}

impl std::fmt::Debug for Policies {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Policies")
    }
}

#[tonic::async_trait]
impl Authorizer for Policies {
    async fn authenticate(&self, caller: &Caller<'_>) -> Result<Principal, Status> {
        let user = caller.header("x-user");
        let user = user.ok_or_else(|| Status::unauthenticated("who are you?"))?;
        let principal = Principal::new(user);
        Ok(match caller.header("x-scopes") {
            Some(scopes) => principal.with_scopes(scopes.split(' ')),
            None => principal,
        })
    }

    async fn authorize(&self, call: &Call<'_>) -> Result<Access, Status> {
        (self.call)(call)
    }

    async fn authorize_operation(
        &self,
        call: &Call<'_>,
        operation: &OperationFacts<'_>,
    ) -> Result<Access, Status> {
        Ok(Access::allowed_if((self.operation)(call, operation)))
    }

    async fn authorize_start(&self, start: &StartCall<'_>) -> Result<Access, Status> {
        Ok(Access::allowed_if((self.start)(start)))
    }
}

/// A server without a worker: what is started stays pending.
pub(crate) struct Server {
    pub(crate) operations: Operations,
    pub(crate) service: transport::OperationsOver,
    exporter: Arc<transport::ExporterOver>,
}

/// The answer of a call of any method.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Answer {
    Operation(pb::Operation),
    List(pb::ListOperationsResponse),
    Nothing,
}

impl Server {
    pub(crate) fn new(operations: Operations) -> Self {
        let exporter = Exporter::new(&operations, async |_, _| Ok(exported(1)));
        let (service, exporter) = transport::of(&operations, exporter);
        Self {
            operations,
            service,
            exporter,
        }
    }

    pub(crate) async fn start(&self, user: &str, tables: &[&str]) -> Result<Typed, Status> {
        let tables = tables.iter().copied().map(str::to_owned).collect();
        self.export(As(user).request(ExportRequest { tables }))
            .await
    }

    /// The rpc that starts an operation.
    pub(crate) async fn export(&self, request: Request<ExportRequest>) -> Result<Typed, Status> {
        let started = ExporterRpc::export(&*self.exporter, request).await?;
        Ok(started.into_inner())
    }

    /// The name of an operation that the user has started below the parent.
    pub(crate) async fn started(&self, user: &str, parent: &str) -> String {
        let parent = format!("parent={parent}");
        let started = self.start(user, &[&parent]).await.unwrap();
        started.name().to_owned()
    }

    /// Calls a method that takes a name; lists take it as the parent.
    pub(crate) async fn call(
        &self,
        who: As<'_>,
        method: OperationsRpc,
        name: &str,
    ) -> Result<Answer, Status> {
        let name = name.to_owned();
        let service = &self.service;
        Ok(match method {
            OperationsRpc::Get => {
                let request = who.request(pb::GetOperationRequest { name });
                Answer::Operation(service.get_operation(request).await?.into_inner())
            }
            OperationsRpc::Wait => {
                let timeout = Some(Duration::default());
                let request = who.request(pb::WaitOperationRequest { name, timeout });
                Answer::Operation(service.wait_operation(request).await?.into_inner())
            }
            OperationsRpc::Cancel => {
                let request = who.request(pb::CancelOperationRequest { name });
                service.cancel_operation(request).await?;
                Answer::Nothing
            }
            OperationsRpc::Delete => {
                let request = who.request(pb::DeleteOperationRequest { name });
                service.delete_operation(request).await?;
                Answer::Nothing
            }
            OperationsRpc::List => {
                let request = pb::ListOperationsRequest {
                    name,
                    ..Default::default()
                };
                return self.list(who, request).await.map(Answer::List);
            }
        })
    }

    pub(crate) async fn list(
        &self,
        who: As<'_>,
        request: pb::ListOperationsRequest,
    ) -> Result<pb::ListOperationsResponse, Status> {
        let request = who.request(request);
        Ok(self.service.list_operations(request).await?.into_inner())
    }

    pub(crate) async fn listed(&self, who: As<'_>, parent: &str) -> Result<Vec<String>, Status> {
        let Answer::List(list) = self.call(who, OperationsRpc::List, parent).await? else {
            panic!("a list answers a list");
        };
        Ok(list.operations.into_iter().map(|it| it.name).collect())
    }
}

/// The caller, with scopes after a `;`. Anonymous, if empty.
#[derive(Clone, Copy, Debug)]
pub(crate) struct As<'a>(pub(crate) &'a str);

impl As<'_> {
    pub(crate) fn request<T>(self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        let (user, scopes) = match self.0.split_once(';') {
            Some((user, scopes)) => (user, Some(scopes)),
            None => (self.0, None),
        };
        let headers = request.metadata_mut();
        if !user.is_empty() {
            headers.insert("x-user", user.parse().unwrap());
        }
        if let Some(scopes) = scopes {
            headers.insert("x-scopes", scopes.parse().unwrap());
        }
        request
    }
}
