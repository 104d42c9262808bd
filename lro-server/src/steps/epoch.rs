//! New epochs of bodies that run for a long time.

use lro_core::store::{Command, Refusal, StepWrite, Updated};
use lro_core::{Reason, Timestamp, pack};
use prost::{Message, Name};
use tonic::Status;

use super::read::read_record;
use crate::OperationContext;
use crate::engine::deadline::later;
use crate::handler::run::{Link, Run, StopReason, told_to_stop};
use crate::handler::write::{Answer, CarriedMetadata, write_while_held};
use crate::limits::check_len;
use crate::rpc::error::store_failed;

/// Long lives.
impl<M> OperationContext<M> {
    /// Saves a checkpoint and forgets all recorded steps, in one commit: the body continues from the checkpoint
    /// with no rows, so that it may run for years. Durable when this returns; otherwise as
    /// [`checkpoint`](Self::checkpoint).
    ///
    /// A later run begins with [`restore`](Self::restore), and makes no call again from before. Names may be
    /// used again. Promises that came before the body asked for them stay.
    ///
    /// ```
    /// use lro_server::{HandlerError, OperationContext};
    ///
    /// async fn body(operation: OperationContext<()>) -> Result<u64, HandlerError> {
    ///     let mut day = operation.restore::<u64>()?.unwrap_or_default();
    ///     while day < 30 {
    ///         operation.step("import", async || import(day).await).await?;
    ///         day += 1;
    ///         operation.checkpoint_and_forget(&day).await?;
    ///     }
    ///     Ok(day)
    /// }
    /// # async fn import(_day: u64) -> Result<(), tonic::Status> { Ok(()) }
    /// # let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    /// # assert_eq!(runtime.block_on(body(OperationContext::detached())).unwrap(), 30);
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`checkpoint`](Self::checkpoint), and FAILED_PRECONDITION, `STEP_UNDER_WAY`, while another
    /// durable call is under way, or a [saga](Self::saga) is open.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the checkpoint may or may not be saved: return from the body.
    pub async fn checkpoint_and_forget<T: Message + Name + 'static>(
        &self,
        value: &T,
    ) -> Result<(), Status> {
        let checkpoint = pack(value);
        let (len, max) = (checkpoint.value.len(), self.run.limits.max_checkpoint_len);
        check_len("checkpoint", len, max)?;
        let journal = self.run.journal();
        let ends = journal.end_epoch().await?;
        let _at_work = journal.at_work();
        let began = match &self.run.link {
            Some(link) => begin_epoch(&self.run, link, ends, checkpoint.clone()).await?,
            None => journal.time(),
        };
        journal.begin_epoch(began);
        self.run.set_checkpoint(checkpoint);
        Ok(())
    }
}

/// Returns when the epoch began, by the store's clock.
async fn begin_epoch(
    run: &Run,
    link: &Link,
    ends: Vec<StepWrite>,
    checkpoint: prost_types::Any,
) -> Result<Timestamp, Status> {
    let journal = run.journal();
    let carried = CarriedMetadata::take(run);
    let command = Command::CheckpointAndForget {
        fence: run.fence,
        epoch: journal.epoch().saturating_add(1),
        lease_duration: link.lease_duration,
        checkpoint,
        asked: journal.asked_promises(),
        metadata: carried.metadata(),
    };
    let update = run.update(command).with_steps(ends);
    let answer = write_while_held(run, update, "cannot save a checkpoint").await?;
    let Answer {
        called_at,
        is_repeated,
        updated,
    } = answer;
    let updated = match updated {
        Ok(updated) => updated,
        Err(refusal @ Refusal::Owes) => {
            return Err(refusal.reason().status(refusal.to_string(), []));
        }
        Err(_) => {
            run.stop(StopReason::LeaseLost);
            let message = "another worker has the operation, or it has ended";
            return Err(Reason::OperationInterrupted.status(message, []));
        }
    };
    carried.written();
    run.acquit();
    let lease_end = later(called_at, link.lease_duration);
    run.lease_end.send_replace(lease_end);
    if let Some(reason) = told_to_stop(updated.state) {
        run.stop(reason);
    }
    match is_repeated {
        true => stored_begin(run, link, &updated).await,
        false => Ok(updated.update_time),
    }
}

/// When the epoch began, if an earlier command whose answer was lost may have begun it.
async fn stored_begin(run: &Run, link: &Link, updated: &Updated) -> Result<Timestamp, Status> {
    let record = match read_record(run, link).await {
        Ok(record) => record,
        Err(error) => {
            if !run.holds_lease() {
                run.stop(StopReason::LeaseLost);
            }
            return Err(store_failed(&error));
        }
    };
    let steps = record.and_then(|record| record.steps);
    let began = steps.and_then(|steps| steps.epoch_time());
    Ok(began.unwrap_or(updated.update_time))
}
