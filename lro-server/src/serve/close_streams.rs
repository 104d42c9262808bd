//! Services whose streams last as long as the server.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::{Request, Response};
use lro_core::Reason;
use pin_project_lite::pin_project;
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tonic::server::NamedService;
use tower::Service;

use super::trailers::UntilBody;

/// A service whose streams end when the server is about to.
#[derive(Clone, Debug)]
pub(super) struct CloseStreams<S> {
    inner: S,
    closing: CancellationToken,
}

impl<S> CloseStreams<S> {
    pub(super) fn new(inner: S, closing: &CancellationToken) -> Self {
        let closing = closing.clone();
        Self { inner, closing }
    }
}

impl<S: NamedService> NamedService for CloseStreams<S> {
    const NAME: &'static str = S::NAME;
}

impl<S> Service<Request<Body>> for CloseStreams<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = CloseStreamsFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        CloseStreamsFuture {
            inner: self.inner.call(request),
            closing: self.closing.clone(),
        }
    }
}

pin_project! {
    pub(super) struct CloseStreamsFuture<F> {
        #[pin]
        inner: F,
        closing: CancellationToken,
    }
}

impl<F> Future for CloseStreamsFuture<F>
where
    F: Future<Output = Result<Response<Body>, Infallible>>,
{
    type Output = Result<Response<Body>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        this.inner.poll(cx).map_ok(|answer| {
            answer.map(|body| {
                let status = Reason::ShuttingDown.status("the server is about to end", []);
                Body::new(UntilBody::new(body, this.closing.clone(), status))
            })
        })
    }
}
