//! Where calls gather while those before them are under way.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use lro_core::store::kit::MAX_QUEUED_CALLS;
use lro_core::store::{StoreError, StoreErrorKind};
use tokio::sync::Notify;

/// From many callers to few tasks. No timer: a task takes whatever waits, and while it is at work
/// the next group gathers.
#[derive(Debug)]
pub(crate) struct Lane<T> {
    state: Mutex<State<T>>,
    news: Notify,
}

#[derive(Debug)]
struct State<T> {
    calls: VecDeque<T>,
    closed: bool,
}

impl<T> Lane<T> {
    pub(crate) fn new() -> Self {
        Self {
            state: Mutex::new(State {
                calls: VecDeque::new(),
                closed: false,
            }),
            news: Notify::new(),
        }
    }

    pub(crate) fn push(&self, call: T) -> Result<(), StoreError> {
        let mut state = self.lock();
        if state.closed {
            return Err(stopped());
        }
        if state.calls.len() >= MAX_QUEUED_CALLS {
            return Err(StoreError::new(
                StoreErrorKind::Unavailable,
                format!("the store is overloaded: {MAX_QUEUED_CALLS} calls wait"),
            ));
        }
        state.calls.push_back(call);
        drop(state);
        self.news.notify_one();
        Ok(())
    }

    /// Waits for a call, and takes it with those behind it, until their weights reach
    /// `weight_max`. `None`: nothing will come any more.
    pub(crate) async fn take(
        &self,
        weight_max: usize,
        weigh: impl Fn(&T) -> usize,
    ) -> Option<Vec<T>> {
        loop {
            // Before the look: what is pushed after it wakes this.
            let news = self.news.notified();
            {
                let mut state = self.lock();
                let mut taken = Vec::new();
                let mut weight = 0;
                while weight < weight_max
                    && let Some(call) = state.calls.pop_front()
                {
                    weight = weight.saturating_add(weigh(&call));
                    taken.push(call);
                }
                if !taken.is_empty() {
                    if !state.calls.is_empty() {
                        self.news.notify_one();
                    }
                    return Some(taken);
                }
                if state.closed {
                    return None;
                }
            }
            news.await;
        }
    }

    /// Refuses further calls. Those that wait are still given out.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.news.notify_waiters();
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The error of a call when the lane has stopped.
pub(crate) fn stopped() -> StoreError {
    StoreError::new(StoreErrorKind::Unavailable, "the store has stopped")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn waiting_calls_are_grouped_within_the_weight() {
        let lane = Lane::new();
        for call in 1..=5 {
            lane.push(call).unwrap();
        }
        assert_eq!(lane.take(3, |_| 1).await, Some(vec![1, 2, 3]));
        lane.close();
        assert_eq!(lane.take(1, |_| 9).await, Some(vec![4]), "at least one");
        assert!(lane.push(6).unwrap_err().is_retryable());
        assert_eq!(lane.take(3, |_| 1).await, Some(vec![5]));
        assert_eq!(lane.take(3, |_| 1).await, None);
    }
}
