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
    /// The progress of the operation. `None` if the server sends no metadata, or metadata of
    /// another type: [`Poller::metadata`](crate::Poller::metadata) distinguishes the two.
    InProgress(Option<M>),
    /// The operation is done, or the wait has failed permanently.
    Completed(Result<R, WaitError<R, M>>),
    /// The poll failed; the state of the operation is unknown.
    PollingError(Status),
}
