//! Children: operations that a body starts, and waits for.

mod elsewhere;
mod naming;
mod starting;
mod stop;
mod work;

use std::future::Future;
use std::sync::Arc;

use lro_core::store::{StepKey, StepKind};
use lro_core::{Operation, pack, pb};
use prost::{Message, Name};
use tonic::Response;

use super::call::Call;
use super::closure::Closure;
use super::work::Work;
use super::{Step, StepName};
use crate::handler::error::IntoHandlerError;
use crate::{OperationContext, Operations, Remote};
pub(crate) use elsewhere::{NAMED, child_unknown};
pub(super) use naming::unnamed;
pub(crate) use naming::{begin_naming, end_naming};
use starting::InStart;
pub(crate) use starting::Starting;
pub(super) use stop::{Stop, learn_children};
pub(crate) use stop::{forgotten_children, stop_children};
pub(super) use work::child;

/// A child that is cancelled, or not, with its parent: of [`Step::on_cancel`].
///
/// ```
/// use lro_server::steps::OnCancel;
///
/// assert_eq!(OnCancel::default(), OnCancel::Cancel);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OnCancel {
    /// The parent cancels it, and ends after it, at most
    /// [`child_cancel_max`](crate::WorkerBuilder::child_cancel_max) later.
    #[default]
    Cancel,
    /// It continues without its parent.
    Leave,
}

/// The server of a child: the parent's own, or [another one](Remote).
///
/// ```
/// use lro_server::steps::ChildServer;
///
/// fn here(operations: &lro_server::Operations) -> ChildServer {
///     operations.into()
/// }
///
/// fn elsewhere(remote: &lro_server::Remote) -> ChildServer {
///     remote.into()
/// }
/// ```
#[derive(Clone, Debug)]
pub struct ChildServer(Server);

#[derive(Clone, Debug)]
enum Server {
    Own(Operations),
    Remote(Remote),
}

impl From<&Operations> for ChildServer {
    fn from(operations: &Operations) -> Self {
        Self(Server::Own(operations.clone()))
    }
}

impl From<&Remote> for ChildServer {
    fn from(remote: &Remote) -> Self {
        Self(Server::Remote(remote.clone()))
    }
}

/// The start of a child, for a durable call.
pub(super) struct StartChild<'a> {
    server: Server,
    closure: Closure<'a>,
    slot: Arc<starting::Slot>,
}

impl<'a> StartChild<'a> {
    pub(super) fn new<R, D, E, F, Fut>(server: ChildServer, call: &Call, start: F) -> Self
    where
        E: IntoHandlerError,
        F: Fn(String) -> Fut + Send + Sync + 'a,
        Fut: Future<Output = Result<Response<Operation<R, D>>, E>> + Send + 'a,
    {
        let slot = Arc::new(starting::Slot::default());
        let request_id = call.key().map(StepKey::as_str).unwrap_or_default();
        let forgotten = match call.run().forgotten_children {
            0 => String::new(),
            // One that was forgotten has another id: it was cancelled, or has ended.
            forgotten => forgotten.to_string(),
        };
        let request_id = call.run().derived_uuid(&["child", request_id, &forgotten]);
        let closure = {
            let slot = slot.clone();
            move || {
                let request_id = slot.request_id().unwrap_or(request_id);
                let started = start(request_id.to_string());
                let starting = slot.begin();
                let started = async move {
                    match started.await {
                        Ok(operation) => Ok(pack(&pb::Operation::from(operation.into_inner()))),
                        Err(error) => Err(error.into_handler_error()),
                    }
                };
                let future = InStart::new(started, starting);
                Box::pin(future) as super::closure::ClosureFuture<'a>
            }
        };
        Self {
            server: server.0,
            closure: Closure::Async(Box::new(closure)),
            slot,
        }
    }
}

