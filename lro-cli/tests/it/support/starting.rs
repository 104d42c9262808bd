//! The rpc of the scripted server that starts operations.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use lro_core::pb;
use tonic::body::Body;
use tonic::codegen::{BoxFuture, Service, http};
use tonic::server::{Grpc, NamedService, UnaryService};
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;

use super::fake::Script;
use super::types::running;

/// The request, as exports.proto has it.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct ImportRequest {
    #[prost(string, tag = "1")]
    pub(crate) table: String,
    #[prost(string, tag = "2")]
    pub(crate) request_id: String,
}

/// Starts an operation for each request, unless the script has an error for it.
#[derive(Clone)]
pub(super) struct Importer(pub(super) Arc<Mutex<Script>>);

impl NamedService for Importer {
    const NAME: &'static str = "google.example.v1.Importer";
}

impl Service<http::Request<Body>> for Importer {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Self::Error>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let importer = self.clone();
        Box::pin(async move {
            let mut grpc = Grpc::new(ProstCodec::default());
            Ok(grpc.unary(importer, request).await)
        })
    }
}

impl UnaryService<ImportRequest> for Importer {
    type Response = pb::Operation;
    type Future = Ready<Result<Response<pb::Operation>, Status>>;

    fn call(&mut self, request: Request<ImportRequest>) -> Self::Future {
        let mut script = self.0.lock().unwrap();
        script.imports.push(request.into_inner());
        if !script.imports_fail.is_empty() {
            return ready(Err(script.imports_fail.remove(0)));
        }
        let operation = running("operations/imported", "{}");
        ready(Ok(Response::new(operation)))
    }
}
