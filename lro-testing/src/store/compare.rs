mod script;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use lro_core::store::{Claimed, ListQuery, MemoryStore, OperationStore, StepQuery};
use lro_core::{Clock, OperationName};

use self::script::{Script, Step};
use super::build::parent;
use crate::ManualClock;

/// How many steps lie between two comparisons of everything that can be read.
const STEPS_PER_CHECK: usize = 25;

/// Gives a pseudo-random script of commands to the store and to a
/// [`MemoryStore`], and compares every answer, every record with its steps and every page for equality.
///
/// `store` is empty and lives by `clock`, which the script moves in both directions. The same seed
/// makes the same script, always.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use std::sync::Arc;
/// use lro_core::store::MemoryStore;
/// use lro_testing::{ManualClock, store::compare_with_memory};
///
/// let clock = Arc::new(ManualClock::new());
/// let store = Arc::new(MemoryStore::with_clock(clock.clone()));
/// compare_with_memory(store, clock, 42, 300).await;
/// # });
/// ```
///
/// # Panics
///
/// At the first difference, with the seed, the step and the command in the message.
pub async fn compare_with_memory(
    store: Arc<dyn OperationStore>,
    clock: Arc<ManualClock>,
    seed: u64,
    steps: usize,
) {
    println!("compare_with_memory: seed {seed}, {steps} steps");
    let mut pair = Pair {
        memory: MemoryStore::with_clock(clock.clone()),
        store,
        at: String::new(),
    };
    let mut script = Script::new(seed, pair.store.keeps_steps());
    for n in 1..=steps {
        clock.set(script.next_time(clock.now()));
        let step = script.next_step();
        pair.at = format!("seed {seed}, step {n} at {:?}: {step:?}", clock.now());
        pair.step(step, &mut script).await;
        if n % STEPS_PER_CHECK == 0 || n == steps {
            for name in Script::names() {
                pair.get(&name).await;
            }
            let limit = script.limit();
            pair.walk(limit).await;
        }
    }
}

/// The two stores.
struct Pair {
    memory: MemoryStore,
    store: Arc<dyn OperationStore>,
    /// Where the script stands.
    at: String,
}

impl Pair {
    async fn step(&self, step: Step, script: &mut Script) {
        match step {
            Step::Start(operations) => {
                let names: Vec<_> = operations.iter().map(|new| new.name.clone()).collect();
                let wanted = self.memory.start(operations.clone()).await.unwrap();
                let found = self.store.start(operations).await;
                self.same("the answers", &found.unwrap(), &wanted);
                for started in wanted.iter().flatten() {
                    script.learn(&started.record);
                }
                self.get_all(&names).await;
            }
            Step::Claim(claim) => {
                let wanted = self.memory.claim(claim.clone()).await.unwrap();
                let found = self.store.claim(claim).await.unwrap();
                self.same_claim(&found, &wanted);
                for record in &wanted.operations {
                    script.learn(record);
                    self.get(&record.name).await;
                }
            }
            Step::Update(updates) => {
                let names: Vec<_> = updates.iter().map(|update| update.name.clone()).collect();
                let wanted = self.memory.update(updates.clone()).await.unwrap();
                let found = self.store.update(updates).await;
                self.same("the answers", &found.unwrap(), &wanted);
                self.get_all(&names).await;
            }
            Step::Purge => {
                // All of them: which ones go first, a store may choose.
                let wanted = self.memory.purge(usize::from(u16::MAX)).await.unwrap();
                let found = self.store.purge(usize::from(u16::MAX)).await.unwrap();
                self.same("the number", &found, &wanted);
            }
            Step::Walk { limit } => self.walk(limit).await,
        }
    }

    fn same_claim(&self, found: &Claimed, wanted: &Claimed) {
        self.same("the operations", &found.operations, &wanted.operations);
        // At the latest: a store may ask to be called earlier, but not over and over.
        let Some(latest) = wanted.next_in else {
            return;
        };
        let next_in = found.next_in.unwrap_or(Duration::MAX);
        assert!(
            next_in <= latest && next_in.is_zero() == latest.is_zero(),
            "next_in is {:?}, at the latest {latest:?} is right; {}",
            found.next_in,
            self.at
        );
    }

    async fn get_all(&self, names: &[OperationName]) {
        for name in names {
            self.get(name).await;
        }
    }

    async fn get(&self, name: &OperationName) {
        let wanted = self.memory.get(name).await.unwrap();
        let found = self.store.get(name).await.unwrap();
        self.same(&format!("the record of {name}"), &found, &wanted);
        let wanted = wanted.filter(|_| self.store.keeps_steps());
        let Some(record) = wanted.filter(|record| record.steps.is_some()) else {
            return;
        };
        let epoch = record.steps.as_deref().map_or(0, |steps| steps.epoch);
        let query = StepQuery::all(record.uid, epoch);
        let wanted = self.memory.steps(query).await.unwrap();
        let found = self.store.steps(query).await.unwrap();
        self.same(&format!("the steps of {name}"), &found, &wanted);
    }

    /// Every page of every parent.
    async fn walk(&self, limit: usize) {
        for below in Script::parents() {
            let mut after = None;
            loop {
                let mut query = ListQuery::new(parent(below), limit);
                query.after = after;
                let wanted = self.memory.list(query.clone()).await.unwrap();
                let found = self.store.list(query.clone()).await.unwrap();
                self.same(&format!("the page of {query:?}"), &found, &wanted);
                after = wanted.next;
                if after.is_none() {
                    break;
                }
            }
        }
    }

    fn same<T: PartialEq + fmt::Debug>(&self, what: &str, found: &T, wanted: &T) {
        assert!(
            found == wanted,
            "{what}: found {found:#?}, wanted {wanted:#?}; {}",
            self.at
        );
    }
}
