//! The gateway: an HTTP service in front of gRPC services.

mod methods;
mod settings;

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, ORIGIN};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, Uri};
use lro_core::{HttpRoute, UnknownTypes};
use lro_json::ReadOptions;
use prost_reflect::DescriptorPool;
use tokio::time::Instant;
use tower::Service;

use crate::body::{self, Body, BoxError};
use crate::builder::GatewayBuilder;
use crate::call::{Answer, Backend, Limits};
use crate::cross_site::CrossSite;
use crate::fault::Fault;
use crate::headers;
use crate::message::{self, Parts};
use crate::openapi::{self, Document};
use crate::path::Path;
use crate::query;
use crate::reply::Writer;
use crate::router::{Found, Router};
use crate::rules::Binding;
use crate::stream::{Framing, Streamed};
use crate::system::SystemParameters;
use crate::watch::{Watched, asks_to_watch};
use crate::{capture, media_type};
pub(crate) use settings::Settings;

use methods::{allow, options};

/// HTTP/JSON in front of gRPC services, after `google.api.http`.
///
/// A tower service. It answers every request, with an error as JSON where there is one.
///
/// ```
/// use lro_gateway::Gateway;
/// use tonic::service::Routes;
///
/// # fn example(routes: Routes) -> Result<(), lro_gateway::BuildError> {
/// let gateway = Gateway::builder(routes)
///     .file_descriptor_set(lro_core::pb::FILE_DESCRIPTOR_SET)
///     .build()?;
/// # let _ = gateway;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Gateway {
    shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) router: Router<Arc<Binding>>,
    pub(crate) types: DescriptorPool,
    pub(crate) backend: Backend,
    pub(crate) settings: Settings,
    pub(crate) cross_site: CrossSite,
    /// The OpenAPI document, unless none is served.
    pub(crate) document: Option<Document>,
}

impl Gateway {
    /// A gateway in front of these gRPC services: `tonic::service::Routes` in this process, or a
    /// `tonic::transport::Channel` to another one.
    ///
    /// Layers that authenticate or limit calls must be around the services that the gateway gets, since
    /// its calls pass nothing else.
    pub fn builder<S, B>(services: S) -> GatewayBuilder
    where
        S: Service<Request<tonic::body::Body>, Response = Response<B>>
            + Clone
            + Send
            + Sync
            + 'static,
        S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
        S::Future: Send + 'static,
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        GatewayBuilder::new(services)
    }

    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// The OpenAPI document that `/openapi.json` answers with. `None` where the gateway
    /// [serves none](GatewayBuilder::without_openapi).
    pub fn openapi_json(&self) -> Option<&str> {
        let document = self.shared.document.as_ref()?;
        Some(document.json(&self.shared.router, &self.shared.types))
    }
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gateway")
            .field("settings", &self.shared.settings)
            .finish_non_exhaustive()
    }
}

impl<B> Service<Request<B>> for Gateway
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let shared = self.shared.clone();
        let request = request.map(Body::new);
        Box::pin(async move { Ok(shared.respond(request).await) })
    }
}

impl Shared {
    async fn respond(self: Arc<Self>, request: Request<Body>) -> Response<Body> {
        let origin = request.headers().get(ORIGIN).cloned();
        let is_head = request.method() == Method::HEAD;
        let takes_trailers = !is_head && headers::takes_trailers(request.headers());
        let mut response = match self
            .cross_site
            .preflight(request.method(), request.headers())
        {
            Some(response) => response,
            None => {
                let mut route = None;
                let answer = self.answer(request, &mut route).await;
                let mut response = answer.unwrap_or_else(|fault| {
                    tracing::debug!(code = ?fault.code(), "answered a request with an error");
                    let trailers = takes_trailers.then(|| fault.trailers());
                    let response = fault.into_response(&self.types);
                    headers::with_trailers(response, trailers.unwrap_or_default())
                });
                if let Some(route) = route {
                    response.extensions_mut().insert(route);
                }
                response
            }
        };
        if is_head {
            *response.body_mut() = Body::empty();
        }
        let headers = response.headers_mut();
        headers.insert(
            HeaderName::from_static("x-content-type-options"),
            HeaderValue::from_static("nosniff"),
        );
        self.cross_site.expose(origin.as_ref(), headers);
        response
    }

