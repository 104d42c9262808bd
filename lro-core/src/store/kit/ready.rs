use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use crate::clock::Timestamp;
use crate::store::Backlog;

/// The pending operations of a store that lives in one process, by method, in the order in which
/// they are to be claimed. Saves such a store from ever polling its database.
#[derive(Debug, Default)]
pub struct ReadyQueue {
    methods: BTreeMap<String, BTreeSet<(Timestamp, Uuid)>>,
}

impl ReadyQueue {
    /// Adds a pending operation.
    pub fn insert(&mut self, method: &str, ready_time: Timestamp, uid: Uuid) {
        match self.methods.get_mut(method) {
            Some(queue) => {
                queue.insert((ready_time, uid));
            }
            None => {
                let queue = BTreeSet::from([(ready_time, uid)]);
                self.methods.insert(method.to_owned(), queue);
            }
        }
    }

    /// Removes an operation that is not pending any more.
    pub fn remove(&mut self, method: &str, ready_time: Timestamp, uid: Uuid) {
        if let Some(queue) = self.methods.get_mut(method) {
            queue.remove(&(ready_time, uid));
            if queue.is_empty() {
                self.methods.remove(method);
            }
        }
    }

    /// The operations that are ready now, as they were [inserted](Self::insert), the longest ready
    /// first: at most `limit` in all, and of each method at most as many as `methods` allows.
    pub fn ready<'m>(
        &self,
        methods: &'m BTreeMap<String, usize>,
        limit: usize,
        now: Timestamp,
    ) -> Vec<(&'m str, Timestamp, Uuid)> {
        let mut ready = Vec::new();
        for (method, most) in methods {
            if let Some(queue) = self.methods.get(method) {
                let first = queue.range(..=(now, Uuid::max())).take((*most).min(limit));
                ready.extend(first.map(|(time, uid)| (method.as_str(), *time, *uid)));
            }
        }
        ready.sort_unstable_by_key(|(_, time, uid)| (*time, *uid));
        ready.truncate(limit);
        ready
    }

    /// The methods with operations that are ready now, at most `limit` operations in all.
    pub fn backlog(&self, limit: usize, now: Timestamp) -> Vec<Backlog> {
        let mut left = limit;
        let mut methods = Vec::new();
        for (method, queue) in &self.methods {
            let mut ready = queue.range(..=(now, Uuid::max())).take(left);
            if let Some((oldest, _)) = ready.next() {
                let count = 1 + ready.count();
                left -= count;
                methods.push(Backlog::new(method, count, *oldest));
            }
        }
        methods
    }

    /// When the next operation of these methods is ready.
    pub fn next_time(&self, methods: &BTreeMap<String, usize>) -> Option<Timestamp> {
        let first = |method: &String| Some(self.methods.get(method)?.first()?.0);
        methods.keys().filter_map(first).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_ready_goes_first_within_the_limits() {
        let at = Timestamp::from_micros;
        let id = |n| Uuid::from_u128(n);
        let mut queue = ReadyQueue::default();
        queue.insert("a", at(3), id(1));
        queue.insert("a", at(1), id(2));
        queue.insert("b", at(2), id(3));
        queue.insert("b", at(9), id(4));
        let methods = |a, b| BTreeMap::from([("a".to_owned(), a), ("b".to_owned(), b)]);
        let (first, second) = (("a", at(1), id(2)), ("b", at(2), id(3)));
        let third = ("a", at(3), id(1));
        assert_eq!(
            queue.ready(&methods(9, 9), 9, at(3)),
            [first, second, third]
        );
        assert_eq!(queue.ready(&methods(1, 9), 9, at(3)), [first, second]);
        assert_eq!(queue.ready(&methods(9, 9), 1, at(3)), [first]);
        assert!(queue.ready(&methods(9, 9), 9, at(0)).is_empty());
        assert_eq!(queue.next_time(&methods(1, 1)), Some(at(1)));
        queue.remove("a", at(1), id(2));
        queue.remove("b", at(2), id(3));
        assert_eq!(queue.next_time(&methods(1, 1)), Some(at(3)));
        assert_eq!(queue.next_time(&BTreeMap::new()), None);
    }
}
