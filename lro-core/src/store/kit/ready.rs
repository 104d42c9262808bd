use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use crate::clock::Timestamp;
use crate::store::{Backlog, Claim, OperationRecord, Suspects};

/// The pending operations of a store that lives in one process, by method, in the order in which
/// claims take them. Saves such a store from polling its database.
///
/// ```
/// use lro_core::Timestamp;
/// use lro_core::store::kit::{ReadyEntry, ReadyQueue};
///
/// let mut queue = ReadyQueue::default();
/// queue.insert(&ReadyEntry {
///     method: "/exporter.v1.Exporter/Export".to_owned(),
///     ready_time: Timestamp::EPOCH,
///     uid: uuid::Uuid::nil(),
///     losses: 0,
/// });
/// assert_eq!(queue.backlog(10, Timestamp::EPOCH)[0].count, 1);
/// ```
#[derive(Debug, Default)]
pub struct ReadyQueue {
    /// Operations without losses.
    normal: Methods,
    /// Operations with one loss.
    together: Methods,
    /// Operations with more losses.
    trials: Methods,
}

/// A pending operation in a [`ReadyQueue`].
///
/// ```
/// use lro_core::Timestamp;
/// use lro_core::store::kit::ReadyEntry;
/// use uuid::Uuid;
///
/// let entry = ReadyEntry {
///     method: "/exporter.v1.Exporter/Export".to_owned(),
///     ready_time: Timestamp::EPOCH,
///     uid: Uuid::nil(),
///     losses: 0,
/// };
/// assert_eq!(entry.losses, 0);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadyEntry {
    /// The gRPC path of its method.
    pub method: String,
    /// The time from which on it may be claimed.
    pub ready_time: Timestamp,
    /// Its identity.
    pub uid: Uuid,
    /// Its [losses](OperationRecord::losses).
    pub losses: u32,
}

impl ReadyEntry {
    /// The entry of a record.
    pub fn of(record: &OperationRecord) -> Self {
        Self {
            method: record.method.clone(),
            ready_time: record.ready_time,
            uid: record.uid,
            losses: record.losses,
        }
    }
}

impl ReadyQueue {
    /// Adds a pending operation; one that is [never ready](OperationRecord::NEVER_READY) takes no
    /// room.
    pub fn insert(&mut self, entry: &ReadyEntry) {
        if entry.ready_time == OperationRecord::NEVER_READY {
            return;
        }
        let place = (entry.ready_time, entry.uid, entry.losses);
        let methods = self.methods_mut(entry.losses);
        match methods.0.get_mut(&entry.method) {
            Some(queue) => {
                queue.insert(place);
            }
            None => {
                let queue = BTreeSet::from([place]);
                methods.0.insert(entry.method.clone(), queue);
            }
        }
    }

    /// Removes an operation that is no longer pending.
    pub fn remove(&mut self, entry: &ReadyEntry) {
        let methods = self.methods_mut(entry.losses);
        if let Some(queue) = methods.0.get_mut(&entry.method) {
            queue.remove(&(entry.ready_time, entry.uid, entry.losses));
            if queue.is_empty() {
                methods.0.remove(&entry.method);
            }
        }
    }

    fn methods_mut(&mut self, losses: u32) -> &mut Methods {
        if losses == 0 {
            &mut self.normal
        } else if Suspects::is_tried_alone(losses) {
            &mut self.trials
        } else {
            &mut self.together
        }
    }

