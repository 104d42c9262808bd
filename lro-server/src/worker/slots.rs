use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::backlog::Backlog;
#[cfg(feature = "inspection")]
use crate::engine::SlotCount;

/// The slots of a worker: limits on concurrent bodies, in total and for each method.
#[derive(Debug)]
pub(crate) struct Slots {
    #[cfg(feature = "inspection")]
    concurrency: usize,
    all: Arc<Semaphore>,
    all_gate: Backlog,
    methods: HashMap<&'static str, MethodSlots>,
}

#[derive(Debug)]
struct MethodSlots {
    limit: Option<Arc<Semaphore>>,
    gate: Backlog,
}

/// The right to run one body.
#[derive(Debug)]
pub(crate) struct Slot {
    _all: OwnedSemaphorePermit,
    _method: Option<OwnedSemaphorePermit>,
}

/// The slot of one run, until the run ends or its operation is deleted.
#[derive(Debug)]
pub(crate) struct HeldSlot(Mutex<Option<Slot>>);

impl HeldSlot {
    pub(crate) fn new(slot: Slot) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Some(slot))))
    }

    /// Releases the slot. Returns whether it was held until now.
    pub(crate) fn release(&self) -> bool {
        let slot = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        slot.is_some()
    }
}

/// Slots reserved for a claim, before its result is known.
#[derive(Debug)]
pub(crate) struct Reserved {
    all: OwnedSemaphorePermit,
    /// Without the methods whose slots are all taken.
    methods: BTreeMap<&'static str, Option<OwnedSemaphorePermit>>,
}

