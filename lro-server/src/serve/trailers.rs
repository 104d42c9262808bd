//! The ends of bodies.

use std::pin::Pin;
use std::task::{Context, Poll};

use http::{HeaderMap, HeaderValue};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::Status;

/// The trailers that end a body with this status.
pub(super) fn trailers_of(status: &Status) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    if status.add_header(&mut trailers).is_err() {
        // A message that is no header: the code is what matters.
        trailers.insert("grpc-status", HeaderValue::from(status.code() as i32));
    }
    trailers
}

pin_project! {
    /// A body that ends when a token is cancelled: for streams without an end of their own.
    #[derive(Debug)]
    pub(super) struct UntilBody<B> {
        #[pin]
        inner: Option<B>,
        #[pin]
        over: WaitForCancellationFutureOwned,
        status: Option<Status>,
    }
}

impl<B> UntilBody<B> {
    pub(super) fn new(inner: B, over: CancellationToken, status: Status) -> Self {
        Self {
            inner: Some(inner),
            over: over.cancelled_owned(),
            status: Some(status),
        }
    }
}

impl<B: Body> Body for UntilBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        use std::future::Future as _;
        let mut this = self.project();
        let Some(inner) = this.inner.as_mut().as_pin_mut() else {
            return Poll::Ready(None);
        };
        // Frames from before the end still arrive.
        if let Poll::Ready(frame) = inner.poll_frame(cx) {
            return Poll::Ready(frame);
        }
        match (this.over.poll(cx), this.status.take()) {
            (Poll::Ready(()), Some(status)) => {
                this.inner.set(None);
                Poll::Ready(Some(Ok(Frame::trailers(trailers_of(&status)))))
            }
            (Poll::Ready(()), None) => Poll::Ready(None),
            (Poll::Pending, status) => {
                *this.status = status;
                Poll::Pending
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}
