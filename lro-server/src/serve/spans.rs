//! A tracing span for each rpc.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::{HeaderMap, Request, Response};
use http_body::{Body, Frame, SizeHint};
use lro_core::pb::rpc;
use pin_project_lite::pin_project;
use tokio::time::Instant;
use tonic::{Code, Status};
use tower::{Layer, Service};
use tracing::Span;
use tracing::field::Empty;

use super::http_service::InProcess;
use crate::trace_context::continue_trace;

/// Runs each call in a span `rpc` with its method and, at the end, its code and duration. A debug
/// event reports the same. The span contains nothing from the headers.
#[derive(Clone, Copy, Debug)]
pub(super) struct SpanLayer;

impl<S> Layer<S> for SpanLayer {
    type Service = SpanService<S>;

    fn layer(&self, inner: S) -> SpanService<S> {
        SpanService { inner }
    }
}

#[derive(Clone, Debug)]
pub(super) struct SpanService<S> {
    inner: S,
}

impl<S, Q, R> Service<Request<Q>> for SpanService<S>
where
    S: Service<Request<Q>, Response = Response<R>>,
{
    type Response = Response<SpanBody<R>>;
    type Error = S::Error;
    type Future = SpanFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Q>) -> Self::Future {
        /// Longer paths are no methods.
        const METHOD_LEN_MAX: usize = 256;
        let path = request.uri().path().trim_start_matches('/');
        let method = path.get(..METHOD_LEN_MAX).unwrap_or(path);
        let span = tracing::info_span!(
            "rpc",
            rpc.system = "grpc",
            rpc.method = method,
            rpc.response.status_code = Empty,
            duration_ms = Empty,
        );
        let header = |name| request.headers().get(name).and_then(|it| it.to_str().ok());
        // The span of an HTTP request, whose call this is, is the child of the caller's.
        let is_inner = request.extensions().get::<InProcess>().is_some();
        if let Some(parent) = header("traceparent").filter(|_| !is_inner) {
            continue_trace(&span, parent, header("tracestate").unwrap_or_default());
        }
        let inner = span.in_scope(|| self.inner.call(request));
        SpanFuture {
            inner,
            call: Some(Call {
                span,
                begun: Instant::now(),
                ended: false,
            }),
        }
    }
}

/// One call, that ends once.
#[derive(Debug)]
pub(super) struct Call {
    span: Span,
    begun: Instant,
    ended: bool,
}

impl Call {
    fn end(&mut self, code: Code) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        let duration_ms = self.begun.elapsed().as_secs_f64() * 1_000.0;
        let code = rpc::Code::try_from(code as i32).unwrap_or_default();
        let code = code.as_str_name();
        self.span.record("rpc.response.status_code", code);
        self.span.record("duration_ms", duration_ms);
        self.span
            .in_scope(|| tracing::debug!(code, duration_ms, "answered"));
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        // Dropped before its end: the caller disconnected.
        self.end(Code::Cancelled);
    }
}

pin_project! {
    pub(super) struct SpanFuture<F> {
        #[pin]
        inner: F,
        call: Option<Call>,
    }
}

impl<F, R, E> Future for SpanFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = Result<Response<SpanBody<R>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let entered = this.call.as_ref().map(|call| call.span.enter());
        let Poll::Ready(answer) = this.inner.poll(cx) else {
            return Poll::Pending;
        };
        drop(entered);
        let mut call = this.call.take();
        Poll::Ready(answer.map(|answer| {
            if let (Some(call), Some(code)) = (&mut call, code_in(answer.headers())) {
                call.end(code);
            }
            answer.map(|inner| SpanBody { inner, call })
        }))
    }
}

pin_project! {
    pub(super) struct SpanBody<B> {
        #[pin]
        inner: B,
        call: Option<Call>,
    }
}

impl<B: Body> Body for SpanBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        let entered = this.call.as_ref().map(|call| call.span.enter());
        let Poll::Ready(frame) = this.inner.poll_frame(cx) else {
            return Poll::Pending;
        };
        drop(entered);
        let code = match &frame {
            Some(Ok(frame)) => frame.trailers_ref().and_then(code_in),
            Some(Err(_)) | None => Some(Code::Unknown),
        };
        if let (Some(call), Some(code)) = (this.call, code) {
            call.end(code);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

fn code_in(headers: &HeaderMap) -> Option<Code> {
    Status::from_header_map(headers).map(|status| status.code())
}
