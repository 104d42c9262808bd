//! The notifications to send to other processes.

mod payload;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lro_core::store::{OperationState, StoreEvent};
use lro_core::{OperationName, Timestamp};
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_postgres::types::Type;
use uuid::Uuid;

use self::payload::{everything, probe};
use crate::notify::presence::{Greeting, Presence};
use crate::sql::database::Query;
use crate::sql::row::encode_state;
use crate::sql::statement;
use crate::sql::text::escape;

pub(crate) use self::payload::read;

/// PostgreSQL takes fewer than 8,000 bytes.
const PAYLOAD_MAX: usize = 7_900;

/// The maximum number of notifications sent together. Beyond it, one notification says that
/// anything may have changed.
const PAYLOADS_MAX: usize = 16;

/// The pause after notifications: `PAUSE` for each operation and method that they named, limited by a
/// maximum. A single event is sent immediately, and a burst is sent together.
const PAUSE: Duration = Duration::from_micros(200);
const PAUSE_MAX: Duration = Duration::from_millis(20);

/// Collects pending events, only the last one for each operation and each method.
#[derive(Debug)]
pub(crate) struct Outbox {
    /// The sending node.
    pub(crate) node: Uuid,
    channel: String,
    /// The nodes that listen.
    pub(crate) presence: Presence,
    pending: Mutex<Pending>,
    news: Notify,
}

#[derive(Debug, Default)]
struct Pending {
    changed: BTreeMap<(OperationName, Uuid), (OperationState, bool)>,
    ready: BTreeMap<String, Timestamp>,
    greeting: Option<Greeting>,
    /// The end of the pause.
    not_before: Option<Instant>,
}

/// Notifications to send now. If sending fails, other processes learn later that anything may have
/// changed.
#[derive(Debug)]
pub(crate) struct Hint<'o> {
    outbox: &'o Outbox,
    payloads: Vec<String>,
    sent: bool,
}

impl Hint<'_> {
    pub(crate) fn query(&self) -> Query<'_> {
        Query {
            sql: statement::NOTIFY,
            params: vec![
                (&self.outbox.channel, Type::TEXT),
                (&self.payloads, Type::TEXT_ARRAY),
            ],
        }
    }

    /// The server has taken them.
    pub(crate) fn was_sent(mut self) {
        self.sent = true;
    }
}

impl Drop for Hint<'_> {
    fn drop(&mut self) {
        if !self.sent {
            self.outbox.greet(Greeting::Everything);
        }
    }
}

impl Outbox {
    pub(crate) fn new(schema: &str) -> Self {
        Self {
            node: Uuid::new_v4(),
            channel: format!("lro:{schema}"),
            presence: Presence::default(),
            pending: Mutex::default(),
            news: Notify::new(),
        }
    }

    pub(crate) fn channel(&self) -> &str {
        &self.channel
    }

    /// Keeps what others wait for: work, ends, cancellations and deletions.
    pub(crate) fn add(&self, events: &[StoreEvent]) {
        if self.lock().add(events) {
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

    /// The notification of these events, if it may be sent directly behind the statement that causes
    /// them: only if no other event is pending and no pause is running.
    pub(crate) fn at_once(&self, events: &[StoreEvent]) -> Option<Hint<'_>> {
        let now = Instant::now();
        let mut pending = self.lock();
        if !pending.is_empty() || pending.pauses(now) || self.presence.is_alone(now) {
            return None;
        }
        // Taken again before anybody else sees it.
        pending.add(events);
        self.hint(&mut pending, now)
    }

    /// Waits for a pending event with a listening node, and for the end of the pause.
    pub(crate) async fn next(&self) -> Hint<'_> {
        loop {
            let (is_empty, not_before) = {
                let pending = self.lock();
                (pending.is_empty(), pending.not_before)
            };
            if is_empty {
                self.news.notified().await;
                continue;
            }
            if let Some(not_before) = not_before {
                tokio::time::sleep_until(not_before).await;
            }
            let now = Instant::now();
            let mut pending = self.lock();
            if pending.pauses(now) {
                continue;
            }
            if self.presence.is_alone(now) {
                *pending = Pending::default();
            } else if let Some(hint) = self.hint(&mut pending, now) {
                return hint;
            }
        }
    }

