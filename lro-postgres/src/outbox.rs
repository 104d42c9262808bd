//! What other processes are to hear, as notifications.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Mutex, MutexGuard, PoisonError};

use lro_core::{OperationName, OperationState, StoreEvent, Timestamp};
use tokio::sync::Notify;
use uuid::Uuid;

use crate::presence::Greeting;
use crate::row::{decode_state, encode_state};
use crate::text::{escape, unescape};

/// PostgreSQL takes fewer than 8,000 bytes.
const PAYLOAD_MAX: usize = 7_900;

/// So many notifications are sent at once; when there is more to tell, one says so instead.
const PAYLOADS_MAX: usize = 16;

/// Gathers what is still to be told: of each operation and each method only the last.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    pending: Mutex<Pending>,
    pub(crate) news: Notify,
}

#[derive(Debug, Default)]
struct Pending {
    changed: BTreeMap<(OperationName, Uuid), (OperationState, bool)>,
    ready: BTreeMap<String, Timestamp>,
    greeting: Option<Greeting>,
}

impl Outbox {
    /// Keeps what others wait for: work, ends, cancellations and deletions.
    pub(crate) fn add(&self, events: &[StoreEvent]) {
        let mut pending = self.lock();
        let mut news = false;
        for event in events {
            match event {
                StoreEvent::Ready { method, ready_time } => {
                    let first = pending.ready.entry(method.clone()).or_insert(*ready_time);
                    *first = (*first).min(*ready_time);
                    news = true;
                }
                StoreEvent::Changed {
                    name,
                    uid,
                    state,
                    gone,
                    ..
                } if *gone || state.is_done() || *state == OperationState::Cancelling => {
                    let changed = (*state, *gone);
                    pending.changed.insert((name.clone(), *uid), changed);
                    news = true;
                }
                _ => {}
            }
        }
        drop(pending);
        if news {
            self.news.notify_one();
        }
    }

    /// Greets a node that was heard.
    pub(crate) fn greet(&self, greeting: Greeting) {
        if greeting != Greeting::None {
            let mut pending = self.lock();
            if pending.greeting != Some(Greeting::Everything) {
                pending.greeting = Some(greeting);
            }
            drop(pending);
            self.news.notify_one();
        }
    }

    /// Takes what there is, as payloads, and of how many operations and methods that is.
    pub(crate) fn take(&self, node: Uuid) -> (Vec<String>, usize) {
        let pending = std::mem::take(&mut *self.lock());
        let count = pending.changed.len() + pending.ready.len();
        (pending.payloads(node), count)
    }

    fn lock(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pending {
    fn payloads(self, node: Uuid) -> Vec<String> {
        if self.greeting == Some(Greeting::Everything) {
            return vec![everything(node)];
        }
        let ready = self
            .ready
            .into_iter()
            .map(|(method, time)| format!("\nR{} {}", time.as_micros(), escape(&method)));
        let changed = self
            .changed
            .into_iter()
            .map(|((name, uid), (state, gone))| {
                let (state, gone) = (encode_state(state), u8::from(gone));
                format!("\nC{state}{gone}{} {name}", uid.simple())
            });
        let mut payloads: Vec<String> = Vec::new();
        for line in ready.chain(changed) {
            let is_full = payloads.len() == PAYLOADS_MAX;
            match payloads.last_mut() {
                Some(payload) if payload.len() + line.len() <= PAYLOAD_MAX => {
                    payload.push_str(&line);
                }
                _ if is_full || line.len() > PAYLOAD_MAX / 2 => return vec![everything(node)],
                _ => payloads.push(format!("{}{line}", node.simple())),
            }
        }
        if self.greeting.is_some() && payloads.is_empty() {
            payloads.push(probe(node));
        }
        payloads
    }
}

/// Says that anything may have changed.
fn everything(node: Uuid) -> String {
    let mut payload = node.simple().to_string();
    // Writing to a string does not fail.
    let _ = write!(payload, "\n?");
    payload
}

/// Says that the node can be heard.
pub(crate) fn probe(node: Uuid) -> String {
    node.simple().to_string()
}

/// Who sent a payload, and what it says. What is not understood, as from a later version, may be
/// anything.
pub(crate) fn read(payload: &str) -> Option<(Uuid, Vec<StoreEvent>)> {
    let mut lines = payload.split('\n');
    let node = Uuid::try_parse(lines.next()?).ok()?;
    let events = lines.map(|line| event(line).unwrap_or(StoreEvent::Missed));
    Some((node, events.collect()))
}

fn event(line: &str) -> Option<StoreEvent> {
    let (head, of) = line.split_once(' ')?;
    if let Some(micros) = head.strip_prefix('R') {
        return Some(StoreEvent::Ready {
            method: unescape(of)?,
            ready_time: Timestamp::from_micros(micros.parse().ok()?),
        });
    }
    let (state, rest) = head.strip_prefix('C')?.split_at_checked(1)?;
    let (gone, uid) = rest.split_at_checked(1)?;
    Some(StoreEvent::Changed {
        name: of.parse().ok()?,
        uid: Uuid::try_parse(uid).ok()?,
        state: decode_state(state.parse().ok()?)?,
        gone: gone == "1",
        ended: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(n: usize) -> StoreEvent {
        StoreEvent::Changed {
            name: format!("projects/p/operations/{n}").parse().unwrap(),
            uid: Uuid::from_u128(n as u128),
            state: OperationState::Succeeded,
            gone: n % 2 == 1,
            ended: None,
        }
    }

    #[test]
    fn what_is_told_is_heard() {
        let outbox = Outbox::default();
        let node = Uuid::from_u128(7);
        let ready = StoreEvent::Ready {
            method: "/odd.\0\n\\/M".to_owned(),
            ready_time: Timestamp::from_micros(-5),
        };
        let mut events: Vec<_> = (1_000..2_000).map(changed).collect();
        events.insert(0, ready);
        outbox.add(&events);
        outbox.add(&events);
        let (payloads, _) = outbox.take(node);
        assert!(payloads.len() > 1 && payloads.iter().all(|it| it.len() < 8_000));
        let heard = payloads.iter().map(|payload| read(payload).unwrap());
        let heard = heard.flat_map(|(from, events)| {
            assert_eq!(from, node);
            events
        });
        assert_eq!(heard.collect::<Vec<_>>(), events);
        assert_eq!(outbox.take(node), (vec![], 0));
    }

    #[test]
    fn too_much_is_told_as_anything() {
        let outbox = Outbox::default();
        let node = Uuid::from_u128(7);
        outbox.add(&(0..100_000).map(changed).collect::<Vec<_>>());
        let (payloads, _) = outbox.take(node);
        assert_eq!(payloads.len(), 1);
        assert_eq!(read(&payloads[0]), Some((node, vec![StoreEvent::Missed])));
        assert_eq!(read(&probe(node)), Some((node, vec![])));
        assert_eq!(read("what"), None);
    }

    #[test]
    fn a_claim_is_no_news_for_others() {
        let outbox = Outbox::default();
        outbox.add(&[StoreEvent::Changed {
            name: "operations/1".parse().unwrap(),
            uid: Uuid::from_u128(1),
            state: OperationState::Running,
            gone: false,
            ended: None,
        }]);
        assert_eq!(outbox.take(Uuid::nil()), (vec![], 0));
    }
}
