//! Checks the records at the end.

use lro_core::store::{OperationRecord, OperationState};

use super::Case;
use crate::model::{Op, Verdict};
use crate::world::Ask;

pub(super) fn check(case: &mut Case<'_>) {
    let records = case.records;
    for record in records {
        well_formed(case, record);
        made_by_its_body(case, record);
    }
}

/// A record that is done has one result and no lease, and the other way round.
fn well_formed(case: &mut Case<'_>, record: &OperationRecord) {
    let done = record.state.is_done();
    let fits = [
        done == record.result.is_some(),
        done == record.end_time.is_some(),
        done == record.expire_time.is_some(),
        record.state.is_running() == record.lease.is_some(),
        // Of a body with durable calls, only those since its last progress count.
        case.plan.has_steps || record.attempt <= case.plan.policy.max_attempts,
        u64::from(record.attempt) <= record.fence,
        record.create_time <= record.update_time,
    ];
    if fits.contains(&false) {
        case.found(
            "records",
            format!("{} is not well formed: {fits:?}", record.name),
        );
    }
}

/// A response is one that the body of the last claim gave, with the metadata which that body set last;
/// a cancellation is one that a client requested.
fn made_by_its_body(case: &mut Case<'_>, record: &OperationRecord) {
    let op = Op::of(record);
    let name = record.name.as_str();
    match op.verdict {
        Some(Verdict::Response(response)) => {
            let mut bodies = case.notes.bodies.iter();
            let body = bodies.find(|body| body.name == name && body.response == Some(response));
            match body {
                None => case.found("results", format!("no body of {name} gave its response")),
                Some(body) if body.fence != record.fence => {
                    let what = format!(
                        "{name} was claimed {} times, its response was made by claim {}",
                        record.fence, body.fence
                    );
                    case.found("results", what);
                }
                Some(body) if body.metadata.is_some() && body.metadata != op.metadata => {
                    case.found(
                        "metadata",
                        format!("{name} does not show its last metadata"),
                    );
                }
                Some(_) => {}
            }
        }
        // A body with durable calls may have the error of a child that was cancelled.
        Some(Verdict::Error(_))
            if record.state == OperationState::Cancelled && !case.plan.has_steps =>
        {
            let mut calls = case.notes.client_calls.iter();
            let asked = calls.any(|call| matches!(&call.ask, Ask::Cancel(it) if it == name));
            if !asked {
                case.found("cancellation", format!("no client has cancelled {name}"));
            }
        }
        _ => {}
    }
}
