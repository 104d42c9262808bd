//! The start of an operation: what the rpc that `#[long_running]` writes does.

use std::collections::BTreeMap;

use lro_core::{
    LongRunningMethod, NewOperation, Operation, OperationName, Origin, Outcome, ParentName, Reason,
    RequestFields, StandardMetadata, StartError, Started, Timestamp, pack, pb, type_name,
};
use prost::{Message, Name};
use prost_types::Any;
use tokio::time::Instant;
use tonic::metadata::MetadataMap;
use tonic::{Extensions, Request, Response, Status};
use uuid::Uuid;

use crate::access::{Caller, Principal};
use crate::error::{start_refused, start_refused_to_stranger, store_failed};
use crate::operations::Operations;
use crate::registration::{Host, MethodOptions, methods_of};
use crate::request_id;

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
    metadata: Option<M>,
    choices: Choices,
}

/// What is said of a start in the same words for all methods.
#[derive(Clone, Debug, Default)]
struct Choices {
    parent: Option<ParentName>,
    operation_id: Option<String>,
    labels: BTreeMap<String, String>,
    request_id: Option<String>,
    exclusive_key: Option<String>,
    start_time: Option<Timestamp>,
    principal: String,
    response: Option<Any>,
}

impl<M> StartOptions<M> {
    /// An operation `operations/{uuid}`, or one below the parent that the method names, with nothing
    /// of its own, to be run at once.
    pub fn new() -> Self {
        Self {
            metadata: None,
            choices: Choices::default(),
        }
    }

    /// What the operation belongs to: its name will be `{parent}/operations/{id}`. It goes before
    /// the parent that the method's argument `parent` finds in the request.
    pub fn parent(mut self, parent: ParentName) -> Self {
        self.choices.parent = Some(parent);
        self
    }

    pub(crate) fn has_parent(&self) -> bool {
        self.choices.parent.is_some()
    }

    /// The last segment of the operation's name. Without it, a UUID. A name that is taken makes
    /// the call fail with ALREADY_EXISTS.
    pub fn operation_id(mut self, operation_id: impl Into<String>) -> Self {
        self.choices.operation_id = Some(operation_id.into());
        self
    }

    /// The metadata to begin with.
    pub fn metadata(mut self, metadata: M) -> Self {
        self.metadata = Some(metadata);
        self
    }

    /// Adds a label.
    pub fn label(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.choices.labels.insert(key.into(), value.into());
        self
    }

    /// The client's request id (AIP-155), where it is not the request's own field `request_id`,
    /// which is taken by itself: a second start of the same method below the same parent
    /// with the same id gives the operation there is, if the request is the same, and fails with
    /// INVALID_ARGUMENT otherwise. An empty id is none.
    ///
    /// `prepare` runs before the id is looked up. What it refuses because things have changed
    /// since, it refuses a repetition as well; what is to be answered nevertheless, the body checks.
    pub fn request_id(mut self, request_id: impl Into<String>) -> Self {
        self.choices.request_id = Some(request_id.into()).filter(|id| !id.is_empty());
        self
    }

    /// While the operation has not finished, every other start with this key fails with ABORTED and
    /// names this operation.
    pub fn exclusive_key(mut self, exclusive_key: impl Into<String>) -> Self {
        self.choices.exclusive_key = Some(exclusive_key.into());
        self
    }

    /// Not to be run before this time.
    pub fn start_time(mut self, start_time: Timestamp) -> Self {
        self.choices.start_time = Some(start_time);
        self
    }

    /// Who starts it: kept with the operation, for the handler and for authorization. Without it,
    /// whom the [`Authorizer`](crate::access::Authorizer) has found out; nobody, if there is none.
    pub fn principal(mut self, principal: impl Into<String>) -> Self {
        self.choices.principal = principal.into();
        self
    }

    /// The response, known already: the operation is kept as done from the beginning, and the body
    /// is not run. It must be the method's response type, or the call fails with INTERNAL.
    pub fn response<R: Message + Name + 'static>(mut self, response: &R) -> Self {
        self.choices.response = Some(pack(response));
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
    let method = operations.options_of(M::PATH, methods_of::<H, S>);
    let (headers, extensions, request) = request.into_parts();
    operations
        .limits()
        .check_request_len(request.encoded_len())?;
    let fields = match method.standard_fields {
        true => M::request_fields(&request),
        false => RequestFields::default(),
    };
    let call = Call {
        rpc: const { &Rpc::of::<M>() },
        method,
        headers,
        extensions,
        request: pack(&request),
        fields,
        metadata: options.metadata.as_ref().map(pack),
        choices: options.choices,
    };
    drop(request);
    let operation = begin(operations, call).await?;
    Ok(Response::new(operation.into()))
}

/// What the start of an operation needs to know of its method.
struct Rpc {
    path: &'static str,
    response_name: fn() -> String,
    empty_response: fn() -> Any,
    standard_metadata: fn(&str) -> Option<StandardMetadata>,
}

impl Rpc {
    const fn of<M: LongRunningMethod>() -> Self {
        Self {
            path: M::PATH,
            response_name: M::Response::full_name,
            empty_response: || pack(&M::Response::default()),
            standard_metadata: StandardMetadata::of::<M>,
        }
    }
}

