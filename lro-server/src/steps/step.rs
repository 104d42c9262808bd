//! The future of a durable call.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use lro_core::store::{StepOutcome, StepWake};
use lro_core::{Reason, unpack};
use prost::{Message, Name};
use prost_types::Any;
use tonic::{Code, Status};

use super::call::{Call, result};
use super::fault;
use super::in_closure::{InClosure, Noted};
use super::retry::Retry;
use crate::handler::error::{HandlerError, to_plain_rpc_status};

/// A durable call of a body: a step, a sleep or a promise. It begins when it is first polled.
///
/// ```
/// use std::time::Duration;
/// use lro_server::steps::Retry;
/// use lro_server::{HandlerError, OperationContext};
/// use tonic::Status;
///
/// # async fn transcode(_video: &str) -> Result<String, HandlerError> { Ok("a.webm".into()) }
/// # async fn check(_file: &str) -> Result<bool, Status> { Ok(true) }
/// async fn body(operation: OperationContext<()>) -> Result<(), HandlerError> {
///     let retry = Retry::times(5).pause(Duration::from_secs(1), Duration::from_secs(30));
///     let file = operation.step("transcode", async || transcode("a.mp4").await).retry(retry).await?;
///     operation.sleep("settle", Duration::from_secs(60)).await?;
///     operation.step("check", async || check(&file).await).await?;
///     Ok(())
/// }
/// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap()
/// #     .block_on(body(OperationContext::detached())).unwrap();
/// ```
///
/// Its result is recorded before `await` returns, so a later run of the body gets the same result
/// without making the call again: the same message, or the same [`Status`] with all its details.
///
/// # Errors
///
/// That of the closure, if it is final: such an error is recorded. A retryable one without
/// [`retry`](Self::retry) is not recorded, and the body that returns it runs again. Besides:
///
/// * INTERNAL, `STEP_NAME_INVALID` or `STEP_NAME_AMBIGUOUS`: a name is malformed, or used twice side
///   by side.
/// * FAILED_PRECONDITION, `STEP_NESTED`: the call was made inside the closure of a step.
/// * RESOURCE_EXHAUSTED: the response is too large, which is recorded as the step's error, or the
///   operation has too many steps.
/// * DEADLINE_EXCEEDED: the last attempt exceeded the [`timeout`](Self::timeout).
/// * ABORTED, `STEP_INTERRUPTED`: an [`at_most_once`](Self::at_most_once) step was interrupted.
/// * ABORTED, `OPERATION_INTERRUPTED`: the run has ended, and the call is made by a task that it left
///   behind.
/// * UNIMPLEMENTED: the store keeps no steps.
///
/// # Cancel safety
///
/// Dropping the future drops the closure's future; the call may be made again by the same name. A
/// closure that has returned is recorded nevertheless.
#[must_use = "a durable call begins when it is awaited"]
pub struct Step<'a, T> {
    state: State<'a>,
    output: PhantomData<fn() -> T>,
}

enum State<'a> {
    Made(Box<Plan<'a>>),
    UnderWay(Pin<Box<dyn Future<Output = Result<Any, Status>> + Send + 'a>>),
    Ended,
}

/// A call that was not polled yet.
struct Plan<'a> {
    call: Call,
    work: Work<'a>,
    type_url: String,
    options: Options,
}

/// The work of a call.
pub(super) enum Work<'a> {
    Closure(Closure<'a>),
    Sleep(StepWake),
    Promise,
    Introduced,
}

/// A closure that returns the packed response.
pub(super) type Closure<'a> = Box<dyn Fn() -> ClosureFuture<'a> + Send + Sync + 'a>;
pub(super) type ClosureFuture<'a> =
    Pin<Box<dyn Future<Output = Result<Any, HandlerError>> + Send + 'a>>;

#[derive(Clone, Copy, Debug, Default)]
struct Options {
    timeout: Option<Duration>,
    retry: Option<Retry>,
    at_most_once: bool,
}

impl<'a, T: Name> Step<'a, T> {
    pub(super) fn new(call: Call, work: Work<'a>) -> Self {
        let plan = Plan {
            call,
            work,
            type_url: T::type_url(),
            options: Options::default(),
        };
        Self {
            state: State::Made(Box::new(plan)),
            output: PhantomData,
        }
    }
}

impl<T> Step<'_, T> {
    /// Repeats the closure after a retryable error. The error of the last attempt is final and recorded.
    ///
    /// A pause that is longer than the worker's
    /// [`suspend_after`](crate::WorkerBuilder::suspend_after) suspends the operation, unless the body
    /// does something else meanwhile.
    pub fn retry(self, retry: Retry) -> Self {
        self.with(|options| options.retry = Some(retry))
    }

    /// The longest time that one attempt of the closure may take. After it the closure's future is
    /// dropped; the error DEADLINE_EXCEEDED is retryable. Of a promise, the longest time to wait for it:
    /// then DEADLINE_EXCEEDED is recorded.
    pub fn timeout(self, timeout: Duration) -> Self {
        self.with(|options| options.timeout = Some(timeout))
    }

    /// Never runs the closure again after a run in which it began, for effects that must not happen
    /// twice. A commit before the closure records that it begins. If the run is lost before the
    /// closure has returned, the step fails with ABORTED, `STEP_INTERRUPTED`, and the effect may or may
    /// not have happened.
    pub fn at_most_once(self) -> Self {
        self.with(|options| options.at_most_once = true)
    }

    fn with(mut self, set: impl FnOnce(&mut Options)) -> Self {
        if let State::Made(plan) = &mut self.state {
            set(&mut plan.options);
        }
        self
    }
}

