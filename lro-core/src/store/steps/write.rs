//! A step to be recorded.

use std::time::Duration;

use super::{StepKey, StepKind, StepOutcome};
use crate::clock::Timestamp;
use crate::pb::rpc::Status;
use crate::store::children::Child;

/// A step that a run of an operation records: a new row, or what has changed of one.
///
/// ```
/// use std::time::Duration;
/// use lro_core::store::{StepKind, StepOutcome, StepWake, StepWrite};
///
/// let done = StepWrite {
///     outcome: Some(StepOutcome::Response(lro_core::pack(&()))),
///     ..StepWrite::begun("render".parse()?, StepKind::Step)
/// };
/// let sleep = StepWrite {
///     wake: Some(StepWake::After(Duration::from_secs(3_600))),
///     ..StepWrite::begun("night".parse()?, StepKind::Sleep)
/// };
/// assert!(done.outcome.is_some() && sleep.outcome.is_none());
/// # Ok::<(), lro_core::store::InvalidStepKey>(())
/// ```
///
/// A write of a key with a row:
///
/// * Another kind is refused ([`Refusal::StepKindDiffers`](super::super::Refusal::StepKindDiffers)).
/// * A finished row never changes. The same outcome again, none, or [`StepOutcome::Abandoned`] changes nothing, so
///   that an update may be repeated; another outcome is refused
///   ([`Refusal::StepFinished`](super::super::Refusal::StepFinished)).
/// * Otherwise the row takes the outcome, and the larger attempt with its wake time and last error. Of
///   the same attempt the first wake time stays, and the last error. Its begin time and whether it is
///   sequential stay.
/// * A row keeps its child: another one is refused
///   ([`Refusal::StepHasChild`](super::super::Refusal::StepHasChild)). The write that first
///   [cancels](Child::is_cancelled) it sets the wake time.
#[derive(Clone, Debug, PartialEq)]
pub struct StepWrite {
    /// The identity of the step.
    pub key: StepKey,
    /// The kind of the call.
    pub kind: StepKind,
    /// How often its closure was begun.
    pub attempt: u32,
    /// Whether no other durable call was under way at the call.
    pub sequential: bool,
    /// How long ago the call was made: the store sets the begin time of a new row by its own clock.
    pub begun_ago: Duration,
    /// When a suspended operation that waits for the step becomes ready, if the step has not
    /// finished.
    pub wake: Option<StepWake>,
    /// How the call ended; `None` if it has not.
    pub outcome: Option<StepOutcome>,
    /// The error of the last attempt, if another one follows.
    pub last_error: Option<Status>,
    /// The operation that the step has started.
    pub child: Option<Box<Child>>,
    /// Whether the body has returned without making the recorded call. Nothing of the row changes: the
    /// [summary](super::StepSummary::unreached) names it.
    pub is_unreached: bool,
}

impl StepWrite {
    /// A sequential call that begins now and has not ended.
    pub fn begun(key: StepKey, kind: StepKind) -> Self {
        Self {
            key,
            kind,
            attempt: 0,
            sequential: true,
            begun_ago: Duration::ZERO,
            wake: None,
            outcome: None,
            last_error: None,
            child: None,
            is_unreached: false,
        }
    }
}

/// The end of a wait. The commit that writes it fixes it as a time of the store's clock.
///
/// ```
/// use std::time::Duration;
/// use lro_core::Timestamp;
/// use lro_core::store::StepWake;
///
/// let now = Timestamp::from_micros(5);
/// assert_eq!(StepWake::After(Duration::from_micros(2)).time(now), Timestamp::from_micros(7));
/// assert_eq!(StepWake::At(Timestamp::EPOCH).time(now), Timestamp::EPOCH);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepWake {
    /// This long after the commit.
    After(Duration),
    /// At this time.
    At(Timestamp),
}

impl StepWake {
    /// The end as a time, for a commit at `now`.
    pub fn time(self, now: Timestamp) -> Timestamp {
        match self {
            Self::After(duration) => now.saturating_add(duration),
            Self::At(time) => time,
        }
    }
}
