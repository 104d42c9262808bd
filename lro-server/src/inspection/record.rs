//! Records as the service shows them.

use lro_core::inspection as pb;
use lro_core::inspection::operation_record::{Redaction, State};
use lro_core::inspection::{RecordView, attempt};
use lro_core::store::{ExecutionPolicy, OnCrash, OperationRecord, OperationState, WorkerId};
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
        let worker = |id: WorkerId| match operator {
            true => id.as_uuid().to_string(),
            false => String::new(),
        };
        let lease = record.lease.as_ref().map(|lease| pb::Lease {
            worker: worker(lease.worker),
            expire_time: Some(time(lease.expire_time)),
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
            attempts: latest_attempt(record, worker).into_iter().collect(),
            waiting: why_it_waits(record, surroundings),
            request: None,
            request_redaction: Redaction::Unspecified.into(),
            labels: record.labels.clone().into_iter().collect(),
            principal: record.origin.principal.clone(),
            trace_parent: record.origin.trace_parent.clone(),
            exclusive_key: String::new(),
            policy: Some(policy(&record.policy)),
            lease,
            // Records do not keep the caller.
            cancelled_by: None,
            create_time: Some(time(record.create_time)),
            ready_time: Some(time(record.ready_time)),
            start_time: record.start_time.map(time),
            update_time: Some(time(record.update_time)),
            cancel_time: record.cancel_time.map(time),
            end_time: record.end_time.map(time),
            expire_time: record.expire_time.map(time),
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

/// The attempt under way, or the one that ended the operation. Records keep no earlier ones.
fn latest_attempt(
    record: &OperationRecord,
    worker: impl Fn(WorkerId) -> String,
) -> Option<pb::Attempt> {
    let outcome = match record.state {
        // No attempt, or one whose end is not kept.
        _ if record.fence == 0 => return None,
        OperationState::Pending => return None,
        OperationState::Running | OperationState::Cancelling => attempt::Outcome::Running,
        OperationState::Succeeded => attempt::Outcome::Succeeded,
        OperationState::Failed => attempt::Outcome::Failed,
        OperationState::Cancelled => attempt::Outcome::Cancelled,
    };
    Some(pb::Attempt {
        number: i64::try_from(record.fence).unwrap_or(i64::MAX),
        worker: record
            .lease
            .as_ref()
            .map(|it| worker(it.worker))
            .unwrap_or_default(),
        // The start time is that of the first attempt.
        begin_time: record.start_time.filter(|_| record.fence == 1).map(time),
        end_time: record.end_time.map(time),
        outcome: outcome.into(),
        error: None,
    })
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
