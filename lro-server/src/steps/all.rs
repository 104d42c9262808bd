//! Several durable calls side by side, up to a limit.

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use prost::{Message, Name};
use tonic::Status;

use super::Step;
use crate::handler::run::Run;

/// Durable calls side by side, of [`OperationContext::all`](crate::OperationContext::all).
///
/// ```
/// # use lro_server::OperationContext;
/// # use tonic::Status;
/// async fn body(operation: OperationContext<()>) -> Result<(), Status> {
///     let notify = |user| operation.step(format!("notify/{user}"), async || Ok::<_, Status>(()));
///     operation.all(2, ["ann", "bob", "eve"].map(notify)).await?;
///     Ok(())
/// }
/// # tokio::runtime::Builder::new_current_thread().build().unwrap()
/// #     .block_on(body(OperationContext::detached())).unwrap();
/// ```
///
/// # Errors
///
/// The first error of a call, in the order in which they were recorded. The other calls are dropped then.
///
/// # Cancel safety
///
/// Dropping the future drops the calls that have not ended.
#[must_use = "durable calls begin when they are awaited"]
pub struct All<'a, T> {
    run: Arc<Run>,
    limit: usize,
    /// Those that have not begun, with their places in the answer.
    waiting: VecDeque<(usize, Step<'a, T>)>,
    under_way: Vec<(usize, Step<'a, T>)>,
    answers: Vec<Option<T>>,
    has_begun: bool,
}

impl<'a, T> All<'a, T> {
    pub(super) fn new(run: Arc<Run>, limit: usize, steps: Vec<Step<'a, T>>) -> Self {
        Self {
            run,
            limit: limit.max(1),
            answers: steps.iter().map(|_| None).collect(),
            waiting: steps.into_iter().enumerate().collect(),
            under_way: Vec::new(),
            has_begun: false,
        }
    }

    /// An error that an earlier run has recorded ended the calls there, and does again: no other call begins.
    fn begin(&mut self) {
        self.has_begun = true;
        let keys = self.waiting.iter().map(|(_, step)| step.key().cloned());
        let keys: Vec<_> = keys.collect();
        let journal = self.run.journal();
        if journal.is_naming() {
            // The calls beside it may be those whose names the run must learn.
            return;
        }
        if let Some(first) = journal.first_error(&keys) {
            self.under_way.extend(self.waiting.remove(first));
            self.waiting.clear();
        }
    }
}

impl<T: Message + Name + Default + 'static> All<'_, T> {
    /// Polls the calls under way. Returns whether some have ended.
    fn poll_calls(&mut self, context: &mut Context<'_>) -> Result<bool, Status> {
        let before = self.under_way.len();
        let mut errors = Vec::new();
        let journal = self.run.journal();
        self.under_way.retain_mut(|(at, step)| {
            let Poll::Ready(result) = Pin::new(&mut *step).poll(context) else {
                return true;
            };
            match result {
                Ok(answer) => self.answers[*at] = Some(answer),
                // Errors that are not recorded come last: another run repeats their calls. Those that came from
                // outside in one read are in the order of their ends, as for a later run.
                Err(error) => {
                    let place = step.place().unwrap_or(u64::MAX);
                    let end = step.key().and_then(|key| journal.recorded_end(key));
                    errors.push(((place, end), error));
                }
            }
            false
        });
        match errors.into_iter().min_by_key(|(place, _)| *place) {
            Some((_, error)) => Err(error),
            None => Ok(self.under_way.len() < before),
        }
    }
}

impl<T: Message + Name + Default + 'static> Future for All<'_, T> {
    type Output = Result<Vec<T>, Status>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if !this.has_begun {
            this.begin();
        }
        loop {
            while this.under_way.len() < this.limit
                && let Some(next) = this.waiting.pop_front()
            {
                this.under_way.push(next);
            }
            match this.poll_calls(context) {
                Ok(true) => {}
                Ok(false) if this.under_way.is_empty() => break,
                Ok(false) => return Poll::Pending,
                Err(error) => {
                    this.waiting.clear();
                    this.under_way.clear();
                    return Poll::Ready(Err(error));
                }
            }
        }
        Poll::Ready(Ok(this.answers.drain(..).flatten().collect()))
    }
}

// No field is pinned.
impl<T> Unpin for All<'_, T> {}

impl<T> fmt::Debug for All<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("All")
            .field("limit", &self.limit)
            .field("waiting", &self.waiting.len())
            .field("under_way", &self.under_way.len())
            .finish_non_exhaustive()
    }
}
