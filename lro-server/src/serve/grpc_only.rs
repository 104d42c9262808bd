//! Refuses requests that are not gRPC.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tower::{Layer, Service};

/// The content types that reach an rpc.
const ACCEPTED: [&str; 2] = ["application/grpc", "application/grpc+proto"];
/// The body of a refusal.
const EXPLANATION: &str = "this is a gRPC server: requests must be POST with `content-type: \
     application/grpc` or `application/grpc+proto`\n";
/// Tells a client which content types a POST may have (W3C Linked Data Platform).
const ACCEPT_POST: HeaderName = HeaderName::from_static("accept-post");

/// A tower layer that lets only gRPC requests through: POST with the content type
/// `application/grpc` or `application/grpc+proto`. It answers all others with the HTTP status 415,
/// before any interceptor, authorizer or handler sees them.
///
/// A [`Server`](super::Server) always does this, but for the requests of its
/// [HTTP service](super::Server::http). Add the layer to a plain tonic server, as its first layer, so
/// that it is the outermost:
///
/// ```
/// use lro_server::serve::{DeadlineLayer, GrpcOnlyLayer};
///
/// let server = tonic::transport::Server::builder()
///     .layer(GrpcOnlyLayer::new())
///     .layer(DeadlineLayer::new());
/// ```
///
/// # Why a server needs it
///
/// tonic does not check the content type. A web page may send a POST with `text/plain` to any
/// server without asking it first, so without this layer a page of a foreign origin can call an rpc
/// through its visitor's browser, with the visitor's network position, client certificate and
/// cookies. `application/grpc` needs the server's consent (a CORS preflight), which this layer
/// refuses like every request that is not gRPC.
///
/// # Rules
///
/// The content type is compared without regard to case, and its parameters are ignored. A missing,
/// repeated or any other content type is refused, gRPC-Web included: serve gRPC-Web with a tonic
/// server that has `tonic_web`'s layer and a CORS policy.
#[derive(Clone, Copy, Debug, Default)]
pub struct GrpcOnlyLayer(());

impl GrpcOnlyLayer {
    /// Creates the layer. It has no settings.
    pub fn new() -> Self {
        Self(())
    }
}

impl<S> Layer<S> for GrpcOnlyLayer {
    type Service = GrpcOnlyService<S>;

    fn layer(&self, inner: S) -> GrpcOnlyService<S> {
        GrpcOnlyService { inner }
    }
}

/// The service that [`GrpcOnlyLayer`] makes of another service.
///
/// ```
/// use lro_server::serve::{GrpcOnlyLayer, GrpcOnlyService};
/// use tower::Layer as _;
///
/// fn grpc_only<S>(service: S) -> GrpcOnlyService<S> {
///     GrpcOnlyLayer::new().layer(service)
/// }
/// ```
#[derive(Clone, Debug)]
pub struct GrpcOnlyService<S> {
    inner: S,
}

impl<S, Q, R> Service<Request<Q>> for GrpcOnlyService<S>
where
    S: Service<Request<Q>, Response = Response<R>>,
{
    type Response = Response<GrpcOnlyBody<R>>;
    type Error = S::Error;
    type Future = GrpcOnlyFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Q>) -> Self::Future {
        let accepted = request.method() == Method::POST && has_grpc_content_type(request.headers());
        if !accepted {
            let content_type = request.headers().get(CONTENT_TYPE);
            tracing::debug!(method = %request.method(), ?content_type, "request refused: not gRPC");
        }
        GrpcOnlyFuture {
            inner: accepted.then(|| self.inner.call(request)),
        }
    }
}

pin_project! {
    /// The response future of a [`GrpcOnlyService`].
    #[derive(Debug)]
    pub struct GrpcOnlyFuture<F> {
        // None: the request is refused.
        #[pin]
        inner: Option<F>,
    }
}

