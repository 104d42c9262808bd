//! The ends of runs, and the commands that write them.

use std::time::Duration;

use lro_core::Reason;
use lro_core::pb::rpc;
use lro_core::store::{Command, OperationOutcome, Refusal, StepKey, StepWrite, Update};
use prost_types::Any;

use super::Shared;
use crate::engine::backoff::Backoff;
use crate::engine::metrics::RunMetrics;
use crate::engine::update::update_one;
use crate::handler::error::{default_pause, to_rpc_status};
use crate::handler::run::{Run, StopReason};
use crate::steps::{Journal, incomplete, refused};

/// The ways in which a run ends.
pub(super) enum Ending {
    Responded(Any),
    /// It waits for durable calls.
    Suspended(Vec<StepKey>),
    /// The code does not fit what is recorded of its durable calls.
    Blocked(String),
    Failed {
        error: rpc::Status,
        /// The body asked for another attempt.
        pause: Option<Duration>,
    },
    Panicked,
    Stopped(StopReason),
    /// The end was decided before this run, which has undone what the operation owed.
    Condemned(rpc::Status),
    /// The body was not called.
    NotBegun,
}

impl Ending {
    /// The command that writes the ending, if this run still holds the operation.
    pub(super) fn into_command(self, run: &Run) -> Option<Command> {
        let fence = run.fence;
        let metadata = run.last_metadata();
        // The lifetime of an operation that only undoes may be over.
        let lifetime_end = run.rules().lifetime_end.filter(|_| !run.is_unwinding());
        let outcome = match self.while_owing(run).with_verdict(run) {
            Self::Responded(response) => OperationOutcome::Response(response),
            Self::Failed { error, pause: None } => OperationOutcome::Error(error),
            Self::Failed {
                error,
                pause: Some(delay),
            } => {
                return Some(Command::Retry {
                    fence,
                    error: run.limits.bounded_error(error),
                    delay: match (run.lifetime_left(), lifetime_end) {
                        (Some(left), Some(_)) => delay.min(left),
                        _ => delay,
                    },
                    metadata,
                });
            }
            Self::Panicked => {
                tracing::error!(name = %run.name, "the handler panicked");
                let message = "the handler failed unexpectedly";
                OperationOutcome::Error(Reason::HandlerPanicked.operation_error(message, []))
            }
            Self::Stopped(StopReason::Cancelled) => OperationOutcome::Cancelled,
            Self::Stopped(StopReason::TimedOut) => OperationOutcome::Error(timed_out()),
            Self::Condemned(verdict) => OperationOutcome::Error(verdict),
            Self::Stopped(StopReason::Draining) => {
                return Some(Command::Release { fence, metadata });
            }
            Self::NotBegun => {
                // A slow store is no failure of the body: this run must not count, unless the
                // operation was already requeued.
                tracing::warn!(name = %run.name, "the answer of a claim arrived too late; releasing the operation");
                return Some(Command::Release { fence, metadata });
            }
            Self::Suspended(waits) => {
                return Some(Command::Suspend {
                    fence,
                    waits,
                    ready_by: lifetime_end,
                    metadata,
                });
            }
            Self::Blocked(message) => {
                let delay = run.pause_after_block();
                tracing::error!(name = %run.name, message, ?delay, "the operation is blocked");
                return Some(Command::Block {
                    fence,
                    message,
                    delay,
                    ready_by: lifetime_end,
                    metadata,
                });
            }
            Self::Stopped(StopReason::LeaseLost) => return None,
        };
        Some(Command::Finish {
            fence,
            outcome: run.limits.bounded(with_incomplete(outcome, run)),
            metadata,
        })
    }

    /// The ending of a run that does nothing but undo, and has nothing more to undo.
    pub(super) fn nothing_to_undo(run: &Run) -> Self {
        match (run.verdict(), run.stop_reason()) {
            (Some(verdict), _) => Self::Condemned(verdict.clone()),
            (None, Some(StopReason::TimedOut)) => Self::Stopped(StopReason::TimedOut),
            (None, _) => Self::Stopped(StopReason::Cancelled),
        }
    }

    /// The ending of a run that does nothing but undo, and has not undone everything.
    fn while_owing(self, run: &Run) -> Self {
        if !run.is_unwinding() || !run.owes() {
            return self;
        }
        let has_timed_out =
            run.verdict().is_none() && run.stop_reason() == Some(StopReason::TimedOut);
        match self {
            Self::Stopped(StopReason::LeaseLost) => self,
            // The operation's verdict from now on, so that no later run forgets it.
            _ if has_timed_out => Self::Condemned(timed_out()),
            Self::Failed { error, pause: None } => try_again(run, error),
            Self::Responded(_) | Self::Panicked => {
                let message = "the body ended before it had undone its sagas";
                try_again(run, Reason::HandlerMisbehaved.operation_error(message, []))
            }
            Self::Condemned(verdict) => try_again(run, verdict),
            Self::Stopped(StopReason::Cancelled | StopReason::TimedOut) => {
                try_again(run, cancelled())
            }
            ending => ending,
        }
    }

