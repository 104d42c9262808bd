//! The start of an operation: what the rpc that `#[long_running]` writes does.

use std::collections::BTreeMap;

use lro_core::{
    LongRunningMethod, NewOperation, Operation, OperationName, ParentName, Reason, RequestId,
    Started, Timestamp, pack,
};
use prost::Message as _;
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use crate::error::{start_refused, store_failed};
use crate::operations::Operations;
use crate::registration::Host;

/// How one operation is to be started: what the method's `prepare` function gives.
///
/// ```
/// use lro_server::StartOptions;
///
/// let options = StartOptions::<()>::new()
///     .metadata(())
///     .label("team", "search")
///     .exclusive_key("archives/home");
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct StartOptions<M> {
    parent: ParentName,
    operation_id: Option<String>,
    metadata: Option<M>,
    labels: BTreeMap<String, String>,
    request_id: Option<String>,
    exclusive_key: Option<String>,
    start_time: Option<Timestamp>,
}

impl<M> StartOptions<M> {
    /// An operation `operations/{uuid}` with nothing of its own, to be run at once.
    pub fn new() -> Self {
        Self {
            parent: ParentName::default(),
            operation_id: None,
            metadata: None,
            labels: BTreeMap::new(),
            request_id: None,
            exclusive_key: None,
            start_time: None,
        }
    }

    /// What the operation belongs to: its name will be `{parent}/operations/{id}`.
    pub fn parent(mut self, parent: ParentName) -> Self {
        self.parent = parent;
        self
    }

    /// The last segment of the operation's name. Without it, a UUID. A name that is taken makes
    /// the call fail with ALREADY_EXISTS.
    pub fn operation_id(mut self, operation_id: impl Into<String>) -> Self {
        self.operation_id = Some(operation_id.into());
        self
    }

    /// The metadata to begin with.
    pub fn metadata(mut self, metadata: M) -> Self {
        self.metadata = Some(metadata);
        self
    }

    /// Adds a label.
    pub fn label(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.labels.insert(key.into(), value.into());
        self
    }

    /// The client's request id (AIP-155): a second start of the same method below the same parent
    /// with the same id gives the operation there is, if the request is the same, and fails with
    /// INVALID_ARGUMENT otherwise. An empty id is none.
    pub fn request_id(mut self, request_id: impl Into<String>) -> Self {
        self.request_id = Some(request_id.into()).filter(|id| !id.is_empty());
        self
    }

    /// While the operation has not finished, every other start with this key fails with ABORTED and
    /// names this operation.
    pub fn exclusive_key(mut self, exclusive_key: impl Into<String>) -> Self {
        self.exclusive_key = Some(exclusive_key.into());
        self
    }

    /// Not to be run before this time.
    pub fn start_time(mut self, start_time: Timestamp) -> Self {
        self.start_time = Some(start_time);
        self
    }
}

impl<M> Default for StartOptions<M> {
    fn default() -> Self {
        Self::new()
    }
}

/// Starts an operation of the method `M` of the host `H`. Called by what `#[long_running]` writes.
///
/// The caller going away does not undo it.
pub async fn start<M, H, S>(
    operations: &Operations,
    request: Request<M::Request>,
    options: StartOptions<M::Metadata>,
) -> Result<Response<Operation<M::Response, M::Metadata>>, Status>
where
    M: LongRunningMethod,
    H: Host<S>,
{
    let request = request.into_inner();
    operations.check_request_len(request.encoded_len())?;
    let uid = operations.new_uid();
    let name = match &options.operation_id {
        Some(id) => OperationName::new(&options.parent, id),
        None => OperationName::new(
            &options.parent,
            uid.hyphenated().encode_lower(&mut Uuid::encode_buffer()),
        ),
    };
    let name =
        name.map_err(|error| Reason::InvalidField.field_status("operation_id", error.to_string()))?;
    let mut operation = NewOperation::new(uid, name, M::PATH, pack(&request));
    operation.metadata = options.metadata.as_ref().map(pack);
    operation.labels = options.labels;
    operation.request_id = options.request_id.map(|id| RequestId {
        id,
        fingerprint: Sha256::digest(&operation.request.value).into(),
    });
    operation.exclusive_key = options.exclusive_key;
    operation.ready_time = options.start_time;
    operation.policy = operations.policy_of::<M, H, S>();

    // In a task of its own: once begun, the start is seen through even when the caller goes away.
    let started = tokio::spawn(commit(operations.clone(), operation)).await;
    let started = started.map_err(|_| Status::internal("the start of the operation failed"))??;
    Ok(Response::new(started.record.to_operation().into()))
}

/// Makes the operation durable; where a worker of this process has a slot free, the operation is
/// born claimed, and runs from here on.
async fn commit(operations: Operations, mut operation: NewOperation) -> Result<Started, Status> {
    let worker = match operation.ready_time {
        None => operations.free_worker(&operation.method),
        Some(_) => None,
    };
    operation.claimed_by = worker.as_ref().map(|(worker, _)| worker.claimant());
    let claiming = worker.as_ref().map(|(worker, _)| worker.clone());
    let _claiming = claiming.as_ref().map(|worker| worker.claiming());
    let called_at = Instant::now();
    let answers = operations.store().start(vec![operation]).await;
    let answer = answers.map_err(|error| store_failed(&error))?.pop();
    let started = answer
        .ok_or_else(|| Status::internal("the store gave no answer"))?
        .map_err(|error| start_refused(&error))?;
    if let Some((worker, slot)) = worker
        && !started.existing
        && started.record.state.is_running()
    {
        worker.launch(started.record.clone(), slot, called_at);
    }
    Ok(started)
}
