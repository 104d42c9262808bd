//! The life of an operation, as one pure function over values.

use std::collections::HashMap;
use std::time::Duration;

use prost_types::Any;
use tonic::Code;

use super::command::{Change, Command, OperationOutcome};
use super::history::{Actor, AttemptOutcome};
use super::lease::{Lease, WorkerId};
use super::policy::OnCrash;
use super::record::{OperationRecord, OperationResult};
use super::refusal::Refusal;
use crate::clock::Timestamp;
use crate::pb::rpc::Status;
use crate::reason::Reason;

mod outcome;
mod steps;

use outcome::error;

/// Where an operation stands. On the wire only `done` and `result` show.
///
/// ```text
///            claim               finish(response)
/// Pending ----------> Running -----------------------> Succeeded
///  |   ^                | |   finish(error)        \
///  |   +--retry, release+ |   -----------------------> Failed
///  |      suspend, expire |
///  |                      +--cancel--> Cancelling ----> Cancelled
///  +--cancel------------------------------------------> Cancelled
/// ```
///
/// * `Cancelling` is `Running` with a cancellation on record: the body may still succeed or fail,
///   and then its own result stands; `retry`, `release`, `suspend` and `expire` end it as `Cancelled`.
/// * With [`OnCrash::ResumeCancelled`], a cancellation ends nothing by itself: from `Pending` the operation becomes
///   ready, and those four lead back to `Pending`; the next claim makes it `Cancelling` again.
/// * An operation that [owes](OperationRecord::owes) something does not end before a run has undone it.
///   Each end without a response leads back to `Pending` then, and the next claim continues: `Cancelling`
///   after a cancellation, and otherwise with the end's error as its
///   [verdict](super::StepSummary::verdict), which no later run turns into a success.
/// * `expire` ends a `Running` operation as `Failed` when its policy says `abort`, or when it has no
///   attempt left; so does `retry`. An `expire` that is *shared*, because the worker was lost together
///   with other operations, uses up no attempt up to [`OperationRecord::MAX_LOSSES`] times in a row.
/// * `checkpoint` restores the attempts that losses have used up, if it differs from the stored one;
///   so does a recorded step that has finished, after which `max_attempts` counts anew.
/// * `suspend` waits for steps. `complete` finishes one that the operation waits for, and makes it
///   ready.
/// * An error whose code is CANCELLED makes `Cancelled`, from the body or from the store; every other one `Failed`.
/// * The three states on the right are final: nothing changes them any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OperationState {
    /// Waits for a worker.
    Pending,
    /// A worker runs it.
    Running,
    /// A worker runs it, and its cancellation was asked for.
    Cancelling,
    /// Ended with a response.
    Succeeded,
    /// Ended with an error.
    Failed,
    /// Ended with the error CANCELLED.
    Cancelled,
}

impl OperationState {
    /// Every state, in the order of the drawing.
    pub const ALL: [Self; 6] = [
        Self::Pending,
        Self::Running,
        Self::Cancelling,
        Self::Succeeded,
        Self::Failed,
        Self::Cancelled,
    ];

    /// Whether it has ended.
    pub const fn is_done(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }

    /// Whether a worker holds it.
    pub const fn is_running(self) -> bool {
        matches!(self, Self::Running | Self::Cancelling)
    }

    /// The number that stores keep.
    pub const fn as_number(self) -> u8 {
        self as u8
    }

    /// The state of a stored number.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }
}

