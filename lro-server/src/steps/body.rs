//! Polls a body, writes the rows of its durable calls, and notices when it only waits.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use lro_core::store::StepKey;
use prost_types::Any;
use tokio::time::{Instant, Sleep};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::Status;

use super::answer::Halt;
use super::journal::Journal;
use super::read::read_rows;
use super::wait::Wait;
use super::wakes::BodyWakes;
use super::write::write_rows;
use crate::handler::error::HandlerError;
use crate::handler::registration::BodyFuture;
use crate::handler::run::Run;

/// How the polls of a body end. The journal may have rows left that no call has waited for.
#[derive(Debug)]
pub(crate) enum Polled {
    /// The body has returned.
    Returned(Result<Any, HandlerError>),
    /// It waits for these durable calls, and does nothing else.
    Suspended(Vec<StepKey>),
    /// The code does not fit the recorded rows.
    Blocked(Status),
    /// The worker drains, and the body was about to begin a closure.
    Draining,
    /// The run does nothing but undo, and nothing is left that it can undo.
    Unwound,
    /// The run has lost the operation while it undid.
    Lost,
}

/// How long a run waits, when nothing happens, for the body to reach steps that it must undo.
const PATIENCE: Duration = Duration::from_secs(10);

/// A body under way. It costs nothing as long as the body makes no durable call.
pub(crate) struct StepsBody<'a> {
    body: &'a mut BodyFuture,
    run: &'a Arc<Run>,
    /// `None` before the first durable call.
    wakes: Option<Arc<BodyWakes>>,
    suspend_after: Duration,
    draining: &'a CancellationToken,
    drained: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
    writing: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    /// Reads the promises that are completed, while one is waited for.
    completions: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    /// How long an untimed wait stays in memory, from the last poll of the body after a wake.
    linger: Option<Pin<Box<Sleep>>>,
    /// How long a run that undoes waits for steps that the body has not reached, from the same time.
    patience: Option<Pin<Box<Sleep>>>,
}

impl<'a> StepsBody<'a> {
    pub(crate) fn new(
        body: &'a mut BodyFuture,
        run: &'a Arc<Run>,
        suspend_after: Duration,
        draining: &'a CancellationToken,
    ) -> Self {
        Self {
            body,
            run,
            wakes: None,
            suspend_after,
            draining,
            drained: None,
            writing: None,
            completions: None,
            linger: None,
            patience: None,
        }
    }

    /// Polls the body. Says whether it was woken, or may have been.
    fn poll_body(&mut self, context: &mut Context<'_>) -> (bool, Poll<Result<Any, HandlerError>>) {
        let body = self.body.as_mut();
        if self.run.journal_if_used().is_none() {
            return (true, body.poll(context));
        }
        let wakes = self.wakes.get_or_insert_with(BodyWakes::new);
        wakes.poll(context, |context| body.poll(context))
    }

    /// Serves the durable calls after a poll of the body: writes their rows, and suspends the run.
    fn poll_journal(
        &mut self,
        context: &mut Context<'_>,
        has_lingered: bool,
        has_waited: bool,
    ) -> Poll<Polled> {
        let journal = self.run.journal();
        journal.task.register(context.waker());
        let is_draining = self.poll_draining(context, journal);
        ready!(self.poll_writing(context, journal));
        match journal.halted() {
            Some(Halt::Blocked(fault)) => return Poll::Ready(Polled::Blocked(fault)),
            Some(Halt::Draining) => return Poll::Ready(Polled::Draining),
            Some(Halt::Again) => return Poll::Ready(Polled::Suspended(Vec::new())),
            None => {}
        }
        if journal.seeks_steps()
            && let Poll::Ready(ended) = self.poll_undoing(context, journal, has_waited)
        {
            return Poll::Ready(ended);
        }
        self.poll_completions(context, journal);
        let waits = journal.waits();
        ready!(self.poll_suspending(context, &waits, is_draining || has_lingered));
        let keys = waits.iter().map(|wait| wait.key().clone());
        Poll::Ready(Polled::Suspended(keys.collect()))
    }

    /// Tells the journal once when the worker drains.
    fn poll_draining(&mut self, context: &mut Context<'_>, journal: &Journal) -> bool {
        let drained = self
            .drained
            .get_or_insert_with(|| Box::pin(self.draining.clone().cancelled_owned()));
        if drained.as_mut().poll(context).is_pending() {
            return false;
        }
        journal.drain();
        true
    }

    /// Writes rows, one commit after the other. Ready when nothing is left that a call waits for.
    fn poll_writing(&mut self, context: &mut Context<'_>, journal: &Journal) -> Poll<()> {
        loop {
            if let Some(writing) = &mut self.writing {
                ready!(writing.as_mut().poll(context));
                self.writing = None;
                journal.answered();
            }
            let rows = journal.take_awaited();
            if rows.is_empty() {
                return Poll::Ready(());
            }
            self.writing = Some(Box::pin(write_rows(self.run.clone(), rows)));
        }
    }

