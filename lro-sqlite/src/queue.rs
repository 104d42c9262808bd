//! Calls on their way to a thread, by priority.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lro_core::store::kit::MAX_QUEUED_CALLS;
use lro_core::store::{StoreError, StoreErrorKind};

/// The order of calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Priority {
    /// Renewals and cancellations, which must not be late.
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
    /// No call arrived within the given time.
    Idle,
    /// No more calls will arrive.
    Closed,
}

/// From many callers to few threads.
#[derive(Debug)]
pub(crate) struct Queue<T> {
    calls: Mutex<Calls<T>>,
    news: Condvar,
}

#[derive(Debug)]
struct Calls<T> {
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
            calls: Mutex::new(Calls {
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
    pub(crate) fn push(&self, priority: Priority, call: T) -> Result<(), StoreError> {
        let mut queued = self.calls();
        if queued.closed {
            return Err(stopped());
        }
        // Urgent calls are few, and make room.
        if priority != Priority::Urgent && queued.len() >= MAX_QUEUED_CALLS {
            return Err(StoreError::new(
                StoreErrorKind::Unavailable,
                format!("the store is overloaded: {MAX_QUEUED_CALLS} calls wait"),
            ));
        }
        queued.of(priority).push_back(call);
        let is_awaited = queued.waiting > 0;
        drop(queued);
        if is_awaited {
            self.news.notify_one();
        }
        Ok(())
    }

    /// Adds a call that was begun, before others of its priority; also to a closed queue.
    pub(crate) fn push_again(&self, priority: Priority, call: T) {
        let mut queued = self.calls();
        queued.of(priority).push_front(call);
        let is_awaited = queued.waiting > 0;
        drop(queued);
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
        let mut queued = self.calls();
        while queued.len() == 0 {
            if queued.closed {
                return Taken::Closed;
            }
            queued.waiting += 1;
            let Some(time) = idle_after else {
                let woken = self.news.wait(queued);
                queued = woken.unwrap_or_else(PoisonError::into_inner);
                queued.waiting -= 1;
                continue;
            };
            let woken = self.news.wait_timeout(queued, time);
            let (woken, timeout) = woken.unwrap_or_else(PoisonError::into_inner);
            queued = woken;
            queued.waiting -= 1;
            if timeout.timed_out() && queued.len() == 0 && !queued.closed {
                return Taken::Idle;
            }
        }
        let mut calls = VecDeque::new();
        let mut weight = 0;
        let background = queued.background.len();
        while weight < weight_max
            && let Some(call) = queued.pop()
        {
            weight = weight.saturating_add(weigh(&call));
            calls.push_back(call);
        }
        // Where there is always something else, it would wait for ever.
        if queued.background.len() == background {
            calls.extend(queued.background.pop_front());
        }
        Taken::Calls(calls)
    }

    /// Refuses further calls. Those that wait are still given out.
    pub(crate) fn close(&self) {
        self.calls().closed = true;
        self.news.notify_all();
    }

    /// Refuses further calls and drops those that wait, which tells their callers.
    pub(crate) fn abandon(&self) {
        let mut queued = self.calls();
        queued.closed = true;
        let calls = [
            std::mem::take(&mut queued.urgent),
            std::mem::take(&mut queued.normal),
            std::mem::take(&mut queued.background),
        ];
        drop(queued);
        drop(calls);
        self.news.notify_all();
    }

    fn calls(&self) -> MutexGuard<'_, Calls<T>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Calls<T> {
    fn of(&mut self, priority: Priority) -> &mut VecDeque<T> {
        match priority {
            Priority::Urgent => &mut self.urgent,
            Priority::Normal => &mut self.normal,
            Priority::Background => &mut self.background,
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
            queue.push(Priority::Background, call).unwrap();
        }
        queue.push(Priority::Normal, 6).unwrap();
        queue.push(Priority::Normal, 7).unwrap();
        queue.push(Priority::Normal, 8).unwrap();
        queue.push(Priority::Urgent, 9).unwrap();
        let take = |most| queue.take(most, |_| 1, Some(Duration::ZERO));
        assert_eq!(take(2), Taken::Calls([9, 6, 1].into()));
        assert_eq!(take(3), Taken::Calls([7, 8, 2].into()));
        assert_eq!(take(2), Taken::Calls([3, 4].into()));
        assert_eq!(take(2), Taken::Calls([5].into()));
        assert_eq!(take(2), Taken::Idle);
    }

    #[test]
    fn background_calls_continue_under_any_load() {
        let queue = Queue::new();
        queue.push(Priority::Background, 0).unwrap();
        queue.push(Priority::Normal, 600).unwrap();
        queue.push(Priority::Normal, 601).unwrap();
        let taken = queue.take(512, |call| *call, None);
        assert_eq!(taken, Taken::Calls([600, 0].into()));
    }

    #[test]
    fn a_closed_queue_gives_out_what_it_has() {
        let queue = Queue::new();
        queue.push(Priority::Normal, 1).unwrap();
        queue.close();
        assert!(queue.push(Priority::Urgent, 2).unwrap_err().is_retryable());
        assert_eq!(queue.take(9, |_| 1, None), Taken::Calls([1].into()));
        assert_eq!(queue.take(9, |_| 1, None), Taken::Closed);
    }
}