impl<T: Message + Name + Default + 'static> Future for Step<'_, T> {
    type Output = Result<T, Status>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            match std::mem::replace(&mut self.state, State::Ended) {
                State::Made(plan) => self.state = State::UnderWay(Box::pin(plan.carry_out())),
                State::UnderWay(mut future) => {
                    let polled = future.as_mut().poll(context);
                    if polled.is_pending() {
                        self.state = State::UnderWay(future);
                    }
                    return polled.map(|result| unpacked(&result?));
                }
                State::Ended => panic!("a durable call was polled after it had ended"),
            }
        }
    }
}

fn unpacked<T: Message + Name + Default + 'static>(response: &Any) -> Result<T, Status> {
    unpack(response).map_err(|error| {
        let message = format!("the recorded response of a step cannot be read: {error}");
        Reason::PayloadUnreadable.status(message, [])
    })
}

impl Plan<'_> {
    async fn carry_out(self) -> Result<Any, Status> {
        let Self {
            mut call,
            work,
            type_url,
            options,
        } = self;
        match work {
            Work::Closure(closure) => run(&mut call, &closure, &type_url, options).await,
            Work::Sleep(wake) => sleep(&mut call, wake).await,
            Work::Promise => promise(&mut call, &type_url, options.timeout).await,
            Work::Introduced => introduced(&mut call).await,
        }
    }
}

async fn sleep(call: &mut Call, wake: StepWake) -> Result<Any, Status> {
    // The same in every run, whether the sleep was recorded, or stayed in memory.
    let ends = wake.time(call.made_at());
    let row = call.find("").await?;
    if let Some(result) = row.as_ref().and_then(|row| call.replay(row)) {
        call.journal().passed(ends);
        return result;
    }
    let wait = match &row {
        Some(row) => call.recorded_wait(row),
        None => call.new_wait(Some(wake), None)?,
    };
    call.wait(wait).await;
    call.journal().passed(ends);
    call.record_lazily(StepOutcome::Response(lro_core::pack(&())))?;
    Ok(lro_core::pack(&()))
}

async fn promise(
    call: &mut Call,
    type_url: &str,
    timeout: Option<Duration>,
) -> Result<Any, Status> {
    let row = call.find(type_url).await?;
    if let Some(result) = row.as_ref().and_then(|row| call.replay(row)) {
        return result;
    }
    let wait = match &row {
        Some(row) => call.recorded_wait(row),
        None => call.new_wait(timeout.map(StepWake::After), None)?,
    };
    call.wait(wait).await;
    let outcome = StepOutcome::Error(fault::promise_timed_out(call.key()?));
    match call.record(outcome.clone()).await {
        Ok(()) => result(&outcome),
        // It was completed while its time ran out.
        Err(refused) if refused.code() == Code::AlreadyExists => call.read_again().await,
        Err(error) => Err(error),
    }
}

async fn introduced(call: &mut Call) -> Result<Any, Status> {
    let is_passed = call.journal().expects_more();
    if let Some(result) = call.find("").await?.and_then(|row| call.replay(&row)) {
        return result;
    }
    let response = lro_core::pack(&!is_passed);
    call.record_lazily(StepOutcome::Response(response.clone()))?;
    Ok(response)
}

async fn run(
    call: &mut Call,
    closure: &Closure<'_>,
    type_url: &str,
    options: Options,
) -> Result<Any, Status> {
    if let Some(row) = call.find(type_url).await? {
        if let Some(result) = call.replay(&row) {
            return result;
        }
        if options.at_most_once && row.wake_time.is_none() {
            let outcome = StepOutcome::Error(fault::interrupted(row.key.as_str()));
            call.record(outcome.clone()).await?;
            return result(&outcome);
        }
        if row.wake_time.is_some() {
            call.wait(call.recorded_wait(&row)).await;
        }
    }
    let outcome = loop {
        let ended = attempt(call, closure, options).await?;
        let error = match ended {
            Ok(response) => break response_within_limits(call, response),
            Err(error) => error,
        };
        let plain = to_plain_rpc_status(error.status());
        if !error.is_retryable() {
            break StepOutcome::Error(plain);
        }
        let Some(retry) = options.retry else {
            // The body's own: it runs again.
            return Err(error.into_status());
        };
        match retry.pause_after(call.attempt()) {
            Some(pause) => {
                let pause = error.wanted_pause().unwrap_or(pause);
                let wait = call.new_wait(Some(StepWake::After(pause)), Some(plain))?;
                call.wait(wait).await;
            }
            None => break StepOutcome::Error(plain),
        }
    };
    call.record(outcome.clone()).await?;
    result(&outcome)
}

/// One attempt of the closure.
async fn attempt(
    call: &mut Call,
    closure: &Closure<'_>,
    options: Options,
) -> Result<Result<Any, HandlerError>, Status> {
    let run = call.run().clone();
    call.begin().await;
    let Ok(_permit) = run.journal().closures.acquire().await else {
        return Err(fault::run_ended());
    };
    if options.at_most_once {
        call.record_begun().await?;
    }
    let future = {
        let _noted = Noted::new(run.uid);
        closure()
    };
    let future = InClosure {
        future,
        uid: run.uid,
    };
    let Some(timeout) = options.timeout else {
        return Ok(future.await);
    };
    Ok(match tokio::time::timeout(timeout, future).await {
        Ok(ended) => ended,
        Err(_) => Err(HandlerError::retry(fault::attempt_timed_out(
            call.key()?,
            timeout,
        ))),
    })
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

impl<T> fmt::Debug for Step<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::Made(_) => "made",
            State::UnderWay(_) => "under way",
            State::Ended => "ended",
        };
        f.debug_tuple("Step").field(&state).finish()
    }
}