/// A call of a long-running rpc, its messages packed.
struct Call {
    rpc: &'static Rpc,
    method: MethodOptions,
    headers: MetadataMap,
    extensions: Extensions,
    request: Any,
    fields: RequestFields,
    metadata: Option<Any>,
    choices: Choices,
}

async fn begin(operations: &Operations, call: Call) -> Result<pb::Operation, Status> {
    let Call {
        rpc,
        method,
        headers,
        extensions,
        request,
        fields,
        metadata,
        choices,
    } = call;
    let caller = Caller::new(&headers, &extensions, rpc.path);
    let principal = operations.gate().authenticate(&caller).await?;
    let uid = operations.new_uid();
    let name = operation_name(&choices, uid)?;
    operations.gate().start(caller, &principal, &name).await?;
    let outcome = choices.response.map(|response| checked(response, rpc));
    let outcome = outcome.transpose()?;
    let mut operation = NewOperation::new(uid, name, rpc.path, request);
    operation.metadata = metadata;
    operation.labels = choices.labels;
    let owner = match choices.principal.is_empty() {
        true => principal.name().to_owned(),
        false => choices.principal,
    };
    let request_id = choices.request_id.unwrap_or(fields.request_id);
    operation.request_id = request_id::of(&request_id, &owner, &operation.request)?;
    operation.exclusive_key = choices.exclusive_key;
    operation.ready_time = choices.start_time;
    operation.policy = method.policy;
    operation.outcome = outcome;
    operation.origin = Origin {
        principal: owner,
        trace_parent: header(&headers, "traceparent"),
        trace_state: header(&headers, "tracestate"),
        standard_metadata: match method.standard_fields {
            true => (rpc.standard_metadata)(&fields.target),
            false => None,
        },
    };
    operations.limits().check_start(&operation)?;
    if fields.validate_only {
        return Ok(validated(operation.metadata, rpc));
    }

    // In a task of its own: once begun, the start is seen through even when the caller goes away.
    let started = tokio::spawn(commit(operations.clone(), operation)).await;
    let started = started.map_err(|_| failed("the start of the operation failed"))?;
    match started? {
        Ok(started) => Ok(started.record.to_operation()),
        Err(error) => Err(refused(operations, caller, &principal, &error).await),
    }
}

/// Names the operation that is in the way to those only who may know of it.
async fn refused(
    operations: &Operations,
    caller: Caller<'_>,
    principal: &Principal,
    error: &StartError,
) -> Status {
    let (StartError::AlreadyExists(name) | StartError::ExclusiveKeyHeld(name)) = error else {
        return start_refused(error);
    };
    if operations.gate().is_open() {
        return start_refused(error);
    }
    let found = match operations.find(name).await {
        Ok(found) => found,
        Err(error) => return error,
    };
    let gate = operations.gate();
    match gate.may_get(caller, principal, name, found).await {
        true => start_refused(error),
        false => start_refused_to_stranger(error),
    }
}

fn failed(message: &str) -> Status {
    Reason::Internal.status(message, [])
}

fn operation_name(choices: &Choices, uid: Uuid) -> Result<OperationName, Status> {
    let root = ParentName::default();
    let parent = choices.parent.as_ref().unwrap_or(&root);
    let name = match &choices.operation_id {
        Some(id) => OperationName::new(parent, id),
        None => OperationName::new(parent, &uid.to_string()),
    };
    name.map_err(|error| Reason::InvalidField.field_status("operation_id", error.to_string()))
}

/// The answer to a request that was only to be validated (AIP-163, AIP-151): done, with an empty
/// response, and kept nowhere, so that it has no name.
fn validated(metadata: Option<Any>, rpc: &Rpc) -> pb::Operation {
    pb::Operation {
        name: String::new(),
        metadata,
        done: true,
        result: Some(pb::operation::Result::Response((rpc.empty_response)())),
    }
}

fn checked(response: Any, rpc: &Rpc) -> Result<Outcome, Status> {
    let (found, expected) = (type_name(&response.type_url), (rpc.response_name)());
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
async fn commit(operations: Operations, mut operation: NewOperation) -> Kept {
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
    let method = operation.method.clone();
    let called_at = Instant::now();
    let started = keep(&operations, operation).await;
    match &started {
        Ok(Ok(started)) if !started.existing && started.record.state.is_running() => {
            worker.launch(started.record.clone(), slot, called_at);
        }
        _ => {
            drop(slot);
            worker.slot_freed(&method);
        }
    }
    started
}

/// What the store says; or that it says nothing.
type Kept = Result<Result<Started, StartError>, Status>;

async fn keep(operations: &Operations, operation: NewOperation) -> Kept {
    let (name, uid) = (operation.name.clone(), operation.uid);
    operations.waiters().expect(&name, uid);
    let kept = keep_expected(operations, operation).await;
    if !matches!(&kept, Ok(Ok(started)) if !started.existing && !started.record.state.is_done()) {
        operations.waiters().forget(&name, uid);
    }
    kept
}

async fn keep_expected(operations: &Operations, operation: NewOperation) -> Kept {
    let answers = operations.store().start(vec![operation]).await;
    let answer = answers.map_err(|error| store_failed(&error))?.pop();
    let answer = answer.ok_or_else(|| failed("the store gave no answer"))?;
    if let Ok(started) = &answer
        && !started.existing
    {
        operations.metrics().started(&started.record);
    }
    Ok(answer)
}
