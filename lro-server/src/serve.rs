//! A server as a service needs it: gRPC health, server reflection, TLS, limits, deadlines, and an
//! end without loss. Behind the feature `serve`, and `tls` for TLS.
//!
//! ```no_run
//! # use std::sync::Arc;
//! # use exporter::pb;
//! # use pb::exporter_server::{Exporter, ExporterServer};
//! # use lro_server::{Host, Operations, Worker};
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
//! # What it adds to tonic's server
//!
//! * `google.longrunning.Operations`, for the operations it is built with;
//! * `grpc.health.v1.Health`: each service, and all of them (`""`), serve while the store answers,
//!   and stop serving when the shutdown begins; while the store is full and refuses starts, only
//!   `google.longrunning.Operations` serves;
//! * server reflection, v1 and v1alpha, with the services' descriptors and ours;
//! * [`GrpcOnlyLayer`]: a request that is not gRPC is answered with 415, so that no web page can call
//!   an rpc through its visitor's browser;
//! * errors that say what is wrong: an unknown service or method is named, beside those that there
//!   are, and every error has an ErrorInfo;
//! * [`DeadlineLayer`]: a call whose `grpc-timeout` is over ends with DEADLINE_EXCEEDED;
//! * limits on messages, calls, connections, and on how long silence is put up with
//!   ([`ServeLimits`]);
//! * a tracing span `rpc` for each call, with its method, code and duration, and nothing of its
//!   headers;
//! * the order of the end, below.
//!
//! # On a plain tonic server
//!
//! Operations need nothing of this module: a tonic router serves them with
//! [`Operations::server`]. Then add [`GrpcOnlyLayer`] yourself, and bound the shutdown: drain the worker
//! beside the router's shutdown and not behind it, because one idle connection keeps
//! `serve_with_shutdown` from returning.
//!
//! ```
//! # use std::sync::Arc;
//! # use exporter::pb::exporter_server::{Exporter, ExporterServer};
//! # use lro_server::{Host, Operations, Worker};
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
//!     .add_service(operations.server());
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
//! # The end
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
mod grpc_only;
mod health;
mod limits;
mod listener;
mod message_limit;
mod preface;
mod reflection;
mod refusals;
mod spans;
mod statuses;
#[cfg(feature = "tls")]
mod tls;
mod trailers;

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use tokio::net::TcpListener;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::body::Body;
use tonic::server::NamedService;
use tonic::service::Routes;
use tonic_health::ServingStatus;
use tower::{BoxError, Layer as _, Service};

pub use deadline::{DeadlineBody, DeadlineFuture, DeadlineLayer, DeadlineService};
pub use error::Error;
pub use grpc_only::{GrpcOnlyBody, GrpcOnlyFuture, GrpcOnlyLayer, GrpcOnlyService};
pub use limits::ServeLimits;
pub use listener::Listen;
#[cfg(feature = "tls")]
pub use tls::Tls;

use crate::operations::Operations;
use crate::worker::Worker;
use admission::Admission;
use close_streams::CloseStreams;
use connection::{Connections, Tasks};
use health::Health;
use listener::Incoming;
use message_limit::MessageLimitLayer;
use refusals::Refusals;
use spans::SpanLayer;
use statuses::{KnownServices, StatusLayer};

/// A server, to be given services and served. See the [module](self).
#[must_use = "a server does nothing before it is served"]
pub struct Server {
    operations: Operations,
    routes: Routes,
    services: Vec<&'static str>,
    added_twice: Option<&'static str>,
    descriptor_sets: Vec<&'static [u8]>,
    reflection: bool,
    workers: Vec<Worker>,
    limits: ServeLimits,
    #[cfg(feature = "tls")]
    tls: Option<tls::Tls>,
}

impl Server {
    /// A server for these operations, with `google.longrunning.Operations`, health and reflection.
    pub fn builder(operations: &Operations) -> Self {
        Self {
            operations: operations.clone(),
            routes: Routes::default(),
            services: Vec::new(),
            added_twice: None,
            descriptor_sets: Vec::new(),
            reflection: true,
            workers: Vec::new(),
            limits: ServeLimits::default(),
            #[cfg(feature = "tls")]
            tls: None,
        }
    }

