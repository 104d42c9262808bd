//! Children of a body under test, which the kit starts and ends instead of the services that it would call.

use std::sync::Arc;

use lro_core::store::{
    Command, NewOperation, OperationOutcome, OperationStore, StepQuery, Update, WorkerId,
};
use lro_core::{Reason, pack};
use prost_types::Any;
use tonic::Status;
use uuid::Uuid;

use super::process::{LEASE, Place};
use crate::handler::error::HandlerError;
use crate::rpc::error::{start_refused, store_failed};
use crate::steps::{Closure, Starting};

/// The method of the children, which no worker hosts.
const METHOD: &str = "/lro.testing.Child/Run";

/// Ends a child, in the world of the test.
pub(super) type EndChild = dyn Fn() -> OperationOutcome + Send + Sync;

/// The closure that starts the child of a step in the place of the service's own.
pub(super) fn start<'a>(starting: &Arc<Starting>, store: &Arc<dyn OperationStore>) -> Closure<'a> {
    let (starting, store) = (starting.clone(), store.clone());
    Closure::Async(Box::new(move || {
        let (starting, store) = (starting.clone(), store.clone());
        Box::pin(async move { started(&starting, &*store).await })
    }))
}

async fn started(starting: &Starting, store: &dyn OperationStore) -> Result<Any, HandlerError> {
    tokio::task::yield_now().await;
    let uid = starting.derived_uid();
    let name = format!("operations/{uid}").parse();
    let name = name.map_err(|error| internal(&format!("{error}")))?;
    let mut child = NewOperation::new(uid, name, METHOD, Any::default());
    child.child_of = Some(Box::new(starting.take()?));
    let started = store.start(vec![child]).await;
    let started = started.map_err(|error| store_failed(&error))?.pop();
    let started = started.ok_or_else(|| internal("the store gave no answer"))?;
    let started = started.map_err(|error| start_refused(&error))?;
    starting.started(&started.record);
    Ok(pack(&started.record.to_operation()))
}

fn internal(message: &str) -> Status {
    Reason::Internal.status(message, [])
}

/// Ends the child of a step, unless it has ended.
pub(super) async fn end(place: &Place, step: &str, end: &EndChild) -> bool {
    let epoch = place.record().await.steps.map_or(0, |steps| steps.epoch);
    let rows = place.store.steps(StepQuery::all(place.uid, epoch)).await;
    let rows = rows.unwrap_or_default();
    let row = rows.iter().find(|row| row.key.as_str() == step);
    let Some(child) = row
        .filter(|row| !row.is_finished())
        .and_then(|row| row.child.as_deref())
    else {
        return false;
    };
    let claim = Command::Claim {
        worker: WorkerId::from_uuid(Uuid::nil()),
        lease_duration: LEASE,
    };
    let finish = Command::Finish {
        fence: 1,
        outcome: end(),
        metadata: None,
    };
    for command in [claim, finish] {
        let update = Update::by_uid(child.name.clone(), child.uid, command);
        // A refusal shows in what becomes of the parent.
        let _ = place.store.update(vec![update]).await;
    }
    true
}
