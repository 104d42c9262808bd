use std::time::Duration;

use lro_core::pb;
use tokio::time::Instant;
use tonic::{Code, Status};

use super::Poller;
use super::pace::WaitPace;
use super::schedule::{Call, CallLimits, Cut};
use crate::error::Ending;
use crate::policy::{PollingBackoffPolicy as _, PollingErrorAction, is_transient, retry_delay};
use crate::{ExponentialBackoff, OperationsRpc, PollingState};

/// The aim of the poller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// The end of the operation.
    Wait,
    /// Every change of its metadata, which WaitOperation does not return for.
    Watch,
}

impl Mode {
    fn default_backoff(self) -> ExponentialBackoff {
        let (initial, max) = match self {
            Self::Wait => (1_000, 60_000),
            Self::Watch => (250, 1_000),
        };
        ExponentialBackoff::new(Duration::from_millis(initial), Duration::from_millis(max))
    }
}

/// A poll that was made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attempt {
    pub(super) call: Call,
    pub(super) asked: Instant,
    pub(super) may_wait: bool,
}

/// The outcome of one step of a wait.
#[derive(Debug)]
pub(super) enum Step {
    /// There may be news of the operation.
    Asked,
    /// The poll failed, and there will be another one.
    Failed(Status),
    /// There will be none.
    Stopped(Ending),
}

impl<R, M> Poller<R, M> {
    /// Waits until the next poll is due, and makes it.
    ///
    /// Safe to drop: what was learnt is kept, and so is the time of the next poll.
    pub(super) async fn advance(&mut self, mode: Mode) -> Step {
        self.begin();
        if self.schedule.is_over(Instant::now()) {
            return Step::Stopped(self.give_up());
        }
        if let Some(due) = self.schedule.due() {
            tokio::time::sleep_until(due).await;
        }
        let may_wait = mode == Mode::Wait && self.operations.may_wait();
        let asked = Instant::now();
        let call = self.next_call(asked, may_wait);
        let answer = match call.wait {
            Some(timeout) => {
                self.operations
                    .wait_once(&self.name, timeout, call.limit)
                    .await
            }
            None => self.operations.get_once(&self.name, call.limit).await,
        };
        let attempt = Attempt {
            call,
            asked,
            may_wait,
        };
        self.answered(mode, attempt, answer)
    }

    /// The time limit counts from the first time on.
    pub(super) fn begin(&mut self) {
        let limit = self.settings.time_limit;
        self.schedule.begin(Instant::now(), limit);
    }

    /// How to ask now.
    pub(super) fn next_call(&self, now: Instant, may_wait: bool) -> Call {
        let timeout = |method| self.operations.call_settings(method).timeout;
        let limits = CallLimits {
            get: timeout(OperationsRpc::Get),
            wait_slack: timeout(OperationsRpc::Wait),
        };
        let mut call = self.schedule.call(now, may_wait, limits);
        if let (Some(wait), Some(max)) = (&mut call.wait, self.settings.max_wait)
            && *wait > max
        {
            *wait = max;
            call.limit = call.limit.min(max.saturating_add(limits.wait_slack));
        }
        call
    }

    /// Takes the answer to a poll.
    pub(super) fn answered(
        &mut self,
        mode: Mode,
        attempt: Attempt,
        answer: Result<pb::Operation, Status>,
    ) -> Step {
        let Attempt {
            call,
            asked,
            may_wait,
        } = attempt;
        let now = Instant::now();
        match answer {
            Ok(operation) => {
                self.learn(operation);
                let backoff = &self.settings.backoff;
                let period = |state: &PollingState| match backoff {
                    Some(policy) => policy.wait_period(state),
                    None => mode.default_backoff().wait_period(state),
                };
                self.schedule.on_answer(asked, now, call, may_wait, period);
                Step::Asked
            }
            Err(status) => self.judge(status, call, asked, now),
        }
    }

    /// Takes what the server says as the operation's state.
    pub(super) fn learn(&mut self, operation: pb::Operation) {
        self.operation = operation.into();
        if self.operation.done() {
            self.disarm();
        }
        self.known = true;
        self.not_found_grace = 0;
        self.last_error = None;
    }

    fn judge(&mut self, status: Status, call: Call, asked: Instant, now: Instant) -> Step {
        let advised = retry_delay(&status);
        if call.wait.is_some() && advised.is_none() {
            if status.code() == Code::Unimplemented {
                tracing::debug!(name = self.name, "the server does not offer WaitOperation");
                self.schedule.on_wait_unimplemented();
                return Step::Asked;
            }
            if let Some(cut) = cut(&status, now - asked) {
                tracing::debug!(name = self.name, %status, "the wait was cut; the poller continues");
                self.schedule.on_wait_cut(asked, now, call, cut);
                return Step::Asked;
            }
            if is_transient(&status) {
                self.schedule.on_wait_failed();
            }
        }
        self.schedule.on_error();
        if status.code() == Code::DeadlineExceeded && self.schedule.is_at_limit(now) {
            return Step::Stopped(self.give_up());
        }
        if status.code() == Code::NotFound && self.not_found_grace > 0 {
            self.not_found_grace -= 1;
        } else {
            let state = PollingState {
                retry_delay: advised,
                ..self.schedule.state(now)
            };
            match self.settings.errors.on_error(&state, &status) {
                PollingErrorAction::Continue => {}
                PollingErrorAction::Stop => return Step::Stopped(Ending::PollFailed(status)),
            }
        }
        tracing::debug!(name = self.name, %status, "poll failed; the poller retries");
        self.schedule.retry(now, advised);
        self.last_error = Some(status.clone());
        Step::Failed(status)
    }

    pub(super) fn give_up(&mut self) -> Ending {
        Ending::Timeout {
            last_error: self.last_error.take(),
        }
    }
}

/// How a wait was cut that failed after `held`. `None`: it was not, the server refused it.
///
/// DEADLINE_EXCEEDED counts however early it comes: a time limit on the way may be very short.
fn cut(status: &Status, held: Duration) -> Option<Cut> {
    if status.code() == Code::DeadlineExceeded {
        return Some(Cut::TimedOut);
    }
    (is_transient(status) && WaitPace::is_cut(held)).then_some(Cut::Broken)
}
