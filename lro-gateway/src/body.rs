//! Bodies of responses, and the reading of bodies of requests.

use std::fmt;
use std::io::Read as _;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use futures_util::Stream;
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use http_body::{Frame, SizeHint};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, BodyStream, Full, LengthLimitError, Limited, StreamBody};
use tonic::{Code, Status};

use crate::fault::Fault;

/// Any error.
pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A body that was cut off.
#[derive(Debug)]
pub struct BodyError(BoxError);

impl BodyError {
    pub(crate) fn new(error: impl Into<BoxError>) -> Self {
        Self(error.into())
    }
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the transfer was cut off: {}", self.0)
    }
}

impl std::error::Error for BodyError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&*self.0)
    }
}

/// The body of a response.
#[derive(Debug)]
pub struct Body(UnsyncBoxBody<Bytes, BodyError>);

impl Body {
    /// A body of these bytes.
    pub(crate) fn full(bytes: impl Into<Bytes>) -> Self {
        Self(
            Full::new(bytes.into())
                .map_err(|never| match never {})
                .boxed_unsync(),
        )
    }

    /// Any other body.
    pub(crate) fn new<B>(body: B) -> Self
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        Self(body.map_err(|error| BodyError(error.into())).boxed_unsync())
    }

    /// A body without bytes.
    pub(crate) fn empty() -> Self {
        Self::full(Bytes::new())
    }

    /// This body, and trailers behind it. It has no length then, so that HTTP/1.1 sends them.
    pub(crate) fn with_trailers(self, trailers: HeaderMap) -> Self {
        let body = self.0.with_trailers(std::future::ready(Some(Ok(trailers))));
        Self(StreamBody::new(BodyStream::new(body)).boxed_unsync())
    }

    /// A body that is sent as its frames come. An error aborts the transfer.
    pub(crate) fn stream<S>(frames: S) -> Self
    where
        S: Stream<Item = Result<Frame<Bytes>, BodyError>> + Send + 'static,
    {
        Self(StreamBody::new(frames).boxed_unsync())
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        Pin::new(&mut self.0).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}

/// Reads a request's body, and inflates it. The limit is for both.
pub(crate) async fn read(headers: &HeaderMap, body: Body, limit: usize) -> Result<Bytes, Fault> {
    let announced = headers
        .get(CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > limit as u64) {
        return Err(Fault::too_large(limit));
    }
    let bytes = match Limited::new(body, limit).collect().await {
        Ok(collected) => collected.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => return Err(Fault::too_large(limit)),
        Err(error) if was_late(&*error) => return Err(Fault::slow_body()),
        Err(_) => return Err(Fault::malformed("the body of the request was cut off")),
    };
    let encoding = headers
        .get(CONTENT_ENCODING)
        .map(|encoding| encoding.as_bytes().to_ascii_lowercase());
    match encoding.as_deref() {
        None | Some(b"" | b"identity") => Ok(bytes),
        Some(b"gzip" | b"x-gzip") if bytes.is_empty() => Ok(bytes),
        Some(b"gzip" | b"x-gzip") => inflate(&bytes, limit),
        Some(_) => Err(Fault::unsupported(
            "content-encoding",
            "a body may be compressed by gzip only",
        )),
    }
}

/// Whether the server has given up on a body that came too slowly.
fn was_late(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut causes = std::iter::successors(Some(error), |error| error.source());
    causes.any(|cause| {
        let status = cause.downcast_ref::<Status>();
        status.is_some_and(|status| status.code() == Code::DeadlineExceeded)
    })
}

fn inflate(bytes: &[u8], limit: usize) -> Result<Bytes, Fault> {
    let mut inflated = Vec::new();
    let read = MultiGzDecoder::new(bytes)
        .take(limit as u64 + 1)
        .read_to_end(&mut inflated);
    if inflated.len() > limit {
        return Err(Fault::too_large(limit));
    }
    match read {
        Ok(_) => Ok(inflated.into()),
        Err(_) => Err(Fault::field("body", "not valid gzip")),
    }
}
