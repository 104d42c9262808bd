//! Whether anybody else listens.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use uuid::Uuid;

/// A node announces itself when it begins to listen and with each probe, and listening nodes answer.
/// After this silence, no other node listens.
const SILENCE_AT_FIRST: Duration = Duration::from_secs(2);
const SILENCE: Duration = Duration::from_secs(18);

/// Knowledge of other nodes from their notifications.
#[derive(Debug, Default)]
pub(crate) struct Presence {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// When each of the others was heard last.
    heard: HashMap<Uuid, Instant>,
    /// When this node is alone, unless it hears another node; `None` while it does not listen
    /// itself.
    alone_at: Option<Instant>,
    /// Whether it has listened, and said so, before.
    may_be_known: bool,
}

/// The answer to a node that was heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Greeting {
    /// It is known.
    None,
    /// That this node is there.
    Probe,
    /// Anything may have changed: earlier events were not sent.
    Everything,
}

impl Presence {
    /// From now on others are heard.
    pub(crate) fn begin(&self, now: Instant) {
        let mut inner = self.lock();
        // Nodes that already know this node do not answer it again: they only continue to probe.
        let silence = match std::mem::replace(&mut inner.may_be_known, true) {
            true => SILENCE,
            false => SILENCE_AT_FIRST,
        };
        inner.alone_at = Some(now + silence);
    }

    /// Others are not heard any more, though they may be there.
    pub(crate) fn end(&self) {
        self.lock().alone_at = None;
    }

    /// Whether no other node listens to this node.
    pub(crate) fn is_alone(&self, now: Instant) -> bool {
        self.lock().is_alone(now)
    }

    /// Another node was heard.
    pub(crate) fn hear(&self, node: Uuid, now: Instant) -> Greeting {
        let mut inner = self.lock();
        let was_alone = inner.is_alone(now);
        if inner.alone_at.is_some() {
            inner.alone_at = Some(now + SILENCE);
        }
        let is_new = inner.heard.insert(node, now).is_none();
        inner.heard.retain(|_, heard_at| now - *heard_at < SILENCE);
        match (was_alone, is_new) {
            (true, _) => Greeting::Everything,
            (false, true) => Greeting::Probe,
            (false, false) => Greeting::None,
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn is_alone(&self, now: Instant) -> bool {
        self.alone_at.is_some_and(|at| at <= now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_that_hears_no_other_for_some_time_is_alone() {
        let (presence, begun) = (Presence::default(), Instant::now());
        let after = |seconds| begun + Duration::from_secs(seconds);
        let other = Uuid::from_u128(1);
        assert!(!presence.is_alone(after(99)), "it does not listen");
        presence.begin(begun);
        assert!(!presence.is_alone(after(1)) && presence.is_alone(after(2)));
        assert_eq!(presence.hear(other, after(9)), Greeting::Everything);
        assert_eq!(presence.hear(other, after(14)), Greeting::None);
        assert!(!presence.is_alone(after(31)) && presence.is_alone(after(32)));
        presence.end();
        assert!(!presence.is_alone(after(99)));
        presence.begin(after(99));
        assert!(!presence.is_alone(after(116)) && presence.is_alone(after(117)));
    }

    #[test]
    fn a_node_that_listens_again_does_not_rely_on_answers() {
        let (presence, begun) = (Presence::default(), Instant::now());
        presence.begin(begun);
        presence.end();
        presence.begin(begun);
        assert!(!presence.is_alone(begun + SILENCE_AT_FIRST));
        assert!(presence.is_alone(begun + SILENCE));
    }

    #[test]
    fn a_new_node_is_greeted_once() {
        let (presence, begun) = (Presence::default(), Instant::now());
        presence.begin(begun);
        let [first, second] = [1, 2].map(Uuid::from_u128);
        assert_eq!(presence.hear(first, begun), Greeting::Probe);
        assert_eq!(presence.hear(second, begun), Greeting::Probe);
        let later = begun + SILENCE / 2;
        assert_eq!(presence.hear(first, later), Greeting::None);
        let later = begun + SILENCE;
        assert_eq!(presence.hear(first, later), Greeting::None);
        assert_eq!(presence.hear(second, later), Greeting::Probe, "it had left");
    }
}
