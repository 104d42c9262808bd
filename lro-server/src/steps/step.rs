//! The future of a durable call.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use lro_core::store::{StepKey, StepKind};
use lro_core::{Reason, unpack};
use prost::{Message, Name};
use prost_types::Any;
use tonic::Status;

use super::call::{Call, Ended};
use super::child::OnCancel;
use super::hooks;
use super::retry::Retry;
use super::work::Work;

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
/// * INTERNAL, `PROMISE_UNDECLARED`: the method declares promises, and none of this name and type.
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
    key: Option<StepKey>,
    kind: StepKind,
    state: State<'a>,
    place: Option<u64>,
    output: PhantomData<fn() -> T>,
}

enum State<'a> {
    Made(Box<Plan<'a>>),
    UnderWay(Pin<Box<dyn Future<Output = Result<Ended, Status>> + Send + 'a>>),
    Ended,
}

/// A call that was not polled yet.
struct Plan<'a> {
    call: Call,
    work: Work<'a>,
    type_url: String,
    options: Options,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Options {
    pub(super) timeout: Option<Duration>,
    pub(super) retry: Option<Retry>,
    pub(super) at_most_once: bool,
    pub(super) lazy: bool,
    pub(super) on_cancel: OnCancel,
}

impl<'a, T: Name> Step<'a, T> {
    pub(super) fn new(call: Call, work: Work<'a>) -> Self {
        let key = call.key().ok().cloned();
        let kind = call.kind();
        let plan = Plan {
            call,
            work,
            type_url: T::type_url(),
            options: Options::default(),
        };
        Self {
            key,
            kind,
            state: State::Made(Box::new(plan)),
            place: None,
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
    /// dropped; the error DEADLINE_EXCEEDED is retryable. A
    /// [blocking](crate::OperationContext::step_blocking) closure is asked to stop instead. Of a promise or a child,
    /// the longest time to wait for it: then DEADLINE_EXCEEDED is recorded, and the child is cancelled; one of a
    /// [saga](super::Saga::child) ends the step as it ends then.
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

    /// Returns before the result is durable: its row rides on the next commit of the operation. No closure of
    /// another step begins before that, so no effect can follow from a result that is lost. It saves a commit
    /// where the body ends, waits or begins several steps next.
    ///
    /// ```
    /// # use lro_server::OperationContext;
    /// # use tonic::Status;
    /// async fn body(operation: OperationContext<()>) -> Result<u64, Status> {
    ///     let count = async || -> Result<u64, Status> { Ok(42) };
    ///     // Its row is written in the commit that ends the operation.
    ///     operation.step("count", count).lazy().await
    /// }
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap()
    /// #     .block_on(body(OperationContext::detached())).unwrap();
    /// ```
    ///
    /// [`time`](crate::OperationContext::time) does not advance with it. Without effect on promises and children.
    pub fn lazy(self) -> Self {
        self.with(|options| options.lazy = true)
    }

    /// Of a [child](crate::OperationContext::child): whether it is cancelled with its parent.
    pub fn on_cancel(self, on_cancel: OnCancel) -> Self {
        self.with(|options| options.on_cancel = on_cancel)
    }

    fn with(mut self, set: impl FnOnce(&mut Options)) -> Self {
        if let State::Made(plan) = &mut self.state {
            set(&mut plan.options);
        }
        self
    }

    /// The key of its row; `None` if its name is at fault.
    pub(super) fn key(&self) -> Option<&StepKey> {
        self.key.as_ref()
    }

    /// The key and kind of its row; `None` if its name is at fault.
    pub(super) fn identity(&self) -> Option<(StepKey, StepKind)> {
        Some((self.key.clone()?, self.kind))
    }

    /// Whether it has begun, and has not ended.
    pub(super) fn is_under_way(&self) -> bool {
        matches!(self.state, State::UnderWay(_))
    }

    /// Its key, once its end is recorded.
    pub(super) fn recorded(&self) -> Option<StepKey> {
        self.key.clone().filter(|_| self.place.is_some())
    }

    /// The place of its recorded end among those of this run; `None` unless it has ended, and its end is
    /// recorded.
    pub(super) fn place(&self) -> Option<u64> {
        self.place
    }
}

impl<T: Message + Name + Default + 'static> Future for Step<'_, T> {
    type Output = Result<T, Status>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            match std::mem::replace(&mut self.state, State::Ended) {
                State::Made(plan) => self.state = State::UnderWay(Box::pin(plan.carry_out())),
                State::UnderWay(mut future) => {
                    let polled = hooks::poll_call(context, |context| future.as_mut().poll(context));
                    let Poll::Ready(ended) = polled else {
                        self.state = State::UnderWay(future);
                        return Poll::Pending;
                    };
                    let Ended { result, place, .. } = ended?;
                    self.place = Some(place);
                    return Poll::Ready(result.and_then(|response| unpacked(&response)));
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
    async fn carry_out(self) -> Result<Ended, Status> {
        let Self {
            mut call,
            work,
            type_url,
            options,
        } = self;
        // An end that comes from outside is recorded there.
        let is_ended_outside = call.kind() == StepKind::Promise || call.kind().is_child();
        if options.lazy && !is_ended_outside {
            call.set_lazy();
        }
        work.carry_out(&mut call, &type_url, options).await
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
