//! The life of an operation, as one pure function over values.

use std::time::Duration;

use prost_types::Any;
use tonic::Code;

use crate::clock::Timestamp;
use crate::pb::rpc::Status;
use crate::reason::Reason;
use crate::record::{Lease, OnCrash, OperationRecord, OperationResult};
use crate::refusal::Refusal;
use crate::store::WorkerId;

/// Where an operation stands. On the wire only `done` and `result` show.
///
/// ```text
///            claim               finish(response)
/// Pending ----------> Running -----------------------> Succeeded
///  |   ^                | |   finish(error)        \
///  |   +--retry, release+ |   -----------------------> Failed
///  |      expire          |
///  |                      +--cancel--> Cancelling ----> Cancelled
///  +--cancel------------------------------------------> Cancelled
/// ```
///
/// * `Cancelling` is `Running` with a cancellation on record: the body may still succeed or fail,
///   and then its own result stands; `retry`, `release` and `expire` end it as `Cancelled`.
/// * `expire` ends a `Running` operation as `Failed` when its policy says `abort`, or when it has no
///   attempt left; so does `retry`.
/// * An error whose code is CANCELLED makes `Cancelled`, whoever gave it; every other one `Failed`.
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

/// What can happen to an operation after its start.
///
/// Those with a `fence` come from the worker that holds the operation, and do nothing when another
/// one has claimed it since.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// A worker takes a pending operation that is ready.
    Claim {
        /// Who takes it.
        worker: WorkerId,
        /// For how long.
        lease_duration: Duration,
    },
    /// The holder is alive, and may have new metadata.
    Renew {
        /// The claim it is for.
        fence: u64,
        /// How long the lease lasts from now.
        lease_duration: Duration,
        /// New metadata.
        metadata: Option<Any>,
    },
    /// The body has saved something to go on from. Extends the lease as well.
    Checkpoint {
        /// The claim it is for.
        fence: u64,
        /// How long the lease lasts from now.
        lease_duration: Duration,
        /// What to go on from.
        checkpoint: Any,
        /// New metadata.
        metadata: Option<Any>,
    },
    /// The body has ended.
    Finish {
        /// The claim it is for.
        fence: u64,
        /// How.
        outcome: Outcome,
        /// The last metadata.
        metadata: Option<Any>,
    },
    /// The body failed and asks for another attempt.
    Retry {
        /// The claim it is for.
        fence: u64,
        /// What it ends with when no attempt is left.
        error: Status,
        /// How long to pause before the next attempt.
        delay: Duration,
        /// The last metadata.
        metadata: Option<Any>,
    },
    /// The holder gives it back, through no fault of the body's: this run does not count.
    Release {
        /// The claim it is for.
        fence: u64,
        /// The last metadata.
        metadata: Option<Any>,
    },
    /// The holder is lost: its lease is over, or its process is gone.
    Expire,
    /// A caller wants it to stop.
    Cancel,
    /// No caller is interested in it any more.
    Delete,
}

/// How a body ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// With a response.
    Response(Any),
    /// With an error. A code of 0 (OK) is made INTERNAL.
    Error(Status),
    /// It was cancelled.
    Cancelled,
}

/// What a command did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Change {
    /// Nothing: it was so already.
    Nothing,
    /// Only the lease; callers see no difference.
    Lease,
    /// The record; callers see it.
    Record,
    /// The record is to be removed.
    Removed,
}

