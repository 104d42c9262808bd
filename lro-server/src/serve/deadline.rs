//! Ends calls at their deadline with DEADLINE_EXCEEDED.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use lro_core::Reason;
use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep, sleep_until};
use tonic::Status;
use tower::{Layer, Service};

use super::trailers::trailers_of;
use crate::engine::deadline::{Deadline, later, parse_timeout};

/// A tower layer that enforces the deadline of the header `grpc-timeout`: it ends the call, or its
/// stream, with DEADLINE_EXCEEDED and an ErrorInfo. Handlers find the [`Deadline`] in the
/// extensions of their request.
///
/// tonic's own server also ends calls at this time, but with CANCELLED, and does not end streams.
/// This layer always acts earlier, so you can combine both. WaitOperation returns the operation
/// shortly before the deadline.
///
/// ```
/// use lro_server::serve::DeadlineLayer;
///
/// let server = tonic::transport::Server::builder().layer(DeadlineLayer::new());
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct DeadlineLayer(());

impl DeadlineLayer {
    /// The layer. It has no settings.
    pub fn new() -> Self {
        Self(())
    }
}

impl<S> Layer<S> for DeadlineLayer {
    type Service = DeadlineService<S>;

    fn layer(&self, inner: S) -> DeadlineService<S> {
        DeadlineService { inner }
    }
}

/// The service of a [`DeadlineLayer`].
///
/// ```
/// use lro_server::serve::{DeadlineLayer, DeadlineService};
/// use tower::Layer as _;
///
/// fn with_deadline<S>(service: S) -> DeadlineService<S> {
///     DeadlineLayer::new().layer(service)
/// }
/// ```
#[derive(Clone, Debug)]
pub struct DeadlineService<S> {
    inner: S,
}

impl<S, Q, R> Service<Request<Q>> for DeadlineService<S>
where
    S: Service<Request<Q>, Response = Response<R>>,
{
    type Response = Response<DeadlineBody<R>>;
    type Error = S::Error;
    type Future = DeadlineFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Q>) -> Self::Future {
        let header = request.headers().get("grpc-timeout");
        let timeout = header.and_then(|header| parse_timeout(header.to_str().ok()?));
        let deadline = timeout.map(|timeout| Deadline::new(later(Instant::now(), timeout)));
        if let Some(deadline) = deadline {
            request.extensions_mut().insert(deadline);
        }
        DeadlineFuture {
            inner: self.inner.call(request),
            timer: Timer::new(deadline),
        }
    }
}

pin_project! {
    /// The answer of a [`DeadlineService`].
    #[derive(Debug)]
    pub struct DeadlineFuture<F> {
        #[pin]
        inner: F,
        #[pin]
        timer: Timer,
    }
}

impl<F, R, E> Future for DeadlineFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = Result<Response<DeadlineBody<R>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if let Poll::Ready(answer) = this.inner.poll(cx) {
            let deadline = this.timer.deadline;
            return Poll::Ready(answer.map(|answer| {
                answer.map(|body| DeadlineBody {
                    inner: Some(body),
                    timer: Timer::new(deadline),
                })
            }));
        }
        match this.timer.poll_over(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(()) => {
                let answer = exceeded().into_http::<()>();
                Poll::Ready(Ok(answer.map(|()| DeadlineBody {
                    inner: None,
                    timer: Timer::new(None),
                })))
            }
        }
    }
}

pin_project! {
    /// A body that ends at the deadline of its call.
    #[derive(Debug)]
    pub struct DeadlineBody<B> {
        #[pin]
        inner: Option<B>,
        #[pin]
        timer: Timer,
    }
}

impl<B: Body> Body for DeadlineBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let mut this = self.project();
        let Some(inner) = this.inner.as_mut().as_pin_mut() else {
            return Poll::Ready(None);
        };
        if let Poll::Ready(frame) = inner.poll_frame(cx) {
            return Poll::Ready(frame);
        }
        match this.timer.poll_over(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(()) => {
                // The producer of the stream ends with it.
                this.inner.set(None);
                Poll::Ready(Some(Ok(Frame::trailers(trailers_of(&exceeded())))))
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

pin_project! {
    #[derive(Debug)]
    struct Timer {
        deadline: Option<Deadline>,
        #[pin]
        sleep: Option<Sleep>,
    }
}

impl Timer {
    fn new(deadline: Option<Deadline>) -> Self {
        Self {
            deadline,
            sleep: None,
        }
    }

    fn poll_over(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        let Some(deadline) = *this.deadline else {
            return Poll::Pending;
        };
        // Looked at here and not only by the timer: when another timer with a later end has woken
        // the task, tonic's own, this one's turn may not have come yet.
        if deadline.remaining().is_zero() {
            return Poll::Ready(());
        }
        if this.sleep.is_none() {
            this.sleep.set(Some(sleep_until(deadline.instant())));
        }
        match this.sleep.as_pin_mut() {
            Some(sleep) => sleep.poll(cx),
            None => Poll::Pending,
        }
    }
}

fn exceeded() -> Status {
    let message = "the call took longer than its caller allows (grpc-timeout)";
    Reason::DeadlineExceeded.status(message, [])
}
