//! The gRPC services of a server, for calls without a socket.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use lro_core::ParentPattern;
use tonic::body::Body;
use tower::Service;

use super::HttpService;
use crate::serve::limits::ServeLimits;

/// The gRPC services of a [`Server`](crate::serve::Server) as a tower service, for calls from within
/// the process: what an HTTP gateway on the same port calls.
///
/// A call passes everything that a call over the network passes: the deadline, the limits on
/// messages, the authorizer, the services' own interceptors and layers, and a span `rpc`. A cheap
/// clone.
///
/// ```
/// # fn example(operations: &lro_server::Operations) {
/// use std::convert::Infallible;
///
/// use http::{Request, Response};
/// use lro_core::pb;
/// use lro_server::serve::Server;
/// use tonic::body::Body;
///
/// let server = Server::builder(operations).http(|services| {
///     // Answers any HTTP request with a list of operations, as text.
///     let services = services.clone();
///     let list = tower::service_fn(move |_: Request<Body>| {
///         let mut client = pb::operations_client::OperationsClient::new(services.clone());
///         async move {
///             let request = pb::ListOperationsRequest::default();
///             let text = match client.list_operations(request).await {
///                 Ok(list) => format!("{:?}", list.into_inner()),
///                 Err(status) => status.to_string(),
///             };
///             Ok::<_, Infallible>(Response::new(text))
///         }
///     });
///     Ok::<_, Infallible>(list)
/// });
/// # let _ = server;
/// # }
/// ```
#[derive(Clone)]
pub struct HostedServices {
    stack: HttpService,
    hosted: Arc<Hosted>,
}

/// The facts about the services.
#[derive(Debug)]
pub(in crate::serve) struct Hosted {
    pub(in crate::serve) names: Vec<&'static str>,
    pub(in crate::serve) descriptor_sets: Vec<Vec<u8>>,
    pub(in crate::serve) parents: Vec<ParentPattern>,
    pub(in crate::serve) limits: ServeLimits,
}

/// Marks the request of a call from within this process.
#[derive(Clone, Copy, Debug)]
pub(in crate::serve) struct InProcess;

impl HostedServices {
    pub(in crate::serve) fn new(stack: HttpService, hosted: Hosted) -> Self {
        Self {
            stack,
            hosted: Arc::new(hosted),
        }
    }

    /// The full names of the services.
    pub fn names(&self) -> &[&'static str] {
        &self.hosted.names
    }

    /// The encoded descriptor sets that the server was given, by
    /// [`OperationsBuilder::file_descriptor_set`](crate::OperationsBuilder::file_descriptor_set) and
    /// [`Server::file_descriptor_set`](crate::serve::Server::file_descriptor_set).
    pub fn descriptor_sets(&self) -> impl Iterator<Item = &[u8]> {
        self.hosted.descriptor_sets.iter().map(Vec::as_slice)
    }

    /// The parents of operations that the [`ServiceSettings`](crate::ServiceSettings) of the server
    /// bind. Empty where operations may have any parent.
    pub fn operation_parents(&self) -> &[ParentPattern] {
        &self.hosted.parents
    }

    /// The limits of the server.
    pub fn limits(&self) -> &ServeLimits {
        &self.hosted.limits
    }
}

impl Service<Request<Body>> for HostedServices {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = <HttpService as Service<Request<Body>>>::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.stack.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        request.extensions_mut().insert(InProcess);
        self.stack.call(request)
    }
}

impl fmt::Debug for HostedServices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostedServices")
            .field("names", &self.hosted.names)
            .finish_non_exhaustive()
    }
}