impl Slots {
    pub(crate) fn new(
        concurrency: usize,
        methods: impl Iterator<Item = (&'static str, Option<usize>)>,
    ) -> Self {
        let semaphore = |limit: usize| Arc::new(Semaphore::new(limit.min(Semaphore::MAX_PERMITS)));
        Self {
            #[cfg(feature = "inspection")]
            concurrency,
            all: semaphore(concurrency),
            all_gate: Backlog::new(),
            methods: methods
                .map(|(path, limit)| {
                    let limit = limit.map(semaphore);
                    let gate = Backlog::new();
                    (path, MethodSlots { limit, gate })
                })
                .collect(),
        }
    }

    /// The slots of the worker.
    #[cfg(feature = "inspection")]
    pub(crate) fn count(&self) -> SlotCount {
        SlotCount {
            all: self.concurrency,
            free: self.all.available_permits(),
        }
    }

    /// The free slots of a method with a limit of its own.
    #[cfg(feature = "inspection")]
    pub(crate) fn free_of(&self, method: &str) -> Option<usize> {
        let limit = self.methods.get(method)?.limit.as_ref()?;
        Some(limit.available_permits())
    }

    /// Whether no earlier operation of this method is waiting.
    pub(crate) fn admits(&self, method: &str) -> bool {
        let method = self.methods.get(method);
        self.all_gate.admits() && method.is_some_and(|method| method.gate.admits())
    }

    /// Whether a slot of this method that was just released must lead to a claim.
    pub(crate) fn wakes_claims(&self, method: &str) -> bool {
        Backlog::fence();
        let all = self.all_gate.slot_freed();
        let method = self.methods.get(method);
        all | method.is_none_or(|method| method.gate.slot_freed())
    }

    /// Whether a ready operation of this method must lead to a claim: the method is hosted, and not
    /// known to wait for a slot.
    pub(crate) fn may_run(&self, method: &str) -> bool {
        let method = self.methods.get(method);
        method.is_some_and(|method| !self.all_gate.is_closed() && !method.gate.is_closed())
    }

    /// One slot for a method, unless all are taken; then, whether a claim is to look again, because
    /// the method's own slot was taken for a moment, and a claim may have missed it.
    pub(crate) fn try_one(&self, method: &str) -> Result<Slot, bool> {
        let limit = &self.methods.get(method).ok_or(false)?.limit;
        let own = limit.as_ref().map(|it| it.clone().try_acquire_owned());
        let _method = own.transpose().map_err(|_| false)?;
        match self.all.clone().try_acquire_owned() {
            Ok(_all) => Ok(Slot { _all, _method }),
            Err(_) => {
                let was_taken = _method.is_some();
                drop(_method);
                Err(was_taken && self.wakes_claims(method))
            }
        }
    }

    /// Slots that are free, for at most `most` operations, to be [settled](Self::settle) after the
    /// claim; `None` when there is none. Half of them where starts may take slots, so that they may
    /// meanwhile, and otherwise all.
    pub(crate) fn reserve(&self, most: usize) -> Option<Reserved> {
        loop {
            match self.try_reserve(most) {
                Ok(reserved) => return Some(reserved),
                Err(again) if again => {}
                Err(_) => return None,
            }
        }
    }

    /// The free slots, or whether one was freed meanwhile.
    fn try_reserve(&self, most: usize) -> Result<Reserved, bool> {
        self.all_gate.look();
        self.methods.values().for_each(|method| method.gate.look());
        Backlog::fence();
        let share = |semaphore: &Semaphore, gate: &Backlog| match gate.admits() {
            true => semaphore.available_permits().div_ceil(2),
            false => semaphore.available_permits(),
        };
        let Some(all) = take(&self.all, most.min(share(&self.all, &self.all_gate))) else {
            return Err(self.all_gate.close());
        };
        let mut methods = BTreeMap::new();
        for (path, method) in &self.methods {
            let permits = match &method.limit {
                None => None,
                Some(limit) => match take(limit, all.num_permits().min(share(limit, &method.gate)))
                {
                    Some(permits) => Some(permits),
                    None => continue,
                },
            };
            methods.insert(*path, permits);
        }
        let reserved = Reserved { all, methods };
        match reserved.methods.is_empty() {
            true => Err(self.settle(reserved)),
            false => Ok(reserved),
        }
    }

    /// A claim has left nothing over: what comes next has to wait for the claim of all that is free.
    pub(crate) fn refuse_starts(&self) {
        self.all_gate.refuse();
    }

    /// Releases the slots that a claim has left over. Called when it has left some: then only
    /// methods whose own slots are taken may have more that is ready. Whether such a slot was freed
    /// meanwhile, and another look is to follow.
    #[must_use]
    pub(crate) fn settle(&self, reserved: Reserved) -> bool {
        let Reserved { all, methods } = reserved;
        let mut again = false;
        for (path, method) in &self.methods {
            match methods.get(path) {
                Some(Some(left)) if left.num_permits() > 0 => method.gate.open(),
                Some(None) => method.gate.open(),
                // It was asked for less than all of its slots.
                Some(Some(_)) if method.has_free() => {
                    method.gate.refuse();
                    again = true;
                }
                Some(Some(_)) | None => again |= method.gate.close(),
            }
        }
        self.all_gate.open();
        drop((all, methods));
        again
    }
}

impl MethodSlots {
    fn has_free(&self) -> bool {
        let limit = self.limit.as_ref();
        limit.is_some_and(|limit| limit.available_permits() > 0)
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
        // Another task was faster: try again.
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
        slots.refuse_starts();
        let a = slots.try_one("/a").unwrap();
        assert!(slots.try_one("/a").is_err());
        assert!(slots.try_one("/unknown").is_err());
        let mut reserved = slots.reserve(8).unwrap();
        assert_eq!(reserved.by_method(), BTreeMap::from([("/b".to_owned(), 2)]));
        let b = reserved.split("/b").unwrap();
        assert!(reserved.split("/a").is_none());
        drop(reserved);
        drop(a);
        let reserved = slots.reserve(8).unwrap();
        let room = BTreeMap::from([("/a".to_owned(), 1), ("/b".to_owned(), 2)]);
        assert_eq!(reserved.by_method(), room);
        assert!(slots.try_one("/b").is_err());
        drop((reserved, b));
        assert_eq!(slots.reserve(8).unwrap().total(), 3);
    }

