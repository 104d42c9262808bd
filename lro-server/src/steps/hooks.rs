//! The places where the testing kit listens to durable calls. Without the feature `testing` they are empty.

#[cfg(feature = "testing")]
pub(super) use crate::testing::hooks::{
    before_closure, begun, child, is_under_test, mistake, mortal, poll_call, reached, waits,
};

#[cfg(not(feature = "testing"))]
pub(super) use none::{
    before_closure, begun, child, is_under_test, mistake, mortal, poll_call, reached, waits,
};

#[cfg(not(feature = "testing"))]
mod none {
    use std::future::Ready;
    use std::sync::Arc;
    use std::task::{Context, Poll};

    use lro_core::store::{OperationStore, StepKey};
    use tonic::Status;

    use crate::steps::child::Starting;
    use crate::steps::closure::Closure;

    pub(crate) fn child<'a>(
        _key: &StepKey,
        _starting: &Arc<Starting>,
        _store: &Arc<dyn OperationStore>,
    ) -> Option<Closure<'a>> {
        None
    }

    pub(crate) fn is_under_test() -> bool {
        false
    }

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
