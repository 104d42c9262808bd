//! The run of a saga's block, and the undo of its steps.

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::FutureExt as _;
use lro_core::pb::rpc;
use lro_core::store::{StepKey, StepKind, StepOutcome, StepWrite};
use lro_core::{Reason, Timestamp};
use tonic::Status;

use super::registered::{Inner, Registered, UndoClosure};
use super::{Keys, undo_of};
use crate::handler::error::{HandlerError, to_plain_rpc_status};
use crate::handler::run::Run;
use crate::steps::answer::SagaNumber;
use crate::steps::call::{Call, status};
use crate::steps::closure::Closure;
use crate::steps::fault;
use crate::steps::hooks;
use crate::steps::in_block::{Block, Noted, yield_once};
use crate::steps::journal::{Journal, scope_of};
use crate::steps::outgoing::Unwritten;
use crate::steps::work;

/// The most steps that an error names.
const NAMED: usize = 50;

/// A saga whose block runs, until this is dropped.
pub(super) struct Running<'s, 'a> {
    pub(super) run: &'s Arc<Run>,
    pub(super) saga: &'s Inner<'a>,
    keys: Keys,
}

/// The decision to undo.
struct Decision {
    error: rpc::Status,
    /// Its place among the rows that earlier runs have recorded.
    until: u64,
    /// When it was recorded, by the store's clock.
    time: Timestamp,
}

/// How a block has ended.
enum End<T> {
    Returned(Result<T, HandlerError>),
    Panicked(Box<dyn Any + Send>),
    /// It was dropped, because its steps must be undone.
    Dropped,
}

impl<'s, 'a> Running<'s, 'a> {
    pub(super) fn new(run: &'s Arc<Run>, saga: &'s Inner<'a>, keys: Keys) -> Self {
        Self { run, saga, keys }
    }

    pub(super) fn journal(&self) -> &Journal {
        self.run.journal()
    }

    fn identity(&self) -> (SagaNumber, &StepKey) {
        (self.saga.number, &self.keys.saga)
    }

