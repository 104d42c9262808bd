//! Which attempts a record keeps, and which follow from its other fields.

use crate::clock::Timestamp;
use crate::pb::rpc::Status;
use crate::store::{Attempt, AttemptOutcome, History, OperationRecord, OperationState};

impl History {
    /// The number of attempts that a record keeps. Older ones are forgotten.
    pub const MAX_ATTEMPTS: usize = 10;

    /// The largest length of a retried attempt's error message, in bytes. The rest is cut off.
    pub const MAX_MESSAGE_LEN: usize = 256;

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.attempts.is_empty() && self.cancelled_by.is_none() && self.deleted_by.is_none()
    }

    fn push(&mut self, attempt: Attempt) {
        if self.attempts.len() >= Self::MAX_ATTEMPTS {
            self.attempts
                .drain(..=self.attempts.len() - Self::MAX_ATTEMPTS);
        }
        self.attempts.push(attempt);
    }
}

impl AttemptOutcome {
    /// A retry after this error, which is cut to what a record keeps.
    pub(in crate::store) fn retried(error: &Status) -> Self {
        let mut message = error.message.clone();
        if message.len() > History::MAX_MESSAGE_LEN {
            let mut ends = (0..=History::MAX_MESSAGE_LEN).rev();
            let end = ends.find(|at| message.is_char_boundary(*at));
            message.truncate(end.unwrap_or_default());
        }
        Self::Retried(Status {
            code: error.code,
            message,
            details: Vec::new(),
        })
    }
}

impl OperationRecord {
    /// The latest attempts, the oldest first, at most [`History::MAX_ATTEMPTS`]: those of the
    /// [history](Self::history), and the one that is under way or that ended the operation.
    ///
    /// [`fence`](Self::fence) says how many there were in all. Attempts that ended before the store
    /// was upgraded to a version that keeps them are missing.
    ///
    /// ```
    /// use std::time::Duration;
    /// use lro_core::Timestamp;
    /// use lro_core::store::{AttemptOutcome, Command, NewOperation, OperationRecord, WorkerId};
    ///
    /// # let operation = NewOperation::new(uuid::Uuid::nil(), "operations/1".parse()?, "/s.S/M", lro_core::pack(&()));
    /// let mut record = OperationRecord::new(operation, Timestamp::EPOCH);
    /// let worker = WorkerId::from_uuid(uuid::Uuid::from_u128(1));
    /// let lease_duration = Duration::from_secs(30);
    /// record.apply(Command::Claim { worker, lease_duration }, Timestamp::EPOCH)?;
    /// record.apply(Command::Expire, Timestamp::EPOCH)?;
    /// record.apply(Command::Claim { worker, lease_duration }, Timestamp::EPOCH)?;
    ///
    /// let [first, second] = &record.attempts()[..] else { panic!() };
    /// assert_eq!(first.outcome, AttemptOutcome::WorkerLost);
    /// assert_eq!((second.outcome.as_str(), second.worker), ("RUNNING", Some(worker)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn attempts(&self) -> Vec<Attempt> {
        let past = &self.history.attempts;
        let last = self.last_attempt();
        let kept = History::MAX_ATTEMPTS - usize::from(last.is_some());
        let past = past.iter().skip(past.len().saturating_sub(kept));
        past.cloned().chain(last).collect()
    }

    /// The attempt that is under way, or whose result ended the operation.
    fn last_attempt(&self) -> Option<Attempt> {
        let outcome = match self.state {
            OperationState::Pending => return None,
            OperationState::Running | OperationState::Cancelling => AttemptOutcome::Running,
            OperationState::Succeeded => AttemptOutcome::Succeeded,
            OperationState::Failed => AttemptOutcome::Failed,
            OperationState::Cancelled => AttemptOutcome::Cancelled,
        };
        let ended_it = self.worker.is_some() || self.was_ended_by_an_unknown_worker();
        if self.state.is_done() && !ended_it {
            return None;
        }
        Some(Attempt {
            fence: self.fence,
            worker: self.worker,
            begin_time: self.begin_time(),
            end_time: self.end_time,
            outcome,
        })
    }

    /// Whether a version that kept no workers wrote the end. Then the attempt that ended the
    /// operation is known by its end, unless the operation was cancelled while it waited.
    fn was_ended_by_an_unknown_worker(&self) -> bool {
        let waited = self.state == OperationState::Cancelled && self.cancel_time == self.end_time;
        self.fence > 0 && self.history.attempts.is_empty() && !waited
    }

    /// When the attempt under way, or the last one, began.
    fn begin_time(&self) -> Option<Timestamp> {
        match self.fence {
            1 => self.start_time,
            _ => self.attempt_time,
        }
    }

    /// Keeps the attempt that ends now without a result of the body.
    pub(in crate::store) fn end_attempt(&mut self, outcome: AttemptOutcome, now: Timestamp) {
        let attempt = Attempt {
            fence: self.fence,
            worker: self.worker,
            begin_time: self.begin_time(),
            end_time: Some(now.max(self.update_time)),
            outcome,
        };
        self.history.push(attempt);
        self.worker = None;
        self.attempt_time = None;
    }
}

#[cfg(test)]
mod tests;
