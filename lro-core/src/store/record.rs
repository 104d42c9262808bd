//! The record of an operation in a store.

use std::collections::BTreeMap;
use std::time::Duration;

use prost::Message as _;
use prost_types::Any;
use uuid::Uuid;

use super::children::{ChildOf, ParentStep};
use super::command::{Command, OperationOutcome};
use super::history::History;
use super::lease::{Lease, WorkerId};
use super::policy::ExecutionPolicy;
use super::standard_metadata::StandardMetadata;
use super::state::OperationState;
use super::steps::StepSummary;
use crate::clock::Timestamp;
use crate::name::OperationName;
use crate::pb;
use crate::pb::rpc::Status;

/// Everything that a store keeps of one operation.
///
/// ```
/// use lro_core::Timestamp;
/// use lro_core::store::{NewOperation, OperationRecord, OperationState};
///
/// let operation = NewOperation::new(
///     uuid::Uuid::nil(),
///     "operations/1".parse()?,
///     "/exporter.v1.Exporter/Export",
///     lro_core::pack(&()),
/// );
/// let record = OperationRecord::new(operation, Timestamp::EPOCH);
/// assert_eq!(record.state, OperationState::Pending);
/// assert!(!record.to_operation().done);
/// # Ok::<(), lro_core::InvalidName>(())
/// ```
///
/// Stores change a record only through [`apply`](Self::apply), so that every store goes through
/// the same states.
#[derive(Clone, Debug, PartialEq)]
pub struct OperationRecord {
    /// Time-ordered identity (UUIDv7), unique over all operations ever: the order of lists.
    pub uid: Uuid,
    /// The resource name, unique among the operations there are.
    pub name: OperationName,
    /// The gRPC path of the rpc that started it, `/package.Service/Method`.
    pub method: String,
    /// Where it stands.
    pub state: OperationState,
    /// How often the visible part was written.
    pub revision: u64,
    /// How often the body was run, the present run included.
    pub attempt: u32,
    /// The number of times in a row that its worker was lost while it ran, since the body last made
    /// progress; at most [`MAX_LOSSES`](Self::MAX_LOSSES). An operation with losses is a *suspect*:
    /// its body may have killed the process. [`Suspects`](super::Suspects) says how suspects run.
    pub losses: u32,
    /// How often it was claimed. Only grows; every write by a worker carries it.
    pub fence: u64,
    /// The request, as it came.
    pub request: Any,
    /// The latest metadata; kept when done.
    pub metadata: Option<Any>,
    /// The last checkpoint, which the next attempt resumes from. Removed when done.
    pub checkpoint: Option<Any>,
    /// How it ended.
    pub result: Option<OperationResult>,
    /// The starter's labels.
    pub labels: BTreeMap<String, String>,
    /// Facts about the call that started it.
    pub origin: Origin,
    /// Identifies repetitions of the start (AIP-155).
    pub request_id: Option<RequestId>,
    /// At most one unfinished operation holds a key.
    pub exclusive_key: Option<String>,
    /// How the operation is run.
    pub policy: ExecutionPolicy,
    /// The lease of the worker that runs it, while one does.
    pub lease: Option<Lease>,
    /// The worker that runs it, or whose result ended it.
    pub worker: Option<WorkerId>,
    /// When it was started.
    pub create_time: Timestamp,
    /// Not to be run before this time (a scheduled start, or the pause before another attempt).
    pub ready_time: Timestamp,
    /// When its body first ran.
    pub start_time: Option<Timestamp>,
    /// When the attempt under way, or the one that ended it, began; `None` if that is the first,
    /// which began at the start time. See [`attempts`](Self::attempts).
    pub attempt_time: Option<Timestamp>,
    /// When its visible part was last written.
    pub update_time: Timestamp,
    /// When cancellation was asked for.
    pub cancel_time: Option<Timestamp>,
    /// When it was deleted, if that was before its end: hidden, and removed when it ends.
    pub delete_time: Option<Timestamp>,
    /// When it ended.
    pub end_time: Option<Timestamp>,
    /// When it expires and may be purged: the policy's `retain` after its end. Never set before the
    /// end.
    pub expire_time: Option<Timestamp>,
    /// Earlier attempts, and who cancelled or deleted it.
    pub history: History,
    /// Its recorded [steps](super::OperationStore::steps), and what it waits for; `None` if it has
    /// never recorded one.
    pub steps: Option<Box<StepSummary>>,
    /// The step of another operation that has started this one; `None` if none has.
    pub parent_step: Option<Box<ParentStep>>,
}