    pub(super) async fn run<T>(
        &self,
        block: impl Future<Output = Result<T, HandlerError>> + Send,
    ) -> Result<T, HandlerError> {
        let journal = self.journal();
        let row = journal.row_of_saga(&self.keys.saga, StepKind::Saga);
        let decision = journal.row_of_saga(&self.keys.decision, StepKind::Undo);
        let until = decision.as_ref().map(|row| row.seq);
        let mut block = Box::pin(block);
        let end = std::future::poll_fn(|context| self.poll(block.as_mut(), context, until)).await;
        if journal.is_naming() {
            // This run undoes nothing.
            return std::future::pending().await;
        }
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| drop(block))) {
            tracing::error!(name = %self.run.name, "the block of a saga panicked when it was dropped");
            std::mem::forget(panic);
        }
        let error = match end {
            End::Returned(result) if !self.must_undo(&result, until) => {
                if result.is_ok() {
                    self.close(StepOutcome::Response(lro_core::pack(&())));
                } else if journal.is_open(&self.keys.saga) && self.run.is_given_back() {
                    // Another run undoes it. The body must not continue as if it were undone.
                    std::future::pending::<()>().await;
                }
                return result;
            }
            End::Returned(Err(error)) => to_plain_rpc_status(error.status()),
            End::Panicked(panic) => {
                if until.is_none() && !journal.is_open(&self.keys.saga) {
                    resume_unwind(panic);
                }
                tracing::error!(name = %self.run.name, "the block of a saga panicked");
                // It could panic again when it is dropped.
                std::mem::forget(panic);
                fault::panicked()
            }
            // The reason to unwind, or the recorded one, takes the place of this.
            End::Returned(Ok(_)) | End::Dropped => fault::panicked(),
        };
        let ended = row.and_then(|row| row.outcome);
        let error = match self.undo(error, ended).await {
            // Another run undoes it. The body must not continue as if it were undone.
            Err(_) if self.run.is_given_back() && !journal.has_ended() => {
                return std::future::pending().await;
            }
            undone => undone?,
        };
        self.undone_beside().await;
        Err(error)
    }

    /// In a run that only undoes, returns when the sagas beside this one are undone: the body may drop them when it
    /// learns of the end of this one.
    async fn undone_beside(&self) {
        let journal = self.journal();
        if !journal.is_unwinding() {
            return;
        }
        // They may not have been polled.
        yield_once().await;
        std::future::poll_fn(|context| match journal.undoes_beside(self.saga.number) {
            true => {
                journal.polls_saga(self.identity(), context.waker(), false);
                Poll::Pending
            }
            false => Poll::Ready(()),
        })
        .await;
    }

    fn poll<T>(
        &self,
        mut block: Pin<&mut (impl Future<Output = Result<T, HandlerError>> + Send)>,
        context: &mut Context<'_>,
        until: Option<u64>,
    ) -> Poll<End<T>> {
        let journal = self.journal();
        journal.polls_saga(self.identity(), context.waker(), until.is_some());
        let polled = {
            let _noted = Noted::new(Block {
                uid: self.run.uid,
                saga: self.saga.number,
                replayed_until: until,
            });
            catch_unwind(AssertUnwindSafe(|| block.as_mut().poll(context)))
        };
        match polled {
            Ok(Poll::Ready(result)) => Poll::Ready(End::Returned(result)),
            Ok(Poll::Pending) if self.is_replayed(until) => Poll::Ready(End::Dropped),
            Ok(Poll::Pending) => Poll::Pending,
            Err(panic) => Poll::Ready(End::Panicked(panic)),
        }
    }

    /// Whether the block, which is pending, has reached all steps that must be undone.
    fn is_replayed(&self, until: Option<u64>) -> bool {
        let journal = self.journal();
        if journal.is_naming() {
            return false;
        }
        let must_undo =
            until.is_some() || journal.is_unwinding() && journal.is_open(&self.keys.saga);
        must_undo && self.has_reached_all(until.unwrap_or(u64::MAX))
    }

    /// Whether the block has reached all steps that were recorded before this place, and the children that must be
    /// stopped, or never will.
    fn has_reached_all(&self, until: u64) -> bool {
        let (journal, scope) = (self.journal(), self.scope());
        // A run that only undoes has stopped all children before.
        let stops_children = !journal.is_unwinding();
        journal.has_given_up()
            || journal.unreached_saga_steps(scope, until).is_empty()
                && !(stops_children && journal.has_unreached_children(scope, until))
    }

    /// The beginning of the keys of its steps.
    fn scope(&self) -> &str {
        scope_of(self.keys.saga.as_str())
    }

    /// The recorded steps that the block has not reached, once other branches of the body have had the time to
    /// reach theirs.
    async fn unreached(&self, until: u64) -> Vec<StepKey> {
        let journal = self.journal();
        std::future::poll_fn(|context| match self.has_reached_all(until) {
            true => Poll::Ready(()),
            false => {
                journal.polls_saga(self.identity(), context.waker(), true);
                Poll::Pending
            }
        })
        .await;
        journal.unreached_saga_steps(self.scope(), until)
    }

    fn must_undo<T>(&self, result: &Result<T, HandlerError>, until: Option<u64>) -> bool {
        let journal = self.journal();
        if until.is_some() {
            return true;
        }
        if !journal.is_open(&self.keys.saga) {
            return false;
        }
        match result {
            _ if journal.is_unwinding() => true,
            Ok(_) => false,
            // The worker stopped it: that is no failure of the operation.
            Err(_) if self.run.is_given_back() => false,
            Err(error) => !(error.is_retryable() && self.run.has_attempt_left()),
        }
    }

    /// Undoes the steps, unless that has `ended`. Returns the error of the saga.
    async fn undo(
        &self,
        error: rpc::Status,
        ended: Option<StepOutcome>,
    ) -> Result<HandlerError, HandlerError> {
        let journal = self.journal();
        self.starts_ended().await;
        let error = journal.unwinds().unwrap_or(error);
        let Decision {
            mut error,
            until,
            time,
        } = self.decide(error).await?;
        self.stop_children().await?;
        self.learn_ends().await?;
        let mut left = Vec::new();
        for step in self.saga.newest_first(time) {
            if !self.undo_step(&step).await? {
                left.push(step.key);
            }
        }
        left.extend(self.unreached(until).await);
        journal.passed_until(until);
        journal.not_undone(left.iter().cloned());
        if let Some(StepOutcome::Error(error)) = ended {
            return Ok(status(&error).into());
        }
        if !left.is_empty() {
            tracing::error!(name = %self.run.name, steps = ?left, "steps of a saga are not undone");
            error.details.push(incomplete(&left));
        }
        let returned = status(&error);
        self.close(StepOutcome::Error(error));
        Ok(returned.into())
    }

    /// Records the decision to undo, if no earlier run has.
    async fn decide(&self, error: rpc::Status) -> Result<Decision, Status> {
        let mut call = Call::by_saga(self.run, &self.keys.decision, StepKind::Undo);
        let row = call.find("").await?;
        if let Some(row) = &row
            && let Some(StepOutcome::Error(error)) = &row.outcome
        {
            call.replay(row);
            return Ok(Decision {
                error: error.clone(),
                until: row.seq,
                time: row.end_time.unwrap_or(row.begin_time),
            });
        }
        let error = self.run.limits.bounded_error(error);
        let time = match call.record(StepOutcome::Error(error.clone())).await {
            Ok(ended) => ended.time,
            // Each later run decides the same.
            Err(refused) if self.run.verdict().is_some() && !self.run.is_lost() => {
                tracing::warn!(name = %self.run.name, error = ?refused, "the decision to undo is not recorded");
                Timestamp::MAX
            }
            Err(refused) => return Err(refused),
        };
        Ok(Decision {
            error,
            until: u64::MAX,
            time,
        })
    }

    /// Undoes one step. Returns whether that has succeeded.
    async fn undo_step(&self, step: &Registered<'a>) -> Result<bool, Status> {
        let mut call = Call::by_saga(self.run, &undo_of(&step.key)?, StepKind::Undo);
        let closure = undo_closure(step.undo.clone(), step.response.clone());
        let mut undone = Box::pin(work::undo(&mut call, closure));
        // A durable call, as others are by the polls of their `Step`.
        let undone = std::future::poll_fn(|context| {
            hooks::poll_call(context, |context| undone.as_mut().poll(context))
        });
        match undone.await {
            Ok(ended) => Ok(ended.result.is_ok()),
            Err(error) if self.run.is_lost() || self.journal().has_ended() => Err(error),
            Err(error) => {
                tracing::warn!(name = %self.run.name, step = %step.key, ?error, "an undo is not recorded");
                Ok(false)
            }
        }
    }

    /// Ends the saga. Its row rides on the next commit.
    fn close(&self, outcome: StepOutcome) {
        let journal = self.journal();
        if !journal.is_open(&self.keys.saga) {
            return;
        }
        if self.run.link.is_some() {
            journal.write(Unwritten {
                before_closures: true,
                ..Unwritten::lazy(StepWrite {
                    sequential: false,
                    outcome: Some(outcome),
                    ..StepWrite::begun(self.keys.saga.clone(), StepKind::Saga)
                })
            });
        }
        journal.saga_ended(&self.keys.saga);
    }
}

