//! HTTP beside gRPC: the requests that no rpc gets go to a service of the program's, such as the
//! gateway of `lro-gateway`.

mod hosted;
mod hosts;
mod probes;
mod request_body;
mod telemetry;

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use lro_core::UnknownTypes;
use lro_core::changes::OperationChanges;
use tonic::body::Body;
use tower::util::BoxCloneSyncService;
use tower::{BoxError, Service, ServiceExt as _};

pub use hosted::HostedServices;
pub(super) use hosted::{Hosted, InProcess};
pub(super) use hosts::Hosts;
pub(super) use probes::Readiness;

use super::plain_text;
use crate::engine::metrics::Metrics;
use request_body::TimedBody;
use telemetry::Telemetry;

/// Any HTTP service, by its requests and responses only.
pub(super) type HttpService = BoxCloneSyncService<Request<Body>, Response<Body>, Infallible>;

/// Makes the HTTP service when the server begins, since it may call the server's own services.
pub(super) type MakeHttp = Box<dyn FnOnce(&HostedServices) -> Result<HttpService, BoxError> + Send>;

/// An HTTP service of any types.
pub(super) fn boxed<S, B>(service: S) -> HttpService
where
    S: Service<Request<Body>, Response = Response<B>, Error = Infallible>
        + Clone
        + Send
        + Sync
        + 'static,
    S::Future: Send + 'static,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    BoxCloneSyncService::new(service.map_response(|response| response.map(Body::new)))
}

/// Counts values of unknown types by route.
pub(super) fn count_unknown_types(metrics: Metrics) -> UnknownTypes {
    UnknownTypes::new(move |route, count| metrics.unknown_types(route.as_str(), count))
}

/// The service that answers the requests that are not gRPC, and what stands around it.
#[derive(Clone, Debug)]
pub(super) struct Http {
    pub(super) service: HttpService,
    pub(super) readiness: Readiness,
    pub(super) hosts: Arc<Hosts>,
    pub(super) body_timeout: Duration,
    /// For a service that pushes changes to its clients.
    pub(super) changes: OperationChanges,
    /// For a service that writes payloads.
    pub(super) unknown_types: UnknownTypes,
    pub(super) metrics: Metrics,
}

impl Http {
    /// Answers one request.
    pub(super) fn call(
        &self,
        request: Request<Incoming>,
    ) -> Pin<Box<dyn Future<Output = Response<Body>> + Send>> {
        if let Some(response) = self.readiness.probe(request.method(), request.uri().path()) {
            return Box::pin(std::future::ready(response));
        }
        let telemetry = Telemetry::begin(&request, self.metrics.clone());
        if let Err(host) = self.hosts.check(&request) {
            tracing::debug!(parent: telemetry.span(), host, "request refused: not a host of this server");
            let response = plain_text(StatusCode::FORBIDDEN, hosts::EXPLANATION);
            return Box::pin(std::future::ready(telemetry.end(response)));
        }
        let timeout = self.body_timeout;
        let mut request = request.map(|body| TimedBody::new(body, timeout).into_body());
        let extensions = request.extensions_mut();
        extensions.insert(self.changes.clone());
        extensions.insert(self.unknown_types.clone());
        let service = self.service.clone();
        Box::pin(telemetry.run(async move {
            match service.oneshot(request).await {
                Ok(response) => response,
                Err(never) => match never {},
            }
        }))
    }
}
