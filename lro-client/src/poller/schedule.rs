//! When to ask next, and how: a value without a clock of its own.

use std::time::Duration;

use tokio::time::Instant;

use super::pace::WaitPace;
use crate::client::CallSettings;
use crate::{ExponentialBackoff, PollingState};

/// How far apart waits are that the server answers too early.
const EARLY_WAITS: ExponentialBackoff =
    ExponentialBackoff::new(Duration::from_millis(200), Duration::from_secs(10));
/// How far apart short waits begin, which a path that cuts calls leads to.
const SHORT_WAITS: Duration = Duration::from_secs(1);
/// How far apart polls are that fail.
pub(super) const ERRORS: ExponentialBackoff = ExponentialBackoff::new(
    CallSettings::DEFAULT_INITIAL_BACKOFF,
    CallSettings::DEFAULT_MAX_BACKOFF,
);
/// The longest pause that a server can ask for.
pub(super) const ADVISED_MAX: Duration = Duration::from_secs(60);
pub(super) const PERIOD_MIN: Duration = Duration::from_millis(10);
/// A year is for ever.
pub(super) const PAUSE_MAX: Duration = Duration::from_secs(365 * 24 * 60 * 60);
/// How long before the time limit the last poll is made, or a tenth of the limit if that is less.
const LAST_POLL: Duration = Duration::from_millis(250);

/// How to ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Call {
    /// How long to let the server wait. `None`: it is to answer at once.
    pub(super) wait: Option<Duration>,
    /// How long the call may take.
    pub(super) limit: Duration,
}

/// How long calls may take, the wait's time limit aside.
#[derive(Clone, Copy, Debug)]
pub(super) struct CallLimits {
    pub(super) get: Duration,
    /// How much longer than the wait itself.
    pub(super) wait_slack: Duration,
}

/// How a wait failed that had been held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    /// A time limit ended it.
    TimedOut,
    /// The connection or the stream broke.
    Broken,
}

/// One wait: from its first poll until it ends or is given up.
#[derive(Clone, Debug, Default)]
pub(super) struct Schedule {
    started: Option<Instant>,
    limit: Option<Limit>,
    next: Option<Instant>,
    polls: u64,
    errors: u32,
    early_waits: u32,
    pace: WaitPace,
    /// The next call does not wait: the last wait failed.
    ask_at_once: bool,
}

#[derive(Clone, Copy, Debug)]
struct Limit {
    end: Instant,
    last_poll: Instant,
}

impl Schedule {
    /// Begins the wait, unless it has begun.
    pub(super) fn begin(&mut self, now: Instant, limit: Option<Duration>) {
        if self.started.is_some() {
            return;
        }
        self.started = Some(now);
        self.limit = limit.and_then(|limit| {
            let end = now.checked_add(limit)?;
            let last_poll = end - LAST_POLL.min(limit / 10);
            Some(Limit { end, last_poll })
        });
    }

    /// Whether there is no time for another poll.
    pub(super) fn is_over(&self, now: Instant) -> bool {
        self.polls > 0 && self.limit.is_some_and(|limit| now >= limit.last_poll)
    }

    /// Whether the time limit itself is reached.
    pub(super) fn is_at_limit(&self, now: Instant) -> bool {
        self.limit.is_some_and(|limit| now >= limit.end)
    }

    /// How much time there is left, if it is limited.
    pub(super) fn left(&self, now: Instant) -> Option<Duration> {
        Some(self.limit?.end.saturating_duration_since(now))
    }

    /// When the last poll is due, if the time is limited.
    pub(super) fn last_poll(&self) -> Option<Instant> {
        Some(self.limit?.last_poll)
    }

    /// When the next poll is due.
    pub(super) fn due(&self) -> Option<Instant> {
        let last = self.limit.map(|limit| limit.last_poll);
        self.next
            .map(|next| last.map_or(next, |last| next.min(last)))
    }

