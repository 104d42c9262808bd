//! Notes on the current thread that a step's closure is polled, so that a durable call in it is found.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use uuid::Uuid;

thread_local! {
    /// The operation whose closure this thread polls.
    static POLLED: Cell<Option<Uuid>> = const { Cell::new(None) };
}

/// Whether this thread polls a closure of the operation.
pub(super) fn is_in_closure_of(uid: Uuid) -> bool {
    POLLED.get() == Some(uid)
}

/// The future of a closure, whose polls are noted.
pub(super) struct InClosure<F> {
    pub(super) future: F,
    pub(super) uid: Uuid,
}

impl<F: Future + Unpin> Future for InClosure<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let _noted = Noted::new(self.uid);
        Pin::new(&mut self.future).poll(context)
    }
}

/// Notes the closure of an operation as long as the guard lives.
pub(super) struct Noted {
    before: Option<Uuid>,
}

impl Noted {
    pub(super) fn new(uid: Uuid) -> Self {
        Self {
            before: POLLED.replace(Some(uid)),
        }
    }
}

impl Drop for Noted {
    fn drop(&mut self) {
        POLLED.set(self.before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_polls_of_the_closure_are_noted() {
        let uid = Uuid::from_u128(7);
        let future = Box::pin(async {
            assert!(is_in_closure_of(uid));
            tokio::task::yield_now().await;
            is_in_closure_of(uid) && !is_in_closure_of(Uuid::nil())
        });
        assert!(InClosure { future, uid }.await);
        assert!(!is_in_closure_of(uid));
    }
}
