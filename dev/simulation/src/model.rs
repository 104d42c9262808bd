//! A second model of an operation, independent of [`OperationRecord::apply`]: the specification
//! that histories are checked against.

use lro_core::store::{Change, OperationRecord, OperationResult, OperationState, Refusal};
use prost_types::Any;

use OperationState::{Cancelled, Cancelling, Failed, Pending, Running, Succeeded};

/// Tells one payload from another.
pub type Digest = u64;

/// A payload's digest.
pub fn digest(any: &Any) -> Digest {
    let bytes = any
        .type_url
        .bytes()
        .chain([0])
        .chain(any.value.iter().copied());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// How an operation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// With this response.
    Response(Digest),
    /// With an error of this code.
    Error(i32),
}

/// The settings of all operations of a run.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// How often a body may run.
    pub max_attempts: u32,
    /// Whether a lost worker ends the operation.
    pub abort_on_crash: bool,
}

/// One operation.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Op {
    /// Which: a name may be used again, this is not.
    pub uid: u128,
    /// Where it stands.
    pub state: OperationState,
    /// How often it was written.
    pub revision: u64,
    /// How often its body ran.
    pub attempt: u32,
    /// How often in a row its worker was lost.
    pub losses: u32,
    /// How often it was claimed.
    pub fence: u64,
    /// Its metadata.
    pub metadata: Option<Digest>,
    /// Its checkpoint.
    pub checkpoint: Option<Digest>,
    /// How it ended.
    pub verdict: Option<Verdict>,
    /// Whether it is hidden, because it was deleted before its end.
    pub deleted: bool,
}

/// Something that happens to an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Act {
    /// A worker takes it.
    Claim,
    /// Its worker is alive, with new metadata.
    Renew(u64, Option<Digest>),
    /// Its body saved something, with new metadata.
    Checkpoint(u64, Digest, Option<Digest>),
    /// Its body ended.
    Finish(u64, Verdict, Option<Digest>),
    /// Its body wants to run again, or else to fail with this code.
    Retry(u64, i32, Option<Digest>),
    /// Its worker releases it.
    Release(u64, Option<Digest>),
    /// Its body has recorded steps, with new metadata.
    Record(u64, Option<Digest>),
    /// Its body waits, with new metadata.
    Suspend(u64, Option<Digest>),
    /// A client completes one of its steps.
    Complete,
    /// Its worker is lost.
    Expire,
    /// Its worker is lost, and others with it.
    ExpireShared,
    /// A client cancels it.
    Cancel,
    /// A client deletes it.
    Delete,
}

const CANCELLED: Verdict = Verdict::Error(1);
const ABORTED: Verdict = Verdict::Error(10);

/// The number of consecutive losses that use up no attempt, if others were lost with each.
const FREE_LOSSES: u32 = 8;

impl Op {
    /// A new one.
    pub fn new(uid: u128, metadata: Option<Digest>) -> Self {
        Self {
            uid,
            state: Pending,
            revision: 1,
            attempt: 0,
            losses: 0,
            fence: 0,
            metadata,
            checkpoint: None,
            verdict: None,
            deleted: false,
        }
    }

    /// As a list shows it.
    pub fn public_part(&self) -> Self {
        Self {
            checkpoint: None,
            ..self.clone()
        }
    }

    /// As a record shows it.
    pub fn of(record: &OperationRecord) -> Self {
        Self {
            uid: record.uid.as_u128(),
            state: record.state,
            revision: record.revision,
            attempt: record.attempt,
            losses: record.losses,
            fence: record.fence,
            metadata: record.metadata.as_ref().map(digest),
            checkpoint: record.checkpoint.as_ref().map(digest),
            verdict: record.result.as_ref().map(|result| match result {
                OperationResult::Response(any) => Verdict::Response(digest(any)),
                OperationResult::Error(status) => Verdict::Error(status.code),
            }),
            deleted: !record.is_visible(),
        }
    }

    /// Whether a worker holds it.
    pub fn is_held(&self) -> bool {
        matches!(self.state, Running | Cancelling)
    }

