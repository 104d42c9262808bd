//! The client as a worker's way to the operations of another server.

use async_trait::async_trait;
use lro_core::{RemoteOperations, pb};
use tonic::{Code, Status};

use super::{Mode, Poller, Step};
use crate::OperationsClient;
use crate::error::Ending;

/// Waits as a [`Poller`] does: on the server where that offers WaitOperation, and otherwise by polls that are 1 s to
/// 60 s apart. So changes are seen at least once a minute.
///
/// An operation that has only just been started may be not found three times.
#[async_trait]
impl RemoteOperations for OperationsClient {
    async fn until_done(
        &self,
        name: &str,
        on_change: &(dyn for<'o> Fn(&'o pb::Operation) + Send + Sync),
    ) -> Result<pb::Operation, Status> {
        let started = pb::Operation {
            name: name.to_owned(),
            ..Default::default()
        };
        let mut poller = Poller::<(), ()>::started(started.into(), self);
        loop {
            match poller.advance(Mode::Wait).await {
                Step::Asked if poller.operation.done() => return Ok(poller.operation.into_inner()),
                Step::Asked => on_change(poller.operation.as_inner()),
                Step::Failed(_) => {}
                Step::Stopped(Ending::PollFailed(status)) => return Err(status),
                Step::Stopped(_) => {
                    return Err(Status::new(
                        Code::Unavailable,
                        "the wait for the operation has ended",
                    ));
                }
            }
        }
    }

    async fn cancel(&self, name: &str) -> Result<(), Status> {
        Self::cancel(self, name).await
    }
}
