use std::pin::Pin;

use lro_core::Operation;
use prost::{Message, Name};
use tonic::Response;

use crate::{OperationsClient, Poller, WaitError};

/// Makes a [`Poller`] of the operation that a generated client returns, in its
/// response or out of it.
///
/// ```
/// use lro_client::{IntoPoller as _, Operation, OperationsClient};
///
/// # fn example(operation: Operation<(), ()>, operations: &OperationsClient) {
/// let poller = operation.into_poller(operations);
/// # }
/// ```
///
/// The operation is taken to be only just started: should a server not find it at first, the
/// poller asks up to three times more, within some 4 s.
pub trait IntoPoller<R, M> {
    /// A poller for this operation, which asks through `operations`.
    fn into_poller(self, operations: &OperationsClient) -> Poller<R, M>;
}

impl<R, M> IntoPoller<R, M> for Operation<R, M> {
    fn into_poller(self, operations: &OperationsClient) -> Poller<R, M> {
        Poller::started(self, operations)
    }
}

impl<R, M> IntoPoller<R, M> for Response<Operation<R, M>> {
    fn into_poller(self, operations: &OperationsClient) -> Poller<R, M> {
        self.into_inner().into_poller(operations)
    }
}

/// `poller.await` is [`poller.until_done().await`](Poller::until_done).
impl<R: Message + Name + Default + 'static, M: 'static> IntoFuture for Poller<R, M> {
    type Output = Result<R, WaitError<R, M>>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.until_done())
    }
}
