//! Each user has operations of its own; other users cannot see or cancel them.
//!
//! Run: `cargo run -p basics --bin authorize`. It prints
//!
//! ```text
//! alice: done = true
//! bob: PermissionDenied
//! no user: Unauthenticated
//! ```

use basics::pb::exporter_client::ExporterClient;
use basics::pb::exporter_server;
use basics::pb::{ExportMetadata, ExportRequest, ExportResponse};
use basics::{Result, serve_and_call, tables};
use lro_core::pb::{GetOperationRequest, operations_client::OperationsClient};
use lro_core::store::MemoryStore;
use lro_server::access::{Access, Authorizer, Call, Caller, Principal};
use lro_server::{OperationContext, Operations, ServiceSettings, StartOptions, long_running};
use tonic::{Request, Status};

struct Exporter {
    operations: Operations,
}

impl Exporter {
    async fn prepare(
        &self,
        request: &Request<ExportRequest>,
    ) -> std::result::Result<StartOptions<ExportMetadata>, Status> {
        let user = self.operations.principal(request).await?;
        let parent = format!("users/{}", user.name()).parse();
        let parent = parent.map_err(|_| Status::invalid_argument("not a user name"))?;
        Ok(StartOptions::new().parent(parent))
    }
}

#[long_running]
impl exporter_server::Exporter for Exporter {
    #[long_running(response = ExportResponse, metadata = ExportMetadata, prepare = Self::prepare)]
    async fn export(
        &self,
        _request: ExportRequest,
        _operation: OperationContext<ExportMetadata>,
    ) -> std::result::Result<ExportResponse, Status> {
        Ok(ExportResponse::default())
    }
}

/// Trusts a proxy that authenticates users and sets the header `x-user`.
#[derive(Debug)]
struct EachTheirOwn;

#[tonic::async_trait]
impl Authorizer for EachTheirOwn {
    async fn authenticate(&self, caller: &Caller<'_>) -> std::result::Result<Principal, Status> {
        let user = caller.header("x-user");
        Ok(Principal::new(
            user.ok_or_else(|| Status::unauthenticated("no user"))?,
        ))
    }

    async fn authorize(&self, call: &Call<'_>) -> std::result::Result<Access, Status> {
        let own = format!("users/{}", call.principal().name());
        Ok(Access::allowed_if(call.is_within(&own)))
    }
}

#[tokio::main]
async fn main() -> Result {
    let operations = Operations::builder(MemoryStore::new())
        .bind(ServiceSettings::new("exporter.v1.Exporter").parent("users/*".parse()?))
        .authorizer(EachTheirOwn)
        .build();
    let exporter = Exporter {
        operations: operations.clone(),
    };
    serve_and_call(operations, exporter, async |channel| {
        let mut exporter = ExporterClient::new(channel.clone());
        let mut operations = OperationsClient::new(channel);
        let request = with_user(tables(["a"]), Some("alice"))?;
        let name = exporter
            .export(request)
            .await?
            .into_inner()
            .name()
            .to_owned();

        let wait = lro_core::pb::WaitOperationRequest {
            name: name.clone(),
            timeout: None,
        };
        let done = operations
            .wait_operation(with_user(wait, Some("alice"))?)
            .await?;
        println!("alice: done = {}", done.into_inner().done);
        let get = GetOperationRequest { name };
        let refused = operations
            .get_operation(with_user(get.clone(), Some("bob"))?)
            .await;
        println!(
            "bob: {:?}",
            refused.expect_err("another user's operation").code()
        );
        let refused = operations.get_operation(with_user(get, None)?).await;
        println!("no user: {:?}", refused.expect_err("no user").code());
        Ok(())
    })
    .await
}

fn with_user<T>(message: T, user: Option<&str>) -> Result<Request<T>> {
    let mut request = Request::new(message);
    if let Some(user) = user {
        request.metadata_mut().insert("x-user", user.parse()?);
    }
    Ok(request)
}
