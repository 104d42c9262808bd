//! The runtimes of a node: one with a single thread that bodies may block, and one beside it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use lro_server::__private::Executor;
use parking_lot::Mutex;
use tokio::time::{Instant, Sleep};

type BoxedTask = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A runtime with one thread. While a task blocks it, it polls none.
#[derive(Debug, Default)]
pub(crate) struct OneThread {
    blocked_until: Arc<Mutex<Option<Instant>>>,
}

impl OneThread {
    /// The current task blocks the thread: nothing is polled for so long.
    pub(crate) fn block(&self, time: Duration) {
        let until = Instant::now() + time;
        let mut blocked_until = self.blocked_until.lock();
        *blocked_until = Some(blocked_until.map_or(until, |known| known.max(until)));
    }
}

impl Executor for OneThread {
    fn spawn(&self, task: BoxedTask) {
        tokio::spawn(Blockable {
            blocked_until: self.blocked_until.clone(),
            sleep: Box::pin(tokio::time::sleep(Duration::ZERO)),
            task,
        });
    }
}

/// A runtime that nothing blocks.
#[derive(Debug)]
pub(crate) struct NeverBlocked;

impl Executor for NeverBlocked {
    fn spawn(&self, task: BoxedTask) {
        tokio::spawn(task);
    }
}

/// A task of [`OneThread`].
struct Blockable {
    blocked_until: Arc<Mutex<Option<Instant>>>,
    sleep: Pin<Box<Sleep>>,
    task: BoxedTask,
}

impl Future for Blockable {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let until = *self.blocked_until.lock();
        if let Some(until) = until.filter(|until| *until > Instant::now()) {
            self.sleep.as_mut().reset(until);
            if self.sleep.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
        }
        self.task.as_mut().poll(context)
    }
}
