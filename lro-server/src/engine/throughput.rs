//! The operations that this process has started and ended lately, by method: a ring of minutes, and
//! the times of the latest ones. It costs the store nothing.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lro_core::Timestamp;
use lro_core::store::{OperationRecord, OperationState};

/// How many minutes are kept.
const MINUTES: i64 = 60;

/// Of how many operations that ended the times are kept.
const MAX_SAMPLES: usize = 1_000;

/// How many methods are counted. Those of a process are far fewer.
const MAX_METHODS: usize = 1_000;

const MICROS_PER_MINUTE: i64 = 60_000_000;

/// The numbers of this process.
#[derive(Debug)]
pub(crate) struct Throughput {
    begin_time: Timestamp,
    methods: Mutex<BTreeMap<String, Recent>>,
}

/// The operations that were started and ended in one minute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Minute {
    pub(crate) started: u32,
    pub(crate) succeeded: u32,
    pub(crate) failed: u32,
    pub(crate) cancelled: u32,
}

/// The numbers of one method.
#[derive(Debug, Default)]
struct Recent {
    /// Each with the number of the minute, the oldest first.
    minutes: VecDeque<(i64, Minute)>,
    /// The queue time, of those that ran once, and the run time.
    samples: VecDeque<(Option<Duration>, Option<Duration>)>,
}

/// The latest past of one method.
#[derive(Clone, Debug)]
pub(crate) struct History {
    /// Since when it is counted.
    pub(crate) begin_time: Timestamp,
    /// The latest minutes, the oldest first; the last one is under way.
    pub(crate) minutes: Vec<Minute>,
    pub(crate) sample_count: usize,
    /// The median and the 95th percentile.
    pub(crate) queue_times: [Option<Duration>; 2],
    pub(crate) run_times: [Option<Duration>; 2],
}

impl Throughput {
    pub(crate) fn new(now: Timestamp) -> Self {
        Self {
            begin_time: now,
            methods: Mutex::default(),
        }
    }

    /// An operation was started; it may have ended with it.
    pub(crate) fn started(&self, record: &OperationRecord, now: Timestamp) {
        self.count(record, now, |minute| {
            minute.started = minute.started.saturating_add(1);
        });
        if record.state.is_done() {
            self.ended(record, now);
        }
    }

    /// An operation has ended. Called on the store's thread.
    pub(crate) fn ended(&self, record: &OperationRecord, now: Timestamp) {
        self.count(record, now, |minute| {
            let count = match record.state {
                OperationState::Succeeded => &mut minute.succeeded,
                OperationState::Cancelled => &mut minute.cancelled,
                _ => &mut minute.failed,
            };
            *count = count.saturating_add(1);
        });
        let Some(begun) = record.start_time else {
            return;
        };
        let queued = (record.fence == 1).then(|| begun.since(record.ready_time.min(begun)));
        let ran = record.end_time.map(|end| end.since(begun));
        if let Some(recent) = self.lock().get_mut(&*record.method) {
            if recent.samples.len() >= MAX_SAMPLES {
                recent.samples.pop_front();
            }
            recent.samples.push_back((queued, ran));
        }
    }

    /// The past of each method that has any.
    pub(crate) fn histories(&self, now: Timestamp) -> Vec<(String, History)> {
        let methods = self.lock();
        let histories = methods.iter().map(|(method, recent)| {
            let history = recent.history(self.begin_time, minute_of(now));
            (method.clone(), history)
        });
        histories.collect()
    }

    /// The past of one method, if it has any.
    pub(crate) fn history(&self, method: &str, now: Timestamp) -> Option<History> {
        let methods = self.lock();
        let recent = methods.get(method)?;
        Some(recent.history(self.begin_time, minute_of(now)))
    }

