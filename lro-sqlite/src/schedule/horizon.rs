//! How far the schedule in memory reaches: far operations beyond it stay in the file.

use std::time::Duration;

use lro_core::Timestamp;
use lro_core::store::OperationRecord;
use lro_core::store::kit::ReadyEntry;

/// How far ahead of the clock the schedule reaches: an hour after a look at the file, and half an
/// hour before the next one.
const AHEAD: Duration = Duration::from_secs(3_600);
const AHEAD_MIN: Duration = Duration::from_secs(1_800);

/// A look reads all operations that are ready so soon, whatever their number.
const SOON: Duration = Duration::from_secs(60);

/// How long after a look that failed the next one follows.
const RETRY_AFTER: Duration = Duration::from_secs(60);

/// A place in the order of far operations: a ready time and a uid.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Point {
    pub(crate) time: Timestamp,
    /// Longer than a uid, where the point is behind every operation of its time.
    pub(crate) uid: Vec<u8>,
}

/// The end of what the schedule in memory holds.
#[derive(Debug)]
pub(crate) struct Horizon {
    /// Far operations up to this point are in memory, and no others.
    reached: Point,
    /// Far operations behind it are not ready before this time.
    beyond: Option<Timestamp>,
    /// When to look again after a failure.
    retry_time: Option<Timestamp>,
}

impl Default for Horizon {
    fn default() -> Self {
        Self {
            reached: Point {
                time: Timestamp::from_micros(i64::MIN),
                uid: Vec::new(),
            },
            beyond: None,
            retry_time: None,
        }
    }
}

impl Point {
    /// Behind all operations that are ready at this time.
    fn after(time: Timestamp) -> Self {
        Self {
            time,
            uid: vec![0xff; 17],
        }
    }
}

impl Horizon {
    /// Whether the far operation is within the horizon.
    pub(crate) fn holds(&self, entry: &ReadyEntry) -> bool {
        let (time, uid) = (entry.ready_time, entry.uid.as_bytes().as_slice());
        (time, uid) <= (self.reached.time, &self.reached.uid)
    }

    /// A far operation was written that it does not hold.
    pub(crate) fn note(&mut self, ready_time: Timestamp) {
        if ready_time != OperationRecord::NEVER_READY {
            self.beyond = Some(self.beyond.map_or(ready_time, |time| time.min(ready_time)));
        }
    }

    /// When the first operation behind it may be ready.
    pub(crate) fn beyond(&self) -> Option<Timestamp> {
        self.beyond
    }

    pub(crate) fn reached(&self) -> &Point {
        &self.reached
    }

    /// Whether it is time to look.
    pub(crate) fn is_near(&self, now: Timestamp) -> bool {
        // A clock that was set back does not delay it.
        let waits = |time: Timestamp| time > now && time <= now.saturating_add(RETRY_AFTER);
        self.reached.time < now.saturating_add(AHEAD_MIN) && !self.retry_time.is_some_and(waits)
    }

    /// Whether a look has to read on.
    pub(crate) fn is_due(&self, now: Timestamp) -> bool {
        self.reached.time < now.saturating_add(SOON)
    }

    /// Up to where a look reads.
    pub(crate) fn target(now: Timestamp) -> Point {
        Point::after(now.saturating_add(AHEAD))
    }

    /// A look has read everything up to this point, and found behind it what is ready then.
    pub(crate) fn reach(&mut self, point: Point, beyond: Option<Timestamp>) {
        self.reached = point;
        self.beyond = beyond;
        self.retry_time = None;
    }

    /// A look has failed.
    pub(crate) fn postpone(&mut self, now: Timestamp) {
        let time = now.saturating_add(RETRY_AFTER);
        self.retry_time = Some(time);
        self.beyond = Some(time);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_that_failed_is_repeated_after_a_minute() {
        let at = Timestamp::from_micros;
        let now = at(0);
        let mut horizon = Horizon::default();
        assert!(horizon.is_near(now));
        horizon.postpone(now);
        let later = now.saturating_add(RETRY_AFTER);
        assert_eq!(horizon.beyond(), Some(later), "claims come back for it");
        assert!(!horizon.is_near(now) && horizon.is_near(later));
        assert!(horizon.is_near(at(-1)), "the clock was set back");
        horizon.reach(Horizon::target(later), None);
        assert!(!horizon.is_near(later) && horizon.beyond().is_none());
        assert!(!horizon.is_near(later.saturating_add(AHEAD - AHEAD_MIN)));
        assert!(horizon.is_near(later.saturating_add(AHEAD)));
    }
}
