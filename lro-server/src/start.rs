//! The start of an operation: what the rpc that `#[long_running]` writes does.

use std::collections::BTreeMap;

use lro_core::{
    LongRunningMethod, NewOperation, Operation, OperationName, Origin, Outcome, ParentName, Reason,
    RequestFields, RequestId, StandardMetadata, Started, Timestamp, pack, pb, type_name,
};
use prost::{Message, Name};
use prost_types::Any;
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;
use tonic::metadata::MetadataMap;
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
    principal: String,
    response: Option<Any>,
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
            principal: String::new(),
            response: None,
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

    /// The client's request id (AIP-155), where it is not the request's own field `request_id`,
    /// which is taken by itself: a second start of the same method below the same parent
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

    /// Who starts it: kept with the operation, for the handler and for authorization.
    pub fn principal(mut self, principal: impl Into<String>) -> Self {
        self.principal = principal.into();
        self
    }

    /// The response, known already: the operation is kept as done from the beginning, and the body
    /// is not run. It must be the method's response type, or the call fails with INTERNAL.
    pub fn response<R: Message + Name + 'static>(mut self, response: &R) -> Self {
        self.response = Some(pack(response));
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
    let method = operations.options_of::<M, H, S>();
    let (headers, _, request) = request.into_parts();
    operations.check_request_len(request.encoded_len())?;
    let fields = match method.standard_fields {
        true => M::request_fields(&request),
        false => RequestFields::default(),
    };
    let uid = operations.new_uid();
    let name = operation_name(&options, uid)?;
    let outcome = options.response.map(checked::<M>).transpose()?;
    if fields.validate_only {
        return Ok(Response::new(validated::<M>(options.metadata.as_ref())));
    }
    let mut operation = NewOperation::new(uid, name, M::PATH, pack(&request));
    operation.metadata = options.metadata.as_ref().map(pack);
    operation.labels = options.labels;
    let request_id = options.request_id.unwrap_or(fields.request_id);
    operation.request_id = (!request_id.is_empty()).then(|| RequestId {
        id: request_id,
        fingerprint: Sha256::digest(&operation.request.value).into(),
    });
    operation.exclusive_key = options.exclusive_key;
    operation.ready_time = options.start_time;
    operation.policy = method.policy;
    operation.outcome = outcome;
    operation.origin = Origin {
        principal: options.principal,
        trace_parent: header(&headers, "traceparent"),
        trace_state: header(&headers, "tracestate"),
        standard_metadata: match method.standard_fields {
            true => StandardMetadata::of::<M>(&fields.target),
            false => None,
        },
    };

    // In a task of its own: once begun, the start is seen through even when the caller goes away.
    let started = tokio::spawn(commit(operations.clone(), operation)).await;
    let started = started.map_err(|_| Status::internal("the start of the operation failed"))??;
    Ok(Response::new(started.record.to_operation().into()))
}

fn operation_name<M>(options: &StartOptions<M>, uid: Uuid) -> Result<OperationName, Status> {
    let name = match &options.operation_id {
        Some(id) => OperationName::new(&options.parent, id),
        None => OperationName::new(&options.parent, &uid.to_string()),
    };
    name.map_err(|error| Reason::InvalidField.field_status("operation_id", error.to_string()))
}

/// The answer to a request that was only to be validated (AIP-163, AIP-151): done, with an empty
/// response, and kept nowhere, so that it has no name.
fn validated<M: LongRunningMethod>(
    metadata: Option<&M::Metadata>,
) -> Operation<M::Response, M::Metadata> {
    let operation = pb::Operation {
        name: String::new(),
        metadata: metadata.map(pack),
        done: true,
        result: Some(pb::operation::Result::Response(pack(
            &M::Response::default(),
        ))),
    };
    operation.into()
}

fn checked<M: LongRunningMethod>(response: Any) -> Result<Outcome, Status> {
    let (found, expected) = (type_name(&response.type_url), M::Response::full_name());
    if found != expected && expected != Any::full_name() {
        let message = format!("`prepare` gave a {found} as the response of a {expected}");
        return Err(Reason::HandlerMisbehaved.status(message, []));
    }
    Ok(Outcome::Response(response))
}

/// A header's text: at most 512 bytes, as the W3C asks of both.
fn header(headers: &MetadataMap, name: &str) -> String {
    let text = headers.get(name).and_then(|value| value.to_str().ok());
    text.filter(|text| text.len() <= 512)
        .unwrap_or_default()
        .to_owned()
}

/// Makes the operation durable; where a worker of this process has a slot free, the operation is
/// born claimed, and runs from here on.
async fn commit(operations: Operations, mut operation: NewOperation) -> Result<Started, Status> {
    let worker = match (&operation.ready_time, &operation.outcome) {
        (None, None) => operations.free_worker(&operation.method),
        _ => None,
    };
    let Some((worker, slot)) = worker else {
        return keep(&operations, operation).await;
    };
    let Some(_claiming) = worker.claiming() else {
        return keep(&operations, operation).await;
    };
    operation.claimed_by = Some(worker.claimant());
    let called_at = Instant::now();
    let started = keep(&operations, operation).await;
    match &started {
        Ok(started) if !started.existing && started.record.state.is_running() => {
            worker.launch(started.record.clone(), slot, called_at);
        }
        _ => {
            drop(slot);
            worker.slot_freed();
        }
    }
    started
}

async fn keep(operations: &Operations, operation: NewOperation) -> Result<Started, Status> {
    let answers = operations.store().start(vec![operation]).await;
    let answer = answers.map_err(|error| store_failed(&error))?.pop();
    let started = answer
        .ok_or_else(|| Status::internal("the store gave no answer"))?
        .map_err(|error| start_refused(&error))?;
    if !started.existing {
        operations.metrics().started(&started.record);
    }
    Ok(started)
}