impl Drop for Running<'_, '_> {
    fn drop(&mut self) {
        self.journal().saga_dropped(self.saga.number);
    }
}

/// The closure that undoes a step. Each of its errors may pass, and a panic does not stop the other undos.
fn undo_closure<'a>(undo: Arc<UndoClosure<'a>>, response: Option<prost_types::Any>) -> Closure<'a> {
    Closure::Async(Box::new(move || {
        let (undo, response) = (undo.clone(), response.clone());
        Box::pin(async move {
            let undone = AssertUnwindSafe(async { undo(response).await });
            match undone.catch_unwind().await {
                Ok(Err(error)) if !error.is_retryable() => {
                    Err(HandlerError::retry(error.status().clone()))
                }
                Ok(result) => result,
                Err(panic) => {
                    std::mem::forget(panic);
                    Err(HandlerError::retry(status(&fault::panicked())))
                }
            }
        })
    }))
}

/// The detail of an error that names what is not undone.
pub(crate) fn incomplete(steps: &[StepKey]) -> prost_types::Any {
    let names: Vec<_> = steps.iter().take(NAMED).map(StepKey::as_str).collect();
    let more = if steps.len() > NAMED { ", .." } else { "" };
    let names = format!("{}{more}", names.join(", "));
    Reason::UndoIncomplete.detail([("steps", &*names)])
}
