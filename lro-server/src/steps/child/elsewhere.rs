//! Children on other servers: a watch is started first, and told then which operation it watches.
//!
//! The watch is a child of this server, which the store keeps with the step of its parent. So whatever dies between the
//! start elsewhere and the answer, there is a row that says so, and a later run makes the start again, with the same
//! request id. All that is known of the operation elsewhere, also that it could not be started, reaches the parent as
//! the end of the watch.

use std::time::Duration;

use lro_core::pb::{self, rpc};
use lro_core::store::{
    Child, Command, NewOperation, Origin, Refusal, StepOutcome, StepRow, StepWake, Update,
};
use lro_core::{OperationName, ParentName, Reason, Timestamp, pack, unpack};
use prost::Message as _;
use prost_types::Any;
use tokio::time::Instant;
use tonic::{Code, Status};

use super::StartChild;
use super::work::starting;
use crate::Remote;
use crate::engine::backoff::Backoff;
use crate::engine::deadline::later;
use crate::engine::update::update_one;
use crate::handler::error::{HandlerError, is_of_transport, to_plain_rpc_status};
use crate::handler::run::{Run, StopReason};
use crate::rpc::error::store_failed;
use crate::start::start_own;
use crate::steps::call::Call;
use crate::steps::fault;
use crate::steps::read::read_rows_of;
use crate::steps::retry::Retry;
use crate::steps::step::Options;
use crate::steps::wait::Wait;
use crate::steps::work::attempt_begun;
use crate::worker::watches;

/// The promise of a watch for the operation that it watches.
pub(crate) const NAMED: &str = "operation";

/// The longest time that one call of the start may take.
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// The longest pause between starts in a run that only undoes.
const UNDO_PAUSE_MAX: Duration = Duration::from_secs(5);

/// The largest operation that a watch gets as it is. Of a larger one it gets the name.
const TOLD_LEN_MAX: usize = 60 << 10;

/// A child elsewhere whose watch is stored.
struct Elsewhere<'c, 'a> {
    start: &'c StartChild<'a>,
    remote: &'c Remote,
    watch: Child,
    options: Options,
    /// When its step began, by the store's clock.
    began: Timestamp,
}

/// Starts the watch, then the operation elsewhere. Returns the wait for the end.
pub(super) async fn started(
    call: &mut Call,
    start: &StartChild<'_>,
    remote: &Remote,
    options: Options,
) -> Result<Result<Wait, StepOutcome>, Status> {
    let run = call.run().clone();
    let Some(link) = &run.link else {
        return Err(fault::run_ended());
    };
    if !remote.has_valid_name() {
        return Err(fault::invalid_remote(call.key()?.as_str(), remote.name()));
    }
    let starting = starting(call, options)?;
    start.slot.set(starting.clone());
    call.begin().await?;
    let began = run.store_clock().now();
    let watch = new_watch(&run, link.engine.new_uid(), remote)?;
    if let Err(refused) = start_own(&link.engine, watch, starting).await {
        return match run.is_lost() || !run.holds_lease() {
            true => Err(refused),
            false => Ok(Err(StepOutcome::Error(to_plain_rpc_status(&refused)))),
        };
    }
    let watch = start.slot.started().ok_or_else(fault::run_ended)?;
    let child = Elsewhere {
        start,
        remote,
        watch,
        options,
        began,
    };
    child.name(call, false).await?;
    child.wait(call).map(Ok)
}

/// Continues with the row of an earlier run, in which the operation may have been started. Returns the wait for the
/// end.
pub(super) async fn resumed(
    call: &mut Call,
    start: &StartChild<'_>,
    remote: &Remote,
    row: &StepRow,
    options: Options,
) -> Result<Wait, Status> {
    let Some(watch) = row.child.as_deref().filter(|it| it.name.is_watch()) else {
        return call.block(fault::server_changed(row.key.as_str())).await;
    };
    // It reads, and may learn the name.
    call.works();
    let child = Elsewhere {
        start,
        remote,
        watch: watch.clone(),
        options,
        began: row.begin_time,
    };
    if !watch.is_cancelled && !is_named(call.run(), watch).await? {
        let pauses = row.last_error.is_some() && !call.journal().is_naming();
        if pauses {
            call.wait(call.recorded_wait(row)).await;
        }
        call.begin().await?;
        match child.may_start_again(call.run(), Duration::ZERO) {
            true => child.name(call, true).await?,
            false => child.tell_unknown(call).await?,
        }
    }
    if call.journal().was_unnamed(call.key()?) {
        // All that a run does which only undoes. The next one waits for the end.
        return call.rests().await;
    }
    match watch.is_cancelled {
        true => Ok(call.recorded_wait(row)),
        false => child.wait(call),
    }
}