    /// The ending of a run whose operation has a verdict: that.
    fn with_verdict(self, run: &Run) -> Self {
        match (self, run.verdict()) {
            (
                Self::Responded(_)
                | Self::Failed { pause: None, .. }
                | Self::Panicked
                | Self::Stopped(StopReason::Cancelled | StopReason::TimedOut),
                Some(verdict),
            ) => Self::Condemned(verdict.clone()),
            (ending, _) => ending,
        }
    }
}

/// Whether the command ends the operation with a response.
pub(super) fn is_success(command: &Command) -> bool {
    let Command::Finish { outcome, .. } = command else {
        return false;
    };
    matches!(outcome, OperationOutcome::Response(_))
}

/// The run could not undo everything. Another one tries, as long as attempts are left.
fn try_again(run: &Run, error: rpc::Status) -> Ending {
    tracing::warn!(name = %run.name, ?error, "a run has ended before it had undone its sagas");
    Ending::Failed {
        error,
        pause: Some(default_pause(run.attempt)),
    }
}

/// The error of an operation that was cancelled.
pub(super) fn cancelled() -> rpc::Status {
    Reason::OperationCancelled.operation_error("the operation was cancelled", [])
}

/// The error of an operation that took too long.
pub(super) fn timed_out() -> rpc::Status {
    let message = "the operation took longer than its method allows";
    Reason::OperationTimedOut.operation_error(message, [])
}

/// The outcome, whose error names the steps of sagas that are not undone.
fn with_incomplete(outcome: OperationOutcome, run: &Run) -> OperationOutcome {
    let steps = run.journal_if_used().map(Journal::incomplete);
    let steps = steps.filter(|steps| !steps.is_empty());
    let Some(steps) = steps else {
        return outcome;
    };
    let mut error = match outcome {
        OperationOutcome::Response(_) => return outcome,
        OperationOutcome::Error(error) => error,
        OperationOutcome::Cancelled => cancelled(),
    };
    if !Reason::UndoIncomplete.is_told_by(&error) {
        error.details.push(incomplete(&steps));
    }
    OperationOutcome::Error(error)
}

/// Writes the ending of a run, with retries until it succeeds. The fence makes late writes safe: an
/// operation that another worker has claimed meanwhile does not change.
pub(super) async fn write_ending(
    shared: &Shared,
    run: &Run,
    mut update: Update,
    metrics: &RunMetrics,
) {
    let mut backoff = Backoff::default();
    let mut unwritten = None;
    loop {
        match update_one(shared.store(), update.clone()).await {
            Ok(answer) => {
                backoff.succeeded("the operation's end is written");
                match answer {
                    Ok(updated) => metrics.written(&update.command, updated.state),
                    Err(refusal) => {
                        if let Some(without) = without_steps(run, &update, &refusal) {
                            update = without;
                            continue;
                        }
                        tracing::warn!(name = %run.name, %refusal, "the result was not written: this run has lost the operation");
                    }
                }
                return;
            }
            Err(error) if error.is_retryable() => {
                // The lease may end in the outage: no claim of this worker expires it before this end.
                unwritten.get_or_insert_with(|| shared.lost_runs.count());
                let pause = backoff.failed("cannot write how the operation ended", &error);
                tokio::time::sleep(pause).await;
            }
            Err(error) => {
                tracing::error!(name = %run.name, ?error, "cannot write how the operation ended");
                return;
            }
        }
    }
}

/// The ending without the steps that the store refuses: an operation that cannot be suspended fails.
/// `None` if the run has lost the operation.
fn without_steps(run: &Run, update: &Update, refusal: &Refusal) -> Option<Update> {
    let refused = refused(refusal)?;
    tracing::error!(name = %run.name, %refusal, "steps that end with a run are not recorded");
    // Those that say what is undone have no limits.
    let is_kept = |step: &&StepWrite| step.kind.has_no_limit() || step.kind.is_child();
    let kept = update.steps.iter().filter(is_kept);
    let kept: Vec<_> = kept.cloned().collect();
    let command = match &update.command {
        Command::Suspend {
            fence, metadata, ..
        } => Command::Finish {
            fence: *fence,
            outcome: OperationOutcome::Error(to_rpc_status(&refused)),
            metadata: metadata.clone(),
        },
        _ if kept.len() == update.steps.len() => return None,
        other => other.clone(),
    };
    Some(run.update(command).with_steps(kept))
}
