//! Asking for all operations below a parent with one list.

use std::sync::Arc;
use std::time::Duration;

use lro_core::pb;
use tokio::time::Instant;
use tonic::{Code, Status};

use super::asking::Answer;
use super::{Event, PollerSet};
use crate::policy::{PollingBackoffPolicy as _, is_transient, retry_delay};
use crate::poller::Attempt;
use crate::poller::schedule::{ADVISED_MAX, Call, ERRORS, PAUSE_MAX, PERIOD_MIN};
use crate::{ExponentialBackoff, ListOptions, PollingState};

/// A list may miss this part of the operations.
const MISSED: usize = 4;
/// How few operations a page has at least, when longer ones are too long.
const PAGE_SIZE_MIN: i32 = 10;
/// How far apart rounds are, while nothing ends.
const PACE: ExponentialBackoff =
    ExponentialBackoff::new(Duration::from_secs(1), Duration::from_secs(60));
/// How long a parent is not listed that is too crowded for it.
const CROWDED: ExponentialBackoff =
    ExponentialBackoff::new(Duration::from_secs(120), Duration::from_secs(3600));
impl<R, M> PollerSet<R, M> {
    /// An operation has come to its parent.
    pub(super) fn on_push(&mut self, key: &Arc<str>, name: &Arc<str>, now: Instant) {
        let few = self.few();
        let (Some(parent), Some(entry)) = (self.parents.get_mut(key), self.entries.get(name))
        else {
            return;
        };
        let may_wait = few && entry.poller.operations.may_wait();
        let is_new = entry.poller.known && !may_wait;
        let soon = now
            + if is_new {
                PACE.delay(0)
            } else {
                Duration::ZERO
            };
        let may_list = parent.may_list.is_some_and(|at| at <= now);
        let may_list = may_list && parent.names.len() >= self.settings.list_from;
        if !(parent.lists || may_list) {
            return self.ask_at(name, soon);
        }
        parent.rounds_without_news = 0;
        // While a round is under way, the next one comes after it.
        let is_later = parent.next.is_some_and(|next| next > soon);
        if !std::mem::replace(&mut parent.lists, true) || is_later {
            self.list_at(key, soon);
        }
    }

    pub(super) fn begin_round(&mut self, key: &Arc<str>, now: Instant) {
        let Some(parent) = self.parents.get_mut(key) else {
            return;
        };
        parent.next = None;
        if parent.names.len() < self.settings.list_from {
            return self.stop_lists(key, now);
        }
        parent.lists = true;
        parent.round += 1;
        parent.wanted = parent.names.len();
        parent.unseen = parent.wanted;
        parent.pages = 0;
        parent.page_token.clear();
        parent.wants_page = true;
        self.take_turns(key);
    }

    pub(super) fn send_list(&mut self, key: &Arc<str>) {
        let Some(parent) = self.parents.get_mut(key) else {
            return;
        };
        parent.pages += 1;
        self.calls_made += 1;
        let options = ListOptions::new()
            .filter(&self.settings.list_filter)
            .page_size(parent.page_size)
            .page_token(&parent.page_token)
            .return_partial_success(false);
        let (operations, key, epoch) = (self.operations.clone(), key.clone(), parent.epoch);
        self.calls.push(Box::pin(async move {
            let asked = Instant::now();
            let result = operations.list(&key, &options).await;
            Answer::Page {
                parent: key,
                epoch,
                asked,
                result,
            }
        }));
    }

    pub(super) fn take_page(
        &mut self,
        key: &Arc<str>,
        epoch: u64,
        asked: Instant,
        result: Result<pb::ListOperationsResponse, Status>,
    ) {
        if self.parents.get(key).is_none_or(|it| it.epoch != epoch) {
            return;
        }
        match result {
            Ok(page) => self.read_page(key, asked, page),
            Err(status) => self.on_list_error(key, asked, &status),
        }
    }

    fn read_page(&mut self, key: &Arc<str>, asked: Instant, page: pb::ListOperationsResponse) {
        for operation in page.operations {
            let Some((name, _)) = self.entries.get_key_value(&*operation.name) else {
                continue;
            };
            let name = name.clone();
            let (Some(parent), Some(entry)) =
                (self.parents.get_mut(key), self.entries.get_mut(&name))
            else {
                continue;
            };
            if std::mem::replace(&mut entry.seen, parent.round) != parent.round {
                parent.unseen = parent.unseen.saturating_sub(1);
            }
            if operation.done {
                parent.rounds_without_news = 0;
            }
            self.learn(&name, shared(asked), Ok(operation));
        }
        let now = Instant::now();
        let Some(parent) = self.parents.get_mut(key) else {
            return;
        };
        parent.errors = 0;
        let token = page.next_page_token;
        if parent.unseen == 0 || token.is_empty() {
            self.end_round(key, now);
        } else if parent.pages >= parent.page_limit() || token == parent.page_token {
            self.on_crowded(key, now);
        } else {
            parent.page_token = token;
            parent.wants_page = true;
            self.take_turns(key);
        }
    }