impl<M> OperationContext<M> {
    /// Starts another operation, and waits for its end: the response of this call is that of the child.
    ///
    /// Of a child on this server, the closure calls the rpc that starts it, in this process, and returns its answer. The child is stored
    /// in the same commit as the step of its parent, so that it is started once, whatever dies. The closure gets a
    /// request id (AIP-155) that is the same in every run until an operator forgets a child, for the request if it has
    /// such a field. The child belongs
    /// to the principal of its parent, and no authorizer is asked; so the closure starts nothing on behalf of others.
    ///
    /// In a service whose handler has the same name as the rpc, name the trait: `Clusters::create_node(self, request)`.
    ///
    /// While the body does nothing but wait, the operation is suspended: it holds no slot, no lease and no memory.
    /// The commit that ends the child wakes it.
    ///
    /// With a [`Remote`] in the place of the `Operations`, the child is an operation of that server, and the closure calls
    /// an rpc there, which must deduplicate the request id. An attempt takes at most 60 s. UNAVAILABLE, DEADLINE_EXCEEDED,
    /// broken connections and retryable errors are repeated, with pauses from 1 s to 60 s unless [`retry`](Step::retry) says something
    /// else, within the server's [`dedup_window`](Remote::dedup_window), also by later runs.
    ///
    /// ```
    /// use lro_core::Operation;
    /// use lro_server::{HandlerError, OperationContext, Operations};
    /// use tonic::{Request, Response, Status};
    ///
    /// # struct CreateNodeRequest { zone: String, request_id: String }
    /// # struct Nodes { operations: Operations }
    /// # impl Nodes {
    /// #     async fn create_node(&self, request: Request<CreateNodeRequest>) -> Result<Response<Operation<String, ()>>, Status> {
    /// #         Err(Status::unimplemented(request.into_inner().request_id))
    /// #     }
    /// async fn create_cluster(&self, zones: &[String], operation: OperationContext<()>) -> Result<Vec<String>, HandlerError> {
    ///     let nodes = zones.iter().map(|zone| {
    ///         operation.child(format!("node/{zone}"), &self.operations, async move |request_id| {
    ///             let zone = zone.clone();
    ///             self.create_node(Request::new(CreateNodeRequest { zone, request_id })).await
    ///         })
    ///     });
    ///     Ok(operation.all(8, nodes).await?) // No slot is held while they run.
    /// }
    /// # }
    /// ```
    ///
    /// # Cancellation
    ///
    /// When the parent is cancelled or fails, the children that it waits for are cancelled, and the parent ends after
    /// them, at most [`child_cancel_max`](crate::WorkerBuilder::child_cancel_max) later, which is 10 min by default;
    /// [`on_cancel`](Step::on_cancel) changes that. A child of which the body has dropped
    /// the call is cancelled when it has lost a [`first`](Self::first), or when the body returns or begins a new epoch.
    ///
    /// # Errors
    ///
    /// That of the closure, unless it is retryable, as of [`step`](Self::step); then that of the child, with its
    /// details. Besides:
    ///
    /// * DEADLINE_EXCEEDED: the child took longer than [`timeout`](Step::timeout); it is cancelled. That of a
    ///   [saga](super::Saga::child) is waited for, and the error is that of its end.
    /// * NOT_FOUND: the child was deleted before its end.
    /// * INVALID_ARGUMENT, `REQUEST_ID_REUSED`: an operation with that request id exists, and is not this child.
    /// * RESOURCE_EXHAUSTED: the operation waits for 1,000 children already, or the child's response is too large.
    /// * INTERNAL, `HANDLER_MISBEHAVED`: the closure has started no operation, a second one, or one of another server.
    /// * ABORTED, `STEP_INTERRUPTED`: it is not known whether the operation was started on another server, which may
    ///   have forgotten the request id.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future does not undo the start. A child whose start was under way is found again by a call of the
    /// same name in a later run; on another server, it may run without a parent if there is none.
    pub fn child<'a, R, D, E, F, Fut>(
        &'a self,
        name: impl Into<StepName>,
        server: impl Into<ChildServer>,
        start: F,
    ) -> Step<'a, R>
    where
        R: Message + Name + Default + 'static,
        E: IntoHandlerError,
        F: Fn(String) -> Fut + Send + Sync + 'a,
        Fut: Future<Output = Result<Response<Operation<R, D>>, E>> + Send + 'a,
    {
        let call = self.call(&name.into(), StepKind::Child);
        let start = StartChild::new(server.into(), &call, start);
        Step::new(call, Work::Child(start, None))
    }
}
