//! Sagas: steps that are undone when the rest of them fails.

mod children;
mod registered;
mod running;

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use lro_core::store::{StepKey, StepKind};
use lro_core::{Operation, pack, unpack};
use prost::{Message, Name};
use prost_types::Any;
use tonic::{Response, Status};

use super::answer::SagaNumber;
use super::call::Call;
use super::child::{ChildServer, StartChild};
use super::closure::{Closure, ClosureFuture};
use super::in_block::block_of;
use super::name;
use super::work::Work;
use super::{Step, StepName, fault};
use crate::OperationContext;
use crate::handler::error::{HandlerError, IntoHandlerError};
use registered::Inner;
pub(super) use registered::Undoable;
pub(crate) use running::incomplete;

/// Steps that are undone, the newest first, when the rest of them fails: of
/// [`OperationContext::saga`](crate::OperationContext::saga).
///
/// ```
/// use lro_server::{HandlerError, OperationContext};
/// use tonic::Status;
///
/// # async fn create(_what: &str) -> Result<String, Status> { Ok("it".into()) }
/// # async fn delete(_what: &str) -> Result<(), Status> { Ok(()) }
/// # async fn is_healthy() -> Result<bool, Status> { Ok(true) }
/// async fn provision(operation: OperationContext<()>) -> Result<String, HandlerError> {
///     let saga = operation.saga();
///     saga.run(async {
///         saga.step("network", async || create("network").await, async |_| delete("network").await).await?;
///         let disk = saga
///             .step("disk", async || create("disk").await, async |disk: Option<String>| {
///                 // Without a name the step may or may not have made a disk.
///                 delete(&disk.unwrap_or_default()).await
///             })
///             .await?;
///         if !operation.step("health", async || is_healthy().await).await? {
///             // Deletes the disk, then the network.
///             return Err(Status::failed_precondition("the disk is not healthy").into());
///         }
///         Ok(disk)
///     }).await
/// }
/// # let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
/// # assert_eq!(runtime.block_on(provision(OperationContext::detached())).unwrap(), "it");
/// ```
#[must_use = "a saga does nothing before `run`"]
pub struct Saga<'a, M> {
    operation: &'a OperationContext<M>,
    number: SagaNumber,
    /// Those of its row, and of the decision to undo it.
    keys: Result<Keys, Status>,
    inner: Arc<Inner<'a>>,
    has_run: AtomicBool,
}

#[derive(Clone)]
struct Keys {
    saga: StepKey,
    decision: StepKey,
}

impl<M> OperationContext<M> {
    /// A saga: steps each of which has an undo. If the saga's block fails, or the operation is cancelled, exceeds
    /// its time or uses up its attempts, what the steps have done is undone, also after a crash.
    ///
    /// See [`Saga`] for an example, and [`Saga::run`] for when it undoes. Sagas that run side by side need
    /// [scopes](Self::scope) of their own.
    pub fn saga(&self) -> Saga<'_, M> {
        let scope = self.scope.as_deref().unwrap_or_default();
        let key = StepName::from("saga").in_scope(scope).and_then(name::free);
        let (number, key) = self.run.journal().made_saga(key);
        let keys = key.and_then(|saga| Keys::of(saga, scope));
        Saga {
            operation: self,
            number,
            inner: Arc::new(Inner::new(number, keys.as_ref().ok().map(|it| &it.saga))),
            keys,
            has_run: AtomicBool::new(false),
        }
    }
}

impl Keys {
    /// `undo` in the same scope, with the same number.
    fn of(saga: StepKey, scope: &str) -> Result<Self, Status> {
        let number = saga.as_str().split_once('#').map(|(_, number)| number);
        let decision = StepName::from("undo").in_scope(scope)?;
        let decision = match number {
            Some(number) => name::key(&format!("{decision}#{number}"))?,
            None => decision,
        };
        Ok(Self { saga, decision })
    }
}

