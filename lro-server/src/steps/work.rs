//! The work of durable calls.

use std::time::Duration;

use lro_core::pb::rpc;
use lro_core::store::{StepKey, StepOutcome, StepRow, StepWake};
use prost_types::Any;
use tonic::Status;
use tracing::Instrument as _;

use super::call::{Call, Ended};
use super::child::{StartChild, child};
use super::closure::{Begun, Closure};
use super::fault;
use super::hooks;
use super::retry::Retry;
use super::saga::Undoable;
use super::step::Options;
use super::wait::Wait;
use crate::handler::error::{HandlerError, to_plain_rpc_status};

/// The number of attempts to undo a step, with pauses from 1 s to 60 s.
const UNDO_ATTEMPTS: u32 = 10;
/// The longest time that one of them may take.
const UNDO_TIMEOUT: Duration = Duration::from_secs(600);

/// The work of a call.
pub(super) enum Work<'a> {
    Closure(Closure<'a>),
    SagaStep(Closure<'a>, Undoable<'a>),
    Sleep(StepWake),
    Promise,
    Child(StartChild<'a>, Option<Undoable<'a>>),
    Introduced,
}

impl Work<'_> {
    /// Returns the end of the call, or an error that is not recorded. `type_url` is that of its response.
    pub(super) async fn carry_out(
        self,
        call: &mut Call,
        type_url: &str,
        options: Options,
    ) -> Result<Ended, Status> {
        let ended = match self {
            Self::Closure(closure) => step(call, &closure, type_url, options, None).await,
            Self::SagaStep(closure, undoable) => {
                undoable.check(call)?;
                step(call, &closure, type_url, options, Some(&undoable)).await
            }
            Self::Sleep(wake) => sleep(call, wake).await,
            Self::Promise => promise(call, type_url, options.timeout).await,
            Self::Child(start, undoable) => {
                if let Some(undoable) = &undoable {
                    undoable.check(call)?;
                }
                child(call, &start, type_url, options, undoable.as_ref()).await
            }
            Self::Introduced => introduced(call).await,
        };
        if let Ok(ended) = &ended {
            call.let_others_replay(ended).await;
        }
        ended
    }
}

async fn sleep(call: &mut Call, wake: StepWake) -> Result<Ended, Status> {
    // The same in every run, whether the sleep was recorded, or stayed in memory.
    let ends = wake.time(call.made_at());
    let row = call.find("").await?;
    if let Some(ended) = row.as_ref().and_then(|row| call.replay(row)) {
        call.journal().passed(ends);
        return Ok(ended);
    }
    let wait = match &row {
        Some(row) => call.recorded_wait(row),
        None => call.new_wait(Some(wake), None)?,
    };
    call.wait(wait).await;
    call.journal().passed(ends);
    call.record(StepOutcome::Response(lro_core::pack(&())))
        .await
}

async fn promise(
    call: &mut Call,
    type_url: &str,
    timeout: Option<Duration>,
) -> Result<Ended, Status> {
    let row = call.find(type_url).await?;
    if let Some(ended) = row.as_ref().and_then(|row| call.replay(row)) {
        return Ok(ended);
    }
    let wait = match &row {
        Some(row) => call.recorded_wait(row),
        None => call.new_wait(timeout.map(StepWake::After), None)?,
    };
    wait_for_event(call, wait, fault::promise_timed_out).await
}

/// Waits for an event from outside that ends the call, or for its timeout, which is recorded.
pub(super) async fn wait_for_event(
    call: &Call,
    wait: Wait,
    timed_out: fn(&StepKey) -> rpc::Status,
) -> Result<Ended, Status> {
    if let Some(row) = call.wait_for_completion(wait).await?
        && let Some(ended) = call.replay(&row)
    {
        return Ok(ended);
    }
    let outcome = StepOutcome::Error(timed_out(call.key()?));
    // The event may have come while its time ran out.
    call.record_unless_ended(outcome).await
}

async fn introduced(call: &mut Call) -> Result<Ended, Status> {
    let is_passed = call.journal().expects_more();
    if let Some(ended) = call.find("").await?.and_then(|row| call.replay(&row)) {
        return Ok(ended);
    }
    let response = lro_core::pack(&!is_passed);
    call.record(StepOutcome::Response(response)).await
}