impl OperationRecord {
    /// Does what the command says, or refuses and changes nothing. For an operation without steps;
    /// [`apply_with_steps`](Self::apply_with_steps) is for others.
    ///
    /// # Errors
    ///
    /// A [`Refusal`], which is an answer rather than a failure.
    pub fn apply(&mut self, command: Command, now: Timestamp) -> Result<Change, Refusal> {
        match command {
            Command::Claim {
                worker,
                lease_duration,
            } => self.claim(worker, lease_duration, now),
            Command::Renew {
                fence,
                lease_duration,
                metadata,
            } => {
                self.check_fence(fence)?;
                self.extend_lease(lease_duration, now);
                Ok(match self.take_metadata(metadata) {
                    true => self.written(now),
                    false => Change::Lease,
                })
            }
            Command::Checkpoint {
                fence,
                lease_duration,
                checkpoint,
                metadata,
            } => {
                self.check_fence(fence)?;
                self.extend_lease(lease_duration, now);
                if self.checkpoint.as_ref() != Some(&checkpoint) {
                    self.made_progress();
                }
                self.checkpoint = Some(checkpoint);
                self.take_metadata(metadata);
                Ok(self.written(now))
            }
            Command::Finish {
                fence,
                outcome,
                metadata,
            } => {
                self.check_fence(fence)?;
                self.take_metadata(metadata);
                Ok(self.finish(outcome, now))
            }
            Command::Retry {
                fence,
                error,
                delay,
                metadata,
            } => {
                self.check_fence(fence)?;
                self.take_metadata(metadata);
                Ok(self.retry(error, delay, now))
            }
            Command::Release { fence, metadata } => {
                self.check_fence(fence)?;
                self.take_metadata(metadata);
                Ok(self.release(now))
            }
            command @ (Command::Record { .. }
            | Command::Suspend { .. }
            | Command::Block { .. }
            | Command::Complete { .. }
            | Command::StartChild { .. }
            | Command::EndChild { .. }
            | Command::CheckpointAndForget { .. }
            | Command::ForgetSteps { .. }
            | Command::Unblock) => {
                let none = (Vec::new(), HashMap::new());
                let applied = self.apply_with_steps(command, none.0, &none.1, now);
                applied.map(|applied| applied.change)
            }
            Command::Expire => self.expire(false, now),
            Command::ExpireShared => self.expire(true, now),
            Command::Cancel(actor) => self.cancel(actor, now),
            Command::Delete(actor) => self.delete(actor, now),
        }
    }

    fn claim(
        &mut self,
        worker: WorkerId,
        lease_duration: Duration,
        now: Timestamp,
    ) -> Result<Change, Refusal> {
        if self.state != OperationState::Pending || self.ready_time > now {
            return Err(Refusal::NotReady);
        }
        self.state = match self.cancel_time {
            None => OperationState::Running,
            Some(_) => OperationState::Cancelling,
        };
        self.attempt += 1;
        self.fence += 1;
        // Later than the cancellation, so that the run is known to have begun after it.
        let after_cancel = |time: Timestamp| time.saturating_add(Duration::from_micros(1));
        let begin_time = now.max(self.update_time);
        let begin_time = begin_time.max(self.cancel_time.map_or(begin_time, after_cancel));
        match self.start_time {
            None => self.start_time = Some(begin_time),
            Some(_) => self.attempt_time = Some(begin_time),
        }
        self.worker = Some(worker);
        self.lease = Some(Lease {
            worker,
            expire_time: now.saturating_add(lease_duration),
        });
        Ok(self.written(now))
    }

    fn retry(&mut self, error: Status, delay: Duration, now: Timestamp) -> Change {
        if self.must_end() {
            return self.finish(OperationOutcome::Cancelled, now);
        }
        if self.attempts_since_progress() >= self.policy.max_attempts {
            return self.finish(self.unless_unwinding(error), now);
        }
        let delay = match self.state {
            OperationState::Cancelling if !self.began_to_undo() => Duration::ZERO,
            _ => delay,
        };
        self.end_attempt(AttemptOutcome::retried(&error), now);
        // The body returned: it does not kill the process.
        self.losses = 0;
        self.back_to_pending(now.saturating_add(delay), now)
    }

    fn release(&mut self, now: Timestamp) -> Change {
        if self.must_end() {
            return self.finish(OperationOutcome::Cancelled, now);
        }
        self.end_attempt(AttemptOutcome::Released, now);
        self.uncount_attempts(1);
        self.back_to_pending(now, now)
    }

    fn expire(&mut self, shared: bool, now: Timestamp) -> Result<Change, Refusal> {
        if !self.state.is_running() {
            return Err(Refusal::Stale);
        }
        self.end_attempt(AttemptOutcome::WorkerLost, now);
        if self.must_end() {
            return Ok(self.finish(OperationOutcome::Cancelled, now));
        }
        let counts = !shared || self.losses >= Self::MAX_LOSSES;
        let is_exhausted = counts && self.attempts_since_progress() >= self.policy.max_attempts;
        let losses = match self.ends_by_its_body() {
            // Such a body waits: no process dies of it, so it need not be tried alone.
            true => 0,
            false => Self::MAX_LOSSES.min(self.losses + 1),
        };
        let reason = match self.policy.on_crash {
            // A run that only undoes may be repeated.
            OnCrash::Abort if !self.is_condemned() => Reason::OperationInterrupted,
            _ if is_exhausted => Reason::AttemptsExhausted,
            OnCrash::Abort | OnCrash::Resume | OnCrash::ResumeCancelled => {
                if !counts {
                    self.uncount_attempts(1);
                }
                self.losses = losses;
                return Ok(self.back_to_pending(now, now));
            }
        };
        let attempt = self.attempts_since_progress();
        let error = reason.operation_error(
            format!(
                "the worker was lost during attempt {attempt} of {}",
                self.policy.max_attempts
            ),
            [
                ("attempt", &*attempt.to_string()),
                ("maxAttempts", &*self.policy.max_attempts.to_string()),
            ],
        );
        let change = self.finish(self.unless_unwinding(error), now);
        if !self.state.is_done() {
            self.losses = losses;
        }
        Ok(change)
    }

