//! The closures of steps.

use std::future::Future;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::sync::Arc;

use lro_core::pack;
use lro_core::store::StepKey;
use prost::{Message, Name};
use prost_types::Any;
use tokio_util::sync::CancellationToken;

use super::fault;
use super::hooks;
use super::in_closure::{InClosure, Noted};
use crate::handler::error::{HandlerError, IntoHandlerError};
use crate::handler::run::Run;

/// A closure that returns the packed response.
pub(crate) enum Closure<'a> {
    Async(Box<dyn Fn() -> ClosureFuture<'a> + Send + Sync + 'a>),
    Blocking(Arc<BlockingClosure>),
}

pub(crate) type ClosureFuture<'a> =
    Pin<Box<dyn Future<Output = Result<Any, HandlerError>> + Send + 'a>>;

/// A closure for a thread that may block.
pub(crate) type BlockingClosure =
    dyn Fn(&StepGuard) -> Result<Any, HandlerError> + Send + Sync + 'static;

/// An attempt of a closure.
pub(super) struct Begun<'a> {
    pub(super) future: InClosure<ClosureFuture<'a>>,
    /// Asks a blocking closure to stop.
    pub(super) guard: Option<StepGuard>,
}

impl<'a> Closure<'a> {
    /// One that packs the response of a closure, and converts its error.
    pub(super) fn packing<T, E, F, Fut>(run: F) -> Self
    where
        T: Message + Name + 'static,
        E: IntoHandlerError,
        F: Fn() -> Fut + Send + Sync + 'a,
        Fut: Future<Output = Result<T, E>> + Send + 'a,
    {
        Self::Async(Box::new(move || {
            let ended = run();
            Box::pin(async move {
                match ended.await {
                    Ok(response) => Ok(pack(&response)),
                    Err(error) => Err(error.into_handler_error()),
                }
            })
        }))
    }

    /// Begins an attempt.
    pub(super) fn begin(&self, run: &Arc<Run>, key: &StepKey) -> Begun<'a> {
        let (future, guard) = match self {
            Self::Async(closure) => {
                let _noted = Noted::new(run.uid);
                (closure(), None)
            }
            Self::Blocking(closure) => {
                let guard = StepGuard::new(run);
                let future = Box::pin(block(closure.clone(), run.clone(), guard.clone()));
                (future as ClosureFuture<'a>, Some(guard))
            }
        };
        let future = InClosure {
            future: hooks::mortal(key, future),
            uid: run.uid,
        };
        Begun { future, guard }
    }
}

/// Runs a closure on a thread that may block. When the future is dropped, the closure is asked to stop.
async fn block(
    closure: Arc<BlockingClosure>,
    run: Arc<Run>,
    guard: StepGuard,
) -> Result<Any, HandlerError> {
    let _stop = guard.stop.clone().drop_guard();
    let uid = run.uid;
    let span = tracing::Span::current();
    let thread = run.journal().blocking.spawn_blocking(move || {
        let _entered = span.entered();
        let _noted = Noted::new(uid);
        closure(&guard)
    });
    match thread.await {
        Ok(ended) => ended,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            // The runtime shuts down.
            Err(_) => Err(HandlerError::retry(fault::run_ended())),
        },
    }
}

/// Tells the closure of a [blocking step](crate::OperationContext::step_blocking) when to stop.
///
/// ```
/// use lro_server::OperationContext;
/// use lro_server::steps::StepGuard;
/// use tonic::Status;
///
/// fn scan(pages: &[String], guard: &StepGuard) -> Result<u64, Status> {
///     let mut hits = 0;
///     for page in pages {
///         if guard.is_stopped() {
///             return Err(Status::cancelled("stopped"));
///         }
///         hits += page.matches("secret").count() as u64;
///     }
///     Ok(hits)
/// }
///
/// async fn body(operation: OperationContext<()>) -> Result<u64, Status> {
///     let pages = vec!["secret".to_owned()];
///     operation.step_blocking("scan", move |guard| scan(&pages, guard)).await
/// }
/// # tokio::runtime::Builder::new_current_thread().build().unwrap()
/// #     .block_on(body(OperationContext::detached())).unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct StepGuard {
    stop: CancellationToken,
}

impl StepGuard {
    fn new(run: &Run) -> Self {
        Self {
            stop: run.stop_token().child_token(),
        }
    }

    /// Whether the closure must return soon: the operation was cancelled, its lease was lost, the worker ends,
    /// or the attempt has exceeded the step's [timeout](super::Step::timeout). Its result is then discarded,
    /// unless it exceeded its timeout and returns a response.
    pub fn is_stopped(&self) -> bool {
        self.stop.is_cancelled()
    }

    pub(super) fn stop(&self) {
        self.stop.cancel();
    }
}