impl OperationRecord {
    /// The number of losses that use up no attempt, if other operations were lost with each.
    pub const MAX_LOSSES: u32 = 8;

    /// The record of an operation that was just started: pending, or done when it has its outcome
    /// already.
    pub fn new(operation: NewOperation, now: Timestamp) -> Self {
        let outcome = operation.outcome;
        let mut record = Self {
            uid: operation.uid,
            name: operation.name,
            method: operation.method,
            state: OperationState::Pending,
            revision: 1,
            attempt: 0,
            losses: 0,
            fence: 0,
            request: operation.request,
            metadata: operation.metadata,
            checkpoint: None,
            result: None,
            labels: operation.labels,
            origin: operation.origin,
            request_id: operation.request_id,
            exclusive_key: operation.exclusive_key,
            policy: operation.policy,
            lease: None,
            worker: None,
            create_time: now,
            ready_time: operation.ready_time.map_or(now, |time| time.max(now)),
            start_time: None,
            attempt_time: None,
            update_time: now,
            cancel_time: None,
            delete_time: None,
            end_time: None,
            expire_time: None,
            history: History::default(),
            steps: None,
            parent_step: operation
                .child_of
                .map(|child_of| Box::new(child_of.parent_step())),
        };
        if let Some(outcome) = outcome {
            record.finish(outcome, now);
        }
        record
    }

    /// The record that a [start](super::OperationStore::start) stores: that of [`new`](Self::new),
    /// claimed by [`claimed_by`](NewOperation::claimed_by) if it is ready.
    pub fn started(operation: NewOperation, now: Timestamp) -> Self {
        let claimed_by = operation.claimed_by;
        let mut record = Self::new(operation, now);
        if let Some((worker, lease_duration)) = claimed_by {
            let claim = Command::Claim {
                worker,
                lease_duration,
            };
            // Refused if it is done already or not yet ready: then it is stored as it is.
            let _ = record.apply(claim, now);
        }
        record
    }

    /// Whether callers see it: it was not deleted.
    pub fn is_visible(&self) -> bool {
        self.delete_time.is_none()
    }

    /// The record without its request, checkpoint, request id and exclusive key, which only its
    /// runs and its store need.
    pub fn public_part(&self) -> Self {
        Self {
            uid: self.uid,
            name: self.name.clone(),
            method: self.method.clone(),
            state: self.state,
            revision: self.revision,
            attempt: self.attempt,
            losses: self.losses,
            fence: self.fence,
            request: Any::default(),
            metadata: self.metadata.clone(),
            checkpoint: None,
            result: self.result.clone(),
            labels: self.labels.clone(),
            origin: self.origin.clone(),
            request_id: None,
            exclusive_key: None,
            policy: self.policy.clone(),
            lease: self.lease.clone(),
            worker: self.worker,
            create_time: self.create_time,
            ready_time: self.ready_time,
            start_time: self.start_time,
            attempt_time: self.attempt_time,
            update_time: self.update_time,
            cancel_time: self.cancel_time,
            delete_time: self.delete_time,
            end_time: self.end_time,
            expire_time: self.expire_time,
            history: self.history.clone(),
            steps: self.steps.clone(),
            parent_step: self.parent_step.clone(),
        }
    }

    /// The same of a record that is not needed any more.
    pub(crate) fn into_public_part(self) -> Self {
        Self {
            request: Any::default(),
            checkpoint: None,
            request_id: None,
            exclusive_key: None,
            ..self
        }
    }

    /// The most bytes that the [wire message](Self::to_operation) takes in a list: close above its
    /// length, without building it.
    pub fn max_wire_len(&self) -> usize {
        // Keys and lengths of the fields, and the standard fields that are not texts.
        const OVERHEAD: usize = 256;
        let standard = self.origin.standard_metadata.as_ref();
        let standard = standard.map_or(0, |one| one.fixed.len() + 2 * one.type_name.len());
        let metadata = self.metadata.as_ref().map_or(0, Any::encoded_len);
        let result = match &self.result {
            None => 0,
            Some(OperationResult::Response(response)) => response.encoded_len(),
            Some(OperationResult::Error(error)) => error.encoded_len(),
        };
        self.name.as_str().len() + standard + metadata + result + OVERHEAD
    }

