//! The errors of calls as they leave the server.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::uri::PathAndQuery;
use http::{HeaderMap, Request, Response};
use lro_core::Reason;
use pin_project_lite::pin_project;
use prost::Message as _;
use prost_types::FileDescriptorSet;
use tonic::{Code, Status};
use tower::{Layer, Service};

use crate::rpc::status::complete;

/// How many names an error lists.
const NAMES_MAX: usize = 20;
/// How many characters of an unknown name an error repeats.
const SHOWN_MAX: usize = 128;

/// The services of a server, with the methods of those whose descriptors it has.
#[derive(Debug, Default)]
pub(super) struct KnownServices {
    methods: BTreeMap<String, Vec<String>>,
    /// Whether errors may name services and methods that the caller did not name.
    are_public: bool,
}

impl KnownServices {
    /// Descriptor sets that cannot be read name no methods.
    pub(super) fn new<'s>(
        services: &[&str],
        descriptor_sets: impl IntoIterator<Item = &'s [u8]>,
        are_public: bool,
    ) -> Self {
        let own = services.iter().map(|&name| (name.to_owned(), Vec::new()));
        let mut methods: BTreeMap<_, _> = own.collect();
        for set in descriptor_sets {
            for file in FileDescriptorSet::decode(set).unwrap_or_default().file {
                let package = file.package();
                for service in &file.service {
                    let name = format!("{package}.{}", service.name());
                    if let Some(known) = methods.get_mut(name.trim_start_matches('.')) {
                        let names = service.method.iter().map(|method| method.name().to_owned());
                        *known = names.collect();
                    }
                }
            }
        }
        Self {
            methods,
            are_public,
        }
    }

    /// The error of a call that tonic has answered with UNIMPLEMENTED and no message.
    fn unimplemented(&self, path: &str) -> Status {
        let path = path.trim_start_matches('/');
        let (service, method) = path.rsplit_once('/').unwrap_or((path, ""));
        let (shown_service, shown_method) = (shown(service), shown(method));
        let metadata = [("service", &*shown_service), ("method", &shown_method)];
        let message = match self.methods.get(service) {
            None => {
                let known = self.listed("it serves", self.methods.keys());
                format!("this server has no service `{shown_service}`{known}")
            }
            Some(methods) if methods.iter().any(|known| known == method) => {
                format!("`{shown_method}` of `{shown_service}` is not implemented")
            }
            Some(methods) => {
                let known = self.listed("it has", methods);
                format!("the service `{shown_service}` has no method `{shown_method}`{known}")
            }
        };
        Reason::Unimplemented.status(message, metadata)
    }

    fn listed<'n>(&self, what: &str, names: impl IntoIterator<Item = &'n String>) -> String {
        let names: Vec<_> = names.into_iter().map(|name| format!("`{name}`")).collect();
        if !self.are_public || names.is_empty() {
            return String::new();
        }
        let more = if names.len() > NAMES_MAX { ", .." } else { "" };
        let names = names[..names.len().min(NAMES_MAX)].join(", ");
        format!("; {what} {names}{more}")
    }
}

/// A name from a path, without characters that could mislead a reader.
fn shown(name: &str) -> String {
    let shown = name.chars().take(SHOWN_MAX);
    shown.flat_map(char::escape_debug).collect()
}

/// Names what is unknown where a service or method is, and gives every error an ErrorInfo.
#[derive(Clone, Debug)]
pub(super) struct StatusLayer {
    pub(super) known: Arc<KnownServices>,
}

impl<S> Layer<S> for StatusLayer {
    type Service = StatusService<S>;

    fn layer(&self, inner: S) -> StatusService<S> {
        let known = self.known.clone();
        StatusService { inner, known }
    }
}

#[derive(Clone, Debug)]
pub(super) struct StatusService<S> {
    inner: S,
    known: Arc<KnownServices>,
}

impl<S, Q, R> Service<Request<Q>> for StatusService<S>
where
    S: Service<Request<Q>, Response = Response<R>>,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = StatusFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Q>) -> Self::Future {
        let path = request.uri().path_and_query().cloned();
        StatusFuture {
            inner: self.inner.call(request),
            path,
            known: self.known.clone(),
        }
    }
}

pin_project! {
    pub(super) struct StatusFuture<F> {
        #[pin]
        inner: F,
        path: Option<PathAndQuery>,
        known: Arc<KnownServices>,
    }
}

impl<F, R, E> Future for StatusFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = Result<Response<R>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut answer = ready!(this.inner.poll(cx));
        if let Ok(response) = &mut answer {
            let path = this.path.as_ref().map_or("", PathAndQuery::path);
            finish(response.headers_mut(), path, this.known);
        }
        Poll::Ready(answer)
    }
}

/// Completes the status of a call that has failed before its first message.
fn finish(headers: &mut HeaderMap, path: &str, known: &KnownServices) {
    if !headers.contains_key(Status::GRPC_STATUS) {
        return;
    }
    let status = match Status::from_header_map(headers) {
        Some(status) if status.code() != Code::Ok => status,
        _ => return,
    };
    let is_anonymous = status.code() == Code::Unimplemented && status.message().is_empty();
    let status = if is_anonymous {
        known.unimplemented(path)
    } else {
        complete(status)
    };
    // A status that is no header stays as it was.
    let mut completed = HeaderMap::new();
    if status.add_header(&mut completed).is_ok() {
        for name in [
            Status::GRPC_STATUS,
            Status::GRPC_MESSAGE,
            Status::GRPC_STATUS_DETAILS,
        ] {
            headers.remove(&name);
            if let Some(value) = completed.remove(&name) {
                headers.insert(name, value);
            }
        }
    }
}