impl Elsewhere<'_, '_> {
    /// Starts the operation, and tells the watch what came of it: at an attempt that has begun. `is_unsure` says
    /// whether an earlier one may have started it.
    async fn name(&self, call: &mut Call, mut is_unsure: bool) -> Result<(), Status> {
        // The same in every run, since the watch is.
        let request_id = call
            .run()
            .derived_uuid(&["elsewhere", &self.watch.uid.to_string()]);
        self.start.slot.set_request_id(request_id);
        let link = call.run().link.as_ref();
        let patience = link.map_or(Duration::ZERO, |link| link.child_cancel_max);
        let gives_up_at = later(Instant::now(), patience);
        loop {
            let left = self.time_left(call.run());
            let is_late = left.is_some_and(|left| left.is_zero());
            if is_late && !is_unsure {
                // The wait for the end says that it is too late.
                return Ok(());
            }
            // One that may have been started needs its name to be cancelled, however late it is.
            let timeout = left.filter(|_| !is_unsure).unwrap_or(START_TIMEOUT);
            let timeout = Some(timeout.min(START_TIMEOUT));
            let attempted = attempt_begun(call, &self.start.closure, timeout).await?;
            if let Some(fault) = self.start.slot.fault() {
                let error = to_plain_rpc_status(&fault);
                return self.tell(call, StepOutcome::Error(error)).await;
            }
            let error = match attempted {
                Ok(operation) => return self.tell(call, told(call, &operation)?).await,
                Err(error) => error,
            };
            let is_passing = is_passing(error.status());
            is_unsure |= is_passing;
            let plain = to_plain_rpc_status(error.status());
            let pause = self.pause_after(&error, is_passing, call.attempt());
            let Some(pause) = pause.filter(|_| !is_late) else {
                return match is_unsure {
                    true => self.tell_unknown(call).await,
                    false => self.tell(call, StepOutcome::Error(plain)).await,
                };
            };
            let is_naming = call.journal().is_naming();
            if !self.may_start_again(call.run(), pause)
                || is_naming && Instant::now() >= gives_up_at
            {
                return self.tell_unknown(call).await;
            }
            if is_naming {
                tokio::time::sleep(pause.min(UNDO_PAUSE_MAX)).await;
            } else {
                let pause = self
                    .time_left(call.run())
                    .map_or(pause, |left| left.min(pause));
                let wait = call.new_wait(Some(StepWake::After(pause)), Some(plain))?;
                call.wait(wait).await;
            }
            call.begin().await?;
        }
    }

    /// The pause before the start is made again; `None` after an error that is final.
    fn pause_after(
        &self,
        error: &HandlerError,
        is_passing: bool,
        attempt: u32,
    ) -> Option<Duration> {
        if !is_passing && !error.is_retryable() {
            return None;
        }
        let retry = self.options.retry.unwrap_or(Retry::times(u32::MAX));
        let pause = retry.pause_after(attempt)?;
        Some(error.wanted_pause().unwrap_or(pause))
    }

    /// Whether the server still knows the request id after this pause.
    fn may_start_again(&self, run: &Run, pause: Duration) -> bool {
        let window = match self.options.at_most_once {
            true => Duration::ZERO,
            false => self.remote.window(),
        };
        run.store_clock()
            .now()
            .since(self.began)
            .saturating_add(pause)
            < window
    }

    /// How long the child may still take.
    fn time_left(&self, run: &Run) -> Option<Duration> {
        let timeout = self.options.timeout?;
        Some(timeout.saturating_sub(run.store_clock().now().since(self.began)))
    }

    /// The wait for the end of the watch.
    fn wait(&self, call: &Call) -> Result<Wait, Status> {
        let end = |timeout| StepWake::At(self.began.saturating_add(timeout));
        call.new_wait(self.options.timeout.map(end), None)
    }

    async fn tell_unknown(&self, call: &Call) -> Result<(), Status> {
        tracing::error!(name = %call.run().name, step = %call.key()?, remote = self.remote.name(),
            "it is not known whether a child on another server was started: look for it there");
        self.tell(call, StepOutcome::Error(child_unknown())).await
    }

