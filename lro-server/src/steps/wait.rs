//! Waits of a body: what a suspended operation waits for.

use std::time::Duration;

use lro_core::Timestamp;
use lro_core::store::{StepKey, StepKind, StepRow, StepWake, StepWrite};
use tokio::time::Instant;

use crate::engine::deadline::later;

/// A wait under way.
#[derive(Clone, Debug)]
pub(super) struct Wait {
    /// The row that a suspension records.
    row: StepWrite,
    is_recorded: bool,
    began: Instant,
    /// Its end, as this process measures time: never before the end by the store's clock. `None` if
    /// only an event ends it.
    ends: Option<Instant>,
}

/// The store's clock, as a run knows it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StoreClock {
    /// The store's time at the claim.
    pub(crate) claimed: Timestamp,
    /// A moment after the claim.
    pub(crate) known: Instant,
}

impl StoreClock {
    /// The store's time now, or a little less.
    pub(crate) fn now(self) -> Timestamp {
        self.claimed.saturating_add(self.known.elapsed())
    }

    /// The first moment at which the store's clock has certainly reached this time.
    pub(crate) fn reaches(self, time: Timestamp) -> Instant {
        later(self.known, time.since(self.claimed))
    }
}

impl Wait {
    /// A wait that begins now.
    pub(super) fn new(row: StepWrite, clock: StoreClock) -> Self {
        let now = Instant::now();
        Self {
            ends: row.wake.map(|wake| match wake {
                StepWake::After(duration) => later(now, duration),
                StepWake::At(time) => clock.reaches(time),
            }),
            row,
            is_recorded: false,
            began: now,
        }
    }

    /// The same of a row that this run has recorded.
    pub(super) fn into_recorded(self) -> Self {
        Self {
            is_recorded: true,
            ..self
        }
    }

    /// A wait that an earlier run has recorded.
    pub(super) fn recorded(row: &StepRow, clock: StoreClock) -> Self {
        Self {
            row: StepWrite {
                sequential: row.sequential,
                attempt: row.attempt,
                ..StepWrite::begun(row.key.clone(), row.kind)
            },
            is_recorded: true,
            began: Instant::now(),
            ends: row.wake_time.map(|time| clock.reaches(time)),
        }
    }

    pub(super) fn ends(&self) -> Option<Instant> {
        self.ends
    }

    /// How long it lasts from now; `None` if only an event ends it.
    pub(super) fn left(&self, now: Instant) -> Option<Duration> {
        Some(self.ends?.saturating_duration_since(now))
    }

    /// Whether an event from outside ends it.
    pub(super) fn is_for_event(&self) -> bool {
        self.row.kind == StepKind::Promise || self.row.kind.is_child()
    }

    pub(super) fn is_for_undo(&self) -> bool {
        self.row.kind == StepKind::Undo
    }

    pub(super) fn key(&self) -> &StepKey {
        &self.row.key
    }

    /// The row for a suspension; `None` if it is recorded.
    pub(super) fn to_record(&self, now: Instant) -> Option<StepWrite> {
        let wake = match self.row.wake {
            // The store counts from its commit.
            Some(StepWake::After(_)) => self.left(now).map(StepWake::After),
            wake => wake,
        };
        (!self.is_recorded).then(|| StepWrite {
            wake,
            begun_ago: now.saturating_duration_since(self.began),
            ..self.row.clone()
        })
    }
}
