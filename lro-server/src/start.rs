//! The start of an operation: what the rpc that `#[long_running]` writes calls.
//!
//! A call goes through the modules in this order: `request` packs it, `admit` authorizes it,
//! `prepare` makes a new operation of it, `commit` stores that operation and runs it.

mod admit;
mod commit;
mod options;
mod own_field;
mod parent;
mod prepare;
mod request;
mod request_id;
mod start_time;

use std::sync::Arc;

use lro_core::store::NewOperation;
use lro_core::{LongRunningMethod, Operation, Reason, pb};
use prost::Message as _;
use tonic::{Request, Response, Status};

pub use options::StartOptions;
pub use own_field::AddTheFieldOrTheArgument;
pub use parent::parent_from;

use crate::engine::Engine;
use crate::handler::registration::{Host, methods_of};
use crate::operations::Operations;
use crate::rpc::error::start_refused;
use crate::steps::Starting;
use admit::Admission;
use request::{CallOrigin, Method, StartRequest};

/// Starts an operation of the method `M` of the host `H`. Called by what `#[long_running]` writes.
///
/// The caller going away does not undo it.
// Each rpc has a copy of this function, and of nothing that it calls.
pub async fn start<M, H, S>(
    operations: &Operations,
    request: Request<M::Request>,
    options: StartOptions<M::Metadata>,
) -> Result<Response<Operation<M::Response, M::Metadata>>, Status>
where
    M: LongRunningMethod,
    H: Host<S>,
{
    let method_options = operations.options_of(M::PATH, methods_of::<H, S>);
    let (headers, extensions, message) = request.into_parts();
    let limits = operations.engine().limits();
    limits.check_request_len(message.encoded_len())?;
    let method = const { &Method::of::<M>() };
    let request = StartRequest::pack::<M>(method, method_options, &message, options);
    drop(message);
    let origin = CallOrigin {
        headers,
        extensions,
    };
    let operation = start_packed(operations, &origin, request).await?;
    Ok(Response::new(operation.into()))
}

async fn start_packed(
    operations: &Operations,
    origin: &CallOrigin,
    request: StartRequest,
) -> Result<pb::Operation, Status> {
    #[cfg(feature = "inspection")]
    let request = request.resubmitted(origin.extensions.get());
    let method = request.method;
    let validate_only = request.fields.validate_only;
    let caller = origin.caller(method.path);
    // Read before the first await: the thread that polls the closure of a child notes it.
    let child = Starting::here(operations.engine().run_news());
    let admission = match &child {
        Some(child) => Admission::of_child(operations.gate(), caller, child.principal()),
        None => Admission::authenticate(operations.gate(), caller).await?,
    };
    let uid = operations.engine().new_uid();
    let name = request.operation_name(uid)?;
    admission.authorize(&name).await?;
    let mut operation = prepare::new_operation(request, uid, name, admission.principal(), origin)?;
    operations.engine().limits().check_start(&operation)?;
    if validate_only {
        return Ok(method.validated(operation.metadata));
    }
    if let Some(child) = &child {
        child.trace(&mut operation.origin);
        operation.child_of = Some(Box::new(child.take()?));
    }
    match commit_in_task(operations.engine(), operation, child).await? {
        Ok(started) => Ok(started.record.to_operation()),
        Err(error) => Err(admission.refusal(operations, &error).await),
    }
}

/// Starts an operation of the engine's own as the child of a step.
pub(crate) async fn start_own(
    engine: &Arc<Engine>,
    mut operation: NewOperation,
    child: Arc<Starting>,
) -> Result<(), Status> {
    child.trace(&mut operation.origin);
    operation.child_of = Some(Box::new(child.take()?));
    match commit_in_task(engine, operation, Some(child)).await? {
        Ok(_) => Ok(()),
        Err(error) => Err(start_refused(&error)),
    }
}

/// In a task of its own: a start that has begun completes even if the caller disconnects.
async fn commit_in_task(
    engine: &Arc<Engine>,
    operation: NewOperation,
    child: Option<Arc<Starting>>,
) -> Result<commit::Answer, Status> {
    let engine = engine.clone();
    let under_way = child.as_deref().map(Starting::under_way);
    let commit = async move {
        let answer = commit::commit(engine, operation, child.as_deref()).await;
        if let Some(child) = child {
            child.answered(&answer);
        }
        drop(under_way);
        answer
    };
    let started = tokio::spawn(commit).await;
    started.map_err(|_| internal("the start of the operation failed"))?
}

fn internal(message: &str) -> Status {
    Reason::Internal.status(message, [])
}