    /// A crash after this has nothing to do with those before: it restores as many attempts as
    /// there were losses. Attempts that the body itself asked for stay used.
    fn made_progress(&mut self) {
        let given_back = self.losses.min(self.attempt.saturating_sub(1));
        self.uncount_attempts(given_back);
        self.losses = 0;
    }

    /// Also cancels an operation that was deleted and has not finished: it holds a worker's slot.
    fn cancel(&mut self, actor: Actor, now: Timestamp) -> Result<Change, Refusal> {
        let runs_again = self.owes() || self.ends_by_its_body();
        Ok(match self.state {
            OperationState::Pending if runs_again && self.cancel_time.is_some() => Change::Nothing,
            OperationState::Pending => {
                if self.cancel_time.is_none() {
                    self.history.cancelled_by = actor.known();
                    self.cancel_time = Some(now.max(self.update_time));
                }
                match runs_again {
                    true => self.run_again(now),
                    false => self.finish(OperationOutcome::Cancelled, now),
                }
            }
            OperationState::Running => {
                self.state = OperationState::Cancelling;
                self.history.cancelled_by = actor.known();
                self.cancel_time = Some(now.max(self.update_time));
                self.written(now)
            }
            OperationState::Cancelling
            | OperationState::Succeeded
            | OperationState::Failed
            | OperationState::Cancelled => Change::Nothing,
        })
    }

    fn delete(&mut self, actor: Actor, now: Timestamp) -> Result<Change, Refusal> {
        if !self.is_visible() {
            return Err(Refusal::NotFound);
        }
        if self.state.is_done() {
            return Ok(Change::Removed);
        }
        self.history.deleted_by = actor.known();
        self.delete_time = Some(now);
        Ok(self.written(now))
    }

    /// Ends the operation, unless it owes something and must undo that first.
    pub(super) fn finish(&mut self, outcome: OperationOutcome, now: Timestamp) -> Change {
        let result = match self.settle(outcome) {
            Ok(OperationOutcome::Response(any)) => OperationResult::Response(any),
            Ok(outcome) => OperationResult::Error(error(outcome)),
            Err(verdict) => return self.condemn(verdict, now),
        };
        self.state = match &result {
            OperationResult::Response(_) => OperationState::Succeeded,
            OperationResult::Error(status) if status.code == Code::Cancelled as i32 => {
                OperationState::Cancelled
            }
            OperationResult::Error(_) => OperationState::Failed,
        };
        self.result = Some(result);
        self.lease = None;
        self.checkpoint = None;
        self.end_time = Some(now.max(self.update_time));
        self.expire_time = Some(now.saturating_add(self.policy.retain));
        match self.written(now) {
            Change::Record if !self.is_visible() => Change::Removed,
            change => change,
        }
    }

    fn back_to_pending(&mut self, ready_time: Timestamp, now: Timestamp) -> Change {
        self.forget_waits();
        self.state = OperationState::Pending;
        self.lease = None;
        self.ready_time = ready_time;
        self.written(now)
    }

    fn check_fence(&self, fence: u64) -> Result<(), Refusal> {
        match self.state.is_running() && self.fence == fence {
            true => Ok(()),
            false => Err(Refusal::Stale),
        }
    }

    fn extend_lease(&mut self, lease_duration: Duration, now: Timestamp) {
        if let Some(lease) = &mut self.lease {
            lease.expire_time = now.saturating_add(lease_duration);
        }
    }

    fn take_metadata(&mut self, metadata: Option<Any>) -> bool {
        let news = metadata.is_some() && metadata != self.metadata;
        if news {
            self.metadata = metadata;
        }
        news
    }

    fn written(&mut self, now: Timestamp) -> Change {
        self.revision += 1;
        // The wall clock may jump back; what callers see does not.
        self.update_time = self.update_time.max(now);
        Change::Record
    }
}

#[cfg(test)]
mod tests;
