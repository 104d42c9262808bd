#![doc = include_str!("../README.md")]
//!
//! ```
//! # mod program {
//! use std::sync::Arc;
//!
//! # use exporter::pb;
//! # use pb::{ExportMetadata, ExportRequest, ExportResponse, GetTableRequest, Table};
//! # use pb::exporter_server::ExporterServer;
//! use lro_server::serve::Server;
//! use lro_server::{OperationContext, Operations, Worker, long_running};
//! use lro_sqlite::SqliteStore;
//! use tonic::{Request, Response, Status};
//!
//! # #[derive(Default)] struct Db;
//! # impl Db { async fn dump(&self, _table: &str) -> Result<u64, Status> { Ok(7) } }
//! struct Exporter {
//!     operations: Operations,
//!     db: Db,
//! }
//!
//! #[long_running]
//! impl pb::exporter_server::Exporter for Exporter {
//!     #[long_running(response = ExportResponse, metadata = ExportMetadata)]
//!     async fn export(
//!         &self,
//!         request: ExportRequest,
//!         operation: OperationContext<ExportMetadata>,
//!     ) -> Result<ExportResponse, Status> {
//!         let tables_total = request.tables.len() as u32;
//!         let mut rows = 0;
//!         for (table, tables_done) in request.tables.iter().zip(0..) {
//!             operation.set_metadata(ExportMetadata { tables_done, tables_total });
//!             rows += self.db.dump(table).await?; // cancelled: the future is dropped here
//!         }
//!         Ok(ExportResponse { tables_exported: tables_total, rows })
//!     }
//!
//!     async fn get_table(
//!         &self,
//!         request: Request<GetTableRequest>,
//!     ) -> Result<Response<Table>, Status> {
//!         // .. a plain rpc stays as it is ..
//! #       let name = request.into_inner().name;
//! #       Ok(Response::new(Table { name, rows: 7 }))
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # pub async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let dir = tempfile::tempdir()?;
//! # let file = dir.path().join("operations.db");
//! # let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
//! # let shutdown = async { stopped.await.ok(); };
//! # let db = Db;
//! # macro_rules! open { ($_name:literal) => { SqliteStore::open(&file) } }
//! # /*
//! let operations = Operations::new(SqliteStore::open("operations.db").await?);
//! # */ let operations = Operations::new(open!("operations.db").await?);
//! let exporter = Arc::new(Exporter { operations: operations.clone(), db });
//! let worker = Worker::builder(&operations).host(exporter.clone()).start().await?;
//! # let local = exporter.clone();
//! # let addr = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! # let url = format!("http://{}", addr.local_addr()?);
//! # let at_work = operations.clone();
//! # let served = tokio::spawn(async move {
//! Server::builder(&operations) // with google.longrunning.Operations, health and reflection
//!     .add_service(ExporterServer::from_arc(exporter))
//!     .worker(worker) // drained beside the calls when `shutdown` ends
//!     .serve(addr, shutdown)
//!     .await?;
//! # Ok::<(), lro_server::serve::Error>(()) });
//! # let operations = at_work;
//! # let request = ExportRequest { tables: vec!["a".into(), "b".into()] };
//! # let mut client = pb::exporter_client::ExporterClient::connect(url).await?;
//! # let started = client.export(request).await?.into_inner();
//! # let done = operations.wait(&started.name().parse()?, None).await?;
//! # let done = lro_server::lro_core::Operation::<ExportResponse, ExportMetadata>::from(done);
//! # assert_eq!(done.outcome()?.response().unwrap(), ExportResponse { tables_exported: 2, rows: 14 });
//! # assert_eq!(done.metadata()?.unwrap().tables_done, 1);
//! # drop((client, local));
//! # stop.send(()).unwrap();
//! # served.await??;
//! # Ok(()) }
//! # }
//! # program::main().unwrap();
//! ```
//!
//! The call returns a `google.longrunning.Operation` as soon as the operation is durable. The
//! worker runs the body under a lease, which it renews; after a crash the body runs again. Callers
//! of any language get, list, wait for, cancel and delete the operation through
//! `google.longrunning.Operations`.
//!
//! # The main types
//!
//! * [`long_running`] — the attribute, on the trait impl and on each long-running method;
//! * [`Operations`] — the collection: start, get, list, wait, cancel, delete;
//! * [`Worker`] — runs the operations of the services it hosts, in this process or another;
//! * [`OperationContext`] — the body's handle on its operation: metadata, checkpoints, cancellation;
//! * [`StartOptions`] — the options that a method's `prepare` function may set before an operation
//!   exists;
//! * [`HandlerError`] — an error that may ask for another attempt;
//! * [`access::Authorizer`], [`ServiceSettings`] — authorization and names.
//!
//! # Bodies
//!
//! A body is an `async` function like any other. When its operation is cancelled, its future is
//! dropped at the next `.await`; a method with `cancel_grace = "10s"` first has that long to react
//! to it ([`OperationContext::cancelled`]) and to clean up. Run blocking work in
//! `tokio::task::spawn_blocking` with a clone of the context, and check
//! [`OperationContext::stop_reason`] regularly there, because dropping its handle does not stop a
//! thread.
//!
//! After a crash the body runs again from its beginning, up to `max_attempts` times in total. So
//! make its effects repeatable, resume from the last [`OperationContext::checkpoint`], or record its parts
//! as durable [steps](OperationContext::step), which a later run does not repeat.
//!
//! # Features
//!
//! | feature | adds |
//! | --- | --- |
//! | `serve` | the module `serve`: a server with gRPC health, reflection, limits, deadlines, and a graceful shutdown |
//! | `tls` | TLS and mutual TLS for it, by rustls with ring |
//! | `inspection` | the module `inspection`: the service `lro.v1.Inspection`, for operators and developers |
//! | `otel` | metrics and the caller's trace, by the API of OpenTelemetry |
//! | `jwt` | `access::jwt`: callers with JSON Web Tokens, verified by aws-lc |
//! | `testing` | the module `testing`: tests of bodies with durable steps, for dev-dependencies |
//!
//! # Metrics
//!
//! With the feature `otel`, these instruments report to OpenTelemetry's global meter provider, or to
//! the meter that [`OperationsBuilder`] receives. The program chooses the exporter.
//!
//! | instrument | kind | attributes | what it counts or measures |
//! | --- | --- | --- | --- |
//! | `lro.operations.started` | counter | method | operations that this process has started; a repeated request id is no start |
//! | `lro.operations.finished` | counter | method, code | operations that this process has finished: by its runs, by a cancellation, at their start, or after the loss of another worker. Operations that end while the store is opened do not count. Each `Operations` value counts separately, so create one for each store and meter |
//! | `lro.operations.running` | up-down counter | method | bodies that run |
//! | `lro.operations.queue_time` | histogram, s | method | the time from when an operation was ready until its first run, by the store's clock |
//! | `lro.operations.run_time` | histogram, s | method | one run of a body, until its result is written |
//! | `lro.operations.attempts` | counter | method | runs that began |
//! | `lro.operations.retries` | counter | method | runs that asked for another attempt and got one |
//! | `lro.leases.lost` | counter | method | leases that expired before their bodies finished |
//! | `lro.operations.ready` | gauge | method | operations that are ready and that no worker has claimed, up to 1,000; asked every 15 s by each process that starts or runs operations |
//! | `lro.operations.ready_age` | gauge, s | method | how long the oldest of them has been ready |
//! | `lro.operations.deleted_running` | up-down counter | method | bodies that still run although their operation was deleted |
//! | `lro.runtime.stalls` | counter | | times that a worker's runtime polled no task for [`max_runtime_stall`](WorkerBuilder::max_runtime_stall) |
//! | `lro.bodies.blocking_polls` | counter | method | polls of bodies that lasted longer than a heartbeat: work for `spawn_blocking` |
//! | `lro.serve.connections.refused` | counter | limit | connections that the module `serve` closed at once because a limit was reached: `max_connections` or `max_connections_per_ip` (`lro.serve.limit`) |
//! | `http.server.request.duration` | histogram, s | `http.request.method`, `http.route`, `http.response.status_code` | HTTP requests of a server with an HTTP service, to the head of the response |
//! | `lro.http.unknown_types` | counter | `http.route` | values of `google.protobuf.Any` that HTTP answers have as base64, since the server does not know their types: give it their descriptors |
//! | `lro.store.call.duration` | histogram, s | call, outcome | calls of the store: `start`, `claim`, `update`, `get`, `backlog`, `list`, `purge`, `page_token_key`; `ok`, `unavailable`, `full`, `corrupt`, `unusable`; an update with an operation that is corrupt, or locked by another program, counts as `corrupt` or `unavailable` |
//! | `lro.store.corrupt` | counter | call | operations that a call left out (`claim`, `list`, `purge`) or failed for (the others) because their stored records are corrupt; each call that meets one counts it again, and the log names it |
//! | `lro.store.accepts_starts` | gauge | | 1, or 0 while the store is full and refuses new operations |
//!
//! The method is `rpc.method` (`exporter.v1.Exporter/Export`), the code `rpc.response.status_code`
//! (`NOT_FOUND`), the others `lro.store.call` and `lro.store.outcome`.
//!
//! If tracing-opentelemetry collects spans, the span `operation` of a body and the span `rpc` of a
//! call in the module `serve` are children of the span in the caller's `traceparent`.
//! # Names and permissions
//!
//! The name of an operation is `operations/{id}`, or `{parent}/operations/{id}` with a parent from
//! the method's `prepare`. [`ServiceSettings`] list the parents of a service, and which of the five
//! methods it offers.
//!
//! **Without an [`Authorizer`](access::Authorizer) every caller that reaches the server may see,
//! cancel and delete every operation.** The server asks the authorizer before it reads the store.
//! The module [`access`] has an example of 15 lines; the feature `jwt` adds an authorizer for
//! bearer tokens, `access::jwt::JwtAuthorizer`.
//!
//! # Errors
//!
//! Every error that the server creates, for a call or an operation, carries a `google.rpc.ErrorInfo`. An
//! error about a field also carries the field violation, and an error about an operation a `ResourceInfo`.
//! Details that a handler attaches to its error are kept unchanged; an operation's error without an
//! ErrorInfo gets one. Errors of calls are truncated to the size of trailers.
//!
//! With the module `serve`, this applies to all services of the server: it also names an unknown
//! service or method, and adds an ErrorInfo to errors of plain rpcs. On a plain tonic server, errors of
//! tonic itself (an unknown service or method, a malformed message frame) have none.
//!
//! # Limitations
//!
//! It does not run operations on a schedule beyond a single start time, speaks no HTTP/JSON itself
//! (`lro-gateway` does, on the same port), and has no profile of the Remote Execution API, whose
//! operations are streams.

