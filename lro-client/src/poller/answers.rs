//! Waiting answer by answer, for programs that do not know the types of the operation.

use std::time::Duration;

use tonic::Status;

use super::{Mode, Poller, Step};
use crate::WaitError;

/// The outcome of one poll: see [`Poller::next_answer`].
///
/// ```
/// # async fn example(mut poller: lro_client::Poller<(), ()>) -> Result<(), lro_client::WaitError<(), ()>> {
/// use lro_client::PollAnswer;
///
/// while !poller.operation().done() {
///     match poller.next_answer().await? {
///         PollAnswer::State => println!("{:?}", poller.operation().as_inner().metadata),
///         PollAnswer::Retry(status) => println!("trying again after {status}"),
///         _ => {}
///     }
/// }
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum PollAnswer {
    /// The server has told the state: [`Poller::operation`] has it.
    State,
    /// The poll failed, and the next answer comes from another one.
    Retry(Status),
}

impl<R, M> Poller<R, M> {
    /// The next answer of the server about the operation, whatever its types are.
    ///
    /// It is for programs that show any operation: nothing is decoded, and
    /// [`operation`](Self::operation) has the wire message. It waits on the server like
    /// [`until_done`](Self::until_done), and returns what the server answers even if nothing has
    /// changed. [`max_wait`](Self::max_wait) makes the answers come more often. Of an operation
    /// that is done it returns the state at once, without a call.
    ///
    /// # Errors
    ///
    /// [`WaitError`] when the time limit is reached or a poll fails for good. It never says that the
    /// operation has failed. It gives a poller to continue with.
    ///
    /// # Cancel safety
    ///
    /// It can be dropped and called again: polls do not come sooner.
    pub async fn next_answer(&mut self) -> Result<PollAnswer, WaitError<R, M>> {
        if self.operation.done() {
            return Ok(PollAnswer::State);
        }
        loop {
            match self.advance(Mode::Wait).await {
                Step::Failed(status) => return Ok(PollAnswer::Retry(status)),
                Step::Stopped(ending) => return Err(WaitError::new(ending, self.hand_over())),
                // A server without WaitOperation, or a wait that was cut, has told nothing yet.
                Step::Asked if !self.known => {}
                Step::Asked => return Ok(PollAnswer::State),
            }
        }
    }

    /// The longest that the server may hold a call of WaitOperation: 60 s without this.
    ///
    /// A short one is for programs that show how far the operation is: the server answers at its
    /// end or after this time, and then with the latest metadata.
    pub fn max_wait(mut self, limit: Duration) -> Self {
        self.settings.max_wait = Some(limit);
        self
    }
}
