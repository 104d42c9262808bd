//! Calls on their way to a thread, by priority.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lro_core::store::kit::MAX_QUEUED_CALLS;
use lro_core::store::{StoreError, StoreErrorKind};

/// What goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    /// Renewals and cancellations, which do harm when they are late.
    Urgent,
    /// Calls that callers wait for.
    Normal,
    /// Calls that are not urgent, each of which does little at a time.
    Background,
}

/// The result of [`Queue::take`].
#[derive(Debug, PartialEq)]
pub(crate) enum Taken<T> {
    /// Some calls, at least one.
    Calls(VecDeque<T>),
    /// Nothing came for the given time.
    Idle,
    /// Nothing will come any more.
    Closed,
}

/// From many callers to few threads.
#[derive(Debug)]
pub(crate) struct Queue<T> {
    lanes: Mutex<Lanes<T>>,
    news: Condvar,
}

#[derive(Debug)]
struct Lanes<T> {
    urgent: VecDeque<T>,
    normal: VecDeque<T>,
    background: VecDeque<T>,
    /// The number of waiting threads: a notification without one would cost a system call.
    waiting: usize,
    closed: bool,
}

impl<T> Queue<T> {
    pub(crate) fn new() -> Self {
        Self {
            lanes: Mutex::new(Lanes {
                urgent: VecDeque::new(),
                normal: VecDeque::new(),
                background: VecDeque::new(),
                waiting: 0,
                closed: false,
            }),
            news: Condvar::new(),
        }
    }

    /// Adds a call and wakes a thread.
    pub(crate) fn push(&self, lane: Lane, call: T) -> Result<(), StoreError> {
        let mut lanes = self.lanes();
        if lanes.closed {
            return Err(stopped());
        }
        // Urgent calls are few, and make room.
        if lane != Lane::Urgent && lanes.len() >= MAX_QUEUED_CALLS {
            return Err(StoreError::new(
                StoreErrorKind::Unavailable,
                format!("the store is overloaded: {MAX_QUEUED_CALLS} calls wait"),
            ));
        }
        lanes.of(lane).push_back(call);
        let is_awaited = lanes.waiting > 0;
        drop(lanes);
        if is_awaited {
            self.news.notify_one();
        }
        Ok(())
    }

    /// Adds a call that was begun, before others of its priority; also to a closed queue.
    pub(crate) fn push_again(&self, lane: Lane, call: T) {
        let mut lanes = self.lanes();
        lanes.of(lane).push_front(call);
        let is_awaited = lanes.waiting > 0;
        drop(lanes);
        if is_awaited {
            self.news.notify_one();
        }
    }

    /// Waits for a call, and takes it with all that are queued behind it: calls until their
    /// weights reach `weight_max`, and one of the background in any case. Also gives what was queued
    /// before it was closed.
    pub(crate) fn take(
        &self,
        weight_max: usize,
        weigh: impl Fn(&T) -> usize,
        idle_after: Option<Duration>,
    ) -> Taken<T> {
        let mut lanes = self.lanes();
        while lanes.len() == 0 {
            if lanes.closed {
                return Taken::Closed;
            }
            lanes.waiting += 1;
            let Some(time) = idle_after else {
                let woken = self.news.wait(lanes);
                lanes = woken.unwrap_or_else(PoisonError::into_inner);
                lanes.waiting -= 1;
                continue;
            };
            let woken = self.news.wait_timeout(lanes, time);
            let (woken, timeout) = woken.unwrap_or_else(PoisonError::into_inner);
            lanes = woken;
            lanes.waiting -= 1;
            if timeout.timed_out() && lanes.len() == 0 && !lanes.closed {
                return Taken::Idle;
            }
        }
        let mut calls = VecDeque::new();
        let mut weight = 0;
        let background = lanes.background.len();
        while weight < weight_max
            && let Some(call) = lanes.pop()
        {
            weight = weight.saturating_add(weigh(&call));
            calls.push_back(call);
        }
        // Where there is always something else, it would wait for ever.
        if lanes.background.len() == background {
            calls.extend(lanes.background.pop_front());
        }
        Taken::Calls(calls)
    }

    /// Refuses further calls. Those that wait are still given out.
    pub(crate) fn close(&self) {
        self.lanes().closed = true;
        self.news.notify_all();
    }

    /// Refuses further calls and drops those that wait, which tells their callers.
    pub(crate) fn abandon(&self) {
        let mut lanes = self.lanes();
        lanes.closed = true;
        let calls = [
            std::mem::take(&mut lanes.urgent),
            std::mem::take(&mut lanes.normal),
            std::mem::take(&mut lanes.background),
        ];
        drop(lanes);
        drop(calls);
        self.news.notify_all();
    }

    fn lanes(&self) -> MutexGuard<'_, Lanes<T>> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Lanes<T> {
    fn of(&mut self, lane: Lane) -> &mut VecDeque<T> {
        match lane {
            Lane::Urgent => &mut self.urgent,
            Lane::Normal => &mut self.normal,
            Lane::Background => &mut self.background,
        }
    }

    fn len(&self) -> usize {
        self.urgent.len() + self.normal.len() + self.background.len()
    }

    fn pop(&mut self) -> Option<T> {
        self.urgent
            .pop_front()
            .or_else(|| self.normal.pop_front())
            .or_else(|| self.background.pop_front())
    }
}

/// The error of a caller whose thread has stopped.
pub(crate) fn stopped() -> StoreError {
    StoreError::new(StoreErrorKind::Unavailable, "the store has stopped")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urgent_first_and_background_last_one_beyond_the_weight() {
        let queue = Queue::new();
        for call in [1, 2, 3, 4, 5] {
            queue.push(Lane::Background, call).unwrap();
        }
        queue.push(Lane::Normal, 6).unwrap();
        queue.push(Lane::Normal, 7).unwrap();
        queue.push(Lane::Normal, 8).unwrap();
        queue.push(Lane::Urgent, 9).unwrap();
        let take = |most| queue.take(most, |_| 1, Some(Duration::ZERO));
        assert_eq!(take(2), Taken::Calls([9, 6, 1].into()));
        assert_eq!(take(3), Taken::Calls([7, 8, 2].into()));
        assert_eq!(take(2), Taken::Calls([3, 4].into()));
        assert_eq!(take(2), Taken::Calls([5].into()));
        assert_eq!(take(2), Taken::Idle);
    }

    #[test]
    fn background_goes_on_however_much_else_there_is() {
        let queue = Queue::new();
        queue.push(Lane::Background, 0).unwrap();
        queue.push(Lane::Normal, 600).unwrap();
        queue.push(Lane::Normal, 601).unwrap();
        let taken = queue.take(512, |call| *call, None);
        assert_eq!(taken, Taken::Calls([600, 0].into()));
    }

    #[test]
    fn a_closed_queue_gives_out_what_it_has() {
        let queue = Queue::new();
        queue.push(Lane::Normal, 1).unwrap();
        queue.close();
        assert!(queue.push(Lane::Urgent, 2).unwrap_err().is_retryable());
        assert_eq!(queue.take(9, |_| 1, None), Taken::Calls([1].into()));
        assert_eq!(queue.take(9, |_| 1, None), Taken::Closed);
    }
}
