use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How many bodies a worker may run at a time, in all and of each method.
#[derive(Debug)]
pub(crate) struct Slots {
    all: Arc<Semaphore>,
    methods: HashMap<&'static str, Option<Arc<Semaphore>>>,
}

/// The right to run one body.
#[derive(Debug)]
pub(crate) struct Slot {
    _all: OwnedSemaphorePermit,
    _method: Option<OwnedSemaphorePermit>,
}

/// Slots taken for a claim, before it is known what it gives.
#[derive(Debug)]
pub(crate) struct Reserved {
    all: OwnedSemaphorePermit,
    methods: BTreeMap<&'static str, Option<OwnedSemaphorePermit>>,
    /// Whether a method was left out because all its slots are taken.
    pub(crate) partial: bool,
}

impl Slots {
    pub(crate) fn new(
        concurrency: usize,
        methods: impl Iterator<Item = (&'static str, Option<usize>)>,
    ) -> Self {
        let semaphore = |limit: usize| Arc::new(Semaphore::new(limit.min(Semaphore::MAX_PERMITS)));
        Self {
            all: semaphore(concurrency),
            methods: methods
                .map(|(path, limit)| (path, limit.map(semaphore)))
                .collect(),
        }
    }

    /// One slot for a method, unless all are taken.
    pub(crate) fn try_one(&self, method: &str) -> Option<Slot> {
        let limit = self.methods.get(method)?;
        let _method = match limit {
            Some(limit) => Some(limit.clone().try_acquire_owned().ok()?),
            None => None,
        };
        let _all = self.all.clone().try_acquire_owned().ok()?;
        Some(Slot { _all, _method })
    }

    /// All the slots that are free, for at most `most` operations; `None` when there is none.
    pub(crate) fn reserve(&self, most: usize) -> Option<Reserved> {
        let all = take(&self.all, most)?;
        let mut methods = BTreeMap::new();
        let mut partial = false;
        for (path, limit) in &self.methods {
            let permits = match limit {
                None => None,
                Some(limit) => match take(limit, all.num_permits()) {
                    Some(permits) => Some(permits),
                    None => {
                        partial = true;
                        continue;
                    }
                },
            };
            methods.insert(*path, permits);
        }
        (!methods.is_empty()).then_some(Reserved {
            all,
            methods,
            partial,
        })
    }
}

impl Reserved {
    pub(crate) fn total(&self) -> usize {
        self.all.num_permits()
    }

    /// How many operations of each method there is room for.
    pub(crate) fn by_method(&self) -> BTreeMap<String, usize> {
        let total = self.total();
        let room = |permits: &Option<OwnedSemaphorePermit>| {
            permits
                .as_ref()
                .map_or(total, OwnedSemaphorePermit::num_permits)
        };
        self.methods
            .iter()
            .map(|(path, permits)| ((*path).to_owned(), room(permits)))
            .collect()
    }

    /// Hands out the slot of one claimed operation. `None` when the store has given more than
    /// there was room for.
    pub(crate) fn split(&mut self, method: &str) -> Option<Slot> {
        let _method = match self.methods.get_mut(method)? {
            Some(permits) => Some(permits.split(1)?),
            None => None,
        };
        let _all = self.all.split(1)?;
        Some(Slot { _all, _method })
    }
}

/// As many permits as there are, at most `most`; `None` instead of none.
fn take(semaphore: &Arc<Semaphore>, most: usize) -> Option<OwnedSemaphorePermit> {
    let mut wanted = semaphore.available_permits().min(most);
    while wanted > 0 {
        let count = u32::try_from(wanted).unwrap_or(u32::MAX);
        if let Ok(permits) = semaphore.clone().try_acquire_many_owned(count) {
            return Some(permits);
        }
        // Another task was faster: look again.
        wanted = semaphore.available_permits().min(wanted - 1);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limits_hold_in_all_and_of_each_method() {
        let slots = Slots::new(3, [("/a", Some(1)), ("/b", None)].into_iter());
        let a = slots.try_one("/a").unwrap();
        assert!(slots.try_one("/a").is_none());
        assert!(slots.try_one("/unknown").is_none());
        let mut reserved = slots.reserve(8).unwrap();
        assert_eq!(reserved.by_method(), BTreeMap::from([("/b".to_owned(), 2)]));
        assert!(reserved.partial);
        let b = reserved.split("/b").unwrap();
        assert!(reserved.split("/a").is_none());
        drop(reserved);
        drop(a);
        let reserved = slots.reserve(8).unwrap();
        let room = BTreeMap::from([("/a".to_owned(), 1), ("/b".to_owned(), 2)]);
        assert_eq!(reserved.by_method(), room);
        assert!(slots.try_one("/b").is_none());
        drop((reserved, b));
        assert_eq!(slots.reserve(8).unwrap().total(), 3);
    }
}
