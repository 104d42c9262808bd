use lro_core::{Outcome, pb};
use prost::{Message, Name};

use super::{Mode, Poller, Step};
use crate::error::Ending;
use crate::{OperationsRpc, PollingResult, WaitError};

impl<R: Message + Name + Default + 'static, M> Poller<R, M> {
    /// Waits until the operation is done, and gives its response.
    ///
    /// It waits on the server, with calls of WaitOperation that last up to 60 s and follow each
    /// other at once (or at least 0.1 s apart, and more and more up to 10 s, when the server
    /// answers them early). A server without WaitOperation is polled with GetOperation, at the
    /// pace of the [backoff policy](Self::backoff_policy); the client remembers that.
    /// Calls that fail are repeated as the [error policy](Self::error_policy) says.
    ///
    /// # Errors
    ///
    /// [`WaitError`], which tells apart what came of the operation from what came of the wait, and
    /// gives the poller back in the second case.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the poller: take its [`name`](Self::name) before. The operation
    /// does not notice.
    pub async fn until_done(mut self) -> Result<R, WaitError<R, M>> {
        while !self.operation.done() {
            if let Step::Stopped(ending) = self.advance(Mode::Wait).await {
                return Err(WaitError::new(ending, self));
            }
        }
        self.conclude()
            .map_err(|ending| WaitError::new(ending, self))
    }

    /// The result of the operation.
    pub(super) fn conclude(&self) -> Result<R, Ending> {
        if self.is_incomplete() {
            return match self.settings.incomplete {
                IncompletePolicy::Default => Ok(R::default()),
                IncompletePolicy::DefaultIfEmpty if is_empty::<R>() => Ok(R::default()),
                IncompletePolicy::DefaultIfEmpty | IncompletePolicy::Error => {
                    Err(Ending::MissingResult)
                }
            };
        }
        match self.operation.outcome() {
            Ok(Outcome::Response(response)) => Ok(response),
            Ok(Outcome::Error(status)) if status.code == tonic::Code::Cancelled as i32 => {
                Err(Ending::Cancelled(status))
            }
            Ok(Outcome::Error(status)) => Err(Ending::Failed(status)),
            Ok(Outcome::Missing | Outcome::Running) => Err(Ending::MissingResult),
            Err(error) => Err(Ending::InvalidResponse(error)),
        }
    }

    /// Whether the server gives neither a response nor an error. Some servers send an empty
    /// message in the place of no response.
    fn is_incomplete(&self) -> bool {
        match &self.operation.as_inner().result {
            None => true,
            Some(pb::operation::Result::Response(any)) => {
                is_empty::<R>() && any.type_url.is_empty() && any.value.is_empty()
            }
            Some(pb::operation::Result::Error(_)) => false,
        }
    }
}

/// Whether a response of this type says nothing: `()`, which is `google.protobuf.Empty`.
fn is_empty<R: Name>() -> bool {
    R::full_name() == <()>::full_name()
}

impl<R, M> Poller<R, M>
where
    R: Message + Name + Default + 'static,
    M: Message + Name + Default + 'static,
{
    /// Asks once, now, unless the operation is known to be done.
    ///
    /// One call of GetOperation, that lasts at most the [timeout] of a try. It is not repeated
    /// when it fails, whatever the policies say, and it ignores the time limit: the caller
    /// sets the pace.
    ///
    /// # Cancel safety
    ///
    /// It can be dropped, and called again.
    ///
    /// [timeout]: crate::CallSettings::timeout
    pub async fn poll(&mut self) -> PollingResult<R, M> {
        if !self.operation.done() {
            let limit = self.operations.call_settings(OperationsRpc::Get).timeout;
            match self.operations.get_once(&self.name, limit).await {
                Ok(operation) => self.learn(operation),
                Err(status) => return PollingResult::PollingError(status),
            }
        }
        if self.operation.done() {
            PollingResult::Completed(self.completed())
        } else {
            PollingResult::InProgress(self.metadata_or_warn())
        }
    }

    pub(super) fn completed(&self) -> Result<R, WaitError<R, M>> {
        self.conclude()
            .map_err(|ending| WaitError::new(ending, self.clone()))
    }
}

/// The treatment of an operation that is done, but has neither a response nor an error. The
/// standard allows that. See [`Poller::incomplete_policy`].
///
/// ```
/// use lro_client::IncompletePolicy;
///
/// assert_eq!(IncompletePolicy::default(), IncompletePolicy::DefaultIfEmpty);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum IncompletePolicy {
    /// A success if the response is `()` (`google.protobuf.Empty`), which says nothing anyway;
    /// otherwise an error: [`WaitError::is_missing_result`].
    #[default]
    DefaultIfEmpty,
    /// An error, whatever the response's type is: [`WaitError::is_missing_result`].
    Error,
    /// A success, with the default value of the response's type.
    Default,
}