    /// Tells the watch. If it has got another word before, an operation that was started now has no watch, and is
    /// cancelled.
    async fn tell(&self, call: &Call, outcome: StepOutcome) -> Result<(), Status> {
        let run = call.run();
        if tell(run, &self.watch, outcome.clone()).await? {
            return Ok(());
        }
        let Some(started) = name_in(&outcome) else {
            return Ok(());
        };
        let known = known(run, &self.watch).await?;
        if known.as_ref().and_then(name_in) == Some(started.clone()) {
            return Ok(());
        }
        tracing::error!(name = %run.name, step = %call.key()?, remote = self.remote.name(), operation = started,
            "a child on another server was started after its watch had ended: cancelling it");
        if let Err(error) = self.remote.client().cancel(&started).await {
            tracing::error!(name = %run.name, operation = started, ?error, "cannot cancel it: cancel it there");
        }
        Ok(())
    }
}

/// Whether the call may have started an operation although it has failed with this error, and the next one may not: the
/// connection has broken, or the answer has not come in time.
fn is_passing(error: &Status) -> bool {
    matches!(error.code(), Code::Unavailable | Code::DeadlineExceeded) || is_of_transport(error)
}

/// The error of a child of which it is not known whether it was started.
pub(crate) fn child_unknown() -> rpc::Status {
    let message = "it is not known whether the operation was started on the other server, which may not know the \
                   request id any more";
    Reason::StepInterrupted.operation_error(message, [])
}

/// A watch that does not know yet which operation it watches.
fn new_watch(run: &Run, uid: uuid::Uuid, remote: &Remote) -> Result<NewOperation, Status> {
    let internal = |error: lro_core::InvalidName| Status::internal(error.to_string());
    let parent: ParentName = OperationName::WATCH_PARENT.parse().map_err(internal)?;
    let name = OperationName::new(&parent, &uid.to_string()).map_err(internal)?;
    let mut watch = NewOperation::new(uid, name, remote.path(), pack(&()));
    watch.policy = watches::policy();
    watch.origin = Origin {
        principal: run.origin.principal.clone(),
        ..Origin::default()
    };
    Ok(watch)
}

/// The value for a watch: the operation that was started, or the error of the start.
fn told(call: &Call, operation: &Any) -> Result<StepOutcome, Status> {
    let mut started: pb::Operation = unpack(operation).unwrap_or_default();
    if started.name.is_empty() && started.result.is_none() {
        let fault = fault::no_child(call.key()?.as_str());
        return Ok(StepOutcome::Error(to_plain_rpc_status(&fault)));
    }
    if started.encoded_len() > TOLD_LEN_MAX && !started.name.is_empty() {
        started = pb::Operation {
            name: started.name,
            ..Default::default()
        };
    }
    Ok(StepOutcome::Response(pack(&started)))
}

/// Tells a watch which operation it watches, or that there is none. Returns whether it takes that: the first word counts.
pub(super) async fn tell(run: &Run, watch: &Child, outcome: StepOutcome) -> Result<bool, Status> {
    let Some(link) = &run.link else {
        return Ok(true);
    };
    let key = NAMED.parse().map_err(|_| fault::run_ended())?;
    let command = Command::Complete { key, outcome };
    let update = Update::by_uid(watch.name.clone(), watch.uid, command);
    let mut backoff = Backoff::default();
    loop {
        match update_one(&*link.store, update.clone()).await {
            Ok(Ok(_)) => return Ok(true),
            Ok(Err(Refusal::StepFinished(_) | Refusal::Done | Refusal::NotFound)) => {
                return Ok(false);
            }
            Ok(Err(refusal)) => return Err(Reason::Internal.status(refusal.to_string(), [])),
            Err(error) if error.is_retryable() && run.holds_lease() => {
                let pause =
                    backoff.failed("cannot store the name of a child on another server", &error);
                tokio::time::sleep(pause).await;
            }
            Err(error) => {
                if !run.holds_lease() {
                    run.stop(StopReason::LeaseLost);
                }
                return Err(store_failed(&error));
            }
        }
    }
}

/// Whether a watch knows which operation it watches, or that there is none.
pub(super) async fn is_named(run: &Run, watch: &Child) -> Result<bool, Status> {
    Ok(known(run, watch).await?.is_some())
}

/// The word that a watch has got.
async fn known(run: &Run, watch: &Child) -> Result<Option<StepOutcome>, Status> {
    let rows = read_rows_of(run, watch.uid, 0).await;
    let rows = rows.map_err(|error| store_failed(&error))?;
    let row = rows.into_iter().find(|row| row.key.as_str() == NAMED);
    Ok(row.and_then(|row| row.outcome))
}

/// The name of the operation that a watch is to watch.
fn name_in(word: &StepOutcome) -> Option<String> {
    let StepOutcome::Response(operation) = word else {
        return None;
    };
    let operation: pb::Operation = unpack(operation).ok()?;
    (!operation.name.is_empty()).then_some(operation.name)
}
