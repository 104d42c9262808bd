//! Steps, sleeps, promises and races of a history.

use lro_core::pack;
use lro_core::store::{Child, StepKind, StepOutcome, StepWake};
use prost::{Message, Name};
use tonic::Status;
use uuid::Uuid;

use super::{History, timestamp};
use crate::handler::error::to_plain_rpc_status;
use crate::steps::promise_timed_out;

impl History {
    /// A step that has returned this.
    #[must_use]
    #[track_caller]
    pub fn step<T: Message + Name + 'static>(self, key: &str, response: &T) -> Self {
        self.finished(key, StepKind::Step, StepOutcome::Response(pack(response)))
    }

    /// A step that has failed with this error, finally.
    #[must_use]
    #[track_caller]
    pub fn failed(self, key: &str, error: &Status) -> Self {
        let outcome = StepOutcome::Error(to_plain_rpc_status(error));
        self.finished(key, StepKind::Step, outcome)
    }

    /// A step whose closure has begun, and not returned: one that runs at most once.
    #[must_use]
    #[track_caller]
    pub fn begun(self, key: &str) -> Self {
        self.unfinished(key, StepKind::Step, |write| write.attempt = 1)
    }

    /// A step whose first attempt has failed with this error, and that pauses until this time before another one.
    #[must_use]
    #[track_caller]
    pub fn retrying(self, key: &str, error: &Status, until: &str) -> Self {
        self.unfinished(key, StepKind::Step, |write| {
            write.attempt = 1;
            write.last_error = Some(to_plain_rpc_status(error));
            write.wake = Some(StepWake::At(timestamp(until)));
        })
    }

    /// A sleep that is over.
    #[must_use]
    #[track_caller]
    pub fn sleep(self, key: &str) -> Self {
        self.finished(key, StepKind::Sleep, StepOutcome::Response(pack(&())))
    }

    /// A sleep that ends at this time.
    #[must_use]
    #[track_caller]
    pub fn sleeping(self, key: &str, until: &str) -> Self {
        self.unfinished(key, StepKind::Sleep, |write| {
            write.wake = Some(StepWake::At(timestamp(until)));
        })
    }

    /// A promise that was given this value.
    #[must_use]
    #[track_caller]
    pub fn promise<T: Message + Name + 'static>(self, key: &str, value: &T) -> Self {
        self.given(key, StepOutcome::Response(pack(value)))
    }

    /// A promise that was given this error.
    #[must_use]
    #[track_caller]
    pub fn promise_failed(self, key: &str, error: &Status) -> Self {
        self.given(key, StepOutcome::Error(to_plain_rpc_status(error)))
    }

    /// A promise whose timeout has passed.
    #[must_use]
    #[track_caller]
    pub fn promise_timed_out(self, key: &str) -> Self {
        let error = promise_timed_out(&super::parsed(key));
        self.finished(key, StepKind::Promise, StepOutcome::Error(error))
    }

    /// A promise that the operation waits for.
    #[must_use]
    #[track_caller]
    pub fn asked(self, key: &str) -> Self {
        self.unfinished(key, StepKind::Promise, |_| ())
    }

    /// A promise that the operation waits for until this time.
    #[must_use]
    #[track_caller]
    pub fn asked_until(self, key: &str, until: &str) -> Self {
        self.unfinished(key, StepKind::Promise, |write| {
            write.wake = Some(StepWake::At(timestamp(until)));
        })
    }

    /// A [child](crate::OperationContext::child) that has ended with this response.
    #[must_use]
    #[track_caller]
    pub fn child<T: Message + Name + 'static>(self, key: &str, value: &T) -> Self {
        let outcome = StepOutcome::Response(pack(value));
        self.finished(key, StepKind::Child, outcome)
    }

    /// A child that has failed.
    #[must_use]
    #[track_caller]
    pub fn child_failed(self, key: &str, error: &Status) -> Self {
        let outcome = StepOutcome::Error(to_plain_rpc_status(error));
        self.finished(key, StepKind::Child, outcome)
    }

    /// A child that the operation waits for.
    #[must_use]
    #[track_caller]
    pub fn child_started(self, key: &str) -> Self {
        self.unfinished(key, StepKind::Child, |write| {
            write.child = Some(Box::new(Child {
                name: super::started_child(),
                uid: Uuid::nil(),
                is_left: false,
                is_cancelled: false,
            }));
        })
    }

    /// A [race](crate::OperationContext::first), and the key of the call that has won it. The call that has lost is
    /// [`abandoned`](Self::abandoned) unless it has ended.
    #[must_use]
    #[track_caller]
    pub fn first(self, key: &str, winner: &str) -> Self {
        let winner = super::parsed(winner).as_str().to_owned();
        self.finished(key, StepKind::First, StepOutcome::Response(pack(&winner)))
    }

    /// The answer to [`introduced`](crate::OperationContext::introduced).
    #[must_use]
    #[track_caller]
    pub fn introduced(self, key: &str, answer: bool) -> Self {
        let outcome = StepOutcome::Response(pack(&answer));
        self.finished(key, StepKind::Introduced, outcome)
            .side_by_side()
    }

    /// The call before this was made while other durable calls were under way, as in a `join!`.
    #[must_use]
    pub fn side_by_side(self) -> Self {
        self.change_last(|last| last.write.sequential = false)
    }

    /// The call before this has lost a race: whatever it was said to have returned, it has not.
    #[must_use]
    pub fn abandoned(self) -> Self {
        self.change_last(|last| {
            last.is_from_outside = false;
            last.write.sequential = false;
            last.write.wake = None;
            last.write.outcome = Some(StepOutcome::Abandoned);
        })
    }

    #[track_caller]
    fn given(self, key: &str, outcome: StepOutcome) -> Self {
        self.finished(key, StepKind::Promise, outcome)
            .change_last(|last| last.is_from_outside = true)
    }
}
