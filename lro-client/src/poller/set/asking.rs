//! Sending calls, and what comes of them.

use std::sync::Arc;

use lro_core::pb;
use tokio::time::Instant;
use tonic::Status;

use super::{Event, PollerSet};
use crate::poller::{Attempt, Mode, Step};

/// The answer to a call.
#[derive(Debug)]
pub(super) enum Answer {
    Operation {
        name: Arc<str>,
        attempt: Attempt,
        result: Result<pb::Operation, Status>,
    },
    Page {
        parent: Arc<str>,
        epoch: u64,
        asked: Instant,
        result: Result<pb::ListOperationsResponse, Status>,
    },
}

impl<R, M> PollerSet<R, M> {
    /// Takes up what is due.
    pub(super) fn fire(&mut self, now: Instant) {
        while let Some(event) = self.timeline.pop(now) {
            match event {
                Event::Ask(name) => {
                    if let Some(entry) = self.entries.get_mut(&name) {
                        entry.ask = None;
                        let listed = self.parents.get(&entry.parent).is_some_and(|it| it.lists);
                        if !listed {
                            self.queue(&name);
                        }
                    }
                }
                Event::Last(name) => {
                    if let Some(entry) = self.entries.get_mut(&name) {
                        entry.last = None;
                        self.queue(&name);
                    }
                }
                Event::List(parent) => self.begin_round(&parent, now),
            }
        }
    }

    /// Has an operation asked for when it is its turn.
    pub(super) fn queue(&mut self, name: &Arc<str>) {
        let Some(entry) = self.entries.get_mut(name) else {
            return;
        };
        if std::mem::replace(&mut entry.busy, true) {
            return;
        }
        let key = entry.parent.clone();
        if let Some(parent) = self.parents.get_mut(&key) {
            parent.queue.push_back(name.clone());
        }
        self.take_turns(&key);
    }

    /// A parent with something to ask takes turns with the others.
    pub(super) fn take_turns(&mut self, key: &Arc<str>) {
        if let Some(parent) = self.parents.get_mut(key)
            && !std::mem::replace(&mut parent.has_turn, true)
        {
            self.turns.push_back(key.clone());
        }
    }

    /// Sends calls, as many as there may be.
    pub(super) fn send(&mut self) {
        while self.calls.len() - self.waits < self.settings.concurrency {
            let Some(key) = self.turns.pop_front() else {
                return;
            };
            let Some(parent) = self.parents.get_mut(&key) else {
                continue;
            };
            parent.has_turn = false;
            if std::mem::take(&mut parent.wants_page) {
                self.send_list(&key);
            } else if let Some(name) = parent.queue.pop_front() {
                self.send_ask(name);
            } else {
                continue;
            }
            self.take_turns(&key);
        }
    }

    fn send_ask(&mut self, name: Arc<str>) {
        let few = self.few();
        let Some(entry) = self.entries.get_mut(&name) else {
            return;
        };
        let asked = Instant::now();
        let operations = entry.poller.operations.clone();
        let may_wait = few && operations.may_wait();
        let call = entry.poller.next_call(asked, may_wait);
        let attempt = Attempt {
            call,
            asked,
            may_wait,
        };
        self.waits += usize::from(call.wait.is_some());
        self.calls_made += 1;
        self.calls.push(Box::pin(async move {
            let result = match call.wait {
                Some(timeout) => operations.wait_once(&name, timeout, call.limit).await,
                None => operations.get_once(&name, call.limit).await,
            };
            Answer::Operation {
                name,
                attempt,
                result,
            }
        }));
    }

    /// Whether there are so few operations that each may hold a call of its own.
    pub(super) fn few(&self) -> bool {
        self.entries.len() <= self.settings.concurrency
    }

    /// Takes up what a call has brought.
    pub(super) fn take(&mut self, answer: Answer) {
        match answer {
            Answer::Operation {
                name,
                attempt,
                result,
            } => {
                self.waits -= usize::from(attempt.call.wait.is_some());
                if let Some(entry) = self.entries.get_mut(&name) {
                    entry.busy = false;
                    self.learn(&name, attempt, result);
                }
            }
            Answer::Page {
                parent,
                epoch,
                asked,
                result,
            } => self.take_page(&parent, epoch, asked, result),
        }
    }

    /// Takes the answer of a poll, or the part of a list, about one operation.
    pub(super) fn learn(
        &mut self,
        name: &Arc<str>,
        attempt: Attempt,
        result: Result<pb::Operation, Status>,
    ) {
        let Some(entry) = self.entries.get_mut(name) else {
            return;
        };
        let step = entry.poller.answered(Mode::Wait, attempt, result);
        let now = Instant::now();
        if entry.poller.operation.done() {
            return self.end(name, None);
        }
        if let Step::Stopped(ending) = step {
            return self.end(name, Some(ending));
        }
        if entry.poller.schedule.is_over(now) {
            let ending = entry.poller.give_up();
            return self.end(name, Some(ending));
        }
        let listed = self.parents.get(&entry.parent).is_some_and(|it| it.lists);
        // Otherwise the next round tells.
        if !listed {
            let due = entry.poller.schedule.due().unwrap_or(now);
            self.ask_at(name, due);
        }
    }
}
