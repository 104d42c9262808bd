//! One operation of a set.

use std::sync::Arc;

use lro_core::Operation;
use prost::{Message, Name};
use tokio::time::Instant;

use super::{Event, PollerSet};
use crate::WaitError;
use crate::error::Ending;
use crate::poller::Poller;

#[derive(Debug)]
pub(super) struct Entry<R, M> {
    pub(super) poller: Poller<R, M>,
    pub(super) parent: Arc<str>,
    /// When it is asked for, if it is.
    pub(super) ask: Option<Instant>,
    /// When it is asked for at the latest.
    pub(super) last: Option<Instant>,
    /// Whether it waits for its turn, or for an answer.
    pub(super) busy: bool,
    /// The last round of its parent's lists that has shown it.
    pub(super) seen: u64,
}

impl<R, M> Entry<R, M> {
    pub(super) fn new(poller: Poller<R, M>, parent: Arc<str>, last: Option<Instant>) -> Self {
        Self {
            poller,
            parent,
            ask: None,
            last,
            busy: false,
            seen: 0,
        }
    }
}

/// The name of an operation, and the operation when it is done.
pub(super) type NamedEnd<R, M> = (String, Result<Operation<R, M>, WaitError<R, M>>);

/// An operation that is waited for no more.
#[derive(Debug)]
pub(super) struct Ended<R, M> {
    poller: Poller<R, M>,
    /// `None`: it is done.
    ending: Option<Ending>,
}

impl<R, M> Ended<R, M> {
    pub(super) fn new(poller: Poller<R, M>, ending: Option<Ending>) -> Self {
        Self { poller, ending }
    }
}

impl<R: Message + Name + Default + 'static, M> Ended<R, M> {
    pub(super) fn conclude(self) -> (String, Result<R, WaitError<R, M>>) {
        let result = match self.ending {
            None => self.poller.conclude(),
            Some(ending) => Err(ending),
        };
        let name = self.poller.name().to_owned();
        (name, result.map_err(|it| WaitError::new(it, self.poller)))
    }
}

impl<R, M> Ended<R, M> {
    /// The operation itself, whichever its result is.
    pub(super) fn into_operation(self) -> NamedEnd<R, M> {
        let name = self.poller.name().to_owned();
        let result = match self.ending {
            None => Ok(self.poller.operation),
            Some(ending) => Err(WaitError::new(ending, self.poller)),
        };
        (name, result)
    }
}

impl<R, M> PollerSet<R, M> {
    /// Has an operation asked for at this time.
    pub(super) fn ask_at(&mut self, name: &Arc<str>, at: Instant) {
        let Some(entry) = self.entries.get_mut(name) else {
            return;
        };
        if let Some(before) = entry.ask.replace(at) {
            self.timeline.remove(before, Event::Ask(name.clone()));
        }
        self.timeline.insert(at, Event::Ask(name.clone()));
    }

    /// Hands an operation out that is waited for no more.
    pub(super) fn end(&mut self, name: &str, ending: Option<Ending>) {
        if let Some(entry) = self.entries.remove(name) {
            self.forget(name, &entry);
            self.ended.push_back(Ended::new(entry.poller, ending));
        }
    }

    /// Clears what is known of an operation beside its entry.
    pub(super) fn forget(&mut self, name: &str, entry: &Entry<R, M>) {
        let name: Arc<str> = name.into();
        if let Some(at) = entry.ask {
            self.timeline.remove(at, Event::Ask(name.clone()));
        }
        if let Some(at) = entry.last {
            self.timeline.remove(at, Event::Last(name.clone()));
        }
        if let Some(parent) = self.parents.get_mut(&entry.parent) {
            parent.names.remove(&name);
            if parent.names.is_empty() {
                self.drop_parent(&entry.parent);
            }
        }
    }
}

/// Below what an operation can be listed.
pub(super) fn parent_of(name: &str) -> Option<&str> {
    let (collection, _) = name.rsplit_once('/')?;
    match collection {
        "operations" => Some(collection),
        _ => collection.strip_suffix("/operations"),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn parents_are_what_lists_take() {
        for (name, parent) in [
            ("operations/1", Some("operations")),
            ("projects/p/operations/1", Some("projects/p")),
            ("projects/p/exports/1", None),
            ("myoperations/1", None),
            ("operations", None),
            ("", None),
        ] {
            assert_eq!(super::parent_of(name), parent, "{name}");
        }
    }
}
