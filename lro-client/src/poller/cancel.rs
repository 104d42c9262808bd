use prost::{Message, Name};
use tokio::runtime::Handle;
use tokio::time::{Instant, timeout};
use tonic::{Code, Status};

use super::{Attempt, Mode, Poller};
use crate::error::Ending;
use crate::{OperationsClient, WaitError};

/// The end of an operation after a cancellation: see [`Poller::cancel_and_wait`].
///
/// ```
/// # async fn example(poller: lro_client::Poller<(), ()>) -> Result<(), lro_client::WaitError<(), ()>> {
/// use lro_client::Cancellation;
///
/// match poller.cancel_and_wait().await? {
///     Cancellation::Cancelled => println!("nothing was done"),
///     Cancellation::Completed(()) => println!("it was faster"),
/// }
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cancellation<R> {
    /// It was cancelled, by this call or by another caller.
    Cancelled,
    /// It completed all the same, with this response.
    Completed(R),
}

impl<R, M> Poller<R, M> {
    /// Asks the server to cancel the operation, without waiting for it: whether it was cancelled
    /// or completed all the same, waiting with this poller tells.
    ///
    /// [`cancel_and_wait`](Self::cancel_and_wait) does both.
    ///
    /// ```
    /// # async fn example(poller: lro_client::Poller<(), ()>) -> Result<(), tonic::Status> {
    /// poller.cancel().await?;
    /// match poller.until_done().await {
    ///     Ok(()) => println!("it was faster"),
    ///     Err(error) if error.is_cancelled() => println!("cancelled"),
    ///     Err(error) => println!("{error}"),
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`OperationsClient::cancel`], which this is.
    ///
    /// # Cancel safety
    ///
    /// It can be dropped; it is unknown then whether the server was asked.
    pub async fn cancel(&self) -> Result<(), Status> {
        self.operations.cancel(&self.name).await
    }

    /// Asks the server to cancel the operation when this poller is dropped before the operation is
    /// known to be done.
    ///
    /// ```
    /// # async fn example(poller: lro_client::Poller<(), ()>) {
    /// use std::time::Duration;
    ///
    /// let poller = poller.cancel_on_drop(tokio::runtime::Handle::current());
    /// // When the time is up, the operation is cancelled too.
    /// let result = tokio::time::timeout(Duration::from_secs(60), poller.until_done()).await;
    /// # }
    /// ```
    ///
    /// The call is made by a task on `runtime`, with its tries and time limits; the caller does not learn
    /// whether it succeeds, and it is lost when the runtime ends first. Where that matters, call
    /// [`cancel`](Self::cancel).
    ///
    /// A clone cancels nothing. The poller that an error
    /// [returns](WaitError::into_poller) still does: dropping the error drops it.
    pub fn cancel_on_drop(mut self, runtime: Handle) -> Self {
        self.guard = match self.operation.done() {
            true => None,
            false => Some(CancelGuard {
                target: Some((self.operations.clone(), self.name.clone())),
                runtime,
            }),
        };
        self
    }

    /// Does not cancel on drop any more.
    pub(super) fn disarm(&mut self) {
        if let Some(guard) = &mut self.guard {
            guard.target = None;
        }
        self.guard = None;
    }
}

impl<R: Message + Name + Default + 'static, M> Poller<R, M> {
    /// Asks the server to cancel the operation, and waits until it is done.
    ///
    /// The [time limit](Self::time_limit) counts from here. An operation that is known to be
    /// done is not cancelled. If the server refuses to cancel, the operation is asked for once: it
    /// may be done by now.
    ///
    /// # Errors
    ///
    /// As [`until_done`](Self::until_done), but that the operation was cancelled is none; and when
    /// the server did not take the call, one that says [so](WaitError::is_cancel_failed) and gives
    /// the poller back.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the poller; it is unknown then whether the server was asked.
    pub async fn cancel_and_wait(mut self) -> Result<Cancellation<R>, WaitError<R, M>> {
        if !self.operation.done() {
            self.begin();
            if let Err(ending) = self.cancel_in_time().await {
                return Err(WaitError::new(ending, self));
            }
        }
        match self.until_done().await {
            Ok(response) => Ok(Cancellation::Completed(response)),
            Err(error) if error.is_cancelled() => Ok(Cancellation::Cancelled),
            Err(error) => Err(error),
        }
    }

    async fn cancel_in_time(&mut self) -> Result<(), Ending> {
        let cancel = self.operations.cancel(&self.name);
        let asked = match self.schedule.left(Instant::now()) {
            None => cancel.await,
            Some(left) => match timeout(left, cancel).await {
                Ok(asked) => asked,
                Err(_) => return Err(self.give_up()),
            },
        };
        let Err(status) = asked else {
            return Ok(());
        };
        let asked = Instant::now();
        let call = self.next_call(asked, false);
        let answer = self.operations.get_once(&self.name, call.limit).await;
        let attempt = Attempt {
            call,
            asked,
            may_wait: false,
        };
        // If this fails too, the error is that of the call that matters.
        let _ = self.answered(Mode::Wait, attempt, answer);
        if self.operation.done() {
            return Ok(());
        }
        if status.code() == Code::DeadlineExceeded && self.schedule.is_at_limit(Instant::now()) {
            return Err(self.give_up());
        }
        Err(Ending::CancelFailed(status))
    }
}

/// Cancels the operation when it is dropped.
pub(super) struct CancelGuard {
    target: Option<(OperationsClient, String)>,
    runtime: Handle,
}

impl Drop for CancelGuard {
    fn drop(&mut self) {
        let Some((operations, name)) = self.target.take() else {
            return;
        };
        self.runtime.spawn(async move {
            match operations.cancel(&name).await {
                Ok(()) => tracing::debug!(name, "cancelled an operation whose poller was dropped"),
                Err(status) => tracing::warn!(name, %status, "cannot cancel an operation whose poller was dropped"),
            }
        });
    }
}
