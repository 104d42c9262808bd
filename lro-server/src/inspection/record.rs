//! Records as the service shows them.

use lro_core::inspection as pb;
use lro_core::inspection::operation_record::{Redaction, State};
use lro_core::inspection::{RecordView, attempt};
use lro_core::store::{
    Actor, Attempt, AttemptOutcome, ExecutionPolicy, OnCrash, OperationRecord, OperationState,
    WorkerId,
};
use lro_core::{Timestamp, pb as longrunning};
use prost_types::Any;

use super::InspectionService;
use super::redaction::Redacted;
use super::waiting::{Surroundings, why_it_waits};
use crate::access::Sight;

impl InspectionService {
    /// All of a record: with its request and its key.
    pub(super) fn describe(
        &self,
        record: &OperationRecord,
        sight: Sight,
        unredacted: bool,
    ) -> pb::OperationRecord {
        let surroundings = self.surroundings(sight);
        let mut shown = self.show(record, RecordView::Full, &surroundings);
        shown.exclusive_key = record.exclusive_key.clone().unwrap_or_default();
        if unredacted {
            shown.operation = Some(record.to_operation());
            shown.request = Some(record.request.clone());
            return shown;
        }
        let (request, redaction) = match self.redactor().redact(&record.request) {
            Redacted::Nothing => (record.request.clone(), Redaction::Unspecified),
            Redacted::Fields(request) => (request, Redaction::FieldsCleared),
            Redacted::UnknownType => {
                let type_url = record.request.type_url.clone();
                let value = Vec::new();
                (Any { type_url, value }, Redaction::Withheld)
            }
        };
        shown.request = Some(request);
        shown.set_request_redaction(redaction);
        shown
    }

    /// The parts of a record that lists have.
    pub(super) fn show(
        &self,
        record: &OperationRecord,
        view: RecordView,
        surroundings: &Surroundings,
    ) -> pb::OperationRecord {
        let operator = surroundings.sight == Sight::Operator;
        let worker = |id: WorkerId| {
            if operator {
                id.as_uuid().to_string()
            } else {
                String::new()
            }
        };
        let lease = record.lease.as_ref().map(|lease| pb::Lease {
            worker: worker(lease.worker),
            expire_time: Some(time(lease.expire_time)),
        });
        let attempts = record.attempts();
        let parent = record.parent_step.as_deref();
        let (parent_operation, parent_step) = parent.map_or_else(Default::default, |step| {
            (step.operation.to_string(), step.key.as_str().to_owned())
        });
        pb::OperationRecord {
            operation: Some(match view {
                RecordView::Full => self.redacted(record.to_operation()),
                _ => summary(record.to_operation()),
            }),
            uid: record.uid.to_string(),
            method: record.method.clone(),
            state: state(record.state).into(),
            revision: i64::try_from(record.revision).unwrap_or(i64::MAX),
            attempt: i32::try_from(record.attempt).unwrap_or(i32::MAX),
            losses: i32::try_from(record.losses).unwrap_or(i32::MAX),
            attempts: attempts.iter().map(|it| attempt_of(it, worker)).collect(),
            waiting: why_it_waits(record, surroundings),
            request: None,
            request_redaction: Redaction::Unspecified.into(),
            labels: record.labels.clone().into_iter().collect(),
            principal: record.origin.principal.clone(),
            trace_parent: record.origin.trace_parent.clone(),
            exclusive_key: String::new(),
            policy: Some(policy(&record.policy)),
            lease,
            recorded_steps: recorded_steps(record),
            cancelled_by: record.history.cancelled_by.as_ref().map(actor),
            create_time: Some(time(record.create_time)),
            ready_time: Some(time(record.ready_time)),
            start_time: record.start_time.map(time),
            update_time: Some(time(record.update_time)),
            cancel_time: record.cancel_time.map(time),
            end_time: record.end_time.map(time),
            expire_time: record.expire_time.map(time),
            parent_operation,
            parent_step,
        }
    }

    /// The operation without the fields that are marked. A type that the server does not know stays:
    /// the standard methods show it to the same caller.
    fn redacted(&self, mut operation: longrunning::Operation) -> longrunning::Operation {
        let response = match &mut operation.result {
            Some(longrunning::operation::Result::Response(response)) => Some(response),
            _ => None,
        };
        for message in operation.metadata.iter_mut().chain(response) {
            if let Redacted::Fields(redacted) = self.redactor().redact(message) {
                *message = redacted;
            }
        }
        operation
    }
}

fn recorded_steps(record: &OperationRecord) -> i32 {
    let rows = record.steps.as_ref().map_or(0, |steps| steps.rows);
    i32::try_from(rows).unwrap_or(i32::MAX)
}

/// The operation without its metadata and response.
fn summary(mut operation: longrunning::Operation) -> longrunning::Operation {
    operation.metadata = None;
    if let Some(longrunning::operation::Result::Response(_)) = operation.result {
        operation.result = None;
    }
    operation
}

pub(super) fn state(state: OperationState) -> State {
    match state {
        OperationState::Pending => State::Pending,
        OperationState::Running => State::Running,
        OperationState::Cancelling => State::Cancelling,
        OperationState::Succeeded => State::Succeeded,
        OperationState::Failed => State::Failed,
        OperationState::Cancelled => State::Cancelled,
    }
}

fn attempt_of(attempt: &Attempt, worker: impl Fn(WorkerId) -> String) -> pb::Attempt {
    let (outcome, error) = match &attempt.outcome {
        AttemptOutcome::Running => (attempt::Outcome::Running, None),
        AttemptOutcome::Succeeded => (attempt::Outcome::Succeeded, None),
        AttemptOutcome::Failed => (attempt::Outcome::Failed, None),
        AttemptOutcome::Cancelled => (attempt::Outcome::Cancelled, None),
        AttemptOutcome::Retried(error) => (attempt::Outcome::Retried, Some(error.clone())),
        AttemptOutcome::Released => (attempt::Outcome::Released, None),
        AttemptOutcome::WorkerLost => (attempt::Outcome::WorkerLost, None),
        _ => (attempt::Outcome::Unspecified, None),
    };
    pb::Attempt {
        number: i64::try_from(attempt.fence).unwrap_or(i64::MAX),
        worker: attempt.worker.map(worker).unwrap_or_default(),
        begin_time: attempt.begin_time.map(time),
        end_time: attempt.end_time.map(time),
        outcome: outcome.into(),
        error,
    }
}

fn actor(actor: &Actor) -> pb::Actor {
    pb::Actor {
        principal: actor.principal.clone(),
        reason: actor.reason.clone(),
    }
}

fn policy(policy: &ExecutionPolicy) -> pb::Policy {
    let seconds = i64::try_from(policy.retain.as_secs()).unwrap_or(i64::MAX);
    pb::Policy {
        max_attempts: i32::try_from(policy.max_attempts).unwrap_or(i32::MAX),
        resumes_after_crash: policy.on_crash == OnCrash::Resume,
        retain: Some(prost_types::Duration {
            // The largest that the type has.
            seconds: seconds.min(315_576_000_000),
            nanos: policy.retain.subsec_nanos().cast_signed(),
        }),
    }
}

pub(super) fn time(time: Timestamp) -> prost_types::Timestamp {
    time.into()
}
