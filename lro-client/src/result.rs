use tonic::Status;

use crate::WaitError;

/// The outcome of a poll, or of the time since the last update.
///
/// ```
/// # async fn example(mut poller: lro_client::Poller<(), prost_types::Timestamp>) {
/// use lro_client::PollingResult;
///
/// match poller.poll().await {
///     PollingResult::InProgress(Some(metadata)) => println!("so far: {metadata}"),
///     PollingResult::InProgress(None) => println!("nothing to tell"),
///     PollingResult::Completed(Ok(())) => println!("done"),
///     PollingResult::Completed(Err(error)) => println!("{error}"),
///     PollingResult::PollingError(status) => println!("cannot tell: {status}"),
/// }
/// # }
/// ```
#[derive(Debug)]
pub enum PollingResult<R, M> {
    /// How far the operation is. `None` when the server does not tell, or tells it in another type:
    /// [`Poller::metadata`](crate::Poller::metadata) knows which.
    InProgress(Option<M>),
    /// The operation is done, or there is no waiting for it any more.
    Completed(Result<R, WaitError<R, M>>),
    /// The poll failed, which says nothing about the operation.
    PollingError(Status),
}
