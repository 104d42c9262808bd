//! Pages of steps.

use lro_core::inspection as pb;
use lro_core::inspection::list_steps_request::View;
use lro_core::store::{OperationRecord, StepQuery, StepRow, StepSummary};
use lro_core::{Reason, Timestamp};
use prost::Message as _;
use tonic::Status;

use super::StepsService;
use crate::access::InspectionPermission;
use crate::inspection::record::time;
use crate::operations::{MaxMessageLen, PAGE_OVERHEAD, SequenceList};
use crate::rpc::error::store_failed;
use crate::steps::DeclaredPromise;

const DEFAULT_PAGE_SIZE: usize = 100;
const MAX_PAGE_SIZE: usize = 1_000;

/// The bytes that a step takes on a page besides its own.
pub(super) const ENTRY_OVERHEAD: usize = 8;

/// How much of each step a caller wants to see.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sight {
    /// Recorded values, and the details of errors.
    pub(super) values: bool,
    /// Their marked fields.
    pub(super) unredacted: bool,
}

impl Sight {
    pub(super) fn new(request: &pb::ListStepsRequest) -> Result<Self, Status> {
        let values = match View::try_from(request.view) {
            Ok(View::Full) => true,
            Ok(View::Unspecified | View::Basic) => false,
            Err(_) => {
                let message = format!("{} is no view; give BASIC or FULL", request.view);
                return Err(Reason::InvalidField.field_status("view", message));
            }
        };
        if request.unredacted && !values {
            let message = "needs the view FULL: without it there are no values";
            return Err(Reason::InvalidField.field_status("unredacted", message));
        }
        Ok(Self {
            values,
            unredacted: request.unredacted,
        })
    }

    /// The permissions that it needs besides that of GetOperation.
    pub(super) fn permissions(self) -> impl Iterator<Item = InspectionPermission> {
        let values = self.values.then_some(InspectionPermission::ReadSteps);
        let unredacted = InspectionPermission::InspectUnredacted;
        let unredacted = self.unredacted.then_some(unredacted);
        values.into_iter().chain(unredacted)
    }
}

impl StepsService {
    pub(super) async fn list(
        &self,
        record: &OperationRecord,
        request: &pb::ListStepsRequest,
        sight: Sight,
        principal: &str,
        max_message: Option<MaxMessageLen>,
    ) -> Result<pb::ListStepsResponse, Status> {
        let limit = page_size(request.page_size)?;
        let summary = record.steps.as_deref();
        let epoch = summary.map_or(0, |summary| summary.epoch);
        let (uid, epoch) = (record.uid.to_string(), epoch.to_string());
        let identity = ["lro.v1.Steps", &*uid, &*epoch, principal];
        let pages = SequenceList::new(self.operations(), &identity);
        let after_seq = pages.open(&request.page_token).await?;
        let max_len = self.operations().engine().limits().max_page_len;
        let max_len = max_message.map_or(max_len, |MaxMessageLen(max)| max.min(max_len));
        let max_len = max_len.saturating_sub(PAGE_OVERHEAD);
        let mut head = pb::ListStepsResponse {
            name: record.name.to_string(),
            begin_time: Some(time(begin_time(record))),
            ..Default::default()
        };
        if request.page_token.is_empty() {
            let promises = self.operations().promises_of(&record.method);
            head.declared_promises = promises.iter().map(DeclaredPromise::to_wire).collect();
            self.show_checkpoint(&mut head, record, sight);
        }
        let head_len = head.encoded_len();
        let Some(max_len) = max_len.checked_sub(head_len) else {
            return Err(too_long("the checkpoint", &[], head_len, max_len));
        };
        let Some(summary) = summary else {
            return Ok(head);
        };
        let rows = self.operations().engine().store().steps(StepQuery {
            uid: record.uid,
            epoch: summary.epoch,
            after_seq,
            limit,
            max_bytes: max_len,
        });
        let rows = rows.await.map_err(|error| store_failed(&error))?;
        let (mut steps, last) = self.page(record, &rows, sight, max_len)?;
        let len: usize = steps
            .iter()
            .map(|step| step.encoded_len() + ENTRY_OVERHEAD)
            .sum();
        let room = max_len.saturating_sub(len);
        self.show_children(&mut steps, sight, room).await?;
        // The summary was read before the rows, so that steps which are new since then are for a later
        // call.
        let next = last.filter(|seq| *seq < summary.seq);
        Ok(pb::ListStepsResponse {
            steps,
            next_page_token: pages.seal(next).await?,
            total_size: i32::try_from(summary.rows).unwrap_or(i32::MAX),
            total_bytes: i64::try_from(summary.len).unwrap_or(i64::MAX),
            waiting_for: waiting_for(record, summary),
            blocked: blocked(record, summary),
            ..head
        })
    }

    /// As many of the rows as fit, and the place of the last one.
    fn page(
        &self,
        record: &OperationRecord,
        rows: &[StepRow],
        sight: Sight,
        max_len: usize,
    ) -> Result<(Vec<pb::Step>, Option<u64>), Status> {
        let now = self.operations().engine().clock().now();
        let (mut steps, mut last, mut left) = (Vec::new(), None, max_len);
        for row in rows {
            let step = self.show(record, row, sight, now);
            let len = step.encoded_len() + ENTRY_OVERHEAD;
            if len > left && steps.is_empty() {
                let what = format!("the step `{}`", step.key);
                return Err(too_long(&what, &[("step", &*step.key)], len, max_len));
            }
            if len > left {
                break;
            }
            left -= len;
            last = Some(row.seq);
            steps.push(step);
        }
        Ok((steps, last))
    }
}

fn page_size(wanted: i32) -> Result<usize, Status> {
    match usize::try_from(wanted) {
        Ok(0) => Ok(DEFAULT_PAGE_SIZE),
        Ok(wanted) => Ok(wanted.min(MAX_PAGE_SIZE)),
        Err(_) => {
            let message = "is negative; leave it at 0 for the default";
            Err(Reason::InvalidField.field_status("page_size", message))
        }
    }
}

/// When the recorded steps begin.
fn begin_time(record: &OperationRecord) -> Timestamp {
    let epoch_time = record.steps.as_deref().and_then(StepSummary::epoch_time);
    epoch_time.unwrap_or(record.create_time)
}

/// The keys that a suspended operation waits for. After a claim they say what it has waited for.
fn waiting_for(record: &OperationRecord, summary: &StepSummary) -> Vec<String> {
    match record.is_suspended() {
        true => summary.waits.clone(),
        false => Vec::new(),
    }
}

fn blocked(record: &OperationRecord, summary: &StepSummary) -> Option<pb::Blocked> {
    let blocked = summary.blocked.as_ref()?;
    Some(pb::Blocked {
        reason: blocked.message.clone(),
        count: i32::try_from(blocked.count).unwrap_or(i32::MAX),
        retry_time: (!record.state.is_done()).then(|| time(record.ready_time)),
    })
}

fn too_long(what: &str, which: &[(&str, &str)], len: usize, max: usize) -> Status {
    let message = format!(
        "{what} has {len} bytes, more than the {max} that a page may have; list with the view BASIC, or \
         raise Limits::max_page_len of the server"
    );
    let (len, max) = (len.to_string(), max.to_string());
    let metadata = [("length", &*len), ("limit", &*max)];
    Reason::LimitExceeded.status(message, which.iter().copied().chain(metadata))
}
