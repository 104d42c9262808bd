//! Pending operations and leases, which the writer keeps in memory, as far as they come near.

mod horizon;

use std::time::Duration;

use lro_core::Timestamp;
use lro_core::store::kit::{Leases, ReadyEntry, ReadyQueue};
use lro_core::store::{Claim, Command, Lease, OperationRecord, OperationState};
use uuid::Uuid;

pub(crate) use self::horizon::{Horizon, Point};

/// Operations that are ready later than this after their creation are far while they are pending:
/// the column `far` says the same.
const FAR: Duration = Duration::from_secs(3_600);

/// Pending operations and leases. Changes can be taken back until they are committed.
#[derive(Debug, Default)]
pub(crate) struct Schedule {
    ready: ReadyQueue,
    leases: Leases,
    /// Moves between transactions only.
    horizon: Horizon,
    journal: Vec<Step>,
}

/// An unfinished operation in the schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    /// It waits to be claimed.
    Ready(ReadyEntry),
    /// It waits too, and the index of timers has it, unless only a call wakes it: it is in memory
    /// within the horizon.
    Far(ReadyEntry),
    /// A worker holds it.
    Lease(Lease, Uuid),
}

#[derive(Debug)]
enum Step {
    Changed {
        before: Option<Entry>,
        after: Option<Entry>,
        /// Whether the lease before was marked as shared.
        shared: bool,
    },
    Marked(Vec<(Uuid, Timestamp)>),
}

impl Entry {
    pub(crate) fn of(record: &OperationRecord) -> Option<Self> {
        if record.state == OperationState::Pending {
            let entry = ReadyEntry::of(record);
            let is_far = record.ready_time > record.create_time.saturating_add(FAR);
            return Some(if is_far {
                Self::Far(entry)
            } else {
                Self::Ready(entry)
            });
        }
        let lease = record.lease.clone()?;
        Some(Self::Lease(lease, record.uid))
    }

    pub(crate) fn uid(&self) -> Uuid {
        match self {
            Self::Ready(entry) | Self::Far(entry) => entry.uid,
            Self::Lease(_, uid) => *uid,
        }
    }

    /// Its place among the operations that wait to be claimed.
    pub(crate) fn pending(&self) -> Option<&ReadyEntry> {
        match self {
            Self::Ready(entry) | Self::Far(entry) => Some(entry),
            Self::Lease(..) => None,
        }
    }
}

impl Schedule {
    /// Replaces an operation's entry.
    pub(crate) fn change(&mut self, before: Option<Entry>, after: Option<Entry>) {
        if before == after {
            return;
        }
        let shared = self.remove(before.as_ref());
        self.insert(after.as_ref());
        self.journal.push(Step::Changed {
            before,
            after,
            shared,
        });
    }

    pub(crate) fn horizon(&self) -> &Horizon {
        &self.horizon
    }

    /// Adds the far operations up to this point; behind it, none is ready before `beyond`.
    pub(crate) fn extend(
        &mut self,
        entries: &[ReadyEntry],
        reached: Point,
        beyond: Option<Timestamp>,
    ) {
        debug_assert!(self.journal.is_empty(), "a transaction is open");
        entries.iter().for_each(|entry| self.ready.insert(entry));
        self.horizon.reach(reached, beyond);
    }

    /// Far operations could not be read: they are tried again later.
    pub(crate) fn postpone(&mut self, now: Timestamp) {
        self.horizon.postpone(now);
    }

    /// The changes since the last commit are in the database.
    pub(crate) fn commit(&mut self) {
        self.journal.clear();
    }

    /// Undoes the changes since the last commit.
    pub(crate) fn roll_back(&mut self) {
        while let Some(step) = self.journal.pop() {
            match step {
                Step::Changed {
                    before,
                    after,
                    shared,
                } => {
                    self.remove(after.as_ref());
                    self.insert(before.as_ref());
                    if let (true, Some(Entry::Lease(lease, uid))) = (shared, before) {
                        self.leases.set_shared(uid, lease.expire_time, true);
                    }
                }
                Step::Marked(leases) => {
                    for (uid, expire_time) in leases {
                        self.leases.set_shared(uid, expire_time, false);
                    }
                }
            }
        }
    }

