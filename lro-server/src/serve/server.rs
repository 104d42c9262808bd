//! A server: its settings, and how it is served.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use http::{Request, Response};
use lro_core::LocalHosts;
use lro_core::changes::OperationChanges;
use tokio::net::TcpListener;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::body::Body;
use tonic::server::NamedService;
use tonic::service::Routes;
use tonic_health::ServingStatus;
use tower::{BoxError, Layer as _, Service};

use super::admission::Admission;
use super::close_streams::CloseStreams;
use super::connection::{Connections, Tasks};
use super::deadline::DeadlineLayer;
use super::error::Error;
use super::front::{Front, NotGrpc};
use super::health::Health;
use super::http_service::{self, Hosted, HostedServices, Hosts, Http, MakeHttp};
use super::limits::ServeLimits;
use super::listener::{Incoming, Listen};
use super::message_limit::MessageLimitLayer;
use super::reflection;
use super::refusals::Refusals;
use super::spans::SpanLayer;
use super::statuses::{KnownServices, StatusLayer};
#[cfg(feature = "tls")]
use super::tls::Tls;
use crate::operations::Operations;
use crate::worker::Worker;

/// A server for operations and other gRPC services. See the [module](super).
///
/// ```
/// use lro_server::Operations;
/// use lro_server::serve::Server;
/// use tokio::net::TcpListener;
///
/// async fn serve(operations: &Operations) -> Result<(), Box<dyn std::error::Error>> {
///     let listener = TcpListener::bind("127.0.0.1:0").await?;
///     let shutdown = async { drop(tokio::signal::ctrl_c().await) };
///     Server::builder(operations).serve(listener, shutdown).await?;
///     Ok(())
/// }
/// ```
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
    http: Option<MakeHttp>,
    allowed_hosts: LocalHosts,
    #[cfg(feature = "tls")]
    tls: Option<Tls>,
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
            http: None,
            allowed_hosts: LocalHosts::default(),
            #[cfg(feature = "tls")]
            tls: None,
        }
    }

    /// Adds a service that tonic has generated, with or without its own interceptors and layers.
    ///
    /// A service with the name of a built-in one, such as `google.longrunning.Operations` behind an
    /// interceptor, replaces it.
    pub fn add_service<S, B>(mut self, service: S) -> Self
    where
        S: Service<Request<Body>, Response = Response<B>, Error = Infallible>
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

    /// Disables reflection: clients then need the protos.
    pub fn without_reflection(mut self) -> Self {
        self.reflection = false;
        self
    }

    /// Drains the worker during the shutdown, at the same time as the calls.
    pub fn worker(mut self, worker: Worker) -> Self {
        self.workers.push(worker);
        self
    }

    /// Serves HTTP beside gRPC, on the same port: requests that are not gRPC go to the service that
    /// `make` makes of the server's gRPC services, such as the `Gateway` of `lro-gateway`. See
    /// [HTTP](super#http).
    ///
    /// ```
    /// # use lro_server::{Operations, serve::Server};
    /// use std::convert::Infallible;
    ///
    /// use http::{Request, Response};
    /// use tonic::body::Body;
    ///
    /// # fn example(operations: &Operations) -> Server {
    /// Server::builder(operations).http(|services| {
    ///     let names = services.names().join("\n");
    ///     let index = tower::service_fn(move |_: Request<Body>| {
    ///         let names = names.clone();
    ///         async { Ok::<_, Infallible>(Response::new(names)) }
    ///     });
    ///     Ok::<_, Infallible>(index)
    /// })
    /// # }
    /// ```
    ///
    /// An error of `make` is one of [`serve`](Self::serve). A second call replaces the first.
    pub fn http<S, B, E>(
        mut self,
        make: impl FnOnce(&HostedServices) -> Result<S, E> + Send + 'static,
    ) -> Self
    where
        S: Service<Request<Body>, Response = Response<B>, Error = Infallible>
            + Clone
            + Send
            + Sync
            + 'static,
        S::Future: Send + 'static,
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
        E: Into<BoxError>,
    {
        self.http = Some(Box::new(|services| match make(services) {
            Ok(service) => Ok(http_service::boxed(service)),
            Err(error) => Err(error.into()),
        }));
        self
    }

    /// Answers HTTP requests for this host, with a port or for any, where only loopback hosts are
    /// answered: without an authorizer, on a loopback address. Further calls add further hosts.
    pub fn allow_host(mut self, host: impl Into<String>) -> Self {
        self.allowed_hosts.allow(host);
        self
    }

    /// The limits.
    pub fn limits(mut self, limits: ServeLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Serves only with TLS.
    #[cfg(feature = "tls")]
    pub fn tls(mut self, tls: Tls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Serves until `shutdown` completes, and then shuts down
    /// [gracefully](super#graceful-shutdown).
    ///
    /// # Errors
    ///
    /// Before serving: if the address is in use, a certificate or key is invalid, a descriptor set
    /// cannot be read, or a service was added twice.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future stops the server immediately: it closes all connections and drops the
    /// workers.
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
        let tls = self.tls.map(|tls| tls.acceptor(self.http.is_some()));
        #[cfg(feature = "tls")]
        let tls = tls.transpose()?;
        let limits = self.limits;
        let operations = self.operations;
        let server = operations
            .service()
            .max_decoding_message_size(limits.max_decode_len);
        let mut services = self.services;
        let mut routes = self.routes;
        if is_missing(&server, &mut services) {
            routes = routes.add_service(server);
        }
        let health = Health::new(&services, operations.engine()).await;
        let server = CloseStreams::new(health.server(), &closing);
        if is_missing(&server, &mut services) {
            routes = routes.add_service(server);
        }
        let descriptor_sets = operations.descriptor_sets().iter().map(Vec::as_slice);
        let descriptor_sets: Vec<_> = descriptor_sets.chain(self.descriptor_sets).collect();
        if self.reflection {
            routes = reflection::add(routes, &mut services, &descriptor_sets, &closing)?;
        }
        let described = descriptor_sets
            .iter()
            .copied()
            .chain(reflection::OWN_SETS.iter().copied());
        let known = Arc::new(KnownServices::new(&services, described, self.reflection));
        let sizes = MessageLimitLayer {
            max_decode_len: limits.max_decode_len,
            max_encode_len: limits.max_encode_len,
        };
        let service = sizes.layer(StatusLayer { known }.layer(routes.prepare()));
        let service = SpanLayer.layer(DeadlineLayer::new().layer(service));
        let listener = listen.into().bind().await?;
        let metrics = operations.engine().metrics().clone();
        let hosted = Hosted {
            names: services.clone(),
            descriptor_sets: reflection::reached_by_http(&descriptor_sets, &services),
            parents: operations.gate().services().parents(),
            limits: limits.clone(),
        };
        let hosted = HostedServices::new(http_service::boxed(service.clone()), hosted);
        // Held until the end, so that the inspection service finds it as long as it is served.
        let hosted = Arc::new(hosted);
        #[cfg(feature = "inspection")]
        operations.servers().add(&hosted);
        let http = match self.http {
            None => None,
            Some(make) => {
                let service = make(&hosted)
                    .map_err(|error| Error::new("cannot make the HTTP service", error))?;
                let is_guarded = operations.gate().asks();
                Some(Http {
                    service,
                    readiness: health.readiness().clone(),
                    hosts: Arc::new(Hosts::of(&listener, is_guarded, self.allowed_hosts)),
                    body_timeout: limits.request_body_timeout,
                    changes: OperationChanges::new(Arc::new(operations.changes())),
                    unknown_types: http_service::count_unknown_types(metrics.clone()),
                    metrics: metrics.clone(),
                })
            }
        };
        let with_http1 = http.is_some();
        // Outermost: a request that is not gRPC reaches no rpc.
        let services = services.into();
        let other = NotGrpc { http, services };
        let service = Front {
            grpc: service,
            other: other.clone(),
        };
        let shutdown_timeout = limits.shutdown_timeout;
        let connections = Arc::new(Connections {
            service,
            http1_service: other,
            limits: limits.clone(),
            with_http1,
            #[cfg(feature = "tls")]
            tls,
            closing: closing.clone(),
            tasks: tasks.clone(),
        });
        let admission = Admission::new(limits.max_connections, limits.max_connections_per_ip);
        if let Ok(address) = listener.local_addr() {
            let workers = self.workers.len();
            tracing::info!(%address, http = with_http1, workers, "serving");
        }
        if operations.engine().is_without_worker() {
            tracing::warn!(
                "no worker: this process alone has the store, so operations wait until it starts a \
                 `Worker`; give it to `Server::worker`, and keep it alive"
            );
        }
        let mut incoming = Incoming::<TcpListener>::new(listener);
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
        tracing::warn!("shutdown timeout: cutting the calls and operations that have not finished");
    }
    tasks.cut.cancel();
    if timeout(CUT_TIMEOUT, tasks.tracker.wait()).await.is_err() {
        tracing::warn!("shutdown: abandoning calls that block their thread");
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
