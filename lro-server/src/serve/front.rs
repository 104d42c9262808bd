//! The first look at a request: gRPC, HTTP, or neither.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, Version};
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use pin_project_lite::pin_project;
use tonic::body::Body;
use tower::{BoxError, Service};

use super::grpc_only::{has_grpc_content_type, refusal};
use super::http_service::Http;
use super::plain_text;

/// Requests that are gRPC go to the rpcs; all others to HTTP, if there is any.
#[derive(Clone, Debug)]
pub(super) struct Front<S> {
    pub(super) grpc: S,
    pub(super) other: NotGrpc,
}

impl<S, R> Service<Request<Incoming>> for Front<S>
where
    S: Service<Request<Incoming>, Response = Response<R>, Error = Infallible>,
{
    type Response = Response<FrontBody<R>>;
    type Error = Infallible;
    type Future = FrontFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.grpc.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Incoming>) -> Self::Future {
        if is_grpc(&request) && request.version() == Version::HTTP_2 {
            let inner = self.grpc.call(request);
            return FrontFuture::Grpc { inner };
        }
        let inner = self.other.call(request);
        FrontFuture::Other { inner }
    }
}

fn is_grpc(request: &Request<Incoming>) -> bool {
    request.method() == Method::POST && has_grpc_content_type(request.headers())
}

/// The requests that are no rpcs. It is the whole service of connections of HTTP/1.1: hyper keeps room
/// for the future of a call as long as the connection lives, and that of an rpc is large.
#[derive(Clone, Debug)]
pub(super) struct NotGrpc {
    pub(super) http: Option<Http>,
    /// The gRPC services, whose paths are nothing else's.
    pub(super) services: Arc<[&'static str]>,
}

impl Service<Request<Incoming>> for NotGrpc {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answer;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Incoming>) -> Answer {
        let is_grpc = is_grpc(&request);
        match &self.http {
            // The trailers of gRPC, and its streams, need HTTP/2.
            Some(_) if is_grpc => {
                let status = StatusCode::HTTP_VERSION_NOT_SUPPORTED;
                Answer::refused(plain_text(status, "gRPC needs HTTP/2\n"))
            }
            Some(http) if !self.is_rpc(request.uri().path()) => Answer::Http(http.call(request)),
            _ => {
                let (method, content_type) =
                    (request.method(), request.headers().get("content-type"));
                tracing::debug!(%method, ?content_type, "request refused: not gRPC");
                Answer::refused(refusal().map(|text| Body::new(text.to_owned())))
            }
        }
    }
}

impl NotGrpc {
    /// Whether the path is one of a gRPC service.
    fn is_rpc(&self, path: &str) -> bool {
        let service = path.strip_prefix('/').and_then(|path| path.split_once('/'));
        service.is_some_and(|(service, method)| {
            !method.contains('/') && self.services.contains(&service)
        })
    }
}

pin_project! {
    /// The answer of a [`Front`].
    #[project = FutureProjection]
    pub(super) enum FrontFuture<F> {
        Grpc {
            #[pin]
            inner: F,
        },
        Other {
            inner: Answer,
        },
    }
}

impl<F, R> Future for FrontFuture<F>
where
    F: Future<Output = Result<Response<R>, Infallible>>,
{
    type Output = Result<Response<FrontBody<R>>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project() {
            FutureProjection::Grpc { inner } => {
                let answer = ready!(inner.poll(cx));
                Poll::Ready(answer.map(|it| it.map(|inner| FrontBody::Grpc { inner })))
            }
            FutureProjection::Other { inner } => {
                let answer = ready!(Pin::new(inner).poll(cx));
                Poll::Ready(answer.map(|it| it.map(|inner| FrontBody::Other { inner })))
            }
        }
    }
}

/// An answer that no rpc gives.
pub(super) enum Answer {
    Http(Pin<Box<dyn Future<Output = Response<Body>> + Send>>),
    Refused(Box<Response<Body>>),
}

impl Answer {
    fn refused(response: Response<Body>) -> Self {
        Self::Refused(Box::new(response))
    }
}

impl Future for Answer {
    type Output = Result<Response<Body>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(Ok(match self.get_mut() {
            Self::Http(answer) => ready!(answer.as_mut().poll(cx)),
            Self::Refused(response) => std::mem::take(response),
        }))
    }
}

pin_project! {
    /// The body of such an answer.
    #[project = BodyProjection]
    pub(super) enum FrontBody<R> {
        Grpc {
            #[pin]
            inner: R,
        },
        Other {
            #[pin]
            inner: Body,
        },
    }
}

impl<R> http_body::Body for FrontBody<R>
where
    R: http_body::Body<Data = Bytes>,
    R::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self.project() {
            BodyProjection::Grpc { inner } => inner.poll_frame(cx).map_err(Into::into),
            BodyProjection::Other { inner } => inner.poll_frame(cx).map_err(Into::into),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Grpc { inner } => inner.is_end_stream(),
            Self::Other { inner } => http_body::Body::is_end_stream(inner),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Grpc { inner } => inner.size_hint(),
            Self::Other { inner } => http_body::Body::size_hint(inner),
        }
    }
}
