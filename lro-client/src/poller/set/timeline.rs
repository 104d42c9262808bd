//! The events of a set, in the order of their times.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::time::Instant;

/// Something to do at a time. At most one of each kind is kept for a name, by their owner.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Event {
    /// Ask for the operation of this name.
    Ask(Arc<str>),
    /// Ask for it for the last time: its time limit is near.
    Last(Arc<str>),
    /// List the operations below this parent.
    List(Arc<str>),
}

#[derive(Debug, Default)]
pub(super) struct Timeline(BTreeSet<(Instant, Event)>);

impl Timeline {
    pub(super) fn insert(&mut self, at: Instant, event: Event) {
        self.0.insert((at, event));
    }

    pub(super) fn remove(&mut self, at: Instant, event: Event) {
        self.0.remove(&(at, event));
    }

    /// When the next event is due.
    pub(super) fn next(&self) -> Option<Instant> {
        self.0.first().map(|(at, _)| *at)
    }

    /// The next event that is due now.
    pub(super) fn pop(&mut self, now: Instant) -> Option<Event> {
        match self.next() {
            Some(at) if at <= now => self.0.pop_first().map(|(_, event)| event),
            _ => None,
        }
    }
}