    async fn answer(
        self: &Arc<Self>,
        request: Request<Body>,
        route: &mut Option<HttpRoute>,
    ) -> Result<Response<Body>, Fault> {
        let (head, body) = request.into_parts();
        let path = path_of(&head.uri, &self.settings);
        let path = path.and_then(Path::new).ok_or_else(Fault::unknown_path)?;
        let is_tunnelled = head.method == Method::POST
            && head
                .headers
                .get("x-http-method-override")
                .is_some_and(|method| method == "GET");
        let method = if is_tunnelled {
            Method::GET
        } else {
            head.method.clone()
        };
        if let Some(document) = &self.document
            && path_of(&head.uri, &self.settings) == Some(openapi::PATH)
            && self.router.methods_of(&path).is_empty()
        {
            if method == Method::OPTIONS {
                return Ok(options("GET, HEAD, OPTIONS"));
            }
            let tag = document.tag(&self.router, &self.types);
            let json = document.json(&self.router, &self.types);
            return openapi::answer(&method, &head.headers, tag, json);
        }
        let binding = self.find(&method, &path)?;
        let (binding, matched) = match binding {
            Bound::Binding(binding, matched) => (binding, matched),
            Bound::Options(allow) => return Ok(options(&allow)),
        };
        *route = Some(binding.route.clone());
        // Dots and broken escapes never reach an rpc, wherever they stand.
        capture::check(path.segments())
            // The last segment, without a verb behind it.
            .and_then(|()| capture::check(matched.last().copied().unwrap_or_default()))
            .map_err(|bad| Fault::field("path", bad.reason()))?;
        self.cross_site
            .check(&head.method, &head.uri, &head.headers)?;
        // A watch lasts longer than the calls that it makes.
        let is_watch = binding.is_watch || asks_to_watch(binding, &head.method, &head.headers);
        let max_timeout = self.settings.max_timeout.filter(|_| !is_watch);
        let deadline = headers::deadline(&head.headers, max_timeout)?;
        let deadline = deadline.and_then(|timeout| Instant::now().checked_add(timeout));
        let call = self.call(
            binding,
            matched,
            &head.uri,
            &head.headers,
            head.extensions,
            body,
            is_tunnelled,
            is_watch,
            deadline,
        );
        match deadline {
            Some(deadline) => match tokio::time::timeout_at(deadline, call).await {
                Ok(answer) => answer,
                Err(_) => Err(Fault::deadline()),
            },
            None => call.await,
        }
    }

