//! A tracing span and a measurement for each HTTP request.

use std::future::Future;

use http::{Method, Request, Response};
use lro_core::HttpRoute;
use tokio::time::Instant;
use tracing::field::Empty;
use tracing::{Instrument as _, Span};

use crate::engine::metrics::Metrics;
use crate::trace_context::continue_trace;

/// One request: its span `http` has the method, the route, the status and how long the head of the
/// response took. Neither path nor headers are in it: paths have the names of operations.
pub(super) struct Telemetry {
    span: Span,
    method: &'static str,
    begun: Instant,
    metrics: Metrics,
}

impl Telemetry {
    pub(super) fn begin<B>(request: &Request<B>, metrics: Metrics) -> Self {
        let method = known(request.method());
        let span = tracing::info_span!(
            "http",
            http.request.method = method,
            http.route = Empty,
            http.response.status_code = Empty,
            duration_ms = Empty,
        );
        let header = |name| request.headers().get(name).and_then(|it| it.to_str().ok());
        if let Some(parent) = header("traceparent") {
            continue_trace(&span, parent, header("tracestate").unwrap_or_default());
        }
        Self {
            span,
            method,
            begun: Instant::now(),
            metrics,
        }
    }

    pub(super) fn span(&self) -> &Span {
        &self.span
    }

    pub(super) async fn run<B>(self, answer: impl Future<Output = Response<B>>) -> Response<B> {
        let response = answer.instrument(self.span.clone()).await;
        self.end(response)
    }

    /// Records the response.
    pub(super) fn end<B>(self, response: Response<B>) -> Response<B> {
        let seconds = self.begun.elapsed().as_secs_f64();
        let route = response.extensions().get::<HttpRoute>();
        let route = route.map_or("", HttpRoute::as_str);
        let status = response.status().as_u16();
        self.span.record("http.route", route);
        self.span.record("http.response.status_code", status);
        self.span.record("duration_ms", seconds * 1_000.0);
        self.metrics
            .http_answered(self.method, route, status, seconds);
        self.span
            .in_scope(|| tracing::debug!(status, route, "answered"));
        response
    }
}

/// The methods that have a name in metrics: a client may send any other.
fn known(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "_OTHER",
    }
}