    /// All pages were read, or all operations seen.
    fn end_round(&mut self, key: &Arc<str>, now: Instant) {
        let Some(parent) = self.parents.get_mut(key) else {
            return;
        };
        let is_unseen = |name: &&Arc<str>| {
            let entry = self.entries.get(*name);
            entry.is_some_and(|entry| entry.seen != parent.round)
        };
        let unseen: Vec<_> = parent.names.iter().filter(is_unseen).cloned().collect();
        if unseen.len() > parent.wanted / MISSED {
            return self.on_crowded(key, now);
        }
        parent.crowded = 0;
        parent.rounds_without_news = parent.rounds_without_news.saturating_add(1);
        let state = PollingState {
            elapsed: now - parent.since,
            polls: u64::from(parent.rounds_without_news),
            ..PollingState::default()
        };
        let pause = match &self.settings.backoff {
            Some(policy) => policy.wait_period(&state).clamp(PERIOD_MIN, PAUSE_MAX),
            None => PACE.wait_period(&state),
        };
        for name in unseen {
            self.queue(&name);
        }
        self.list_at(key, now + pause);
    }

    /// Listing does not pay: each operation is asked for, and the parent listed again much later.
    fn on_crowded(&mut self, key: &Arc<str>, now: Instant) {
        let Some(parent) = self.parents.get_mut(key) else {
            return;
        };
        let at = now + CROWDED.delay(parent.crowded);
        parent.crowded = parent.crowded.saturating_add(1);
        parent.may_list = Some(at);
        tracing::debug!(
            parent = &**key,
            "the parent has too many other operations; polling each operation"
        );
        self.stop_lists(key, now);
        self.list_at(key, at);
    }

    fn on_list_error(&mut self, key: &Arc<str>, asked: Instant, status: &Status) {
        let now = Instant::now();
        let Some(parent) = self.parents.get_mut(key) else {
            return;
        };
        // A page may be too long for one of the sides.
        if status.code() == Code::OutOfRange && parent.page_size > PAGE_SIZE_MIN {
            parent.page_size /= 10;
            return self.begin_round(key, now);
        }
        let advised = retry_delay(status);
        if !is_transient(status) && advised.is_none() {
            tracing::debug!(parent = &**key, %status, "the server does not offer ListOperations");
            parent.may_list = None;
            return self.stop_lists(key, now);
        }
        let pause = ERRORS.delay(parent.errors);
        parent.errors = parent.errors.saturating_add(1);
        let advised = advised.unwrap_or_default().min(ADVISED_MAX);
        let names: Vec<_> = parent.names.iter().cloned().collect();
        for name in names {
            self.learn(&name, shared(asked), Err(status.clone()));
        }
        self.list_at(key, now + pause.max(advised));
    }

    /// From here on each operation is asked for.
    fn stop_lists(&mut self, key: &Arc<str>, now: Instant) {
        let few = self.few();
        let Some(parent) = self.parents.get_mut(key) else {
            return;
        };
        parent.lists = false;
        parent.wants_page = false;
        let names: Vec<_> = parent.names.iter().cloned().collect();
        let round = parent.round;
        for name in names {
            let Some(entry) = self.entries.get(&name) else {
                continue;
            };
            let at_once = entry.seen != round || (few && entry.poller.operations.may_wait());
            let due = entry.poller.schedule.due().filter(|_| !at_once);
            self.ask_at(&name, due.unwrap_or(now));
        }
    }

    /// Has a parent listed at this time.
    fn list_at(&mut self, key: &Arc<str>, at: Instant) {
        let Some(parent) = self.parents.get_mut(key) else {
            return;
        };
        if let Some(before) = parent.next.replace(at) {
            self.timeline.remove(before, Event::List(key.clone()));
        }
        self.timeline.insert(at, Event::List(key.clone()));
    }

    pub(super) fn drop_parent(&mut self, key: &Arc<str>) {
        if let Some(parent) = self.parents.remove(key)
            && let Some(at) = parent.next
        {
            self.timeline.remove(at, Event::List(key.clone()));
        }
    }
}

/// The part of one operation in a list.
fn shared(asked: Instant) -> Attempt {
    let call = Call {
        wait: None,
        limit: Duration::MAX,
    };
    Attempt {
        call,
        asked,
        may_wait: false,
    }
}
