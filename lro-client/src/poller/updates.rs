//! Watching as a stream.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use lro_core::UnpackError;
use prost::{Message, Name};

use super::Poller;
use crate::PollingResult;

type Told<R, M> = (Poller<R, M>, Option<PollingResult<R, M>>);
type Telling<R, M> = Pin<Box<dyn Future<Output = Told<R, M>> + Send>>;

/// The updates of an operation, as a [`Stream`]: see [`Poller::into_stream`].
///
/// ```
/// use futures_util::StreamExt as _;
///
/// async fn watch(poller: lro_client::Poller<(), ()>) {
///     let mut updates = poller.into_stream();
///     while let Some(update) = updates.next().await {
///         println!("{update:?}");
///     }
/// }
/// ```
#[must_use = "a stream does nothing until it is read"]
pub struct Updates<R, M> {
    /// Here between two items.
    poller: Option<Poller<R, M>>,
    telling: Option<Telling<R, M>>,
}

impl<R, M> Poller<R, M>
where
    R: Message + Name + Default + 'static,
    M: Message + Name + Default + 'static,
{
    /// Converts the poller to a stream of the updates of [`next_update`](Self::next_update): first
    /// the present progress; then each change, including the last metadata of the finished
    /// operation; then the result.
    ///
    /// ```
    /// # use prost_types::Timestamp as Progress;
    /// # async fn example(poller: lro_client::Poller<(), Progress>) -> Result<(), Box<dyn std::error::Error>> {
    /// use futures_util::StreamExt as _;
    /// use lro_client::PollingResult;
    ///
    /// let mut updates = poller.into_stream();
    /// while let Some(update) = updates.next().await {
    ///     match update {
    ///         PollingResult::InProgress(Some(metadata)) => println!("{metadata}"),
    ///         PollingResult::InProgress(None) => println!("{:?}", updates.metadata()),
    ///         PollingResult::PollingError(status) => println!("trying again after {status}"),
    ///         PollingResult::Completed(result) => result?,
    ///     }
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// It polls at the same pace, and only while it is read: there is no task and no growing queue.
    /// A slow reader misses intermediate changes, but not the last one.
    pub fn into_stream(self) -> Updates<R, M> {
        Updates {
            poller: Some(self),
            telling: None,
        }
    }
}

impl<R, M> Updates<R, M> {
    /// The poller; `None` while the next item is awaited.
    pub fn poller(&self) -> Option<&Poller<R, M>> {
        self.poller.as_ref()
    }

    /// Returns the poller, to wait or to cancel; `None` while the next item is awaited.
    pub fn into_poller(self) -> Option<Poller<R, M>> {
        self.poller
    }
}

impl<R, M: Message + Name + Default + 'static> Updates<R, M> {
    /// The metadata of the last item. Use it to distinguish missing from unreadable metadata:
    /// [`PollingResult::InProgress`] has `None` for both.
    ///
    /// # Errors
    ///
    /// As [`Poller::metadata`].
    pub fn metadata(&self) -> Result<Option<M>, UnpackError> {
        self.poller.as_ref().map_or(Ok(None), Poller::metadata)
    }
}

impl<R, M> Stream for Updates<R, M>
where
    R: Message + Name + Default + 'static,
    M: Message + Name + Default + 'static,
{
    type Item = PollingResult<R, M>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if let Some(mut poller) = this.poller.take() {
            this.telling = Some(Box::pin(async move {
                let update = poller.next_update().await;
                (poller, update)
            }));
        }
        let Some(telling) = &mut this.telling else {
            return Poll::Ready(None);
        };
        let (poller, update) = ready!(telling.as_mut().poll(context));
        this.telling = None;
        this.poller = Some(poller);
        Poll::Ready(update)
    }
}

impl<R, M> fmt::Debug for Updates<R, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Updates")
            .field("poller", &self.poller)
            .finish_non_exhaustive()
    }
}