async fn step(
    call: &mut Call,
    closure: &Closure<'_>,
    type_url: &str,
    options: Options,
    undoable: Option<&Undoable<'_>>,
) -> Result<Ended, Status> {
    let may_be_forgotten = call.run().forgotten_undoable;
    // The row of a step that has begun is there before its closure begins, so a replay has nothing to undo without it.
    let note = |row: Option<&StepRow>| {
        if let Some(undoable) = undoable.filter(|_| row.is_some() || may_be_forgotten) {
            undoable.reached(row);
        }
    };
    if let Some(row) = call.find_and_note(type_url, note).await? {
        if let Some(ended) = call.replay(&row) {
            return Ok(ended);
        }
        if options.at_most_once && row.wake_time.is_none() {
            let outcome = StepOutcome::Error(fault::interrupted(row.key.as_str()));
            let ended = call.record(outcome).await?;
            if let Some(undoable) = undoable {
                undoable.ended_at(ended.time);
            }
            return Ok(ended);
        }
        if row.wake_time.is_some() {
            call.wait(call.recorded_wait(&row)).await;
        }
    }
    if let Some(undoable) = undoable {
        undoable.open(call).await?;
        undoable.reached(call.recorded(call.kind()).as_ref());
        // Each row that follows from the closure says that it has begun, and a later run has nothing to undo without it.
        // An attempt that is the only one records it when it may begin.
        if call.recorded(call.kind()).is_none() && !options.at_most_once {
            call.record_begun().await?;
        }
    }
    let outcome = loop {
        let ended = attempt(call, closure, options).await?;
        let error = match ended {
            Ok(response) => break response_within_limits(call, response),
            Err(error) => error,
        };
        if let Some(last) = end_or_pause(call, error, options.retry).await? {
            break last;
        }
    };
    let response = match &outcome {
        StepOutcome::Response(response) => Some(response.clone()),
        _ => None,
    };
    if let Some(undoable) = undoable {
        undoable.returned(response);
    }
    let ended = call.record(outcome).await?;
    if let Some(undoable) = undoable {
        undoable.ended_at(ended.time);
    }
    Ok(ended)
}

/// Undoes a step, with retries after each error.
pub(super) async fn undo(call: &mut Call, undo: Closure<'_>) -> Result<Ended, Status> {
    let options = Options {
        retry: Some(Retry::times(UNDO_ATTEMPTS)),
        timeout: Some(UNDO_TIMEOUT),
        ..Options::default()
    };
    step(call, &undo, "", options, None).await
}

/// After a failed attempt: the outcome if it was the last one; otherwise `None`, after the pause before the next.
pub(super) async fn end_or_pause(
    call: &Call,
    error: HandlerError,
    retry: Option<Retry>,
) -> Result<Option<StepOutcome>, Status> {
    let plain = to_plain_rpc_status(error.status());
    if !error.is_retryable() {
        return Ok(Some(StepOutcome::Error(plain)));
    }
    let Some(retry) = retry else {
        // The body's own: it runs again.
        return Err(error.into_status());
    };
    let Some(pause) = retry.pause_after(call.attempt()) else {
        return Ok(Some(StepOutcome::Error(plain)));
    };
    let pause = error.wanted_pause().unwrap_or(pause);
    let wait = call.new_wait(Some(StepWake::After(pause)), Some(plain))?;
    call.wait(wait).await;
    Ok(None)
}

/// One attempt of the closure.
pub(super) async fn attempt(
    call: &mut Call,
    closure: &Closure<'_>,
    options: Options,
) -> Result<Result<Any, HandlerError>, Status> {
    call.begin().await?;
    hooks::before_closure(call.key()?, call.attempt()).await;
    if options.at_most_once {
        call.record_begun().await?;
    }
    attempt_begun(call, closure, options.timeout).await
}

/// One attempt of the closure, which has begun.
pub(super) async fn attempt_begun(
    call: &Call,
    closure: &Closure<'_>,
    timeout: Option<Duration>,
) -> Result<Result<Any, HandlerError>, Status> {
    let run = call.run();
    let closures = &run.journal().closures;
    let _permit = match closures.try_acquire() {
        Ok(permit) => permit,
        Err(_) => {
            let permit = closures.acquire().await.map_err(|_| fault::run_ended())?;
            if !call.may_begin() {
                // Its turn has come too late, as that of the next one has.
                drop(permit);
                return call.rests().await;
            }
            permit
        }
    };
    let key = call.key()?;
    let span = tracing::info_span!("step", key = key.as_str(), attempt = call.attempt());
    let begun = span.in_scope(|| closure.begin(run, key));
    let ended = in_time(begun, key, timeout).instrument(span).await;
    Ok(ended)
}

/// The end of an attempt: an error that is retryable if it exceeds the timeout.
async fn in_time(
    mut begun: Begun<'_>,
    key: &StepKey,
    timeout: Option<Duration>,
) -> Result<Any, HandlerError> {
    let Some(timeout) = timeout else {
        return begun.future.await;
    };
    if let Ok(ended) = tokio::time::timeout(timeout, &mut begun.future).await {
        return ended;
    }
    let late = || HandlerError::retry(fault::attempt_timed_out(key, timeout));
    let Some(guard) = begun.guard else {
        return Err(late());
    };
    guard.stop();
    // A thread cannot be dropped. If it has the result after all, that counts.
    begun.future.await.map_err(|_| late())
}

/// The outcome of a closure: an error if its response is too large, which another attempt would meet,
/// too.
fn response_within_limits(call: &Call, response: Any) -> StepOutcome {
    let (len, max) = (response.value.len(), call.run().limits.max_response_len);
    match crate::limits::check_len("response of a step", len, max) {
        Ok(()) => StepOutcome::Response(response),
        Err(error) => StepOutcome::Error(to_plain_rpc_status(&error)),
    }
}