/// The key of the undo of a step.
fn undo_of(step: &StepKey) -> Result<StepKey, Status> {
    name::key(&format!("undo/{step}"))
}

impl<'a, M> Saga<'a, M> {
    /// Runs a closure and records its result, as [`OperationContext::step`] does, and undoes it with the saga.
    ///
    /// `undo` gets the response, if the step has recorded one. It gets `None` if it is not known whether the
    /// closure has done anything: it was interrupted, or has failed. So it looks for what to undo by names or
    /// ids that the body knows, such as [`OperationContext::uuid`], and finding nothing is a success.
    ///
    /// It may run several times, as the closure may. Each of its errors is retried: 10 attempts of at most 10 min
    /// each, with pauses from 1 s to 60 s. After the last one the other steps are undone all the same.
    ///
    /// The step must be awaited in the block of [`run`](Self::run). Undos may borrow what lives longer than the
    /// saga, such as the service and the request, but no variables of the block.
    pub fn step<T, E, F, Fut, U, UndoFut, UndoError>(
        &self,
        name: impl Into<StepName>,
        run: F,
        undo: U,
    ) -> Step<'a, T>
    where
        T: Message + Name + Default + 'static,
        E: IntoHandlerError,
        F: Fn() -> Fut + Send + Sync + 'a,
        Fut: Future<Output = Result<T, E>> + Send + 'a,
        U: Fn(Option<T>) -> UndoFut + Send + Sync + 'a,
        UndoFut: Future<Output = Result<(), UndoError>> + Send + 'a,
        UndoError: IntoHandlerError,
    {
        let closure = Closure::packing(run);
        let (call, undoable) = self.undoable(&name.into(), StepKind::SagaStep, undo);
        Step::new(call, Work::SagaStep(closure, undoable))
    }

    /// Starts another operation, here or on another server, and waits for its end, as [`OperationContext::child`] does,
    /// and undoes it with the saga.
    ///
    /// A child that has not ended when the saga undoes is cancelled first; the saga waits for its end, at most
    /// [`child_cancel_max`](crate::WorkerBuilder::child_cancel_max), and undoes its steps then. `undo` gets the child's response if it has succeeded. It gets `None` if the child
    /// was not started, has failed or was cancelled: such a child has undone its own.
    ///
    /// ```
    /// use lro_core::Operation;
    /// use lro_server::{HandlerError, OperationContext, Operations};
    /// use tonic::{Request, Response, Status};
    ///
    /// # struct CreateNodeRequest { request_id: String }
    /// # struct Nodes { operations: Operations }
    /// # impl Nodes {
    /// #     async fn create_node(&self, request: Request<CreateNodeRequest>) -> Result<Response<Operation<String, ()>>, Status> {
    /// #         Err(Status::unimplemented(request.into_inner().request_id))
    /// #     }
    /// #     async fn delete(&self, _node: Option<String>) -> Result<(), Status> { Ok(()) }
    /// async fn provision(&self, operation: OperationContext<()>) -> Result<String, HandlerError> {
    ///     let saga = operation.saga();
    ///     let start = async |request_id| self.create_node(Request::new(CreateNodeRequest { request_id })).await;
    ///     let remove = async |node: Option<String>| self.delete(node).await;
    ///     saga.run(async { Ok(saga.child("node", &self.operations, start, remove).await?) }).await
    /// }
    /// # }
    /// ```
    pub fn child<R, D, E, F, Fut, U, UndoFut, UndoError>(
        &self,
        name: impl Into<StepName>,
        server: impl Into<ChildServer>,
        start: F,
        undo: U,
    ) -> Step<'a, R>
    where
        R: Message + Name + Default + 'static,
        E: IntoHandlerError,
        F: Fn(String) -> Fut + Send + Sync + 'a,
        Fut: Future<Output = Result<Response<Operation<R, D>>, E>> + Send + 'a,
        U: Fn(Option<R>) -> UndoFut + Send + Sync + 'a,
        UndoFut: Future<Output = Result<(), UndoError>> + Send + 'a,
        UndoError: IntoHandlerError,
    {
        let (call, undoable) = self.undoable(&name.into(), StepKind::SagaChild, undo);
        let start = StartChild::new(server.into(), &call, start);
        Step::new(call, Work::Child(start, Some(undoable)))
    }