#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod access;
pub mod changes;
mod engine;
mod handler;
#[cfg(feature = "inspection")]
pub mod inspection;
mod limits;
mod operations;
mod page_token;
pub mod records;
mod remote;
mod rpc;
#[cfg(feature = "serve")]
pub mod serve;
mod services;
mod setters;
mod start;
pub mod steps;
#[cfg(feature = "testing")]
pub mod testing;
mod trace_context;
mod worker;

pub use engine::deadline::Deadline;
pub use handler::context::OperationContext;
pub use handler::error::HandlerError;
pub use handler::registration::OnDelete;
pub use handler::run::StopReason;
pub use limits::{BodyLimits, Limits};
pub use lro_core::store::OnCrash;
pub use lro_core::{self, ListOptions, Timestamp, include_protos};
pub use lro_macros::long_running;
pub use operations::{Operations, OperationsBuilder, OperationsOf, PageOf};
pub use page_token::PageTokenKeys;
pub use remote::Remote;
pub use rpc::service::OperationsService;
pub use services::ServiceSettings;
pub use start::StartOptions;
/// The error details of `google.rpc`, in the version that this crate uses.
pub use tonic_types;
pub use worker::{Worker, WorkerBuildError, WorkerBuilder};

/// The registration of a service's long-running methods, which `#[long_running]` writes.
///
/// Few programs name these items: those that are generic over a service, and those that register
/// methods without the attribute.
pub mod registration {
    pub use crate::handler::error::IntoHandlerError;
    pub use crate::handler::registration::{Host, MethodOptions, Registration};
}

/// The names that `#[long_running]` writes. Not for use by hand; it changes without notice.
#[doc(hidden)]
pub mod __private {
    pub use std::boxed::Box;
    pub use std::sync::Arc;

    pub use async_trait::async_trait;
    pub use lro_core::store::OnCrash;
    pub use lro_core::{LongRunningMethod, MetadataOf, Operation, RequestOf, ResponseOf, Targeted};
    pub use tonic::{Request, Response, Status};

    pub use crate::handler::error::IntoHandlerError;
    pub use crate::handler::registration::{
        Attempt, BodyFuture, ContextOf, Host, MethodOptions, OnDelete, Prepare, Registration,
    };
    pub use crate::start::{AddTheFieldOrTheArgument, StartOptions, parent_from, start};
    pub use crate::steps::StepOrder;
    pub use crate::worker::Executor;
}
