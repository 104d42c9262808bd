use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use lro_core::store::{Command, NewOperation, OperationRecord};
use lro_core::{OperationName, ParentName, Reason, Timestamp, pack, unpack};
use prost::{Message, Name};
use tokio::time::Instant;
use tonic::Status;
use uuid::Uuid;

use crate::engine::deadline::later;
use crate::handler::run::{Run, StopReason, told_to_stop};
use crate::handler::write::{CarriedMetadata, write_while_held};
use crate::limits::{BodyLimits, Limits, check_len};
use crate::steps::Journal;

/// The handle of a body on its operation: it reports progress, saves checkpoints and receives cancellations. It is
/// cheap to clone, and blocking threads can use it, too.
///
/// ```
/// # use lro_server::OperationContext;
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// // In a unit test of a handler there is no operation: the context is detached.
/// let operation = OperationContext::<prost_types::Duration>::detached();
/// operation.set_metadata(prost_types::Duration { seconds: 1, nanos: 0 });
/// assert_eq!(operation.metadata()?.unwrap().seconds, 1);
/// operation.checkpoint(&prost_types::Duration { seconds: 2, nanos: 0 }).await?;
/// assert_eq!(operation.restore::<prost_types::Duration>()?.unwrap().seconds, 2);
/// # Ok::<(), tonic::Status>(()) }).unwrap();
/// ```
pub struct OperationContext<M> {
    pub(crate) run: Arc<Run>,
    /// The scope of its durable calls; `None` outside of all.
    pub(crate) scope: Option<Arc<str>>,
    metadata: PhantomData<fn(M)>,
}

impl<M> OperationContext<M> {
    pub(crate) fn new(run: Arc<Run>) -> Self {
        Self {
            run,
            scope: None,
            metadata: PhantomData,
        }
    }

    /// The same context with another scope.
    pub(crate) fn with_scope(&self, scope: Option<Arc<str>>) -> Self {
        Self {
            run: self.run.clone(),
            scope,
            metadata: PhantomData,
        }
    }

    /// A context without an operation, to call a body in a unit test. It keeps metadata and
    /// checkpoints in memory and writes nothing; the default [`Limits`] apply.
    pub fn detached() -> Self {
        let uid = Uuid::nil();
        let name = OperationName::new(&ParentName::default(), "detached");
        // The name is a constant that is valid, which the doc example above proves.
        let Ok(name) = name else { unreachable!() };
        let new = NewOperation::new(uid, name, "", prost_types::Any::default());
        let mut record = OperationRecord::new(new, Timestamp::EPOCH);
        (record.attempt, record.fence) = (1, 1);
        let lease_end = later(Instant::now(), Duration::MAX);
        let limits = Limits::default().of_bodies();
        Self::new(Arc::new(Run::new(&record, None, limits, lease_end, None)))
    }

    /// The operation's resource name.
    pub fn name(&self) -> &OperationName {
        &self.run.name
    }

    /// The number of this run of the body, starting at 1.
    pub fn attempt(&self) -> u32 {
        self.run.attempt
    }

    /// The number of the claim that this run belongs to. It is larger than that of every earlier
    /// run of the operation, so it serves as a fencing token for effects outside of the store.
    /// [`attempt`](Self::attempt) does not: a run whose worker was lost together with other
    /// operations uses up no attempt, and the next run has the same number.
    ///
    /// ```
    /// # use lro_server::OperationContext;
    /// let operation = OperationContext::<()>::detached();
    /// assert_eq!((operation.attempt(), operation.fence()), (1, 1));
    /// ```
    pub fn fence(&self) -> u64 {
        self.run.fence
    }

    /// The labels that the operation was started with.
    pub fn labels(&self) -> &BTreeMap<String, String> {
        &self.run.labels
    }

    /// The principal that started the operation; empty without one.
    pub fn principal(&self) -> &str {
        &self.run.origin.principal
    }

    /// The `traceparent` of the call that started the operation (W3C Trace Context), empty when it
    /// had none. The body's tracing span carries it as the field `trace_parent`.
    pub fn trace_parent(&self) -> &str {
        &self.run.origin.trace_parent
    }

    /// The `tracestate` of the call that started the operation, empty when it had none.
    pub fn trace_state(&self) -> &str {
        &self.run.origin.trace_state
    }

    /// The time when the method's `timeout` ends this run, if it has one.
    pub fn deadline(&self) -> Option<Instant> {
        self.run.deadline
    }

    /// The limits of this run. Check them before you create a large checkpoint or response.
    ///
    /// ```
    /// # use lro_server::OperationContext;
    /// let operation = OperationContext::<()>::detached();
    /// let limits = operation.limits();
    /// assert_eq!(limits.max_response_len(), 1 << 20);
    /// assert_eq!(limits.max_checkpoint_len(), 1 << 20);
    /// assert_eq!(limits.max_metadata_len(), 64 << 10);
    /// ```
    pub fn limits(&self) -> BodyLimits {
        self.run.limits
    }

    /// The largest response that the operation can have, in bytes as encoded:
    /// [`Limits::max_response_len`].
    pub fn max_response_len(&self) -> usize {
        self.limits().max_response_len()
    }