    /// A call with its undo.
    fn undoable<T, U, UndoFut, UndoError>(
        &self,
        name: &StepName,
        kind: StepKind,
        undo: U,
    ) -> (Call, Undoable<'a>)
    where
        T: Message + Name + Default + 'static,
        U: Fn(Option<T>) -> UndoFut + Send + Sync + 'a,
        UndoFut: Future<Output = Result<(), UndoError>> + Send + 'a,
        UndoError: IntoHandlerError,
    {
        let undo = move |response: Option<Any>| -> ClosureFuture<'a> {
            let response = response.map(|response| unpack::<T>(&response)).transpose();
            match response {
                Ok(response) => {
                    let undone = undo(response);
                    Box::pin(async move {
                        match undone.await {
                            Ok(()) => Ok(pack(&())),
                            Err(error) => Err(error.into_handler_error()),
                        }
                    })
                }
                Err(error) => {
                    let message =
                        format!("the recorded response of a step cannot be read: {error}");
                    let error = lro_core::Reason::PayloadUnreadable.status(message, []);
                    Box::pin(async move { Err(HandlerError::permanent(error)) })
                }
            }
        };
        let mut call = self.operation.call(name, kind);
        call.check(|key| undo_of(key).map(drop));
        let undoable = Undoable::new(self.inner.clone(), call.key().ok().cloned(), Arc::new(undo));
        // A step that an earlier run has begun may be dropped by this one without a poll.
        if let Some(row) = call.recorded(kind) {
            undoable.reached(Some(&row));
        }
        (call, undoable)
    }

    /// Runs a block, and undoes its [steps](Self::step) if it fails.
    ///
    /// It returns what the block returns. It undoes the steps that the block has reached, the newest first and
    /// one after the other, if
    ///
    /// * the block returns an error that is final, or panics;
    /// * it returns a [retryable](HandlerError::retry) error and no attempt of the operation is left. Otherwise
    ///   this returns that error, so that the operation runs again;
    /// * the operation is cancelled or exceeds its method's `timeout` or `lifetime`, after the grace period, or its
    ///   attempts are used up.
    ///
    /// The decision to undo is recorded before the first undo, and is final: this returns its error then, in this
    /// run and in each later one. A later run passes the block's recorded calls to find the steps, begins nothing
    /// new in it, and repeats no undo that has succeeded.
    ///
    /// # Errors
    ///
    /// That of the block, or the reason to undo. If some steps are not undone, its details have an `ErrorInfo` with
    /// the reason `UNDO_INCOMPLETE`, which names them. FAILED_PRECONDITION, `STEP_NESTED`, inside the block of
    /// another saga.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the saga open: nothing is undone until the body returns, which fails the
    /// operation then. So do not race it against something else; give its steps timeouts.
    pub async fn run<T>(
        &self,
        block: impl Future<Output = Result<T, HandlerError>> + Send,
    ) -> Result<T, HandlerError> {
        let keys = self.keys.clone()?;
        let run = &self.operation.run;
        let is_nested = block_of(run.uid).is_some();
        if is_nested || self.has_run.swap(true, Ordering::Relaxed) {
            return Err(fault::saga_nested(keys.saga.as_str()).into());
        }
        running::Running::new(run, &self.inner, keys)
            .run(block)
            .await
    }
}

impl<M> fmt::Debug for Saga<'_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Saga")
            .field("number", &self.number)
            .finish_non_exhaustive()
    }
}
