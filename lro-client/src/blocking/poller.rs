use std::fmt;

use lro_core::{Operation, UnpackError};
use prost::{Message, Name};
use tonic::Status;

use super::Shared;
use crate::error::Ending;
use crate::{Cancellation, PollingResult, ResumeToken, WaitError};

/// Waits for an operation by blocking the thread; see [`crate::Poller`].
///
/// ```no_run
/// # fn example(operations: &lro_client::blocking::OperationsClient) -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
///
/// let poller = operations
///     .resume::<(), ()>("operations/42")
///     .map(|poller| poller.time_limit(Duration::from_secs(600)));
/// poller.until_done()?;
/// # Ok(()) }
/// ```
///
/// # Errors
///
/// As [`crate::Poller`]. Within an async runtime, a [failed poll](WaitError::is_poll_failed) with
/// FAILED_PRECONDITION.
#[must_use = "a poller does nothing until it is asked"]
pub struct Poller<R, M> {
    poller: crate::Poller<R, M>,
    runtime: Shared,
}

impl<R, M> Poller<R, M> {
    pub(super) fn new(poller: crate::Poller<R, M>, runtime: Shared) -> Self {
        Self { poller, runtime }
    }

    /// Changes the settings of the async poller inside.
    pub fn map(self, change: impl FnOnce(crate::Poller<R, M>) -> crate::Poller<R, M>) -> Self {
        Self {
            poller: change(self.poller),
            runtime: self.runtime,
        }
    }

    /// The operation's name.
    pub fn name(&self) -> &str {
        self.poller.name()
    }

    /// The last known state.
    pub fn operation(&self) -> &Operation<R, M> {
        self.poller.operation()
    }

    /// Asks the server to cancel the operation, without waiting for it.
    ///
    /// # Errors
    ///
    /// As [`crate::Poller::cancel`].
    pub fn cancel(&self) -> Result<(), Status> {
        self.runtime.block_on(self.poller.cancel())?
    }

    /// Deletes the operation, whose result no caller needs any more.
    ///
    /// # Errors
    ///
    /// As [`crate::Poller::delete`].
    pub fn delete(&self) -> Result<(), Status> {
        self.runtime.block_on(self.poller.delete())?
    }
}

impl<R: Message + Name + Default + 'static, M> Poller<R, M> {
    /// Waits until the operation is done, and returns its response.
    ///
    /// # Errors
    ///
    /// See [the type](Self#errors).
    pub fn until_done(self) -> Result<R, WaitError<R, M>> {
        match self.runtime.ready() {
            Ok(runtime) => runtime.block_on(self.poller.until_done()),
            Err(status) => Err(WaitError::new(Ending::PollFailed(status), self.poller)),
        }
    }

    /// Asks the server to cancel the operation, and waits until it is done.
    ///
    /// # Errors
    ///
    /// See [the type](Self#errors).
    pub fn cancel_and_wait(self) -> Result<Cancellation<R>, WaitError<R, M>> {
        match self.runtime.ready() {
            Ok(runtime) => runtime.block_on(self.poller.cancel_and_wait()),
            Err(status) => Err(WaitError::new(Ending::PollFailed(status), self.poller)),
        }
    }
}

impl<R, M> Poller<R, M>
where
    R: Message + Name + Default + 'static,
    M: Message + Name + Default + 'static,
{
    /// The last known metadata.
    ///
    /// # Errors
    ///
    /// As [`crate::Poller::metadata`].
    pub fn metadata(&self) -> Result<Option<M>, UnpackError> {
        self.poller.metadata()
    }

    /// The token with which another process resumes this poller.
    pub fn resume_token(&self) -> ResumeToken {
        self.poller.resume_token()
    }

    /// Polls once, immediately, unless the operation is known to be done.
    pub fn poll(&mut self) -> PollingResult<R, M> {
        match self.runtime.block_on(self.poller.poll()) {
            Ok(result) => result,
            Err(status) => PollingResult::PollingError(status),
        }
    }

    /// Iterates over the updates of the operation as they happen: see
    /// [`crate::Poller::next_update`]. Within an async runtime, the only item is an error.
    pub fn updates(self) -> Updates<R, M> {
        Updates {
            poller: self,
            refused: false,
        }
    }
}

/// A blocking iterator over the updates of an operation: see [`Poller::updates`].
///
/// ```
/// fn watch(poller: lro_client::blocking::Poller<(), ()>) {
///     for update in poller.updates() {
///         println!("{update:?}");
///     }
/// }
/// ```
#[must_use = "an iterator does nothing until it is read"]
pub struct Updates<R, M> {
    poller: Poller<R, M>,
    refused: bool,
}

impl<R, M> Updates<R, M> {
    /// Returns the poller, to wait or to cancel.
    pub fn into_poller(self) -> Poller<R, M> {
        self.poller
    }
}

impl<R, M> Iterator for Updates<R, M>
where
    R: Message + Name + Default + 'static,
    M: Message + Name + Default + 'static,
{
    type Item = PollingResult<R, M>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.refused {
            return None;
        }
        let Poller { poller, runtime } = &mut self.poller;
        runtime
            .block_on(poller.next_update())
            .unwrap_or_else(|status| {
                self.refused = true;
                let error = WaitError::new(Ending::PollFailed(status), poller.clone());
                Some(PollingResult::Completed(Err(error)))
            })
    }
}

impl<R, M> fmt::Debug for Poller<R, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.poller.fmt(f)
    }
}

impl<R, M> fmt::Debug for Updates<R, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.poller.fmt(f)
    }
}