impl OperationRecord {
    /// Does what the command says, or refuses and changes nothing.
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
            Command::Expire => self.expire(now),
            Command::Cancel => self.cancel(now),
            Command::Delete => self.delete(now),
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
        self.state = OperationState::Running;
        self.attempt += 1;
        self.fence += 1;
        self.start_time.get_or_insert(now.max(self.update_time));
        self.lease = Some(Lease {
            worker,
            expire_time: now.saturating_add(lease_duration),
        });
        Ok(self.written(now))
    }

    fn retry(&mut self, error: Status, delay: Duration, now: Timestamp) -> Change {
        if self.state == OperationState::Cancelling {
            return self.finish(Outcome::Cancelled, now);
        }
        if self.attempt >= self.policy.max_attempts {
            return self.finish(Outcome::Error(error), now);
        }
        self.back_to_pending(now.saturating_add(delay), now)
    }

    fn release(&mut self, now: Timestamp) -> Change {
        if self.state == OperationState::Cancelling {
            return self.finish(Outcome::Cancelled, now);
        }
        self.attempt = self.attempt.saturating_sub(1);
        self.back_to_pending(now, now)
    }

    fn expire(&mut self, now: Timestamp) -> Result<Change, Refusal> {
        if !self.state.is_running() {
            return Err(Refusal::Stale);
        }
        if self.state == OperationState::Cancelling {
            return Ok(self.finish(Outcome::Cancelled, now));
        }
        let reason = match self.policy.on_crash {
            OnCrash::Abort => Reason::OperationInterrupted,
            OnCrash::Resume if self.attempt >= self.policy.max_attempts => {
                Reason::AttemptsExhausted
            }
            OnCrash::Resume => return Ok(self.back_to_pending(now, now)),
        };
        let error = reason.operation_error(
            format!(
                "the worker was lost during attempt {} of {}",
                self.attempt, self.policy.max_attempts
            ),
            [
                ("attempt", &*self.attempt.to_string()),
                ("maxAttempts", &*self.policy.max_attempts.to_string()),
            ],
        );
        Ok(self.finish(Outcome::Error(error), now))
    }

    fn cancel(&mut self, now: Timestamp) -> Result<Change, Refusal> {
        if !self.is_visible() {
            return Err(Refusal::NotFound);
        }
        Ok(match self.state {
            OperationState::Pending => {
                self.cancel_time = Some(now.max(self.update_time));
                self.finish(Outcome::Cancelled, now)
            }
            OperationState::Running => {
                self.state = OperationState::Cancelling;
                self.cancel_time = Some(now.max(self.update_time));
                self.written(now)
            }
            OperationState::Cancelling
            | OperationState::Succeeded
            | OperationState::Failed
            | OperationState::Cancelled => Change::Nothing,
        })
    }

    fn delete(&mut self, now: Timestamp) -> Result<Change, Refusal> {
        if !self.is_visible() {
            return Err(Refusal::NotFound);
        }
        if self.state.is_done() {
            return Ok(Change::Removed);
        }
        self.delete_time = Some(now);
        Ok(self.written(now))
    }

    pub(crate) fn finish(&mut self, outcome: Outcome, now: Timestamp) -> Change {
        let result = match outcome {
            Outcome::Response(any) => OperationResult::Response(any),
            Outcome::Error(status) => OperationResult::Error(never_ok(status)),
            Outcome::Cancelled => OperationResult::Error(
                Reason::OperationCancelled.operation_error("the operation was cancelled", []),
            ),
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

fn never_ok(status: Status) -> Status {
    if status.code != Code::Ok as i32 {
        return status;
    }
    Reason::HandlerMisbehaved.operation_error("the handler gave OK as its error", [])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;
    use crate::{NewOperation, pack};

    fn pending() -> OperationRecord {
        let name = "operations/1".parse().unwrap();
        let new = NewOperation::new(Uuid::nil(), name, "/s/M", pack(&()));
        OperationRecord::new(new, Timestamp::EPOCH)
    }

    fn in_state(state: OperationState) -> OperationRecord {
        let mut record = pending();
        let mut apply = |command| record.apply(command, Timestamp::EPOCH).unwrap();
        use OperationState::*;
        if state == Pending {
            return record;
        }
        apply(claim());
        match state {
            Pending | Running => {}
            Cancelling => {
                apply(Command::Cancel);
            }
            Succeeded => {
                apply(finish(1, Outcome::Response(pack(&()))));
            }
            Failed => {
                apply(finish(1, Outcome::Error(failure())));
            }
            Cancelled => {
                apply(finish(1, Outcome::Cancelled));
            }
        }
        assert_eq!(record.state, state);
        record
    }

    fn claim() -> Command {
        Command::Claim {
            worker: WorkerId::from_uuid(Uuid::nil()),
            lease_duration: Duration::from_secs(30),
        }
    }

    fn finish(fence: u64, outcome: Outcome) -> Command {
        Command::Finish {
            fence,
            outcome,
            metadata: None,
        }
    }

    fn failure() -> Status {
        Reason::OperationTimedOut.operation_error("slow", [])
    }

    fn retry(fence: u64) -> Command {
        Command::Retry {
            fence,
            error: failure(),
            delay: Duration::from_secs(1),
            metadata: None,
        }
    }

    fn verbs() -> Vec<(&'static str, Command)> {
        vec![
            ("claim", claim()),
            (
                "renew",
                Command::Renew {
                    fence: 1,
                    lease_duration: Duration::from_secs(60),
                    metadata: None,
                },
            ),
            (
                "checkpoint",
                Command::Checkpoint {
                    fence: 1,
                    lease_duration: Duration::from_secs(60),
                    checkpoint: pack(&()),
                    metadata: None,
                },
            ),
            ("succeed", finish(1, Outcome::Response(pack(&())))),
            ("fail", finish(1, Outcome::Error(failure()))),
            ("retry", retry(1)),
            (
                "release",
                Command::Release {
                    fence: 1,
                    metadata: None,
                },
            ),
            ("expire", Command::Expire),
            ("cancel", Command::Cancel),
            ("delete", Command::Delete),
        ]
    }

    /// The drawing, as a table: every verb in every state.
    #[test]
    fn every_edge_of_the_drawing() {
        use OperationState::*;
        let table: [(&str, [&str; 6]); 10] = [
            // verb, from Pending, Running, Cancelling, Succeeded, Failed, Cancelled
            ("claim", ["Running", "-", "-", "-", "-", "-"]),
            ("renew", ["-", "Running", "Cancelling", "-", "-", "-"]),
            ("checkpoint", ["-", "Running", "Cancelling", "-", "-", "-"]),
            ("succeed", ["-", "Succeeded", "Succeeded", "-", "-", "-"]),
            ("fail", ["-", "Failed", "Failed", "-", "-", "-"]),
            ("retry", ["-", "Pending", "Cancelled", "-", "-", "-"]),
            ("release", ["-", "Pending", "Cancelled", "-", "-", "-"]),
            ("expire", ["-", "Pending", "Cancelled", "-", "-", "-"]),
            ("cancel", ["Cancelled", "Cancelling", "=", "=", "=", "="]),
            (
                "delete",
                ["Pending", "Running", "Cancelling", "x", "x", "x"],
            ),
        ];
        for ((verb, command), (row, cells)) in verbs().into_iter().zip(table) {
            assert_eq!(verb, row);
            for (from, expected) in OperationState::ALL.into_iter().zip(cells) {
                let mut record = in_state(from);
                let before = record.clone();
                let seen = match record.apply(command.clone(), Timestamp::EPOCH) {
                    Ok(Change::Nothing) => "=".to_owned(),
                    Ok(Change::Removed) => "x".to_owned(),
                    Ok(_) => format!("{:?}", record.state),
                    Err(_) => "-".to_owned(),
                };
                assert_eq!(seen, expected, "{verb} from {from:?}");
                if matches!(expected, "-" | "=") {
                    assert_eq!(record, before, "{verb} from {from:?} changes nothing");
                }
            }
        }
        assert!(in_state(Running).lease.is_some());
    }

    #[test]
    fn a_stale_fence_changes_nothing() {
        let mut record = in_state(OperationState::Running);
        record.apply(Command::Expire, Timestamp::EPOCH).unwrap();
        record.apply(claim(), Timestamp::EPOCH).unwrap();
        let before = record.clone();
        let late = finish(1, Outcome::Response(pack(&())));
        assert_eq!(
            record.apply(late, Timestamp::EPOCH),
            Err(Refusal::Stale),
            "the first holder comes too late"
        );
        assert_eq!(record, before);
        assert_eq!((record.attempt, record.fence), (2, 2));
    }

    #[test]
    fn attempts_end() {
        let mut record = in_state(OperationState::Running);
        record.policy.max_attempts = 2;
        let later = Timestamp::EPOCH.saturating_add(Duration::from_secs(1));
        record.apply(retry(1), Timestamp::EPOCH).unwrap();
        assert_eq!(
            record.apply(claim(), Timestamp::EPOCH),
            Err(Refusal::NotReady),
            "it pauses first"
        );
        record.apply(claim(), later).unwrap();
        record.apply(Command::Expire, later).unwrap();
        assert_eq!(record.state, OperationState::Failed);
        let Some(OperationResult::Error(error)) = &record.result else {
            panic!("no error");
        };
        assert_eq!(error.code, Code::Aborted as i32);
    }

    /// spec:137
    #[test]
    fn abort_ends_an_interrupted_operation() {
        let mut record = in_state(OperationState::Running);
        record.policy.on_crash = OnCrash::Abort;
        record.apply(Command::Expire, Timestamp::EPOCH).unwrap();
        let Some(OperationResult::Error(error)) = &record.result else {
            panic!("no error");
        };
        assert_eq!(error.code, Code::Aborted as i32);
    }

    #[test]
    fn a_release_does_not_count_as_an_attempt() {
        let mut record = in_state(OperationState::Running);
        let release = Command::Release {
            fence: 1,
            metadata: None,
        };
        record.apply(release, Timestamp::EPOCH).unwrap();
        assert_eq!((record.attempt, record.fence), (0, 1));
        record.apply(claim(), Timestamp::EPOCH).unwrap();
        assert_eq!((record.attempt, record.fence), (1, 2));
    }

    /// spec:76
    #[test]
    fn expiry_counts_from_the_end() {
        let mut record = in_state(OperationState::Running);
        let end = Timestamp::EPOCH.saturating_add(Duration::from_secs(1_000));
        assert_eq!(record.expire_time, None, "spec:77: never while running");
        record.apply(finish(1, Outcome::Cancelled), end).unwrap();
        let retain = record.policy.retain;
        assert_eq!(record.expire_time, Some(end.saturating_add(retain)));
    }

    /// spec:136
    #[test]
    fn ok_as_an_error_is_internal() {
        let mut record = in_state(OperationState::Running);
        let ok = Outcome::Error(Status::default());
        record.apply(finish(1, ok), Timestamp::EPOCH).unwrap();
        let Some(OperationResult::Error(error)) = &record.result else {
            panic!("no error");
        };
        assert_eq!(error.code, Code::Internal as i32);
    }

    #[test]
    fn a_deleted_operation_goes_when_it_ends() {
        let mut record = in_state(OperationState::Running);
        record.apply(Command::Delete, Timestamp::EPOCH).unwrap();
        assert_eq!(
            record.apply(Command::Cancel, Timestamp::EPOCH),
            Err(Refusal::NotFound)
        );
        let end = finish(1, Outcome::Response(pack(&())));
        assert_eq!(record.apply(end, Timestamp::EPOCH), Ok(Change::Removed));
    }

    proptest! {
        /// Random walks: the guarantees hold for every sequence of commands.
        #[test]
        fn invariants_hold_on_random_walks(
            steps in prop::collection::vec((0_usize..10, 0_u64..4, 0_i64..3_000_000), 1..60),
            max_attempts in 1_u32..5,
            abort in any::<bool>(),
        ) {
            let mut record = pending();
            record.policy.max_attempts = max_attempts;
            record.policy.on_crash = if abort { OnCrash::Abort } else { OnCrash::Resume };
            let mut now = Timestamp::EPOCH;
            for (verb, fence, micros) in steps {
                now = now.saturating_add(Duration::from_micros(micros.unsigned_abs()));
                let mut command = verbs().swap_remove(verb).1;
                if let Command::Renew { fence: f, .. }
                | Command::Checkpoint { fence: f, .. }
                | Command::Finish { fence: f, .. }
                | Command::Retry { fence: f, .. }
                | Command::Release { fence: f, .. } = &mut command
                {
                    *f = fence;
                }
                let before = record.clone();
                let answer = record.apply(command.clone(), now);
                if before.state.is_done() {
                    prop_assert_eq!(&record, &before, "done is final");
                }
                if answer.is_err() || answer == Ok(Change::Nothing) {
                    prop_assert_eq!(&record, &before);
                }
                prop_assert_eq!(record.state.is_done(), record.result.is_some());
                prop_assert_eq!(record.state.is_done(), record.end_time.is_some());
                prop_assert_eq!(record.state.is_done(), record.expire_time.is_some());
                prop_assert_eq!(record.state.is_running(), record.lease.is_some());
                prop_assert!(record.fence >= before.fence);
                prop_assert_eq!(record.fence > before.fence, matches!(command, Command::Claim { .. }) && answer.is_ok());
                prop_assert!(record.attempt <= max_attempts);
                prop_assert!(record.revision >= before.revision);
                prop_assert_eq!(record.cancel_time.is_some(), before.cancel_time.is_some() || (command == Command::Cancel && answer == Ok(Change::Record)), "only cancel cancels");
                if answer == Ok(Change::Removed) {
                    break;
                }
            }
        }
    }
}