impl<F, R, E> Future for GrpcOnlyFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = Result<Response<GrpcOnlyBody<R>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(match self.project().inner.as_pin_mut() {
            Some(inner) => ready!(inner.poll(cx)).map(|response| response.map(GrpcOnlyBody::inner)),
            None => Ok(refusal().map(|text| GrpcOnlyBody::explanation(text))),
        })
    }
}

/// The answer to a request that is not gRPC.
pub(super) fn refusal() -> Response<&'static str> {
    let mut response = Response::new(EXPLANATION);
    *response.status_mut() = StatusCode::UNSUPPORTED_MEDIA_TYPE;
    let headers = response.headers_mut();
    let text = HeaderValue::from_static("text/plain; charset=utf-8");
    headers.insert(CONTENT_TYPE, text);
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    for accepted in ACCEPTED {
        headers.append(ACCEPT_POST, HeaderValue::from_static(accepted));
    }
    response
}

/// Whether there is one content type, and it is one of gRPC with protobuf.
pub(super) fn has_grpc_content_type(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(CONTENT_TYPE).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return false;
    };
    let Ok(value) = value.to_str() else {
        return false;
    };
    let essence = value.split(';').next().unwrap_or_default().trim();
    ACCEPTED
        .iter()
        .any(|accepted| essence.eq_ignore_ascii_case(accepted))
}

pin_project! {
    /// The response body of a [`GrpcOnlyService`]: the inner service's, or the text of a refusal.
    #[derive(Debug)]
    pub struct GrpcOnlyBody<B> {
        #[pin]
        inner: Option<B>,
        explanation: Option<Bytes>,
    }
}

impl<B> GrpcOnlyBody<B> {
    fn inner(inner: B) -> Self {
        Self {
            inner: Some(inner),
            explanation: None,
        }
    }

    fn explanation(text: &'static str) -> Self {
        Self {
            inner: None,
            explanation: Some(Bytes::from_static(text.as_bytes())),
        }
    }
}

impl<B: Body<Data = Bytes>> Body for GrpcOnlyBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = self.project();
        match this.inner.as_pin_mut() {
            Some(inner) => inner.poll_frame(cx),
            None => Poll::Ready(this.explanation.take().map(|text| Ok(Frame::data(text)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.inner {
            Some(inner) => inner.is_end_stream(),
            None => self.explanation.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        let explained = || self.explanation.as_ref().map_or(0, Bytes::len) as u64;
        match &self.inner {
            Some(inner) => inner.size_hint(),
            None => SizeHint::with_exact(explained()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_content_types_of_grpc_with_protobuf_are_accepted() {
        let accepts = |values: &[&'static [u8]]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(CONTENT_TYPE, HeaderValue::from_bytes(value).unwrap());
            }
            has_grpc_content_type(&headers)
        };
        for accepted in [
            "application/grpc",
            "application/grpc+proto",
            "Application/GRPC",
            "APPLICATION/grpc+PROTO",
            "application/grpc;charset=utf-8",
            "application/grpc ; charset=utf-8",
            "application/grpc+proto; a=b; c=d",
            " application/grpc",
        ] {
            assert!(accepts(&[accepted.as_bytes()]), "{accepted}");
        }
        for refused in [
            "",
            ";",
            "text/plain",
            "text/plain;application/grpc",
            "text/plain; charset=application/grpc",
            "application/json",
            "application/x-www-form-urlencoded",
            "multipart/form-data",
            "application/grpcx",
            "application/grpc+",
            "application/grpc+json",
            "application/grpc-web",
            "application/grpc-web+proto",
            "application/grpc-web-text",
            "application/grpc, text/plain",
            "text/plain, application/grpc",
            "application /grpc",
            "grpc",
        ] {
            assert!(!accepts(&[refused.as_bytes()]), "{refused}");
        }
        assert!(!accepts(&[]));
        assert!(!accepts(&[b"application/grpc", b"application/grpc"]));
        assert!(!accepts(&[b"application/grpc", b"text/plain"]));
        assert!(!accepts(&[b"application/grpc;\xff"]));
    }
}
