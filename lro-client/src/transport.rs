//! Any gRPC transport behind one type, with one status for every way in which a path breaks.

use std::error::Error;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use http_body::{Frame, SizeHint};
use tonic::Status;
use tonic::body::Body;
use tower::util::BoxCloneSyncService;
use tower::{BoxError, Service, ServiceExt as _};

/// Any gRPC transport, with its type erased.
///
/// Its error is already the status that tonic would make of it: with a boxed error in this place,
/// the compiler cannot tell any more that the generated client's futures are `Send`.
pub(crate) type Transport = BoxCloneSyncService<http::Request<Body>, http::Response<Body>, Status>;

const GRPC_STATUS: &str = "grpc-status";

pub(crate) fn boxed<S, B>(service: S) -> Transport
where
    S: Service<http::Request<Body>, Response = http::Response<B>>,
    S: Clone + Send + Sync + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    // Becoming ready is made a part of the call: so it counts against the call's time limit, and
    // a service that cannot become ready is judged by its error. (A generated client makes UNKNOWN
    // of it, whatever it was.)
    BoxCloneSyncService::new(tower::service_fn(move |request: http::Request<Body>| {
        let service = service.clone();
        async move {
            match service.oneshot(request).await {
                Ok(response) => received(response),
                Err(error) => Err(unsent(error.into())),
            }
        }
    }))
}

/// A response whose body detects a broken stream.
fn received<B>(response: http::Response<B>) -> Result<http::Response<Body>, Status>
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    if has_status(response.headers()) {
        return Ok(response.map(Body::new));
    }
    match response.status() {
        // Without an end that says how the call went, the stream was cut.
        StatusCode::OK if response.body().is_end_stream() => Err(broken(None)),
        StatusCode::OK => Ok(response.map(|body| Body::new(Complete::new(body)))),
        status if is_from_gateway(status) => Err(Status::unavailable(format!(
            "a proxy answered with HTTP status {status} in place of the server"
        ))),
        _ => Ok(response.map(Body::new)),
    }
}

/// Whether a proxy returns this code when it cannot reach the server, or not in time. tonic itself
/// converts only 502, 503 and 504 to UNAVAILABLE.
fn is_from_gateway(status: StatusCode) -> bool {
    match status {
        StatusCode::REQUEST_TIMEOUT => true,
        StatusCode::NOT_IMPLEMENTED | StatusCode::HTTP_VERSION_NOT_SUPPORTED => false,
        _ => status.is_server_error(),
    }
}

fn has_status(headers: &HeaderMap) -> bool {
    headers.contains_key(GRPC_STATUS)
}

/// The status of a call that got no response.
fn unsent(error: BoxError) -> Status {
    if in_chain(&*error, is_broken) {
        return broken(Some(error));
    }
    Status::from_error(error)
}

/// The status of a call whose path broke.
fn broken(cause: Option<BoxError>) -> Status {
    let cause = BrokenPath(cause);
    let mut status = Status::unavailable(cause.to_string());
    status.set_source(Arc::new(cause));
    status
}

/// The connection or the stream of a call broke before the call had an answer.
#[derive(Debug)]
struct BrokenPath(Option<BoxError>);

impl std::fmt::Display for BrokenPath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Some(cause) = &self.0 else {
            return f.write_str("the stream ended without a status");
        };
        write!(f, "the connection or the stream broke: {cause}")?;
        // Libraries put the reason in the last of several errors, under names like "transport".
        let last = chain(&**cause).last().map(ToString::to_string);
        match last {
            Some(last) if last != cause.to_string() => write!(f, ": {last}"),
            _ => Ok(()),
        }
    }
}

impl Error for BrokenPath {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.as_ref().map(|cause| &**cause as _)
    }
}

/// Whether a status says that the path of a call broke, and not what the server has decided.
pub(crate) fn is_broken_path(status: &Status) -> bool {
    status.source().is_some_and(|source| {
        in_chain(source, |error| is_broken(error) || error.is::<BrokenPath>())
    })
}

fn is_broken(error: &(dyn Error + 'static)) -> bool {
    error.is::<std::io::Error>() || is_broken_http(error)
}

/// A stream that was reset, a GOAWAY, a connection that is closed.
#[cfg(not(target_family = "wasm"))]
fn is_broken_http(error: &(dyn Error + 'static)) -> bool {
    let error = error.downcast_ref::<hyper::Error>();
    error.is_some_and(|error| !error.is_user())
}

#[cfg(target_family = "wasm")]
fn is_broken_http(_: &(dyn Error + 'static)) -> bool {
    false
}

fn in_chain(error: &(dyn Error + 'static), is: impl Fn(&(dyn Error + 'static)) -> bool) -> bool {
    chain(error).any(is)
}

fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| (*error).source())
}

