use prost::{Message, Name};
use prost_types::Any;

use super::{Mode, Poller, Step};
use crate::{PollingResult, WaitError};

/// The updates that were returned so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Watch {
    metadata: Option<Option<Any>>,
    ended: bool,
}

impl<R, M> Poller<R, M>
where
    R: Message + Name + Default + 'static,
    M: Message + Name + Default + 'static,
{
    /// Waits for the next update: first the present progress, immediately; then each change,
    /// including the last metadata of the finished operation; then the result; then `None`.
    ///
    /// ```
    /// # use prost_types::Timestamp as Progress;
    /// # async fn example(mut poller: lro_client::Poller<(), Progress>) -> Result<(), Box<dyn std::error::Error>> {
    /// use lro_client::PollingResult;
    ///
    /// while let Some(update) = poller.next_update().await {
    ///     match update {
    ///         PollingResult::InProgress(metadata) => println!("{metadata:?}"),
    ///         PollingResult::PollingError(status) => println!("trying again after {status}"),
    ///         PollingResult::Completed(result) => result?,
    ///     }
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// It calls GetOperation every 0.25 s to 1 s, or as the [backoff policy](Self::backoff_policy)
    /// says. A poll that failed and will be repeated is an update too. When the wait ends before
    /// the operation does, the error in the last update holds a poller to continue with.
    ///
    /// # Cancel safety
    ///
    /// The future can be dropped, for example in a `select!`, and the method called again: no
    /// update is lost, and polls keep their pace. The time limit also runs between the calls.
    pub async fn next_update(&mut self) -> Option<PollingResult<R, M>> {
        if self.watch.ended {
            return None;
        }
        loop {
            if self.has_news() {
                let metadata = self.operation.as_inner().metadata.clone();
                self.watch.metadata = Some(metadata);
                return Some(PollingResult::InProgress(self.metadata_or_warn()));
            }
            if self.operation.done() {
                self.watch.ended = true;
                return Some(PollingResult::Completed(self.completed()));
            }
            match self.advance(Mode::Watch).await {
                Step::Asked => {}
                Step::Failed(status) => return Some(PollingResult::PollingError(status)),
                Step::Stopped(ending) => {
                    self.watch.ended = true;
                    let error = WaitError::new(ending, self.hand_over());
                    return Some(PollingResult::Completed(Err(error)));
                }
            }
        }
    }

    /// Waits until the operation is done, and calls the closure with its metadata: immediately with
    /// the present value, then with each change, including the last.
    ///
    /// ```
    /// # use prost_types::Timestamp as Progress;
    /// # async fn example(poller: lro_client::Poller<(), Progress>) -> Result<(), lro_client::WaitError<(), Progress>> {
    /// poller.until_done_with(|progress| println!("{progress}")).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// It polls at the pace of [`next_update`](Self::next_update). Metadata that cannot be decoded
    /// is logged as a warning and skipped.
    ///
    /// # Errors
    ///
    /// As [`until_done`](Self::until_done).
    ///
    /// # Cancel safety
    ///
    /// As [`until_done`](Self::until_done).
    pub async fn until_done_with(
        mut self,
        mut on_metadata: impl FnMut(M),
    ) -> Result<R, WaitError<R, M>> {
        loop {
            match self.next_update().await {
                Some(PollingResult::InProgress(Some(metadata))) => on_metadata(metadata),
                Some(PollingResult::InProgress(None) | PollingResult::PollingError(_)) => {}
                Some(PollingResult::Completed(result)) => return result,
                // The caller has seen the end already, which is not repeated.
                None => self = self.rewound(),
            }
        }
    }

    fn has_news(&self) -> bool {
        let now = &self.operation.as_inner().metadata;
        match &self.watch.metadata {
            Some(told) => told != now,
            // Of an operation that is done, no metadata is no news.
            None => self.known && (now.is_some() || !self.operation.done()),
        }
    }
}
