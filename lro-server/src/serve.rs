//! A complete server: gRPC health, server reflection, TLS, limits, deadlines, and a graceful
//! shutdown. It needs the feature `serve`, and `tls` for TLS.
//!
//! ```no_run
//! # use std::sync::Arc;
//! # use exporter::pb;
//! # use pb::exporter_server::{Exporter, ExporterServer};
//! # use lro_server::registration::Host;
//! # use lro_server::{Operations, Worker};
//! use lro_server::serve::{Server, Tls};
//!
//! # async fn example<E>(operations: Operations, exporter: Arc<E>, worker: Worker) -> Result<(), Box<dyn std::error::Error>>
//! # where E: Exporter + Host<ExporterServer<E>> {
//! # let addr = std::net::SocketAddr::from(([0, 0, 0, 0], 50051));
//! # let shutdown = async { tokio::signal::ctrl_c().await.unwrap_or(()) };
//! # let [certificate, key, clients] = ["server.pem", "server.key", "clients.pem"].map(std::fs::read);
//! # let (certificate, key, clients) = (certificate?, key?, clients?);
//! Server::builder(&operations)
//!     .add_service(ExporterServer::from_arc(exporter))
//!     .file_descriptor_set(pb::FILE_DESCRIPTOR_SET)
//!     .worker(worker)
//!     .tls(Tls::from_pem(certificate, key).client_ca(clients)) // mutual TLS
//!     .serve(addr, shutdown)
//!     .await?;
//! # Ok(()) }
//! ```
//!
//! # Additions to tonic's server
//!
//! * `google.longrunning.Operations`, for the operations it is built with;
//! * `grpc.health.v1.Health`: each service, and all of them (`""`), serve while the store answers,
//!   and stop serving when the shutdown begins; while the store is full and refuses starts, only
//!   `google.longrunning.Operations` serves;
//! * server reflection, v1 and v1alpha, with the descriptors of your services and of this crate's;
//! * a request that is not gRPC is answered with 415, so that no web page can call an rpc through its
//!   visitor's browser, unless there is an [HTTP service](#http) for it;
//! * precise errors: they name an unknown service or method and the known ones, and every error has
//!   an ErrorInfo;
//! * [`DeadlineLayer`]: a call whose `grpc-timeout` has passed ends with DEADLINE_EXCEEDED;
//! * limits on messages, calls, connections and idle times ([`ServeLimits`]);
//! * a tracing span `rpc` for each call, with its method, code and duration, and without its
//!   headers;
//! * the graceful shutdown described below.
//!
//! # HTTP
//!
//! With [`Server::http`], the port also speaks HTTP/1.1 and plain HTTP/2. A POST with the content type
//! `application/grpc` or `application/grpc+proto` over HTTP/2 is a call of an rpc. A request of any
//! other kind for the path of one, gRPC-Web included, is answered with 415. All other requests go to
//! the HTTP service, with the same TLS, connection limits and shutdown; what that service calls of
//! [`HostedServices`] meets the same deadlines, message limits and authorizer as over gRPC.
//!
//! * `/healthz` answers 200 while the process does, and `/readyz` while the health of all services
//!   is SERVING, 503 otherwise. Both are for probes, and need no permission. `/readyz` adds to its
//!   `ok` that no worker runs operations, if only this process has the store and none of its
//!   workers is alive; the server also logs this as a warning when it begins to serve.
//! * Without an authorizer, on a loopback address, only requests for loopback hosts are answered,
//!   and for those of [`Server::allow_host`]; others with 403. So no web page can reach the server
//!   through its visitor's browser by a name of its own that leads to 127.0.0.1 (DNS rebinding).
//! * Each request has a tracing span `http` with its method, route and status, and is measured by
//!   the metric `http.server.request.duration`. The span `rpc` of a call is its child.
//!
//! # On a plain tonic server
//!
//! Operations do not need this module: a tonic router serves them with
//! [`Operations::service`](crate::Operations::service). Then add [`GrpcOnlyLayer`] yourself, and bound
//! the shutdown: drain the worker at the same time as the router, not after it, because one idle
//! connection keeps `serve_with_shutdown` from returning.
//!
//! ```
//! # use std::sync::Arc;
//! # use exporter::pb::exporter_server::{Exporter, ExporterServer};
//! # use lro_server::registration::Host;
//! # use lro_server::{Operations, Worker};
//! # use tonic::transport::server::TcpIncoming;
//! use std::time::Duration;
//!
//! use lro_server::serve::GrpcOnlyLayer;
//! use tokio_util::sync::CancellationToken;
//!
//! # async fn example<E>(operations: Operations, exporter: Arc<E>, worker: Worker, incoming: TcpIncoming, shutdown: impl Future<Output = ()>) -> Result<(), tonic::transport::Error>
//! # where E: Exporter + Host<ExporterServer<E>> {
//! let closing = CancellationToken::new();
//! let router = tonic::transport::Server::builder()
//!     .layer(GrpcOnlyLayer::new())
//!     .add_service(ExporterServer::from_arc(exporter))
//!     .add_service(operations.service());
//! let serving = router.serve_with_incoming_shutdown(incoming, closing.clone().cancelled_owned());
//! let ending = async {
//!     shutdown.await;
//!     closing.cancel(); // no new connections; calls finish
//!     operations.close(); // answers pending waits
//!     worker.drain().await;
//!     tokio::time::sleep(Duration::from_secs(1)).await; // for the last calls
//! };
//! tokio::select! {
//!     served = serving => served,
//!     () = ending => Ok(()), // connections that are left end with the runtime
//! }
//! # }
//! ```
//!
//! # Graceful shutdown
//!
//! When `shutdown` completes, the graceful shutdown begins. Health reports NOT_SERVING, waiters get
//! the latest state of their operations, and the server accepts no new connections and sends GOAWAY
//! on the others. Calls in flight and the bodies of the workers have
//! [`ServeLimits::shutdown_timeout`] to finish. Then the server closes all connections, and the
//! workers release their operations for other workers. The shutdown always ends.

mod admission;
mod close_streams;
mod connection;
mod deadline;
mod error;
mod front;
mod grpc_only;
mod health;
mod http_service;
mod limits;
mod listener;
mod message_limit;
mod preface;
mod reflection;
mod refusals;
mod server;
mod spans;
mod statuses;
#[cfg(feature = "tls")]
mod tls;
mod trailers;

use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response, StatusCode};
use tonic::body::Body;

pub use deadline::{DeadlineBody, DeadlineFuture, DeadlineLayer, DeadlineService};
pub use error::Error;
pub use grpc_only::{GrpcOnlyBody, GrpcOnlyFuture, GrpcOnlyLayer, GrpcOnlyService};
pub use http_service::HostedServices;
pub use limits::ServeLimits;
pub use listener::Listen;
pub use server::Server;
#[cfg(feature = "tls")]
pub use tls::Tls;

/// A response that explains itself in a line.
fn plain_text(status: StatusCode, text: &str) -> Response<Body> {
    let mut response = Response::new(Body::new(text.to_owned()));
    *response.status_mut() = status;
    let content_type = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    let nosniff = HeaderValue::from_static("nosniff");
    response
        .headers_mut()
        .insert("x-content-type-options", nosniff);
    response
}
