//! The places in durable calls where the kit listens and interferes.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use lro_core::store::{OperationStore, StepKey};
use tonic::Status;

use super::children;
use super::draw::draw;
use super::probe::{Closures, Probe};
use super::wakers::DurableWaker;
use crate::steps::{Closure, Starting};

/// The awaits of one attempt of a closure at which its process may die: these first ones, and later ones
/// at powers of two.
const FIRST_AWAITS: u32 = 8;

/// A call that was made in a way that is an error of the body.
pub(crate) fn mistake(error: &Status) {
    if let Some(probe) = Probe::current() {
        probe.mistake(error.message());
    }
}

/// A call that no earlier run has recorded.
pub(crate) fn begun(key: &StepKey) {
    if let Some(probe) = Probe::current() {
        probe.begun(key.as_str());
    }
}

/// A call that an earlier run has recorded.
pub(crate) fn reached(key: &StepKey) {
    if let Some(probe) = Probe::current() {
        probe.reached(key.as_str());
    }
}

/// A call that waits.
pub(crate) fn waits(key: &StepKey) {
    if let Some(probe) = Probe::current() {
        probe.held(key.as_str());
    }
}

/// The closure that starts a child, if the kit does that.
pub(crate) fn child<'a>(
    key: &StepKey,
    starting: &Arc<Starting>,
    store: &Arc<dyn OperationStore>,
) -> Option<Closure<'a>> {
    let probe = Probe::current()?;
    let starts = probe.children.contains(key.as_str());
    starts.then(|| children::start(starting, store))
}

/// Whether the body runs in the kit, and not in the server that its service knows.
pub(crate) fn is_under_test() -> bool {
    Probe::current().is_some()
}

/// A closure is about to begin.
pub(crate) async fn before_closure(key: &StepKey, attempt: u32) {
    let Some(probe) = Probe::current() else {
        return;
    };
    match probe.closures {
        Closures::Hold => {
            probe.held(key.as_str());
            std::future::pending::<()>().await;
        }
        Closures::Run { seed } => {
            for _ in 0..draw(seed, key.as_str(), attempt) % 4 {
                tokio::task::yield_now().await;
            }
        }
    }
}

/// The future of a closure.
type Attempt<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The same future, in which the process may die at each await.
pub(crate) fn mortal<'a, T: 'a>(key: &StepKey, closure: Attempt<'a, T>) -> Attempt<'a, T> {
    match Probe::current() {
        Some(probe) => Box::pin(Mortal {
            closure,
            probe,
            key: key.clone(),
            awaits: 0,
            waker: None,
        }),
        None => closure,
    }
}

struct Mortal<'a, T> {
    closure: Attempt<'a, T>,
    probe: Arc<Probe>,
    key: StepKey,
    awaits: u32,
    waker: Option<Arc<DurableWaker>>,
}

impl<T> Mortal<'_, T> {
    fn dies(&mut self) -> bool {
        self.awaits += 1;
        let (awaits, key) = (self.awaits, &self.key);
        (awaits <= FIRST_AWAITS || awaits.is_power_of_two())
            && self
                .probe
                .may_die(|| format!("inside `{key}`, at its await {awaits}"))
    }
}

impl<T> Future for Mortal<'_, T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        if self.probe.is_dead() {
            return Poll::Pending;
        }
        // The closure may be polled because of a sibling: then it stands at the await where it stood.
        let has_moved = self.waker.as_ref().is_none_or(|waker| waker.was_woken());
        let waker = DurableWaker::new(context.waker());
        let polled = {
            let waker = Waker::from(waker.clone());
            let context = &mut Context::from_waker(&waker);
            self.closure.as_mut().poll(context)
        };
        self.waker = Some(waker);
        if polled.is_pending() && has_moved {
            self.dies();
        }
        polled
    }
}

/// Polls a durable call, so that its wakes are known as such.
pub(crate) fn poll_call<T>(
    context: &mut Context<'_>,
    poll: impl FnOnce(&mut Context<'_>) -> Poll<T>,
) -> Poll<T> {
    match Probe::current() {
        Some(_) => {
            let waker = Waker::from(DurableWaker::new(context.waker()));
            poll(&mut Context::from_waker(&waker))
        }
        None => poll(context),
    }
}
