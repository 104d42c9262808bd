//! Calls that end by an event from outside: promises that callers complete before and while the body runs, and
//! children.

use lro_core::store::{StepKey, StepKind, StepRow};

use super::{Inner, Journal};
use crate::steps::answer::Activity;

impl Journal {
    /// Whether an event from outside is waited for.
    pub(in crate::steps) fn awaits_events(&self) -> bool {
        let inner = self.inner();
        let mut calls = inner.under_way.values();
        calls.any(|call| matches!(&call.activity, Activity::Wait(wait) if wait.is_for_event()))
    }

    /// Takes over the promises and children among the rows that have ended during the run.
    pub(in crate::steps) fn take_completed(&self, rows: Vec<StepRow>) {
        let mut inner = self.inner();
        let is_completed = |row: &StepRow| {
            let is_ended_from_outside = row.kind == StepKind::Promise || row.kind.is_child();
            is_ended_from_outside && row.is_finished()
        };
        for row in rows.into_iter().filter(is_completed) {
            inner.notes_end(&row.key, row.outcome.as_ref());
            if !inner.has_made(&row.key) {
                inner.unreached.insert(row.key.clone());
            }
            inner.recorded.insert(row.key.clone(), row);
        }
        drop(inner);
        self.completed.send_replace(());
    }

    /// Returns the row of a promise or child once it has ended.
    pub(in crate::steps) async fn completed(&self, key: &StepKey) -> StepRow {
        let mut completed = self.completed.subscribe();
        loop {
            let row = self.inner().recorded.get(key).cloned();
            if let Some(row) = row.filter(StepRow::is_finished) {
                return row;
            }
            // The sender lives as long as the journal.
            let _ = completed.changed().await;
        }
    }

    /// The promises that the body has asked for, as far as callers have completed them.
    pub(in crate::steps) fn asked_promises(&self) -> Vec<StepKey> {
        let inner = self.inner();
        let is_asked =
            |row: &&StepRow| row.kind == StepKind::Promise && !inner.unreached.contains(&row.key);
        let asked = inner.recorded.values().filter(is_asked);
        let mut asked: Vec<_> = asked.map(|row| row.key.clone()).collect();
        asked.sort_unstable();
        asked
    }
}

impl Inner {
    /// Whether this run has made the call.
    fn has_made(&self, key: &StepKey) -> bool {
        let (name, count) = match key.as_str().rsplit_once('#') {
            Some((name, count)) => (name, count.parse().unwrap_or(u32::MAX)),
            None => (key.as_str(), 1),
        };
        let uses = name
            .parse()
            .ok()
            .and_then(|name: StepKey| self.uses.get(&name));
        uses.is_some_and(|uses| uses.count >= count)
    }
}
