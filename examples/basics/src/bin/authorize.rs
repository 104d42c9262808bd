//! Each user has operations of its own; other users cannot see or cancel them.
//!
//! Run: `cargo run -p basics --bin authorize`. It prints
//!
//! ```text
//! "alice" may see it
//! "bob": PermissionDenied
//! "": Unauthenticated
//! ```

use basics::pb::{ExportMetadata, ExportRequest, ExportResponse};
use basics::pb::{exporter_client::ExporterClient, exporter_server};
use basics::{Result, serve_and_call, tables};
use lro_core::pb::{GetOperationRequest, operations_client::OperationsClient};
use lro_core::store::MemoryStore;
use lro_server::access::{Access, Authorizer, Call, Caller, Principal};
use lro_server::{OperationContext, Operations, ServiceSettings, StartOptions, long_running};
use tonic::metadata::MetadataValue;
use tonic::{Request, Status};

struct Exporter {
    operations: Operations,
}

impl Exporter {
    async fn prepare(
        &self,
        request: &Request<ExportRequest>,
    ) -> Result<StartOptions<ExportMetadata>, Status> {
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
    ) -> Result<ExportResponse, Status> {
        Ok(ExportResponse::default())
    }
}

/// Trusts a proxy that authenticates users and sets the header `x-user`.
#[derive(Debug)]
struct EachTheirOwn;

#[tonic::async_trait]
impl Authorizer for EachTheirOwn {
    async fn authenticate(&self, caller: &Caller<'_>) -> Result<Principal, Status> {
        let user = caller.header("x-user");
        Ok(Principal::new(
            user.ok_or_else(|| Status::unauthenticated("no user"))?,
        ))
    }

    async fn authorize(&self, call: &Call<'_>) -> Result<Access, Status> {
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
        let mut exporter = ExporterClient::with_interceptor(channel.clone(), by("alice"));
        let started = exporter.export(tables(["a"])).await?.into_inner();
        for user in ["alice", "bob", ""] {
            let mut operations = OperationsClient::with_interceptor(channel.clone(), by(user));
            let name = started.name().to_owned();
            match operations.get_operation(GetOperationRequest { name }).await {
                Ok(_) => println!("{user:?} may see it"),
                Err(status) => println!("{user:?}: {:?}", status.code()),
            }
        }
        Ok(())
    })
    .await
}

/// Sets the header of a user, as the proxy does.
fn by(user: &'static str) -> impl FnMut(Request<()>) -> Result<Request<()>, Status> {
    move |mut request| {
        if !user.is_empty() {
            let user = MetadataValue::from_static(user);
            request.metadata_mut().insert("x-user", user);
        }
        Ok(request)
    }
}