    fn count(&self, record: &OperationRecord, now: Timestamp, count: impl FnOnce(&mut Minute)) {
        let mut methods = self.lock();
        if !methods.contains_key(&*record.method) {
            if methods.len() >= MAX_METHODS {
                return;
            }
            methods.insert(record.method.clone(), Recent::default());
        }
        if let Some(recent) = methods.get_mut(&*record.method) {
            count(recent.minute(minute_of(now)));
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Recent>> {
        self.methods.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Recent {
    /// The minute of this number, or the latest one if the clock was set back.
    fn minute(&mut self, number: i64) -> &mut Minute {
        let latest = self.minutes.back().map(|(latest, _)| *latest);
        if latest.is_none_or(|latest| latest < number) {
            self.minutes.push_back((number, Minute::default()));
        }
        while self.minutes.len() > MINUTES as usize {
            self.minutes.pop_front();
        }
        let last = self.minutes.len() - 1;
        &mut self.minutes[last].1
    }

    fn history(&self, begin_time: Timestamp, now: i64) -> History {
        let mut minutes = vec![Minute::default(); MINUTES as usize];
        for (number, minute) in &self.minutes {
            let age = now.saturating_sub(*number).max(0);
            if age < MINUTES {
                minutes[(MINUTES - 1 - age) as usize] = *minute;
            }
        }
        let queue = self.samples.iter().filter_map(|(queue, _)| *queue);
        let run = self.samples.iter().filter_map(|(_, run)| *run);
        History {
            begin_time,
            minutes,
            sample_count: self.samples.len(),
            queue_times: percentiles(queue),
            run_times: percentiles(run),
        }
    }
}

fn minute_of(time: Timestamp) -> i64 {
    time.as_micros().div_euclid(MICROS_PER_MINUTE)
}

/// The median and the 95th percentile: the smallest time that half of them, and 95 of 100, do not exceed.
fn percentiles(times: impl Iterator<Item = Duration>) -> [Option<Duration>; 2] {
    let mut times: Vec<_> = times.collect();
    times.sort_unstable();
    [50, 95].map(|percent| {
        let rank = (times.len() * percent).div_ceil(100);
        times.get(rank.saturating_sub(1)).copied()
    })
}

#[cfg(test)]
mod tests {
    use lro_core::store::NewOperation;

    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::EPOCH.saturating_add(Duration::from_secs(seconds))
    }

    /// A record that was ready at a time, began after `queued` seconds and ran for `ran`.
    fn record(ready: u64, queued: u64, ran: u64, state: OperationState) -> OperationRecord {
        let name = "operations/1".parse().unwrap();
        let new = NewOperation::new(uuid::Uuid::nil(), name, "/s/M", lro_core::pack(&()));
        let mut record = OperationRecord::new(new, at(ready));
        record.fence = 1;
        record.start_time = Some(at(ready + queued));
        record.end_time = Some(at(ready + queued + ran));
        record.state = state;
        record
    }

    #[test]
    fn the_last_hour_is_kept_by_minutes() {
        let throughput = Throughput::new(at(0));
        let record = record(0, 1, 2, OperationState::Succeeded);
        throughput.ended(&record, at(30));
        let failed = OperationRecord {
            state: OperationState::Failed,
            ..record.clone()
        };
        throughput.ended(&failed, at(90));
        let histories = throughput.histories(at(95));
        let [(method, history)] = &*histories else {
            panic!("one method");
        };
        assert_eq!(method, "/s/M");
        assert_eq!(history.minutes.len(), 60);
        assert_eq!(
            (history.minutes[58].succeeded, history.minutes[59].failed),
            (1, 1)
        );
        let later = throughput.histories(at(30 + 59 * 60)).remove(0).1;
        assert_eq!(
            (later.minutes[0].succeeded, later.minutes[1].failed),
            (1, 1)
        );
        let much_later = throughput.histories(at(10 * 3_600)).remove(0).1;
        assert!(much_later.minutes.iter().all(|it| *it == Minute::default()));
        for minute in 0..200 {
            throughput.ended(&record, at(60 * minute));
        }
        assert!(throughput.lock()["/s/M"].minutes.len() <= 60);
    }

    #[test]
    fn percentiles_are_of_the_latest_ends() {
        let throughput = Throughput::new(at(0));
        for seconds in 1..=100 {
            let record = record(10, 2 * seconds, seconds, OperationState::Succeeded);
            throughput.started(&record, at(9_000));
        }
        let history = throughput.histories(at(9_001)).remove(0).1;
        assert_eq!(history.minutes[59].started, 100);
        assert_eq!(history.minutes[59].succeeded, 100);
        let seconds = |times: [Option<Duration>; 2]| times.map(|it| it.unwrap().as_secs());
        assert_eq!(seconds(history.run_times), [50, 95]);
        assert_eq!(seconds(history.queue_times), [100, 190]);
        for _ in 0..MAX_SAMPLES {
            let again = record(10, 0, 7, OperationState::Failed);
            throughput.ended(&again, at(9_002));
        }
        let history = throughput.histories(at(9_003)).remove(0).1;
        assert_eq!(history.sample_count, MAX_SAMPLES);
        assert_eq!(seconds(history.run_times), [7, 7]);
    }

    #[test]
    fn an_operation_that_never_ran_has_no_times() {
        let throughput = Throughput::new(at(0));
        let mut cancelled = record(10, 0, 0, OperationState::Cancelled);
        cancelled.start_time = None;
        throughput.ended(&cancelled, at(20));
        let history = throughput.histories(at(20)).remove(0).1;
        assert_eq!(history.minutes[59].cancelled, 1);
        assert_eq!(history.run_times, [None, None]);
    }
}
