//! Tells wakes by durable calls from those by anything else that a body awaits.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use prost_types::Any;

use super::probe::Probe;
use crate::handler::error::HandlerError;
use crate::handler::registration::BodyFuture;

thread_local! {
    /// Whether this thread wakes a body for a durable call.
    static IS_DURABLE: Cell<bool> = const { Cell::new(false) };
}

/// The waker of a durable call, or of the closure in one.
pub(super) struct DurableWaker {
    outer: Waker,
    woken: AtomicBool,
}

impl DurableWaker {
    pub(super) fn new(outer: &Waker) -> Arc<Self> {
        Arc::new(Self {
            outer: outer.clone(),
            woken: AtomicBool::new(false),
        })
    }

    pub(super) fn was_woken(&self) -> bool {
        self.woken.load(Ordering::Acquire)
    }
}

impl Wake for DurableWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.store(true, Ordering::Release);
        let before = IS_DURABLE.replace(true);
        self.outer.wake_by_ref();
        IS_DURABLE.set(before);
    }
}

/// The waker of a body.
struct BodyWaker {
    outer: Waker,
    probe: Arc<Probe>,
}

impl Wake for BodyWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !IS_DURABLE.get() {
            self.probe.woken_from_elsewhere();
        }
        self.outer.wake_by_ref();
    }
}

/// A body whose wakes are noted, also for a time after it was dropped.
pub(super) struct WatchedBody {
    body: Option<BodyFuture>,
    probe: Arc<Probe>,
}

impl WatchedBody {
    pub(super) fn new(body: BodyFuture, probe: &Arc<Probe>) -> Self {
        Self {
            body: Some(body),
            probe: probe.clone(),
        }
    }
}

impl Future for WatchedBody {
    type Output = Result<Any, HandlerError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let waker = Waker::from(Arc::new(BodyWaker {
            outer: context.waker().clone(),
            probe: self.probe.clone(),
        }));
        let Some(body) = &mut self.body else {
            return Poll::Pending;
        };
        let polled = body.as_mut().poll(&mut Context::from_waker(&waker));
        if polled.is_ready() {
            self.body = None;
        }
        polled
    }
}

impl Drop for WatchedBody {
    fn drop(&mut self) {
        if let Some(body) = self.body.take() {
            self.probe.keep_dropped(body);
        }
    }
}