    /// The operations that a claim takes now, in its order.
    pub fn ready(&self, claim: &Claim, now: Timestamp) -> Vec<ReadyEntry> {
        if let Some(after) = claim.suspects.trial_after {
            let ready_since = now.saturating_sub(after);
            let trial = self
                .trials
                .ready(&claim.methods, claim.limit.min(1), ready_since);
            if !trial.is_empty() {
                return trial;
            }
        }
        let most = claim.limit.min(claim.suspects.max_together);
        let mut ready = self.together.ready(&claim.methods, most, now);
        if ready.is_empty() {
            return self.normal.ready(&claim.methods, claim.limit, now);
        }
        let mut left = claim.methods.clone();
        for entry in &ready {
            if let Some(most) = left.get_mut(&entry.method) {
                *most = most.saturating_sub(1);
            }
        }
        let limit = claim.limit.saturating_sub(ready.len());
        ready.extend(self.normal.ready(&left, limit, now));
        ready
    }

    /// When a claim like this one next finds an operation.
    pub fn next_time(&self, claim: &Claim) -> Option<Timestamp> {
        let methods = &claim.methods;
        let trial = claim.suspects.trial_after.and_then(|after| {
            let first = self.trials.first(methods)?;
            Some(first.saturating_add(after))
        });
        let together = self.together.first(methods);
        let together = together.filter(|_| claim.suspects.max_together > 0);
        let normal = self.normal.first(methods);
        trial.into_iter().chain(together).chain(normal).min()
    }

    /// The methods with operations that are ready now, at most `limit` operations in all, without
    /// suspects, which may wait for a worker that runs nothing.
    pub fn backlog(&self, limit: usize, now: Timestamp) -> Vec<Backlog> {
        let mut left = limit;
        let mut methods = Vec::new();
        for (method, queue) in &self.normal.0 {
            let mut ready = queue.range(..=(now, Uuid::max(), u32::MAX)).take(left);
            if let Some((oldest, ..)) = ready.next() {
                let count = 1 + ready.count();
                left -= count;
                methods.push(Backlog::new(method, count, *oldest));
            }
        }
        methods
    }

    /// Whether suspects of these methods are pending.
    pub fn suspects_wait(&self, claim: &Claim) -> bool {
        let suspects = [&self.together, &self.trials];
        suspects
            .iter()
            .any(|methods| methods.first(&claim.methods).is_some())
    }
}

/// Queues of ready time and uid, with losses.
#[derive(Debug, Default)]
struct Methods(BTreeMap<String, BTreeSet<(Timestamp, Uuid, u32)>>);

impl Methods {
    /// The longest ready first: at most `limit`, and of each method at most as many as it says.
    fn ready(
        &self,
        methods: &BTreeMap<String, usize>,
        limit: usize,
        now: Timestamp,
    ) -> Vec<ReadyEntry> {
        let mut ready = Vec::new();
        if self.0.is_empty() {
            return ready;
        }
        let end = (now, Uuid::max(), u32::MAX);
        for (method, most) in methods {
            if let Some(queue) = self.0.get(method) {
                let first = queue.range(..=end).take((*most).min(limit));
                ready.extend(first.map(|(ready_time, uid, losses)| ReadyEntry {
                    method: method.clone(),
                    ready_time: *ready_time,
                    uid: *uid,
                    losses: *losses,
                }));
            }
        }
        ready.sort_unstable_by_key(|entry| (entry.ready_time, entry.uid));
        ready.truncate(limit);
        ready
    }

