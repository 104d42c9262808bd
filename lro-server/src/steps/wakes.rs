//! The wakes of a body, apart from those of the run around it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use futures_util::task::AtomicWaker;

/// Notes whether a body was woken since its last poll: the renewal of a lease, for example, polls it, too.
#[derive(Default)]
pub(super) struct BodyWakes {
    was_woken: AtomicBool,
    task: AtomicWaker,
}

impl BodyWakes {
    /// Those of a body that may have been woken before, by the waker of its task.
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            was_woken: AtomicBool::new(true),
            task: AtomicWaker::new(),
        })
    }

    /// Polls the body. Says whether it was woken before.
    pub(super) fn poll<T>(
        self: &Arc<Self>,
        context: &Context<'_>,
        poll: impl FnOnce(&mut Context<'_>) -> Poll<T>,
    ) -> (bool, Poll<T>) {
        self.task.register(context.waker());
        let was_woken = self.was_woken.swap(false, Ordering::AcqRel);
        let waker = Waker::from(self.clone());
        (was_woken, poll(&mut Context::from_waker(&waker)))
    }
}

impl Wake for BodyWakes {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.was_woken.store(true, Ordering::Release);
        self.task.wake();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_poll_without_a_wake_is_told_from_others() {
        let wakes = BodyWakes::new();
        let context = Context::from_waker(Waker::noop());
        let mut waker = None;
        let mut poll = || {
            let polled = wakes.poll(&context, |context| {
                waker = Some(context.waker().clone());
                Poll::<()>::Pending
            });
            polled.0
        };
        assert!(poll(), "it may have been woken before");
        assert!(!poll());
        waker.unwrap().wake();
        let (was_woken, _) = wakes.poll(&context, |_| Poll::<()>::Pending);
        assert!(was_woken);
        let (was_woken, _) = wakes.poll(&context, |_| Poll::<()>::Pending);
        assert!(!was_woken);
    }
}