/// A body that ends with a status, or with an error.
///
/// A stream that a proxy resets with NO_ERROR or CANCEL looks to hyper like one that has ended.
struct Complete<B> {
    body: Pin<Box<B>>,
    ended: bool,
}

impl<B> Complete<B> {
    fn new(body: B) -> Self {
        Self {
            body: Box::pin(body),
            ended: false,
        }
    }
}

impl<B> http_body::Body for Complete<B>
where
    B: http_body::Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let frame = ready!(self.body.as_mut().poll_frame(context));
        Poll::Ready(Some(match frame {
            Some(Ok(frame)) => {
                self.ended = frame.trailers_ref().is_some_and(has_status);
                Ok(frame)
            }
            Some(Err(error)) => {
                self.ended = true;
                Err(interrupted(error.into()))
            }
            None => {
                self.ended = true;
                Err(broken(None))
            }
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.ended
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The status of a call whose response broke off: a broken path, unless a layer has said what else
/// it is.
fn interrupted(error: BoxError) -> Status {
    match error.downcast::<Status>() {
        Ok(status) if status.source().is_none() => *status,
        Ok(status) => broken(Some(status)),
        Err(error) => broken(Some(error)),
    }
}

#[cfg(test)]
mod tests {
    use http_body::Body as _;
    use http_body_util::{BodyExt as _, Full, StreamBody};

    use super::*;

    fn response<B>(status: u16, headers: &[(&str, &str)], body: B) -> http::Response<B> {
        let builder = http::Response::builder().status(status);
        let builder = headers.iter().fold(builder, |builder, (name, value)| {
            builder.header(*name, *value)
        });
        builder.body(body).unwrap()
    }

    /// The rest of a response: its status, or its frames until the first error.
    async fn read<B>(response: http::Response<B>) -> Result<usize, Status>
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let mut body = received(response)?.into_body();
        let mut frames = 0;
        while let Some(frame) = body.frame().await {
            frame?;
            frames += 1;
        }
        Ok(frames)
    }

    type Part = Result<Frame<Bytes>, BoxError>;

    fn frames(frames: Vec<Part>) -> StreamBody<impl futures_core::Stream<Item = Part> + Send> {
        StreamBody::new(futures_util::stream::iter(frames))
    }

    fn trailers(name: &'static str) -> Frame<Bytes> {
        let value = http::HeaderValue::from_static("0");
        Frame::trailers(HeaderMap::from_iter([(
            http::HeaderName::from_static(name),
            value,
        )]))
    }

    /// report:C3
    #[tokio::test]
    async fn a_stream_without_a_status_is_a_broken_path() {
        let data = || Frame::data(Bytes::from_static(b"data"));
        let reset = || std::io::Error::from(std::io::ErrorKind::ConnectionReset);
        for broken in [
            frames(vec![]),
            frames(vec![Ok(data())]),
            frames(vec![Ok(data()), Ok(trailers("x-other"))]),
            frames(vec![Ok(data()), Err(reset().into())]),
            frames(vec![Err("the browser's fetch has failed".into())]),
            frames(vec![Err(Status::from_error(reset().into()).into())]),
        ] {
            let status = read(response(200, &[], broken)).await.unwrap_err();
            assert!(is_broken_path(&status), "{status:?}");
            assert_eq!(status.code(), tonic::Code::Unavailable);
        }
        let empty = read(response(200, &[], Full::new(Bytes::new()))).await;
        assert!(is_broken_path(&empty.unwrap_err()));
    }

    #[tokio::test]
    async fn statuses_of_the_server_and_of_layers_stay() {
        let data = || Frame::data(Bytes::from_static(b"data"));
        let body = frames(vec![Ok(data()), Ok(trailers(GRPC_STATUS))]);
        assert!(!body.is_end_stream());
        assert_eq!(read(response(200, &[], body)).await.unwrap(), 2);
        let in_headers = [(GRPC_STATUS, "5")];
        let answered = read(response(200, &in_headers, Full::new(Bytes::new())));
        assert_eq!(answered.await.unwrap(), 0);
        let denied = frames(vec![Err(Status::permission_denied("a layer").into())]);
        let status = read(response(200, &[], denied)).await.unwrap_err();
        assert_eq!(status.code(), tonic::Code::PermissionDenied);
        assert!(!is_broken_path(&status));
    }

    /// report:C3
    #[tokio::test]
    async fn a_proxy_that_does_not_reach_the_server_makes_it_unavailable() {
        for (status, is_unavailable) in [
            (408, true),
            (500, true),
            (502, true),
            (504, true),
            (522, true),
            (501, false),
            (401, false),
            (404, false),
        ] {
            let answer = read(response(status, &[], Full::new(Bytes::new()))).await;
            assert_eq!(answer.is_err(), is_unavailable, "{status}");
        }
    }
}