    /// Finds the binding of a request.
    fn find<'s, 'p>(&'s self, method: &Method, path: &'p Path<'p>) -> Result<Bound<'s, 'p>, Fault> {
        let mut found = self.router.find(method.as_str(), path);
        let get = || self.router.find(Method::GET.as_str(), path);
        let is_stream = || match get() {
            Found::Binding(binding, _) => binding.rpc.server_streaming || binding.is_watch,
            _ => false,
        };
        if *method == Method::HEAD && matches!(found, Found::OtherMethods(_)) && !is_stream() {
            found = get();
        }
        if *method == Method::OPTIONS {
            let methods = self.router.methods_of(path);
            if !methods.is_empty() && !methods.contains("OPTIONS") {
                return Ok(Bound::Options(allow(methods, is_stream())));
            }
        }
        match found {
            Found::Binding(binding, matched) => Ok(Bound::Binding(binding, matched)),
            Found::OtherMethods(methods) => Err(Fault::other_methods(allow(methods, is_stream()))),
            Found::Nothing => Err(Fault::unknown_path()),
        }
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "they are the parts of one request"
    )]
    async fn call(
        self: &Arc<Self>,
        binding: &Arc<Binding>,
        matched: Vec<&[&str]>,
        uri: &Uri,
        request: &HeaderMap,
        extensions: http::Extensions,
        body: Body,
        is_tunnelled: bool,
        is_watch: bool,
        deadline: Option<Instant>,
    ) -> Result<Response<Body>, Fault> {
        let mut body = body::read(request, body, self.settings.max_body).await?;
        let content_type = request
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok());
        let mut text = uri.query().unwrap_or_default().to_owned();
        if is_tunnelled && media_type::is_form(content_type) {
            text.push('&');
            text.push_str(
                str::from_utf8(&body).map_err(|_| Fault::malformed("the form is not UTF-8"))?,
            );
            body = Bytes::new();
        }
        if !body.is_empty() && !message::takes_raw_body(binding) {
            media_type::check(request)?;
        }
        let pairs = query::parse(&text).map_err(|bad| Fault::field("query", bad.reason()))?;
        let (mut system, pairs) = SystemParameters::take(pairs, &binding.rpc.input)?;
        if let Some(mask) = request.get("x-goog-fieldmask") {
            system.header_mask(mask.to_str().unwrap_or(","))?;
        }
        system.check_fields(&answer_type(binding))?;
        let options = ReadOptions::new()
            .ignore_unknown_fields(self.settings.ignore_unknown_fields)
            .types(self.types.clone());
        let parts = Parts {
            matched,
            query: pairs,
            body,
            content_type,
        };
        let message = message::build(
            binding,
            &parts,
            &options,
            self.settings.ignore_unknown_parameters,
        )?;
        let metadata = headers::to_call_metadata(request, system.api_key.as_deref())?;
        if is_watch {
            let watched = Watched {
                shared: self.clone(),
                binding: binding.clone(),
                system,
                metadata,
                extensions,
                deadline,
            };
            return watched.response(&message, request).await;
        }
        let limits = Limits {
            max_response: self.settings.max_response,
            timeout: deadline.map(|deadline| deadline.saturating_duration_since(Instant::now())),
        };
        let unknown_types = extensions.get::<UnknownTypes>().cloned();
        let answer = self
            .backend
            .call(&binding.rpc, message, metadata, extensions, limits)
            .await?;
        let (metadata, answer, _) = answer.into_parts();
        let mut response = match answer {
            Answer::Message(message, trailers) => {
                let writer = Writer {
                    types: &self.types,
                    default_values: self.settings.default_values,
                    system: &system,
                    binding,
                    poll_hint: self.settings.poll_hint,
                    unknown_types: unknown_types.as_ref(),
                };
                let response = writer.response(&message, request)?;
                match headers::takes_trailers(request) {
                    true => headers::with_trailers(response, headers::to_trailers(trailers)),
                    false => response,
                }
            }
            Answer::Stream(messages) => {
                let framing = Framing::of(request, &system);
                // A message is one line.
                system.pretty &= framing != Framing::Lines;
                let streamed = Streamed {
                    types: self.types.clone(),
                    default_values: self.settings.default_values,
                    system,
                    binding: binding.clone(),
                    framing,
                    deadline,
                    takes_trailers: headers::takes_trailers(request),
                    unknown_types,
                };
                streamed.response(*messages).await?
            }
        };
        headers::from_metadata(metadata.into_headers(), response.headers_mut());
        Ok(response)
    }
}

/// The path below the base path.
fn path_of<'u>(uri: &'u Uri, settings: &Settings) -> Option<&'u str> {
    uri.path().strip_prefix(&*settings.base_path)
}

/// The result of routing.
enum Bound<'s, 'p> {
    Binding(&'s Arc<Binding>, Vec<&'p [&'p str]>),
    /// OPTIONS on a path with these methods.
    Options(String),
}

/// The message that the fields of an answer are of.
fn answer_type(binding: &Binding) -> prost_reflect::MessageDescriptor {
    let field = binding
        .response_body
        .as_ref()
        .map(prost_reflect::FieldDescriptor::kind);
    match field {
        Some(prost_reflect::Kind::Message(message)) => message,
        _ => binding.rpc.output.clone(),
    }
}
