//! Stores a new operation, and runs it at once where a worker of this process has a free slot.

use std::sync::Arc;

use lro_core::store::{NewOperation, StartError, Started};
use tokio::time::Instant;
use tonic::Status;

use super::internal;
use crate::engine::Engine;
use crate::rpc::error::store_failed;

/// The store's answer to a start.
pub(super) type Answer = Result<Started, StartError>;

/// Makes the operation durable. Where a local worker has a free slot, the operation is born claimed,
/// and its body starts when this returns.
pub(super) async fn commit(
    engine: Arc<Engine>,
    mut operation: NewOperation,
) -> Result<Answer, Status> {
    let runs_now = operation.ready_time.is_none() && operation.outcome.is_none();
    let slot = runs_now
        .then(|| engine.workers().try_slot(&operation.method))
        .flatten();
    operation.claimed_by = slot.as_ref().map(|slot| slot.claimant());
    if slot.is_none() {
        engine.watch_backlog();
    }
    let called_at = Instant::now();
    let answer = store(&engine, operation).await?;
    if let (Ok(started), Some(slot)) = (&answer, slot)
        && !started.existing
        && started.record.state.is_running()
    {
        slot.launch(started.record.clone(), called_at);
    }
    Ok(answer)
}

/// Stores the operation. Notes before that it is young, so that a waiter on it listens before it
/// reads.
async fn store(engine: &Engine, operation: NewOperation) -> Result<Answer, Status> {
    let young = engine.waiters().expect(&operation.name, operation.uid);
    let answers = engine.store().start(vec![operation]).await;
    let answer = answers.map_err(|error| store_failed(&error))?.pop();
    let answer = answer.ok_or_else(|| internal("the store gave no answer"))?;
    if let Ok(started) = &answer
        && !started.existing
    {
        engine.started(&started.record);
        // The store has no event of it, unless it waits to be claimed.
        engine.changes().changed(&started.record.name);
        if !started.record.state.is_done() {
            young.keep();
        }
    }
    Ok(answer)
}
