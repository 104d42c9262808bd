//! The body of a request, which has to arrive in time.

use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep_until};
use tonic::Status;

use crate::engine::deadline::later;

/// A body that fails when it has not arrived in time.
#[derive(Debug)]
pub(super) struct TimedBody {
    inner: Incoming,
    over: Pin<Box<Sleep>>,
}

impl TimedBody {
    pub(super) fn new(inner: Incoming, timeout: Duration) -> Self {
        Self {
            inner,
            over: Box::pin(sleep_until(later(Instant::now(), timeout))),
        }
    }

    /// As the body of a request; one without bytes needs no time.
    pub(super) fn into_body(self) -> tonic::body::Body {
        if self.inner.is_end_stream() {
            return tonic::body::Body::empty();
        }
        tonic::body::Body::new(self)
    }
}

impl Body for TimedBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = self.get_mut();
        if let Poll::Ready(frame) = Pin::new(&mut this.inner).poll_frame(cx) {
            let frame = frame.map(|frame| frame.map_err(|error| Status::from_error(error.into())));
            return Poll::Ready(frame);
        }
        match this.over.as_mut().poll(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(()) => {
                let message = "the body of the request did not arrive in time";
                Poll::Ready(Some(Err(Status::deadline_exceeded(message))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
