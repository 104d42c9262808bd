//! The work of a call that starts a child and waits for it.

use std::sync::Arc;

use lro_core::pb::{self, operation};
use lro_core::store::{ChildOf, StepKind, StepOutcome, StepRow, StepWake};
use lro_core::unpack;
use prost_types::Any;
use tonic::Status;

use super::{OnCancel, Server, StartChild, Starting, Stop, elsewhere};
use crate::steps::call::{Call, Ended};
use crate::steps::fault;
use crate::steps::hooks;
use crate::steps::in_block::block_of;
use crate::steps::saga::Undoable;
use crate::steps::step::Options;
use crate::steps::wait::Wait;
use crate::steps::work::{attempt, end_or_pause, wait_for_event};

/// How the start of a child has ended.
enum Started {
    /// The child runs, and is recorded as that of the step.
    Child(Wait),
    /// The call ends without a child.
    Ended(StepOutcome),
}

pub(in crate::steps) async fn child(
    call: &mut Call,
    start: &StartChild<'_>,
    type_url: &str,
    options: Options,
    undoable: Option<&Undoable<'_>>,
) -> Result<Ended, Status> {
    let reached = |row: Option<&StepRow>| {
        if let Some(undoable) = undoable {
            undoable.reached(row);
        }
    };
    let (run, key) = (call.run().clone(), call.key()?.clone());
    let block = block_of(run.uid);
    // A child that is not recorded was not started, so a replay has nothing to undo, unless an operator has forgotten it.
    let note = |row: Option<&StepRow>| {
        if row.is_some() || run.forgotten_undoable {
            reached(row);
        }
        if let Some(block) = block {
            run.journal().child_in_block(&key, block.saga);
        }
    };
    let row = call.find_and_note(type_url, note).await?;
    reached(row.as_ref());
    if let Some(ended) = row.as_ref().and_then(|row| call.replay(row)) {
        return Ok(ended);
    }
    let started = match row {
        Some(row) if row.child.is_some() => {
            Started::Child(resumed(call, start, &row, options).await?)
        }
        row => {
            if let Some(row) = row.filter(|row| row.wake_time.is_some()) {
                call.wait(call.recorded_wait(&row)).await;
            }
            if let Some(undoable) = undoable {
                undoable.open(call).await?;
            }
            started(call, start, options).await?
        }
    };
    let ended = match started {
        Started::Child(wait) => ended(call, wait).await?,
        Started::Ended(outcome) => call.record_unless_ended(outcome).await?,
    };
    if let Some(undoable) = undoable {
        undoable.returned(ended.result.as_ref().ok().cloned());
        undoable.ended_at(ended.time);
    }
    Ok(ended)
}

/// Waits for the end of the child, or for the timeout. A child that a saga may undo is cancelled by the timeout, and
/// waited for.
async fn ended(call: &Call, wait: Wait) -> Result<Ended, Status> {
    if call.kind() == StepKind::SagaChild {
        if let Some(row) = call.wait_for_completion(wait).await?
            && let Some(ended) = call.replay(&row)
        {
            return Ok(ended);
        }
        let key = call.key()?;
        let child = call.journal().outstanding_child(key);
        if let Some(Stop::Cancel(write)) = child.map(|child| child.stop(call.run())) {
            let wait = Wait::new(write.clone(), call.run().store_clock());
            call.commit(write).await?;
            call.journal().child_cancelled(key);
            return wait_for_event(call, wait.into_recorded(), fault::child_timed_out).await;
        }
        let outcome = StepOutcome::Error(fault::child_timed_out(key));
        return call.record_unless_ended(outcome).await;
    }
    wait_for_event(call, wait, fault::child_timed_out).await
}

/// Continues to wait for a child that an earlier run has recorded.
async fn resumed(
    call: &mut Call,
    start: &StartChild<'_>,
    row: &StepRow,
    options: Options,
) -> Result<Wait, Status> {
    match &start.server {
        Server::Remote(remote) if !hooks::is_under_test() => {
            elsewhere::resumed(call, start, remote, row, options).await
        }
        Server::Own(_) if row.child.as_deref().is_some_and(|it| it.name.is_watch()) => {
            call.block(fault::server_changed(row.key.as_str())).await
        }
        _ => Ok(call.recorded_wait(row)),
    }
}

/// Starts the child.
async fn started(
    call: &mut Call,
    start: &StartChild<'_>,
    options: Options,
) -> Result<Started, Status> {
    let run = call.run().clone();
    if let (Server::Remote(remote), Some(_)) = (&start.server, &run.link)
        && !hooks::is_under_test()
    {
        let started = elsewhere::started(call, start, remote, options).await?;
        return Ok(match started {
            Ok(wait) => Started::Child(wait),
            Err(refused) => Started::Ended(refused),
        });
    }
    let attempts = Options {
        // It limits the whole wait.
        timeout: None,
        ..options
    };
    loop {
        let mut replaced = None;
        if let Some(link) = &run.link {
            let starting = starting(call, options)?;
            replaced = hooks::child(call.key()?, &starting, &link.store);
            start.slot.set(starting);
            let is_own = match &start.server {
                Server::Own(server) => Arc::ptr_eq(server.engine().run_news(), &link.news),
                Server::Remote(_) => false,
            };
            if !is_own && !hooks::is_under_test() {
                return Err(fault::child_elsewhere(call.key()?.as_str()));
            }
        }
        let closure = replaced.as_ref().unwrap_or(&start.closure);
        let attempted = attempt(call, closure, attempts).await?;
        if let Some(fault) = start.slot.fault() {
            return Err(fault);
        }
        let error = match attempted {
            Ok(operation) => return has_started(call, start, &operation, options),
            Err(error) => error,
        };
        if let Some(last) = end_or_pause(call, error, options.retry).await? {
            return Ok(Started::Ended(last));
        }
    }
}

pub(super) fn starting(call: &Call, options: Options) -> Result<Arc<Starting>, Status> {
    let run = call.run();
    let child_of = ChildOf {
        operation: run.name.clone(),
        uid: run.uid,
        fence: run.fence,
        step: call.next_attempt(options.timeout.map(StepWake::After))?,
        is_left: options.on_cancel == OnCancel::Leave,
    };
    Ok(Arc::new(Starting::new(run, child_of)))
}

/// The closure has returned this operation.
fn has_started(
    call: &Call,
    start: &StartChild<'_>,
    operation: &Any,
    options: Options,
) -> Result<Started, Status> {
    let operation: pb::Operation = unpack(operation).unwrap_or_default();
    let key = call.key()?;
    if let Some(child) = start.slot.started() {
        if child.name.as_str() != operation.name {
            return Err(fault::other_child(key.as_str(), &operation.name));
        }
        return call.started_wait(options.timeout).map(Started::Child);
    }
    match operation.result {
        Some(operation::Result::Response(response)) => {
            Ok(Started::Ended(StepOutcome::Response(response)))
        }
        Some(operation::Result::Error(error)) => Ok(Started::Ended(StepOutcome::Error(error))),
        None => Err(fault::no_child(key.as_str())),
    }
}