    /// Applies the act.
    pub fn act(&mut self, act: Act, policy: Policy) -> Result<Change, Refusal> {
        let fence = match act {
            Act::Renew(fence, _)
            | Act::Checkpoint(fence, ..)
            | Act::Finish(fence, ..)
            | Act::Retry(fence, ..)
            | Act::Release(fence, _)
            | Act::Record(fence, _)
            | Act::Suspend(fence, _) => Some(fence),
            _ => None,
        };
        if fence.is_some_and(|fence| fence != self.fence || !self.is_held()) {
            return Err(Refusal::Stale);
        }
        match (act, self.state) {
            (Act::Claim, Pending) => {
                self.attempt += 1;
                self.fence += 1;
                Ok(self.written(Running))
            }
            (Act::Claim, _) => Err(Refusal::NotReady),
            (Act::Renew(_, metadata), state) => Ok(match self.set_metadata(metadata) {
                true => self.written(state),
                false => Change::Lease,
            }),
            (Act::Checkpoint(_, checkpoint, metadata), state) => {
                if self.checkpoint != Some(checkpoint) {
                    self.attempt -= self.losses.min(self.attempt - 1);
                    self.losses = 0;
                }
                self.checkpoint = Some(checkpoint);
                self.set_metadata(metadata);
                Ok(self.written(state))
            }
            (Act::Finish(_, verdict, metadata), _) => {
                self.set_metadata(metadata);
                Ok(self.end(verdict))
            }
            (
                Act::Retry(_, _, metadata) | Act::Release(_, metadata) | Act::Suspend(_, metadata),
                Cancelling,
            ) => {
                self.set_metadata(metadata);
                Ok(self.end(CANCELLED))
            }
            (Act::Retry(_, code, metadata), _) => {
                self.set_metadata(metadata);
                if self.attempt >= policy.max_attempts {
                    return Ok(self.end(Verdict::Error(code)));
                }
                self.losses = 0;
                Ok(self.written(Pending))
            }
            (Act::Release(_, metadata), _) => {
                self.set_metadata(metadata);
                self.attempt -= 1;
                Ok(self.written(Pending))
            }
            (Act::Record(_, metadata), state) => {
                self.set_metadata(metadata);
                Ok(self.written(state))
            }
            (Act::Suspend(_, metadata), _) => {
                self.set_metadata(metadata);
                self.attempt -= 1;
                self.losses = 0;
                Ok(self.written(Pending))
            }
            (Act::Complete, Succeeded | Failed | Cancelled) => Err(Refusal::Done),
            (Act::Complete, _) if self.deleted => Err(Refusal::NotFound),
            (Act::Complete, state) => Ok(self.written(state)),
            (Act::Expire | Act::ExpireShared, Cancelling) => Ok(self.end(CANCELLED)),
            (Act::Expire | Act::ExpireShared, Running) => {
                let free = act == Act::ExpireShared && self.losses < FREE_LOSSES;
                if policy.abort_on_crash || !free && self.attempt >= policy.max_attempts {
                    return Ok(self.end(ABORTED));
                }
                self.attempt -= u32::from(free);
                self.losses += u32::from(self.losses < FREE_LOSSES);
                Ok(self.written(Pending))
            }
            (Act::Expire | Act::ExpireShared, _) => Err(Refusal::Stale),
            (Act::Delete, _) if self.deleted => Err(Refusal::NotFound),
            (Act::Cancel, Pending) => Ok(self.end(CANCELLED)),
            (Act::Cancel, Running) => Ok(self.written(Cancelling)),
            (Act::Cancel, _) => Ok(Change::Nothing),
            (Act::Delete, Succeeded | Failed | Cancelled) => Ok(Change::Removed),
            (Act::Delete, state) => {
                self.deleted = true;
                Ok(self.written(state))
            }
        }
    }

    fn set_metadata(&mut self, metadata: Option<Digest>) -> bool {
        let news = metadata.is_some() && metadata != self.metadata;
        self.metadata = metadata.or(self.metadata);
        news
    }

    fn end(&mut self, verdict: Verdict) -> Change {
        let verdict = match verdict {
            Verdict::Error(0) => Verdict::Error(13),
            other => other,
        };
        self.verdict = Some(verdict);
        self.checkpoint = None;
        self.written(match verdict {
            Verdict::Response(_) => Succeeded,
            CANCELLED => Cancelled,
            Verdict::Error(_) => Failed,
        });
        match self.deleted {
            true => Change::Removed,
            false => Change::Record,
        }
    }

    fn written(&mut self, state: OperationState) -> Change {
        self.state = state;
        self.revision += 1;
        Change::Record
    }
}