    /// Adds a service: what tonic generates for a proto's service, with interceptors and layers of
    /// its own or without.
    ///
    /// One that takes the place of what a server has anyway, such as
    /// `google.longrunning.Operations` behind an interceptor, is served in its stead.
    pub fn add_service<S, B>(mut self, service: S) -> Self
    where
        S: Service<http::Request<Body>, Response = http::Response<B>, Error = Infallible>
            + NamedService
            + Clone
            + Send
            + Sync
            + 'static,
        S::Future: Send + 'static,
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        if self.services.contains(&S::NAME) {
            self.added_twice = Some(S::NAME);
            return self;
        }
        self.routes = self.routes.add_service(service);
        self.services.push(S::NAME);
        self
    }

    /// Adds descriptors for reflection: `FILE_DESCRIPTOR_SET` of the code that lro-build generates.
    ///
    /// Only for services without long-running rpcs. Give the set of a service that has some to
    /// [`OperationsBuilder::file_descriptor_set`](crate::OperationsBuilder::file_descriptor_set): it
    /// is there for filters of lists, and reflection takes it from there.
    pub fn file_descriptor_set(mut self, encoded: &'static [u8]) -> Self {
        self.descriptor_sets.push(encoded);
        self
    }

    /// Serves no reflection: callers have to know the protos.
    pub fn without_reflection(mut self) -> Self {
        self.reflection = false;
        self
    }

    /// Drains the worker at the end, within the same time as the calls.
    pub fn worker(mut self, worker: Worker) -> Self {
        self.workers.push(worker);
        self
    }

    /// The limits.
    pub fn limits(mut self, limits: ServeLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Serves with TLS, and without it no more.
    #[cfg(feature = "tls")]
    pub fn tls(mut self, tls: Tls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Serves until `shutdown` is over, and then comes to [the end](self#the-end).
    ///
    /// # Errors
    ///
    /// Before it serves anything: when the address is taken, a certificate or key cannot be used,
    /// a descriptor set cannot be read, or a service was added twice.
    ///
    /// # Cancel safety
    ///
    /// Dropped, it ends at once: connections are cut, and workers dropped.
    pub async fn serve(
        self,
        listen: impl Into<Listen>,
        shutdown: impl Future<Output = ()>,
    ) -> Result<(), Error> {
        if let Some(service) = self.added_twice {
            return Err(Error::new(
                format!("cannot serve {service}"),
                "it was added twice",
            ));
        }
        let closing = CancellationToken::new();
        let cut = CancellationToken::new();
        let _cut_when_dropped = cut.clone().drop_guard();
        let tasks = Tasks {
            tracker: TaskTracker::new(),
            cut,
        };
        #[cfg(feature = "tls")]
        let tls = self.tls.map(Tls::acceptor).transpose()?;
        let limits = self.limits;
        let operations = self.operations;
        let server = operations
            .server()
            .max_decoding_message_size(limits.max_decode_len);
        let mut services = self.services;
        let mut routes = self.routes;
        if is_missing(&server, &mut services) {
            routes = routes.add_service(server);
        }
        let health = Health::new(&services).await;
        let server = CloseStreams::new(health.server(), &closing);
        if is_missing(&server, &mut services) {
            routes = routes.add_service(server);
        }
        let descriptor_sets = operations.descriptor_sets().iter().map(Vec::as_slice);
        let descriptor_sets: Vec<_> = descriptor_sets.chain(self.descriptor_sets).collect();
        if self.reflection {
            routes = reflection::add(routes, &mut services, &descriptor_sets, &closing)?;
        }
        let described = descriptor_sets.into_iter().chain(reflection::OWN_SETS);
        let known = Arc::new(KnownServices::new(&services, described, self.reflection));
        let sizes = MessageLimitLayer {
            max_decode_len: limits.max_decode_len,
            max_encode_len: limits.max_encode_len,
        };
        let service = sizes.layer(StatusLayer { known }.layer(routes.prepare()));
        let service = SpanLayer.layer(DeadlineLayer::new().layer(service));
        // Outermost: a request that is not gRPC gets no further.
        let service = GrpcOnlyLayer::new().layer(service);
        let listener = listen.into().bind().await?;

        let shutdown_timeout = limits.shutdown_timeout;
        let connections = Arc::new(Connections {
            service,
            limits: limits.clone(),
            #[cfg(feature = "tls")]
            tls,
            closing: closing.clone(),
            tasks: tasks.clone(),
        });
        let admission = Admission::new(limits.max_connections, limits.max_connections_per_ip);
        let mut incoming = Incoming::<TcpListener>::new(listener);
        let metrics = operations.engine().metrics().clone();
        let mut refusals = Refusals::new(metrics);
        let accepting = async {
            loop {
                let (stream, address) = incoming.next().await;
                match admission.admit(address.ip()) {
                    Ok(admitted) => connections.spawn(stream, admitted),
                    Err(full) => refusals.add(address, full),
                }
            }
        };
        let following = async {
            health.follow(&operations, &limits).await;
            std::future::pending::<()>().await;
        };
        tokio::select! {
            biased;
            () = shutdown => {}
            () = accepting => {}
            () = following => {}
        }
        tracing::info!("shutting down");
        // In this order: health checks see the change before the connections end.
        health.set(ServingStatus::NotServing).await;
        operations.close();
        drop(incoming);
        closing.cancel();
        end(&tasks, self.workers, shutdown_timeout).await;
        Ok(())
    }
}

/// Lets calls and bodies come to their end, for so long.
async fn end(tasks: &Tasks, workers: Vec<Worker>, limit: Duration) {
    /// Of that time, workers need a part to give operations back: a tenth, at most this long.
    const GIVE_BACK_MAX: Duration = Duration::from_secs(5);
    /// Tasks that are cut end when they are polled next.
    const CUT_TIMEOUT: Duration = Duration::from_secs(1);
    tasks.tracker.close();
    let bodies = limit.saturating_sub((limit / 10).min(GIVE_BACK_MAX));
    let drained = workers.into_iter().map(|worker| worker.drain_for(bodies));
    let ended = async { tokio::join!(tasks.tracker.wait(), join_all(drained)) };
    if timeout(limit, ended).await.is_err() {
        tracing::warn!("calls or operations have not come to their end in time; they are cut");
    }
    tasks.cut.cancel();
    if timeout(CUT_TIMEOUT, tasks.tracker.wait()).await.is_err() {
        tracing::warn!("calls that block their thread are left behind");
    }
}

/// Registers the name of a service. Returns whether it is new.
fn is_missing<S: NamedService>(_service: &S, services: &mut Vec<&'static str>) -> bool {
    let missing = !services.contains(&S::NAME);
    if missing {
        services.push(S::NAME);
    }
    missing
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("services", &self.services)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