    /// Fails if the response is larger than [`max_response_len`](Self::max_response_len), with which
    /// the operation would fail after all its work.
    ///
    /// ```
    /// # use lro_server::OperationContext;
    /// let operation = OperationContext::<()>::detached();
    /// assert!(operation.check_response(&"x".repeat(1000)).is_ok());
    /// let error = operation.check_response(&"x".repeat(2 << 20)).unwrap_err();
    /// assert_eq!(error.code(), tonic::Code::ResourceExhausted);
    /// ```
    ///
    /// # Errors
    ///
    /// RESOURCE_EXHAUSTED, with the length and the limit.
    pub fn check_response<R: Message>(&self, response: &R) -> Result<(), Status> {
        check_len("response", response.encoded_len(), self.max_response_len())
    }

    /// Whether a caller has cancelled the operation.
    pub fn is_cancelled(&self) -> bool {
        self.run.stop_reason() == Some(StopReason::Cancelled)
    }

    /// Returns when a caller has cancelled the operation.
    ///
    /// # Cancel safety
    ///
    /// Safe to drop and call again.
    pub async fn cancelled(&self) {
        if self.run.stopped().await != StopReason::Cancelled {
            // Stopped for another reason: the body's future is about to be dropped.
            std::future::pending::<()>().await;
        }
    }

    /// The reason why the body must stop, if it must. Blocking code should check this regularly,
    /// because dropping a future does not stop a thread.
    pub fn stop_reason(&self) -> Option<StopReason> {
        self.run.stop_reason()
    }

    /// The value of a checkpoint that an earlier attempt, or this one, has saved.
    ///
    /// # Errors
    ///
    /// INTERNAL if it has another type, or does not decode.
    pub fn restore<T: Message + Name + Default + 'static>(&self) -> Result<Option<T>, Status> {
        let checkpoint = self
            .run
            .checkpoint
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        checkpoint
            .as_ref()
            .map(unpack)
            .transpose()
            .map_err(|error| {
                Reason::PayloadUnreadable
                    .status(format!("the checkpoint cannot be read: {error}"), [])
            })
    }

    /// Saves a checkpoint for a later attempt to resume from: durable when this returns. It replaces the last
    /// one, carries unwritten metadata along, and extends the lease.
    ///
    /// # Errors
    ///
    /// RESOURCE_EXHAUSTED if it is larger than [`Limits::max_checkpoint_len`]: the previous one stays.
    /// ABORTED if this run has lost the operation: the body should return. While the store is unavailable,
    /// the call retries as long as the lease lasts, so that an outage does not fail a body that uses `?`;
    /// after that it returns the store's error. The body may then continue or try again. If the lease has
    /// expired, an error of the body does not finish the operation, which runs again.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the checkpoint may or may not be saved.
    pub async fn checkpoint<T: Message + Name + 'static>(&self, value: &T) -> Result<(), Status> {
        let checkpoint = pack(value);
        let (len, max) = (checkpoint.value.len(), self.run.limits.max_checkpoint_len);
        check_len("checkpoint", len, max)?;
        if let Some(link) = &self.run.link {
            let _at_work = self.run.journal_if_used().map(Journal::at_work);
            let carried = CarriedMetadata::take(&self.run);
            let update = self.run.update(Command::Checkpoint {
                fence: self.run.fence,
                lease_duration: link.lease_duration,
                checkpoint: checkpoint.clone(),
                metadata: carried.metadata(),
            });
            let answer = write_while_held(&self.run, update, "cannot save a checkpoint").await?;
            match answer.updated {
                Ok(updated) => {
                    carried.written();
                    self.run.acquit();
                    self.run
                        .lease_end
                        .send_replace(later(answer.called_at, link.lease_duration));
                    if let Some(reason) = told_to_stop(updated.state) {
                        self.run.stop(reason);
                    }
                }
                Err(_) => {
                    self.run.stop(StopReason::LeaseLost);
                    let message = "another worker has the operation, or it has ended";
                    return Err(Reason::OperationInterrupted.status(message, []));
                }
            }
        }
        self.run.set_checkpoint(checkpoint);
        Ok(())
    }
}

impl<M: Message + Name + Default + 'static> OperationContext<M> {
    /// Replaces the operation's metadata.
    ///
    /// Costs next to nothing: the newest value is written a few times a second, with each
    /// checkpoint, and with the operation's end; values in between are not kept. One that is larger
    /// than [`Limits::max_metadata_len`] is left out, with a warning in the log: progress is no reason
    /// for an operation to fail.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "the caller makes it for this call and has no more use for it"
    )]
    pub fn set_metadata(&self, metadata: M) {
        self.run.set_metadata(pack(&metadata));
    }

    /// The newest metadata: set by this run, by an earlier one, or at the start.
    ///
    /// # Errors
    ///
    /// INTERNAL if the stored metadata has another type, or does not decode.
    pub fn metadata(&self) -> Result<Option<M>, Status> {
        let metadata = self.run.metadata();
        metadata.as_ref().map(unpack).transpose().map_err(|error| {
            Reason::PayloadUnreadable.status(format!("the metadata cannot be read: {error}"), [])
        })
    }
}

impl<M> Clone for OperationContext<M> {
    fn clone(&self) -> Self {
        self.with_scope(self.scope.clone())
    }
}

impl<M> fmt::Debug for OperationContext<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OperationContext")
            .field("name", &self.run.name)
            .field("attempt", &self.run.attempt)
            .finish_non_exhaustive()
    }
}
