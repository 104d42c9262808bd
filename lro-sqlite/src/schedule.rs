//! Pending operations and leases, which the writer keeps in memory.

use std::collections::{BTreeMap, BTreeSet};

use lro_core::Timestamp;
use lro_core::store::kit::ReadyQueue;
use lro_core::store::{OperationRecord, OperationState};
use uuid::Uuid;

/// Pending operations and leases. Changes can be taken back until they are committed.
#[derive(Debug, Default)]
pub(crate) struct Schedule {
    ready: ReadyQueue,
    leases: BTreeSet<(Timestamp, Uuid)>,
    journal: Vec<Step>,
}

/// An unfinished operation in the schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    /// It waits to be claimed.
    Ready(String, Timestamp, Uuid),
    /// A worker holds it.
    Lease(Timestamp, Uuid),
}

#[derive(Debug)]
struct Step {
    before: Option<Entry>,
    after: Option<Entry>,
}

impl Entry {
    pub(crate) fn of(record: &OperationRecord) -> Option<Self> {
        if record.state == OperationState::Pending {
            let method = record.method.clone();
            return Some(Self::Ready(method, record.ready_time, record.uid));
        }
        let lease = record.lease.as_ref()?;
        Some(Self::Lease(lease.expire_time, record.uid))
    }

    pub(crate) fn uid(&self) -> Uuid {
        let (Self::Ready(_, _, uid) | Self::Lease(_, uid)) = self;
        *uid
    }
}

impl Schedule {
    /// An operation stood there, and stands here now.
    pub(crate) fn change(&mut self, before: Option<Entry>, after: Option<Entry>) {
        if before == after {
            return;
        }
        self.remove(before.as_ref());
        self.insert(after.as_ref());
        self.journal.push(Step { before, after });
    }

    /// The changes since the last commit are in the database.
    pub(crate) fn commit(&mut self) {
        self.journal.clear();
    }

    /// Undoes the changes since the last commit.
    pub(crate) fn roll_back(&mut self) {
        while let Some(Step { before, after }) = self.journal.pop() {
            self.remove(after.as_ref());
            self.insert(before.as_ref());
        }
    }

    /// Expired leases, the oldest first.
    pub(crate) fn over(&self, now: Timestamp, limit: usize) -> Vec<Entry> {
        self.leases
            .range(..(now, Uuid::nil()))
            .take(limit)
            .map(|(time, uid)| Entry::Lease(*time, *uid))
            .collect()
    }

    /// Operations that are ready, the longest first.
    pub(crate) fn ready(
        &self,
        methods: &BTreeMap<String, usize>,
        limit: usize,
        now: Timestamp,
    ) -> Vec<Entry> {
        let ready = self.ready.ready(methods, limit, now).into_iter();
        ready
            .map(|(method, time, uid)| Entry::Ready(method.to_owned(), time, uid))
            .collect()
    }

    /// Whether a claim of these methods would find something to do.
    pub(crate) fn has_work(&self, methods: &BTreeMap<String, usize>, now: Timestamp) -> bool {
        self.leases.first().is_some_and(|(time, _)| *time < now)
            || self
                .ready
                .next_time(methods)
                .is_some_and(|time| time <= now)
    }

    /// When a claim of these methods next finds something to do.
    pub(crate) fn next_time(&self, methods: &BTreeMap<String, usize>) -> Option<Timestamp> {
        let lease = self.leases.first().map(|(time, _)| *time);
        self.ready.next_time(methods).into_iter().chain(lease).min()
    }

    fn insert(&mut self, entry: Option<&Entry>) {
        match entry {
            Some(Entry::Ready(method, time, uid)) => self.ready.insert(method, *time, *uid),
            Some(Entry::Lease(time, uid)) => {
                self.leases.insert((*time, *uid));
            }
            None => {}
        }
    }

    fn remove(&mut self, entry: Option<&Entry>) {
        match entry {
            Some(Entry::Ready(method, time, uid)) => self.ready.remove(method, *time, *uid),
            Some(Entry::Lease(time, uid)) => {
                self.leases.remove(&(*time, *uid));
            }
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_committed_is_taken_back() {
        let at = Timestamp::from_micros;
        let id = Uuid::from_u128;
        let ready = |time, n| Some(Entry::Ready("/s/M".into(), at(time), id(n)));
        let lease = |time, n| Some(Entry::Lease(at(time), id(n)));
        let methods = BTreeMap::from([("/s/M".to_owned(), 9)]);

        let mut schedule = Schedule::default();
        schedule.change(None, ready(1, 1));
        schedule.change(None, lease(5, 2));
        schedule.commit();
        schedule.change(ready(1, 1), lease(3, 1));
        schedule.change(lease(5, 2), None);
        schedule.change(lease(3, 1), lease(9, 1));
        assert_eq!(schedule.next_time(&methods), Some(at(9)));
        schedule.roll_back();
        assert_eq!(schedule.ready(&methods, 9, at(1)), ready(1, 1).as_slice());
        assert_eq!(schedule.over(at(6), 9), [Entry::Lease(at(5), id(2))]);
        assert!(schedule.has_work(&methods, at(1)) && !schedule.has_work(&methods, at(0)));
    }
}
