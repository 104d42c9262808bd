//! Rows as the service shows them.

use lro_core::inspection as pb;
use lro_core::inspection::operation_record::Redaction;
use lro_core::inspection::step::{Kind, State};
use lro_core::pb::rpc;
use lro_core::store::{OperationRecord, OperationState, StepKind, StepOutcome, StepQuery, StepRow};
use lro_core::{OperationName, Timestamp, type_name, unpack};
use prost::Message as _;
use prost_types::Any;
use tonic::Status;

use super::StepsService;
use super::list::{ENTRY_OVERHEAD, Sight};
use crate::inspection::record::time;
use crate::inspection::redaction::Redacted;
use crate::remote::Remote;
use crate::rpc::error::store_failed;
use crate::steps::NAMED;

impl StepsService {
    pub(super) fn show(
        &self,
        record: &OperationRecord,
        row: &StepRow,
        sight: Sight,
        now: Timestamp,
    ) -> pb::Step {
        let key = row.key.as_str();
        let (scope, name) = key.rsplit_once('/').unwrap_or(("", key));
        let mut step = pb::Step {
            key: key.to_owned(),
            scope: scope.to_owned(),
            display_name: name.to_owned(),
            sequence: i64::try_from(row.seq).unwrap_or(i64::MAX),
            kind: kind(row.kind).into(),
            state: state(record, row, now).into(),
            attempt: i32::try_from(row.attempt).unwrap_or(i32::MAX),
            operation_attempt: i64::try_from(row.fence).unwrap_or(i64::MAX),
            sequential: row.sequential,
            begin_time: Some(time(row.begin_time)),
            end_time: row.end_time.map(time),
            wake_time: row.wake_time.map(time),
            child: row
                .child
                .as_deref()
                .map_or_else(String::new, |it| it.name.to_string()),
            child_cancelled: row.child.as_deref().is_some_and(|it| it.is_cancelled),
            ..Default::default()
        };
        match (&row.outcome, &row.last_error) {
            (Some(StepOutcome::Response(value)), _) => self.show_value(&mut step, value, sight),
            (Some(StepOutcome::Error(error)), _) | (None, Some(error)) => {
                self.show_error(&mut step, error, sight);
            }
            _ => {}
        }
        step
    }

    /// The last checkpoint, for callers that see values.
    pub(super) fn show_checkpoint(
        &self,
        listed: &mut pb::ListStepsResponse,
        record: &OperationRecord,
        sight: Sight,
    ) {
        let checkpoint = record.checkpoint.as_ref().filter(|_| sight.values);
        if let Some(checkpoint) = checkpoint {
            let (checkpoint, redaction) = self.redacted(checkpoint, sight);
            listed.checkpoint = Some(checkpoint);
            listed.set_checkpoint_redaction(redaction);
        }
    }

    /// Adds what is known of the children, as far as there is room: the names of those on other servers, and the
    /// metadata of those that have not ended, to callers that see values.
    pub(super) async fn show_children(
        &self,
        steps: &mut [pb::Step],
        sight: Sight,
        mut room: usize,
    ) -> Result<(), Status> {
        for step in steps {
            let Ok(name) = step.child.parse::<OperationName>() else {
                continue;
            };
            let shows_metadata = sight.values && step.end_time.is_none();
            if !shows_metadata && !name.is_watch() {
                continue;
            }
            let child = self.operations().engine().store().get(&name).await;
            let Some(child) = child.map_err(|error| store_failed(&error))? else {
                continue;
            };
            let mut shown = step.clone();
            if let Some(remote) = Remote::watched_by(&child.method) {
                remote.clone_into(&mut shown.remote);
                shown.remote_operation = self.remote_operation(&child).await?;
            }
            let metadata = child.to_operation().metadata.filter(|_| shows_metadata);
            shown.child_metadata = metadata.map(|metadata| self.redacted(&metadata, sight).0);
            let added = shown.encoded_len() + ENTRY_OVERHEAD - step.encoded_len();
            if let Some(left) = room.checked_sub(added) {
                room = left;
                *step = shown;
            }
        }
        Ok(())
    }

