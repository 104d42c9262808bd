//! Refuses messages that are too large, whichever service they are for.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use lro_core::Reason;
use pin_project_lite::pin_project;
use tonic::Status;
use tower::{BoxError, Layer, Service};

use super::trailers::trailers_of;
use crate::operations::MaxMessageLen;

/// Limits the messages of all calls, by the lengths that stand before them on the wire.
#[derive(Clone, Copy, Debug)]
pub(super) struct MessageLimitLayer {
    pub(super) max_decode_len: usize,
    pub(super) max_encode_len: usize,
}

impl<S> Layer<S> for MessageLimitLayer {
    type Service = MessageLimit<S>;

    fn layer(&self, inner: S) -> MessageLimit<S> {
        MessageLimit {
            inner,
            limits: *self,
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct MessageLimit<S> {
    inner: S,
    limits: MessageLimitLayer,
}

impl<S, Q, R> Service<Request<Q>> for MessageLimit<S>
where
    S: Service<Request<LimitedRequest<Q>>, Response = Response<R>>,
{
    type Response = Response<LimitedResponse<R>>;
    type Error = S::Error;
    type Future = MessageLimitFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Q>) -> Self::Future {
        // A list makes its pages short enough.
        let max_message = MaxMessageLen(self.limits.max_encode_len);
        request.extensions_mut().insert(max_message);
        let lengths = Lengths::new(self.limits.max_decode_len);
        let request = request.map(|inner| LimitedRequest { inner, lengths });
        MessageLimitFuture {
            inner: self.inner.call(request),
            max_encode_len: self.limits.max_encode_len,
        }
    }
}

pin_project! {
    pub(super) struct MessageLimitFuture<F> {
        #[pin]
        inner: F,
        max_encode_len: usize,
    }
}

impl<F, R, E> Future for MessageLimitFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = Result<Response<LimitedResponse<R>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let lengths = Lengths::new(*this.max_encode_len);
        this.inner.poll(cx).map_ok(|answer| {
            answer.map(|inner| LimitedResponse {
                inner: Some(inner),
                lengths,
            })
        })
    }
}

pin_project! {
    /// A request that fails with the status at the first message that is too large.
    pub(super) struct LimitedRequest<B> {
        #[pin]
        inner: B,
        lengths: Lengths,
    }
}

impl<B> Body for LimitedRequest<B>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.project();
        let frame = match this.inner.poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => frame,
            Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(error.into()))),
            Poll::Ready(None) => return Poll::Ready(None),
            Poll::Pending => return Poll::Pending,
        };
        let checked = this.lengths.check(frame.data_ref(), "request");
        Poll::Ready(Some(checked.map(|()| frame).map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

pin_project! {
    /// An answer that ends with the status before the first message that is too large.
    pub(super) struct LimitedResponse<B> {
        #[pin]
        inner: Option<B>,
        lengths: Lengths,
    }
}

impl<B: Body<Data = Bytes>> Body for LimitedResponse<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let mut this = self.project();
        let Some(inner) = this.inner.as_mut().as_pin_mut() else {
            return Poll::Ready(None);
        };
        let frame = match inner.poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => frame,
            other => return other,
        };
        match this.lengths.check(frame.data_ref(), "response") {
            Ok(()) => Poll::Ready(Some(Ok(frame))),
            Err(status) => {
                this.inner.set(None);
                Poll::Ready(Some(Ok(Frame::trailers(trailers_of(&status)))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner
            .as_ref()
            .map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

/// Follows the messages of a body: each is a flag, its length in 4 bytes, and that many bytes.
#[derive(Debug)]
struct Lengths {
    max: usize,
    prefix: [u8; 5],
    filled: usize,
    /// Bytes of the present message that are still to come.
    remaining: usize,
}

impl Lengths {
    fn new(max: usize) -> Self {
        Self {
            max,
            prefix: [0; 5],
            filled: 0,
            remaining: 0,
        }
    }

    fn check(&mut self, data: Option<&Bytes>, what: &str) -> Result<(), Status> {
        let mut data = data.map_or(&[][..], |data| data);
        loop {
            let skipped = self.remaining.min(data.len());
            self.remaining -= skipped;
            data = &data[skipped..];
            if data.is_empty() {
                return Ok(());
            }
            let taken = data.len().min(self.prefix.len() - self.filled);
            self.prefix[self.filled..self.filled + taken].copy_from_slice(&data[..taken]);
            self.filled += taken;
            data = &data[taken..];
            if self.filled < self.prefix.len() {
                return Ok(());
            }
            self.filled = 0;
            let [_, a, b, c, d] = self.prefix;
            let len = u32::from_be_bytes([a, b, c, d]);
            self.remaining = usize::try_from(len).unwrap_or(usize::MAX);
            if self.remaining > self.max {
                return Err(self.too_large(what));
            }
        }
    }

    fn too_large(&self, what: &str) -> Status {
        let (len, max) = (self.remaining, self.max);
        let message = format!("the {what} has {len} bytes, more than the {max} that are allowed");
        let metadata = [("length", &*len.to_string()), ("limit", &max.to_string())];
        Reason::LimitExceeded.status(message, metadata)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two messages, of 3 and of `len` bytes.
    fn wire(len: u32) -> Vec<u8> {
        let mut wire = vec![0, 0, 0, 0, 3, 7, 7, 7, 1];
        wire.extend(len.to_be_bytes());
        wire.extend(std::iter::repeat_n(9, len as usize));
        wire
    }

    #[test]
    fn lengths_are_seen_however_the_bytes_are_cut() {
        for cut in 1..40 {
            for (len, fits) in [(0, true), (10, true), (11, false)] {
                let mut lengths = Lengths::new(10);
                let wire = wire(len);
                let mut parts = wire.chunks(cut).map(Bytes::copy_from_slice);
                let checked = parts.try_for_each(|part| lengths.check(Some(&part), "request"));
                assert_eq!(checked.is_ok(), fits, "{cut} {len}");
            }
        }
    }

    #[test]
    fn oversized_messages_name_the_limit() {
        let mut lengths = Lengths::new(2);
        let status = lengths.check(Some(&Bytes::from(wire(1))), "request");
        let status = status.unwrap_err();
        assert_eq!(status.code(), tonic::Code::ResourceExhausted);
        assert!(status.message().contains("3 bytes"), "{}", status.message());
    }
}
