//! The answers that clients got, kept in the memory of a process that is not killed.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use lro_core::pb;
use prost::Message as _;

use crate::random::Random;
use crate::server::Script;

/// The notes on each operation, by id.
#[derive(Debug, Default)]
pub struct Journal {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    entries: BTreeMap<String, Entry>,
    faults: Vec<String>,
    acknowledged: u64,
}

/// The notes on one operation.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The behaviour of its body.
    pub script: Script,
    /// The key it was started with.
    pub key: Option<String>,
    /// No other client may use it.
    pub apart: bool,
    /// Its start was answered.
    pub started: bool,
    /// A cancellation was answered with OK.
    pub cancelled: bool,
    /// A deletion was sent.
    pub deleting: bool,
    /// A deletion was answered with OK.
    pub deleted: bool,
    /// The result that was seen.
    pub result: Option<Seen>,
}

/// A result: its kind as the database has it, and its bytes.
pub type Seen = (i64, Vec<u8>);

impl Journal {
    /// A start is about to be sent.
    pub fn starting(&self, id: &str, script: Script) {
        self.insert(id, script, None, false);
    }

    /// The same, perhaps with a request id or an exclusive key, of one that no other client is to
    /// [pick](Self::some_ids): a probe counts on it.
    pub fn starting_apart(&self, id: &str, script: Script, key: Option<String>) {
        self.insert(id, script, key, true);
    }

    fn insert(&self, id: &str, script: Script, key: Option<String>, apart: bool) {
        let entry = Entry {
            script,
            key,
            apart,
            started: false,
            cancelled: false,
            deleting: false,
            deleted: false,
            result: None,
        };
        self.state().entries.insert(id.to_owned(), entry);
    }

    /// A call about that operation was answered.
    pub fn acknowledge(&self, id: &str, note: impl FnOnce(&mut Entry)) {
        let mut state = self.state();
        state.acknowledged += 1;
        if let Some(entry) = state.entries.get_mut(id) {
            note(entry);
        }
    }

    /// A deletion is about to be sent.
    pub fn deleting(&self, id: &str) {
        if let Some(entry) = self.state().entries.get_mut(id) {
            entry.deleting = true;
        }
    }

    /// The operation was seen. `before`: what was known of it when the call was sent.
    pub fn seen(&self, id: &str, operation: &pb::Operation, before: &Entry) {
        let mut state = self.state();
        state.acknowledged += 1;
        let result = operation.result.as_ref().map(to_seen);
        let mut faults = Vec::new();
        if before.deleted {
            faults.push(format!("{id} is there after its deletion"));
        }
        if operation.done != result.is_some() {
            faults.push(format!(
                "{id} is done without a result, or the other way round"
            ));
        }
        if before.result.is_some() && result.is_none() {
            faults.push(format!("{id} was done and is not any more"));
        }
        if let Some(entry) = state.entries.get_mut(id) {
            match (&entry.result, result) {
                (None, seen) => entry.result = seen,
                (Some(first), Some(second)) if *first != second => {
                    faults.push(format!("{id} has changed its result"));
                }
                (Some(_), _) => {}
            }
        }
        state.faults.extend(faults);
    }

    /// The operation was not found. `before`: what was known of it when the call was sent.
    pub fn missed(&self, id: &str, before: &Entry) {
        let mut state = self.state();
        state.acknowledged += 1;
        let deleting = state.entries.get(id).is_some_and(|it| it.deleting);
        if before.started && !deleting {
            state
                .faults
                .push(format!("{id} was acknowledged and is not found"));
        }
    }

    /// Something else was wrong.
    pub fn fault(&self, what: String) {
        self.state().faults.push(what);
    }

    /// The notes on one operation.
    pub fn entry(&self, id: &str) -> Option<Entry> {
        self.state().entries.get(id).cloned()
    }

    /// Some operations that earlier clients have started.
    pub fn some_ids(&self, random: &mut Random) -> Vec<String> {
        let state = self.state();
        let ids = state.entries.iter().filter(|(_, entry)| !entry.apart);
        let ids: Vec<_> = ids.map(|(id, _)| id).collect();
        let picked = (0..5).filter_map(|_| random.pick(&ids).map(|id| (*id).clone()));
        picked.collect()
    }

    /// The notes on all operations, by id.
    pub fn entries(&self) -> BTreeMap<String, Entry> {
        self.state().entries.clone()
    }

    /// How many calls were answered.
    pub fn acknowledged(&self) -> u64 {
        self.state().acknowledged
    }

    /// Takes what was wrong.
    pub fn faults(&self) -> Vec<String> {
        std::mem::take(&mut self.state().faults)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn to_seen(result: &pb::operation::Result) -> Seen {
    match result {
        pb::operation::Result::Response(any) => (0, any.encode_to_vec()),
        pb::operation::Result::Error(status) => (1, status.encode_to_vec()),
    }
}