    /// The wire message that shows this record.
    pub fn to_operation(&self) -> pb::Operation {
        pb::Operation {
            name: self.name.as_str().to_owned(),
            metadata: match &self.origin.standard_metadata {
                Some(standard) => standard.fill(self),
                None => self.metadata.clone(),
            },
            done: self.state.is_done(),
            result: self.result.clone().map(Into::into),
        }
    }
}

/// Facts about the call that started an operation. A `prost::Message`, so that a store can keep it
/// as bytes.
///
/// ```
/// use lro_core::store::Origin;
///
/// let origin = Origin { principal: "ada".into(), ..Origin::default() };
/// assert!(origin.trace_parent.is_empty());
/// ```
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Origin {
    /// The principal that started it, as named by the server's authorizer; empty without one.
    #[prost(string, tag = "1")]
    pub principal: String,
    /// The `traceparent` of the call (W3C Trace Context), empty when it had none.
    #[prost(string, tag = "2")]
    pub trace_parent: String,
    /// The `tracestate` of the call (W3C Trace Context), empty when it had none.
    #[prost(string, tag = "3")]
    pub trace_state: String,
    /// Which standard fields its metadata declares.
    #[prost(message, optional, tag = "4")]
    pub standard_metadata: Option<StandardMetadata>,
}

/// How an operation ended.
///
/// ```
/// use lro_core::pb;
/// use lro_core::store::OperationResult;
///
/// let result = OperationResult::Response(lro_core::pack(&()));
/// assert!(matches!(result.into(), pb::operation::Result::Response(_)));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub enum OperationResult {
    /// With a response.
    Response(Any),
    /// With an error, whose code is never 0.
    Error(Status),
}

impl From<OperationResult> for pb::operation::Result {
    fn from(result: OperationResult) -> Self {
        match result {
            OperationResult::Response(any) => Self::Response(any),
            OperationResult::Error(status) => Self::Error(status),
        }
    }
}

/// A client's request id (AIP-155) and what tells a repetition from another request.
///
/// ```
/// use lro_core::store::RequestId;
///
/// let first = RequestId { id: "9f3c".into(), fingerprint: [1; 32] };
/// let other = RequestId { id: "9f3c".into(), fingerprint: [2; 32] };
/// assert_ne!(first, other); // the same id with another request
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId {
    /// The id as the client sent it.
    pub id: String,
    /// A digest of the request without the id.
    pub fingerprint: [u8; 32],
}

/// An operation to be started.
///
/// ```
/// use lro_core::store::NewOperation;
///
/// let mut operation = NewOperation::new(
///     uuid::Uuid::now_v7(),
///     "operations/1".parse()?,
///     "/exporter.v1.Exporter/Export",
///     lro_core::pack(&()),
/// );
/// operation.labels.insert("env".into(), "prod".into());
/// operation.exclusive_key = Some("table/users".into());
/// # Ok::<(), lro_core::InvalidName>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct NewOperation {
    /// A fresh, time-ordered identity (UUIDv7).
    pub uid: Uuid,
    /// The resource name.
    pub name: OperationName,
    /// The gRPC path of the rpc, `/package.Service/Method`.
    pub method: String,
    /// The request, as it came.
    pub request: Any,
    /// The metadata to begin with.
    pub metadata: Option<Any>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Facts about the call.
    pub origin: Origin,
    /// Identifies repetitions of the start.
    pub request_id: Option<RequestId>,
    /// Held until the operation ends.
    pub exclusive_key: Option<String>,
    /// Not to be run before this time.
    pub ready_time: Option<Timestamp>,
    /// How the operation is run.
    pub policy: ExecutionPolicy,
    /// Its outcome, when that is known already: then it is never run.
    pub outcome: Option<OperationOutcome>,
    /// Born claimed: the worker that runs it from the first commit on, and for how long. Only
    /// for an operation without a later `ready_time`.
    pub claimed_by: Option<(WorkerId, Duration)>,
    /// The operation that starts it, and waits for its end in a step.
    pub child_of: Option<Box<ChildOf>>,
}

impl NewOperation {
    /// An operation with nothing but what every one has.
    pub fn new(uid: Uuid, name: OperationName, method: impl Into<String>, request: Any) -> Self {
        Self {
            uid,
            name,
            method: method.into(),
            request,
            metadata: None,
            labels: BTreeMap::new(),
            origin: Origin::default(),
            request_id: None,
            exclusive_key: None,
            ready_time: None,
            policy: ExecutionPolicy::default(),
            outcome: None,
            claimed_by: None,
            child_of: None,
        }
    }
}