    /// That this node is there.
    pub(crate) fn probe(&self) -> Hint<'_> {
        self.of(vec![probe(self.node)])
    }

    /// Takes what there is.
    fn hint(&self, pending: &mut Pending, now: Instant) -> Option<Hint<'_>> {
        let taken = std::mem::take(pending);
        let count = taken.changed.len() + taken.ready.len();
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        pending.not_before = Some(now + PAUSE.saturating_mul(count).min(PAUSE_MAX));
        let payloads = taken.payloads(self.node);
        (!payloads.is_empty()).then(|| self.of(payloads))
    }

    fn of(&self, payloads: Vec<String>) -> Hint<'_> {
        Hint {
            outbox: self,
            payloads,
            sent: false,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pending {
    fn is_empty(&self) -> bool {
        self.changed.is_empty() && self.ready.is_empty() && self.greeting.is_none()
    }

    fn pauses(&self, now: Instant) -> bool {
        self.not_before.is_some_and(|it| it > now)
    }

    /// Adds events. Returns whether any of them must be sent.
    fn add(&mut self, events: &[StoreEvent]) -> bool {
        let mut news = false;
        for event in events {
            match event {
                StoreEvent::Ready { method, ready_time } => {
                    let first = self.ready.entry(method.clone()).or_insert(*ready_time);
                    *first = (*first).min(*ready_time);
                    news = true;
                }
                StoreEvent::Changed {
                    name,
                    uid,
                    state,
                    deleted,
                    ..
                } if *deleted || state.is_done() || *state == OperationState::Cancelling => {
                    let changed = (*state, *deleted);
                    self.changed.insert((name.clone(), *uid), changed);
                    news = true;
                }
                StoreEvent::Missed => {
                    self.greeting = Some(Greeting::Everything);
                    news = true;
                }
                _ => {}
            }
        }
        news
    }

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
            .map(|((name, uid), (state, deleted))| {
                let (state, deleted) = (encode_state(state), u8::from(deleted));
                format!("\nC{state}{deleted}{} {name}", uid.simple())
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

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(n: usize) -> StoreEvent {
        StoreEvent::Changed {
            name: format!("projects/p/operations/{n}").parse().unwrap(),
            uid: Uuid::from_u128(n as u128),
            state: OperationState::Succeeded,
            deleted: n % 2 == 1,
            ended: None,
        }
    }

    fn payloads(hint: Hint<'_>) -> Vec<String> {
        let payloads = hint.payloads.clone();
        hint.was_sent();
        payloads
    }

    #[tokio::test(start_paused = true)]
    async fn a_notification_can_be_read() {
        let outbox = Outbox::new("lro");
        let ready = StoreEvent::Ready {
            method: "/odd.\0\n\\/M".to_owned(),
            ready_time: Timestamp::from_micros(-5),
        };
        let mut events: Vec<_> = (1_000..2_000).map(changed).collect();
        events.insert(0, ready);
        outbox.add(&events);
        outbox.add(&events);
        let payloads = payloads(outbox.next().await);
        assert!(payloads.len() > 1 && payloads.iter().all(|it| it.len() < 8_000));
        let heard = payloads.iter().map(|payload| read(payload).unwrap());
        let heard = heard.flat_map(|(from, events)| {
            assert_eq!(from, outbox.node);
            events
        });
        assert_eq!(heard.collect::<Vec<_>>(), events);
        assert!(outbox.lock().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_becomes_one_notification_of_any_change() {
        let outbox = Outbox::new("lro");
        outbox.add(&(0..100_000).map(changed).collect::<Vec<_>>());
        let payloads = payloads(outbox.next().await);
        assert_eq!(payloads.len(), 1);
        let anything = Some((outbox.node, vec![StoreEvent::Missed]));
        assert_eq!(read(&payloads[0]), anything);
        assert_eq!(read(&probe(outbox.node)), Some((outbox.node, vec![])));
        assert_eq!(read("what"), None);
    }

    #[test]
    fn a_claim_is_no_news_for_others() {
        let outbox = Outbox::new("lro");
        outbox.add(&[StoreEvent::Changed {
            name: "operations/1".parse().unwrap(),
            uid: Uuid::from_u128(1),
            state: OperationState::Running,
            deleted: false,
            ended: None,
        }]);
        assert!(outbox.lock().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_single_event_is_sent_at_once_and_later_ones_together() {
        let outbox = Outbox::new("lro");
        let [first, second, third, fourth] = [1, 2, 3, 4].map(|n| [changed(n)]);
        let told = payloads(outbox.at_once(&first).unwrap());
        assert_eq!(read(&told[0]), Some((outbox.node, first.to_vec())));
        assert!(outbox.at_once(&second).is_none(), "a pause lasts");
        outbox.add(&second);
        outbox.add(&third);
        tokio::time::advance(PAUSE).await;
        assert!(outbox.at_once(&fourth).is_none(), "others wait");
        let told = payloads(outbox.next().await);
        let both = [second, third].concat();
        assert_eq!(read(&told[0]), Some((outbox.node, both)));
        let begun = Instant::now();
        outbox.add(&fourth);
        payloads(outbox.next().await);
        assert!(
            begun.elapsed() >= PAUSE * 2,
            "the pause covers two notifications"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn unsent_events_become_a_notification_of_any_change() {
        let outbox = Outbox::new("lro");
        drop(outbox.at_once(&[changed(1)]));
        let told = payloads(outbox.next().await);
        let anything = (outbox.node, vec![StoreEvent::Missed]);
        assert_eq!(read(&told[0]), Some(anything));
    }

    #[tokio::test(start_paused = true)]
    async fn a_node_that_is_alone_sends_nothing() {
        let outbox = Outbox::new("lro");
        outbox.presence.begin(Instant::now());
        assert!(outbox.at_once(&[changed(1)]).is_some());
        tokio::time::advance(Duration::from_secs(60)).await;
        assert!(outbox.at_once(&[changed(1)]).is_none());
        outbox.add(&[changed(1)]);
        let next = tokio::time::timeout(Duration::from_secs(1), outbox.next());
        assert!(next.await.is_err());
    }
}
