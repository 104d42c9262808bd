use std::collections::{BTreeMap, HashMap, HashSet};

use uuid::Uuid;

use crate::clock::Timestamp;
use crate::store::{Command, Lease, WorkerId};

/// The leases of a store that lives in one process, by the time when they expire.
///
/// ```
/// use lro_core::Timestamp;
/// use lro_core::store::kit::Leases;
/// use lro_core::store::{Command, Lease, WorkerId};
/// use uuid::Uuid;
///
/// let worker = WorkerId::from_uuid(Uuid::nil());
/// let lease = |micros| Lease { worker, expire_time: Timestamp::from_micros(micros) };
/// let mut leases = Leases::default();
/// leases.insert(Uuid::from_u128(1), &lease(5));
/// leases.insert(Uuid::from_u128(2), &lease(7));
/// let expired = leases.expired(Timestamp::from_micros(6), 9, |_| false, &mut Vec::new());
/// assert_eq!(expired, [(lease(5), Uuid::from_u128(1), Command::ExpireShared)]);
/// ```
#[derive(Debug, Default)]
pub struct Leases {
    by_time: BTreeMap<(Timestamp, Uuid), Holder>,
}

#[derive(Debug)]
struct Holder {
    worker: WorkerId,
    /// Whether the worker has lost another operation since this lease began or was renewed.
    shared: bool,
}

impl Leases {
    /// Adds a lease that begins or is renewed.
    pub fn insert(&mut self, uid: Uuid, lease: &Lease) {
        let holder = Holder {
            worker: lease.worker,
            shared: false,
        };
        self.by_time.insert((lease.expire_time, uid), holder);
    }

    /// Removes a lease that ends or is renewed. Answers whether it was marked as shared.
    pub fn remove(&mut self, uid: Uuid, lease: &Lease) -> bool {
        let removed = self.by_time.remove(&(lease.expire_time, uid));
        removed.is_some_and(|holder| holder.shared)
    }

    /// Marks a lease as shared, or takes the mark back: for a store that rolls back, or that inserts
    /// a lease again which was not renewed.
    pub fn set_shared(&mut self, uid: Uuid, expire_time: Timestamp, shared: bool) {
        if let Some(holder) = self.by_time.get_mut(&(expire_time, uid)) {
            holder.shared = shared;
        }
    }

    /// The time when the first lease expires.
    pub fn first(&self) -> Option<Timestamp> {
        self.by_time.first_key_value().map(|((time, _), _)| *time)
    }

    /// The first time, not before this one, when a lease expires.
    pub fn first_from(&self, time: Timestamp) -> Option<Timestamp> {
        let mut later = self.by_time.range((time, Uuid::nil())..);
        later.next().map(|((time, _), _)| *time)
    }

    /// At most `limit` expired leases, the longest first, each with the command for its operation.
    /// The other leases of their workers are marked as shared: `marked` receives those that were not.
    /// Operations that `is_held` names are passed over: a worker of this process runs them.
    pub fn expired(
        &mut self,
        now: Timestamp,
        limit: usize,
        is_held: impl Fn(Uuid) -> bool,
        marked: &mut Vec<(Uuid, Timestamp)>,
    ) -> Vec<(Lease, Uuid, Command)> {
        if self.first().is_none_or(|time| time >= now) {
            return Vec::new();
        }
        let mut held: HashMap<WorkerId, usize> = HashMap::new();
        for holder in self.by_time.values() {
            *held.entry(holder.worker).or_default() += 1;
        }
        let mut lost: HashSet<WorkerId> = HashSet::new();
        let mut expired = Vec::new();
        let over = self.by_time.range(..(now, Uuid::nil()));
        let over = over.filter(|((_, uid), _)| !is_held(*uid)).take(limit);
        for ((time, uid), holder) in over {
            let alone = !holder.shared && held.get(&holder.worker) == Some(&1);
            let lease = Lease {
                worker: holder.worker,
                expire_time: *time,
            };
            let command = if alone {
                Command::Expire
            } else {
                lost.insert(holder.worker);
                Command::ExpireShared
            };
            expired.push((lease, *uid, command));
        }
        if !lost.is_empty() {
            for ((time, uid), holder) in &mut self.by_time {
                if !holder.shared && lost.contains(&holder.worker) {
                    holder.shared = true;
                    marked.push((*uid, *time));
                }
            }
        }
        expired
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// report:N2
    #[test]
    fn a_worker_that_is_lost_with_several_operations_shares_every_loss() {
        let at = Timestamp::from_micros;
        let id = Uuid::from_u128;
        let lease = |worker, micros| Lease {
            worker: WorkerId::from_uuid(id(worker)),
            expire_time: at(micros),
        };
        let mut leases = Leases::default();
        leases.insert(id(1), &lease(1, 1));
        leases.insert(id(2), &lease(1, 5));
        leases.insert(id(3), &lease(1, 6));
        leases.insert(id(4), &lease(2, 2));
        let expired =
            |leases: &mut Leases, now| leases.expired(at(now), 9, |_| false, &mut Vec::new());
        let first = (lease(1, 1), id(1), Command::ExpireShared);
        let found = expired(&mut leases, 3);
        assert_eq!(found, [first, (lease(2, 2), id(4), Command::Expire)]);
        leases.remove(id(1), &lease(1, 1));
        leases.remove(id(4), &lease(2, 2));
        leases.remove(id(3), &lease(1, 6));
        // The worker is alive after all.
        leases.insert(id(3), &lease(1, 9));
        let found = expired(&mut leases, 6);
        let second = (lease(1, 5), id(2), Command::ExpireShared);
        assert_eq!(found, [second], "it was lost later");
        leases.remove(id(2), &lease(1, 5));
        assert_eq!(expired(&mut leases, 9), []);
        leases.remove(id(3), &lease(1, 9));
        leases.insert(id(3), &lease(1, 10));
        let last = (lease(1, 10), id(3), Command::Expire);
        assert_eq!(expired(&mut leases, 11), [last]);
    }
}
