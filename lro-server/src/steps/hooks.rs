//! The places where the testing kit listens to durable calls. Without the feature `testing` they are empty.

#[cfg(feature = "testing")]
pub(super) use crate::testing::hooks::{
    before_closure, begun, mistake, mortal, poll_call, reached, waits,
};

#[cfg(not(feature = "testing"))]
pub(super) use none::{before_closure, begun, mistake, mortal, poll_call, reached, waits};

#[cfg(not(feature = "testing"))]
mod none {
    use std::future::Ready;
    use std::task::{Context, Poll};

    use lro_core::store::StepKey;
    use tonic::Status;

    pub(crate) fn mistake(_error: &Status) {}

    pub(crate) fn begun(_key: &StepKey) {}

    pub(crate) fn reached(_key: &StepKey) {}

    pub(crate) fn waits(_key: &StepKey) {}

    pub(crate) fn before_closure(_key: &StepKey, _attempt: u32) -> Ready<()> {
        std::future::ready(())
    }

    pub(crate) fn mortal<F>(_key: &StepKey, closure: F) -> F {
        closure
    }

    pub(crate) fn poll_call<T>(
        context: &mut Context<'_>,
        poll: impl FnOnce(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        poll(context)
    }
}
