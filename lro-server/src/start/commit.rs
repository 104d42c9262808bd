//! Stores a new operation, and runs it at once where a worker of this process has a free slot.

use std::sync::Arc;

use lro_core::store::{ChildRefusal, NewOperation, StartError, Started, StoreError};
use tokio::time::Instant;
use tonic::Status;

use super::internal;
use crate::engine::Engine;
use crate::engine::backoff::Backoff;
use crate::engine::update::failure;
use crate::rpc::error::store_failed;
use crate::steps::Starting;

/// The store's answer to a start.
pub(super) type Answer = Result<Started, StartError>;

/// Makes the operation durable. Where a local worker has a free slot, the operation is born claimed,
/// and its body starts when this returns.
pub(super) async fn commit(
    engine: Arc<Engine>,
    mut operation: NewOperation,
    child: Option<&Starting>,
) -> Result<Answer, Status> {
    let runs_now = operation.ready_time.is_none() && operation.outcome.is_none();
    let slot = runs_now
        .then(|| engine.workers().try_slot(&operation.method))
        .flatten();
    operation.claimed_by = slot.as_ref().map(|slot| slot.claimant());
    if slot.is_none() {
        engine.watch_backlog();
    }
    let (answer, called_at) = store(&engine, operation, child).await?;
    if let (Ok((started, true)), Some(slot)) = (&answer, slot)
        && started.record.state.is_running()
    {
        slot.launch(started.record.clone(), called_at);
    }
    Ok(answer.map(|(started, _)| started))
}

/// A start that was answered, and whether this call has made the operation, perhaps in a try whose answer was lost.
type Stored = Result<(Started, bool), StartError>;

/// Starts a child. While the store is unavailable, or the parent is locked, it tries again as long as the run holds the
/// parent: a body must not fail because of that. The step of the parent finds a start that was stored before.
async fn start_while_held(
    engine: &Engine,
    operation: NewOperation,
    child: &Starting,
    called_at: &mut Instant,
) -> Result<Vec<Answer>, StoreError> {
    let mut backoff = Backoff::default();
    loop {
        *called_at = Instant::now();
        let answers = engine.store().start(vec![operation.clone()]).await;
        match answers.and_then(without_failures) {
            Err(error) if error.is_retryable() && child.is_held() => {
                tokio::time::sleep(backoff.failed("cannot start a child", &error)).await;
            }
            answers => return answers,
        }
    }
}

/// A parent that is locked is a failure, which another try may not meet.
fn without_failures(answers: Vec<Answer>) -> Result<Vec<Answer>, StoreError> {
    let failed = answers.iter().find_map(|answer| match answer {
        Err(StartError::Child(ChildRefusal::Parent(refusal))) => failure(refusal),
        _ => None,
    });
    failed.map_or(Ok(answers), Err)
}

/// Stores the operation. Notes before that it is young, so that a waiter on it listens before it
/// reads.
async fn store(
    engine: &Engine,
    operation: NewOperation,
    child: Option<&Starting>,
) -> Result<(Stored, Instant), Status> {
    let uid = operation.uid;
    let young = engine.waiters().expect(&operation.name, uid);
    let mut called_at = Instant::now();
    let answer = match child {
        None => engine.store().start(vec![operation]).await,
        Some(child) => start_while_held(engine, operation, child, &mut called_at).await,
    };
    let answer = answer.map_err(|error| store_failed(&error))?.pop();
    let answer = answer.ok_or_else(|| internal("the store gave no answer"))?;
    let answer = answer.map(|started| {
        let is_own = !started.existing || started.record.uid == uid && started.record.fence <= 1;
        (started, is_own)
    });
    if let Ok((started, true)) = &answer {
        engine.started(&started.record);
        // The store has no event of it, unless it waits to be claimed.
        engine.changes().changed(&started.record.name);
        if !started.record.state.is_done() {
            young.keep();
        }
    }
    Ok((answer, called_at))
}