    /// The name of the operation that a watch watches; empty if it does not know that.
    async fn remote_operation(&self, watch: &OperationRecord) -> Result<String, Status> {
        let rows = StepQuery::all(watch.uid, 0);
        let rows = self.operations().engine().store().steps(rows).await;
        let rows = rows.map_err(|error| store_failed(&error))?;
        let told = rows.into_iter().find(|row| row.key.as_str() == NAMED);
        Ok(match told.and_then(|row| row.outcome) {
            Some(StepOutcome::Response(operation)) => {
                let operation = unpack::<lro_core::pb::Operation>(&operation);
                operation.map(|it| it.name).unwrap_or_default()
            }
            _ => String::new(),
        })
    }

    fn show_value(&self, step: &mut pb::Step, value: &Any, sight: Sight) {
        type_name(&value.type_url).clone_into(&mut step.value_type);
        step.value_bytes = len(value.value.len());
        if !sight.values {
            return;
        }
        let (value, redaction) = self.redacted(value, sight);
        step.value = Some(value);
        step.set_value_redaction(redaction);
    }

    fn show_error(&self, step: &mut pb::Step, error: &rpc::Status, sight: Sight) {
        step.value_bytes = len(error.encoded_len());
        let details = error.details.iter().filter(|_| sight.values);
        let mut redaction = Redaction::Unspecified;
        let details = details.map(|detail| {
            let (detail, left_out) = self.redacted(detail, sight);
            redaction = redaction.max(left_out);
            detail
        });
        step.error = Some(rpc::Status {
            code: error.code,
            message: error.message.clone(),
            details: details.collect(),
        });
        step.set_value_redaction(redaction);
    }

    /// The message without its marked fields, or only its type if no proto describes it.
    fn redacted(&self, message: &Any, sight: Sight) -> (Any, Redaction) {
        if sight.unredacted {
            return (message.clone(), Redaction::Unspecified);
        }
        match self.inspection.redactor().redact(message) {
            Redacted::Nothing => (message.clone(), Redaction::Unspecified),
            Redacted::Fields(message) => (message, Redaction::FieldsCleared),
            Redacted::UnknownType => {
                let type_url = message.type_url.clone();
                let value = Vec::new();
                (Any { type_url, value }, Redaction::Withheld)
            }
        }
    }
}

fn state(record: &OperationRecord, row: &StepRow, now: Timestamp) -> State {
    let summary = record.steps.as_deref();
    if record.state.is_done() && summary.is_some_and(|it| it.is_unreached(&row.key)) {
        return State::Orphaned;
    }
    match &row.outcome {
        Some(StepOutcome::Response(_)) => return State::Done,
        Some(StepOutcome::Error(_)) => return State::Failed,
        Some(_) => return State::Abandoned,
        None => {}
    }
    let pauses = row.wake_time.is_some_and(|wake| wake > now);
    match record.state {
        state if state.is_done() => State::Orphaned,
        _ if pauses || !is_work(row.kind) => State::Waiting,
        OperationState::Running | OperationState::Cancelling => State::Running,
        _ => State::Pending,
    }
}

/// Whether a call of this kind runs while its row has not finished, unless it pauses.
fn is_work(kind: StepKind) -> bool {
    matches!(
        kind,
        StepKind::Step | StepKind::Saga | StepKind::SagaStep | StepKind::Undo
    )
}

fn kind(kind: StepKind) -> Kind {
    match kind {
        StepKind::Step => Kind::Step,
        StepKind::Sleep => Kind::Sleep,
        StepKind::Promise => Kind::Promise,
        StepKind::First => Kind::First,
        StepKind::Introduced => Kind::Introduced,
        StepKind::Saga => Kind::Saga,
        StepKind::SagaStep => Kind::SagaStep,
        StepKind::Undo => Kind::Undo,
        StepKind::Child => Kind::Child,
        StepKind::SagaChild => Kind::SagaChild,
        _ => Kind::Unspecified,
    }
}

fn len(len: usize) -> i64 {
    i64::try_from(len).unwrap_or(i64::MAX)
}