    fn first(&self, methods: &BTreeMap<String, usize>) -> Option<Timestamp> {
        if self.0.is_empty() {
            return None;
        }
        let first = |method: &String| Some(self.0.get(method)?.first()?.0);
        methods.keys().filter_map(first).min()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::store::WorkerId;

    fn entry(method: &str, micros: i64, n: u128, losses: u32) -> ReadyEntry {
        ReadyEntry {
            method: method.to_owned(),
            ready_time: Timestamp::from_micros(micros),
            uid: Uuid::from_u128(n),
            losses,
        }
    }

    fn claim(methods: &[(&str, usize)], limit: usize, suspects: Suspects) -> Claim {
        let methods = methods
            .iter()
            .map(|(method, most)| ((*method).to_owned(), *most));
        Claim {
            worker: WorkerId::from_uuid(Uuid::nil()),
            methods: methods.collect(),
            limit,
            lease_duration: Duration::from_secs(30),
            suspects,
            expires_leases: true,
        }
    }

    #[test]
    fn the_longest_ready_goes_first_within_the_limits() {
        let at = Timestamp::from_micros;
        let (first, second, third) = (
            entry("a", 1, 2, 0),
            entry("b", 2, 3, 0),
            entry("a", 3, 1, 0),
        );
        let mut queue = ReadyQueue::default();
        for entry in [&third, &first, &second, &entry("b", 9, 4, 0)] {
            queue.insert(entry);
        }
        let claim = |a, b, limit| claim(&[("a", a), ("b", b)], limit, Suspects::default());
        let ready = |claim: Claim, now| queue.ready(&claim, at(now));
        let all = [first.clone(), second.clone(), third.clone()];
        assert_eq!(ready(claim(9, 9, 9), 3), all);
        assert_eq!(ready(claim(1, 9, 9), 3), all[..2]);
        assert_eq!(ready(claim(9, 9, 1), 3), all[..1]);
        assert!(ready(claim(9, 9, 9), 0).is_empty());
        assert_eq!(queue.next_time(&claim(1, 1, 1)), Some(at(1)));
        queue.remove(&first);
        queue.remove(&second);
        assert_eq!(queue.next_time(&claim(1, 1, 1)), Some(at(3)));
        assert_eq!(
            queue.next_time(&super::tests::claim(&[], 1, Suspects::NONE)),
            None
        );
    }

    /// report:N2
    #[test]
    fn suspects_go_first_and_one_with_more_losses_goes_alone() {
        let at = Timestamp::from_micros;
        let mut queue = ReadyQueue::default();
        let (innocent, suspect, tried) = (
            entry("a", 1, 1, 0),
            entry("a", 2, 2, 1),
            entry("a", 3, 3, 2),
        );
        for entry in [&innocent, &suspect, &entry("a", 2, 4, 1), &tried] {
            queue.insert(entry);
        }
        let with = |max_together, trial_after: Option<u64>| {
            let trial_after = trial_after.map(Duration::from_micros);
            let suspects = Suspects {
                max_together,
                trial_after,
            };
            claim(&[("a", 9)], 9, suspects)
        };
        let ready = |claim: &Claim, now| queue.ready(claim, at(now));
        assert_eq!(ready(&with(9, Some(0)), 9), std::slice::from_ref(&tried));
        assert_eq!(
            ready(&with(1, Some(5)), 7),
            [suspect.clone(), innocent.clone()]
        );
        assert_eq!(ready(&with(1, Some(5)), 8), [tried]);
        assert_eq!(ready(&claim(&[("a", 9)], 9, Suspects::NONE), 9), [innocent]);
        assert_eq!(
            ready(
                &claim(
                    &[("a", 1)],
                    9,
                    Suspects {
                        trial_after: None,
                        ..Suspects::default()
                    }
                ),
                9
            ),
            [suspect]
        );
        assert_eq!(queue.next_time(&with(0, Some(5))), Some(at(1)));
        assert!(queue.suspects_wait(&with(0, None)));
        assert!(!queue.suspects_wait(&claim(&[("b", 1)], 1, Suspects::NONE)));
    }

    /// steps:W2
    #[test]
    fn what_is_never_ready_takes_no_room() {
        let mut queue = ReadyQueue::default();
        let never = OperationRecord::NEVER_READY;
        let suspended = |n| entry("a", never.as_micros(), n, 0);
        (1..10).for_each(|n| queue.insert(&suspended(n)));
        assert!(queue.normal.0.is_empty());
        queue.insert(&entry("a", 1, 10, 0));
        queue.remove(&suspended(1));
        let claim = claim(&[("a", 9)], 9, Suspects::default());
        assert_eq!(queue.ready(&claim, never), [entry("a", 1, 10, 0)]);
    }
}