    #[test]
    fn a_method_whose_slots_are_taken_does_not_stand_in_the_way_of_others() {
        let slots = Slots::new(4, [("/a", Some(1)), ("/b", None)].into_iter());
        let mut reserved = slots.reserve(8).unwrap();
        let a = reserved.split("/a").unwrap();
        assert!(!slots.settle(reserved));
        assert!(!slots.admits("/a") && slots.admits("/b"));
        assert!(!slots.may_run("/a") && slots.may_run("/b"));
        assert!(slots.wakes_claims("/a") && !slots.wakes_claims("/b"));
        drop(a);
        assert!(!slots.settle(slots.reserve(8).unwrap()));
        assert!(slots.admits("/a") && slots.admits("/b"));

        let taken: Vec<_> = (0..4).map(|_| slots.try_one("/b").unwrap()).collect();
        assert!(slots.reserve(8).is_none());
        for method in ["/a", "/b"] {
            assert!(!slots.admits(method) && !slots.may_run(method) && slots.wakes_claims(method));
        }
        drop(taken);
        assert!(!slots.settle(slots.reserve(8).unwrap()));
        assert!(slots.admits("/a") && slots.admits("/b"));
        assert!(!slots.may_run("/unknown"));
    }

    #[test]
    fn a_slot_that_was_taken_for_a_moment_is_not_overlooked() {
        let slots = Slots::new(1, [("/a", Some(1)), ("/b", None)].into_iter());
        let b = slots.try_one("/b").unwrap();
        // As if a claim had found the slot of `/a` taken: it looks for nothing more of it.
        assert!(slots.reserve(8).is_none());
        assert_eq!(slots.try_one("/a").err(), Some(true));
        assert_eq!(
            slots.try_one("/b").err(),
            Some(false),
            "it has none of its own"
        );
        drop(b);
        assert!(!slots.settle(slots.reserve(8).unwrap()));
        let _a = slots.try_one("/a").unwrap();
        assert_eq!(slots.try_one("/a").err(), Some(false), "it was not taken");
    }

    #[test]
    fn a_slot_that_is_freed_during_a_claim_leads_to_another_where_more_may_be_ready() {
        let slots = Slots::new(4, [("/a", Some(1)), ("/b", None)].into_iter());
        let a = slots.try_one("/a").unwrap();
        // Only `/b` is asked for, and gives less than it could.
        let reserved = slots.reserve(8).unwrap();
        drop(a);
        assert!(!slots.wakes_claims("/a"), "the claim under way sees to it");
        assert!(slots.settle(reserved), "`/a` was not asked for");
        let mut reserved = slots.reserve(8).unwrap();
        let b = reserved.split("/b").unwrap();
        drop(b);
        assert!(!slots.wakes_claims("/b"));
        assert!(!slots.settle(reserved), "no more of `/b` was ready");
        assert!(slots.admits("/a") && slots.admits("/b"));
    }

    #[test]
    fn a_claim_leaves_slots_to_starts_unless_more_waits_than_it_could_take() {
        let slots = Slots::new(8, [("/a", Some(5)), ("/b", None)].into_iter());
        let mut reserved = slots.reserve(9).unwrap();
        let room = BTreeMap::from([("/a".to_owned(), 3), ("/b".to_owned(), 4)]);
        assert_eq!(reserved.by_method(), room);
        assert!(slots.admits("/a") && slots.try_one("/a").is_ok());
        let _taken = [(); 3].map(|()| reserved.split("/a").unwrap());
        assert!(
            slots.settle(reserved),
            "more of `/a` may be ready, and has slots"
        );
        assert!(!slots.admits("/a") && slots.admits("/b"));
        slots.refuse_starts();
        let reserved = slots.reserve(9).unwrap();
        let room = BTreeMap::from([("/a".to_owned(), 2), ("/b".to_owned(), 5)]);
        assert_eq!(reserved.by_method(), room);
        assert!(!slots.admits("/a") && !slots.admits("/b"));
        assert!(!slots.settle(reserved));
        assert!(slots.admits("/a") && slots.admits("/b"));
    }
}