    /// Ready when a run that does nothing but undo has come to its end.
    fn poll_undoing(
        &mut self,
        context: &mut Context<'_>,
        journal: &Journal,
        has_waited: bool,
    ) -> Poll<Polled> {
        let is_unwinding = journal.is_unwinding();
        if is_unwinding && self.run.is_lost() {
            return Poll::Ready(Polled::Lost);
        }
        let is_over = match journal.is_naming() {
            true => journal.has_named_all(),
            false => is_unwinding && !journal.owes(),
        };
        if is_over {
            return Poll::Ready(Polled::Unwound);
        }
        if !journal.is_idle() {
            self.patience = None;
            return Poll::Pending;
        }
        if has_waited {
            self.patience = None;
            if journal.gives_up() && (is_unwinding || journal.is_naming()) {
                return Poll::Ready(Polled::Unwound);
            }
        }
        let patience = || Box::pin(tokio::time::sleep(PATIENCE));
        let patience = self.patience.get_or_insert_with(patience);
        // It has not ended, so it only registers the waker.
        let _ = patience.as_mut().poll(context);
        Poll::Pending
    }

    /// Reads completed promises, so that one beside a closure need not wait for its end.
    fn poll_completions(&mut self, context: &mut Context<'_>, journal: &Journal) {
        if !journal.awaits_events() {
            self.completions = None;
            return;
        }
        let completions = self
            .completions
            .get_or_insert_with(|| Box::pin(read_completions(self.run.clone())));
        // It never returns.
        let _ = completions.as_mut().poll(context);
    }

    /// Ready when the run must be suspended: it only waits, and none of the waits ends soon.
    fn poll_suspending(
        &mut self,
        context: &mut Context<'_>,
        waits: &[Wait],
        at_once: bool,
    ) -> Poll<()> {
        if waits.is_empty() {
            self.linger = None;
            return Poll::Pending;
        }
        let now = Instant::now();
        let first = waits.iter().filter_map(|wait| wait.left(now)).min();
        match first {
            _ if at_once => return Poll::Ready(()),
            Some(left) if left > self.suspend_after => return Poll::Ready(()),
            // Its own timer wakes the body.
            Some(_) => return Poll::Pending,
            None => {}
        }
        let linger = || Box::pin(tokio::time::sleep(self.suspend_after));
        self.linger
            .get_or_insert_with(linger)
            .as_mut()
            .poll(context)
    }
}

/// The longest pause between two reads of completed promises.
const MAX_READ_PAUSE: Duration = Duration::from_secs(1);

/// Shorter pauses are left out.
const MIN_READ_PAUSE: Duration = Duration::from_millis(2);

/// Reads the rows of the operation whenever it has changed: promises are completed by other calls. Reading
/// takes at most a tenth of the time, unless a read takes longer than a ninth of the longest pause, or so short that its
/// pause is left out.
async fn read_completions(run: Arc<Run>) {
    let Some(link) = &run.link else {
        return std::future::pending().await;
    };
    let subscription = link.news.subscribe(run.uid);
    loop {
        let began = Instant::now();
        match read_rows(&run).await {
            Ok(rows) => run.journal().take_completed(rows),
            Err(error) => {
                tracing::warn!(name = %run.name, ?error, "cannot read completed promises");
            }
        }
        let pause = began.elapsed().saturating_mul(9).min(MAX_READ_PAUSE);
        let next = Instant::now() + pause;
        subscription.changed().await;
        // Timers are coarse: a child may end sooner than they do.
        if pause >= MIN_READ_PAUSE {
            tokio::time::sleep_until(next).await;
        }
    }
}

impl Future for StepsBody<'_> {
    type Output = Polled;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Polled> {
        let this = &mut *self;
        // Asked before the poll of the body, and of no account if something wakes the body at the same time.
        let linger = this.linger.as_mut();
        let has_lingered = linger.is_some_and(|linger| linger.as_mut().poll(context).is_ready());
        let patience = this.patience.as_mut();
        let has_waited = patience.is_some_and(|it| it.as_mut().poll(context).is_ready());
        if let Some(journal) = this.run.journal_if_used() {
            journal.polled();
        }
        let (was_woken, polled) = this.poll_body(context);
        if let Poll::Ready(ended) = polled {
            return Poll::Ready(Polled::Returned(ended));
        }
        if was_woken {
            this.linger = None;
            this.patience = None;
        }
        match this.run.journal_if_used() {
            Some(_) => this.poll_journal(
                context,
                has_lingered && !was_woken,
                has_waited && !was_woken,
            ),
            None => Poll::Pending,
        }
    }
}

impl Drop for StepsBody<'_> {
    fn drop(&mut self) {
        if let Some(journal) = self.run.journal_if_used() {
            journal.end();
        }
    }
}