    /// How to ask now.
    pub(super) fn call(&self, now: Instant, may_wait: bool, limits: CallLimits) -> Call {
        let left = |until: Instant| until.saturating_duration_since(now);
        let limit_left = self.limit.map_or(Duration::MAX, |limit| left(limit.end));
        let wait_left = self
            .limit
            .map_or(Duration::MAX, |limit| left(limit.last_poll));
        if let Some(length) = self.pace.length()
            && may_wait
            && !self.ask_at_once
            && !wait_left.is_zero()
        {
            let wait = length.min(wait_left);
            return Call {
                wait: Some(wait),
                limit: wait.saturating_add(limits.wait_slack).min(limit_left),
            };
        }
        Call {
            wait: None,
            limit: limits.get.min(limit_left),
        }
    }

    /// A poll was answered, and the operation is not done. `period` is the pause between polls that do
    /// not wait; it is asked only where it matters.
    pub(super) fn on_answer(
        &mut self,
        asked: Instant,
        now: Instant,
        call: Call,
        may_wait: bool,
        period: impl FnOnce(&PollingState) -> Duration,
    ) {
        self.polls += 1;
        self.errors = 0;
        self.ask_at_once = false;
        let next = if let Some(wait) = call.wait {
            self.pace.on_answer(wait, now - asked);
            self.after_wait(asked, now)
        } else {
            self.pace.on_poll();
            if may_wait && self.pace.length().is_some() {
                now + EARLY_WAITS.delay(self.early_waits)
            } else {
                later(now, period(&self.state(now)).max(PERIOD_MIN))
            }
        };
        self.next = Some(next);
    }

    /// The server does not offer waiting: the next poll is due at once.
    pub(super) fn on_wait_unimplemented(&mut self) {
        self.next = None;
    }

    /// A wait was cut: by the network, by a time limit on the way, or by its own. The next poll
    /// does not wait, so that a server which waits badly cannot hide that the operation is done.
    pub(super) fn on_wait_cut(&mut self, asked: Instant, now: Instant, call: Call, cut: Cut) {
        self.polls += 1;
        self.ask_at_once = true;
        let (wait, held) = (call.wait.unwrap_or_default(), now - asked);
        match cut {
            // The time that the server was given is over: some servers say so with an error.
            Cut::TimedOut if held >= wait && held < call.limit => {}
            Cut::TimedOut | Cut::Broken => self.pace.on_cut(wait, held),
        }
        self.next = Some(self.after_wait(asked, now));
    }

    /// A wait failed at once. The next poll does not wait.
    pub(super) fn on_wait_failed(&mut self) {
        self.ask_at_once = true;
        self.pace.on_failure();
    }

    /// Counts a poll that failed.
    pub(super) fn on_error(&mut self) {
        self.polls += 1;
        self.errors = self.errors.saturating_add(1);
    }

    /// Plans the poll after one that failed, not before the time that the server advises.
    pub(super) fn retry(&mut self, now: Instant, advised: Option<Duration>) {
        let pause = ERRORS.delay(self.errors.saturating_sub(1));
        let advised = advised.unwrap_or_default().min(ADVISED_MAX);
        self.next = Some(now + pause.max(advised));
    }

    pub(super) fn state(&self, now: Instant) -> PollingState {
        PollingState {
            elapsed: self.started.map_or(Duration::ZERO, |started| now - started),
            polls: self.polls,
            consecutive_errors: self.errors,
            retry_delay: None,
        }
    }

    /// A schedule for another wait, with what this one has learned about the network.
    pub(super) fn rewound(self) -> Self {
        Self {
            pace: self.pace,
            ..Self::default()
        }
    }

    /// The next wait begins at once, except that waits begin a least time apart: a server may
    /// answer as early as it likes, and a path that cuts calls makes waits short.
    fn after_wait(&mut self, asked: Instant, now: Instant) -> Instant {
        let floor = asked + EARLY_WAITS.delay(self.early_waits);
        self.early_waits = if now < floor {
            self.early_waits.saturating_add(1)
        } else {
            0
        };
        let is_short = self
            .pace
            .length()
            .is_some_and(|length| length < SHORT_WAITS);
        let apart = if is_short {
            SHORT_WAITS
        } else {
            Duration::ZERO
        };
        floor.max(asked + apart).max(now)
    }
}

/// Some pauses are longer than what there is of time.
fn later(now: Instant, pause: Duration) -> Instant {
    now + pause.min(PAUSE_MAX)
}