    /// Expired leases, the longest first, each with the command for its operation.
    pub(crate) fn expired(&mut self, now: Timestamp, limit: usize) -> Vec<(Entry, Command)> {
        let mut marked = Vec::new();
        let expired = self.leases.expired(now, limit, |_| false, &mut marked);
        if !marked.is_empty() {
            self.journal.push(Step::Marked(marked));
        }
        expired
            .into_iter()
            .map(|(lease, uid, command)| (Entry::Lease(lease, uid), command))
            .collect()
    }

    /// The operations that a claim takes.
    pub(crate) fn ready(&self, claim: &Claim, now: Timestamp) -> Vec<Entry> {
        let ready = self.ready.ready(claim, now).into_iter();
        ready.map(Entry::Ready).collect()
    }

    /// Whether a claim would find something to do.
    pub(crate) fn has_work(&self, claim: &Claim, now: Timestamp) -> bool {
        self.first_lease(claim).is_some_and(|time| time < now)
            || self.ready.next_time(claim).is_some_and(|time| time <= now)
    }

    /// When a claim like this one next finds something to do, or what is behind the horizon may be
    /// ready.
    pub(crate) fn next_time(&self, claim: &Claim) -> Option<Timestamp> {
        let ready = self.ready.next_time(claim).into_iter();
        let beyond = self.horizon.beyond();
        ready.chain(self.first_lease(claim)).chain(beyond).min()
    }

    /// When the first lease ends that the claim may expire.
    fn first_lease(&self, claim: &Claim) -> Option<Timestamp> {
        self.leases.first().filter(|_| claim.expires_leases)
    }

    /// Whether there are suspects that the claim does not take.
    pub(crate) fn suspects_wait(&self, claim: &Claim) -> bool {
        self.ready.suspects_wait(claim)
    }

    fn insert(&mut self, entry: Option<&Entry>) {
        match entry {
            Some(Entry::Ready(entry)) => self.ready.insert(entry),
            Some(Entry::Far(entry)) if self.horizon.holds(entry) => self.ready.insert(entry),
            Some(Entry::Far(entry)) => self.horizon.note(entry.ready_time),
            Some(Entry::Lease(lease, uid)) => self.leases.insert(*uid, lease),
            None => {}
        }
    }

    /// Answers whether it was a lease that was marked as shared.
    fn remove(&mut self, entry: Option<&Entry>) -> bool {
        match entry {
            Some(Entry::Ready(entry) | Entry::Far(entry)) => {
                self.ready.remove(entry);
                false
            }
            Some(Entry::Lease(lease, uid)) => self.leases.remove(*uid, lease),
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use lro_core::store::{Suspects, WorkerId};

    use super::*;

    #[test]
    fn uncommitted_changes_are_undone() {
        let at = Timestamp::from_micros;
        let id = Uuid::from_u128;
        let worker = WorkerId::from_uuid(id(0));
        let ready = |time, n| {
            Some(Entry::Ready(ReadyEntry {
                method: "/s/M".into(),
                ready_time: at(time),
                uid: id(n),
                losses: 0,
            }))
        };
        let lease = |time, n| {
            let expire_time = at(time);
            let lease = Lease {
                worker,
                expire_time,
            };
            Some(Entry::Lease(lease, id(n)))
        };
        let claim = Claim {
            worker,
            methods: BTreeMap::from([("/s/M".to_owned(), 9)]),
            limit: 9,
            lease_duration: Duration::from_secs(1),
            suspects: Suspects::default(),
            expires_leases: true,
        };

        let mut schedule = Schedule::default();
        schedule.change(None, ready(1, 1));
        schedule.change(None, lease(5, 2));
        schedule.commit();
        schedule.change(ready(1, 1), lease(3, 1));
        schedule.change(lease(5, 2), None);
        schedule.change(lease(3, 1), lease(9, 1));
        assert_eq!(schedule.next_time(&claim), Some(at(9)));
        schedule.roll_back();
        assert_eq!(schedule.ready(&claim, at(1)), ready(1, 1).as_slice());
        let expired = schedule.expired(at(6), 9);
        assert_eq!(expired, [(lease(5, 2).unwrap(), Command::Expire)]);
        assert!(schedule.has_work(&claim, at(1)) && !schedule.has_work(&claim, at(0)));
    }
}
