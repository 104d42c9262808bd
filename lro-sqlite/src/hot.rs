//! A cache of the records that were written last.
//!
//! Only the writer's thread writes the file, so its commits are the contents of the file, and
//! neither the writer nor a reader needs to read them again. The cache holds no pending operations:
//! no call changes them soon, and there may be very many of them.

use std::borrow::Borrow;
use std::collections::{HashSet, VecDeque};
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lro_core::OperationName;
use lro_core::store::{OperationRecord, OperationResult, OperationState};
use prost::Message;

/// How many bytes of records are kept, roughly: a few thousand operations.
const LEN_MAX: usize = 4 << 20;

/// The largest share of one record.
const RECORD_LEN_MAX: usize = LEN_MAX / 64;

/// About what a record takes besides its payloads.
const RECORD_LEN_MIN: usize = 768;

/// The records that were committed last, for all threads.
#[derive(Debug, Default)]
pub(crate) struct Hot {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    by_name: HashSet<ByName>,
    /// In the order in which they came, those included that a later one has replaced.
    order: VecDeque<Arc<OperationRecord>>,
    len: usize,
}

/// A record, found by its name.
#[derive(Debug)]
struct ByName(Arc<OperationRecord>);

/// The records that the open transaction has written, invisible before its commit.
#[derive(Debug, Default)]
pub(crate) struct Written {
    by_name: HashSet<ByName>,
    /// Names of those that it has removed, or has not read as a whole.
    unknown: HashSet<OperationName>,
}

impl Hot {
    /// The record of that name as it was last committed, if it is kept. It may be hidden.
    pub(crate) fn get(&self, name: &OperationName) -> Option<Arc<OperationRecord>> {
        self.kept().by_name.get(name).map(|it| it.0.clone())
    }

    /// Called just before a commit: forgets the records that it changes. Otherwise one reader could
    /// get a record from before the commit when another has read it from after.
    pub(crate) fn forget(&self, written: &Written) {
        let mut kept = self.kept();
        for ByName(record) in &written.by_name {
            kept.by_name.remove(&record.name);
        }
        for name in &written.unknown {
            kept.by_name.remove(name);
        }
    }

    /// Called after the commit and before its answers and events.
    pub(crate) fn keep(&self, written: &mut Written) {
        written.unknown.clear();
        let mut kept = self.kept();
        for ByName(record) in written.by_name.drain() {
            let len = len(&record);
            if record.state == OperationState::Pending || len > RECORD_LEN_MAX {
                continue;
            }
            kept.len += len;
            kept.by_name.replace(ByName(record.clone()));
            kept.order.push_back(record);
        }
        kept.shrink();
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn shrink(&mut self) {
        while self.len > LEN_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.len -= len(&oldest);
            let is_last = |it: &ByName| Arc::ptr_eq(&it.0, &oldest);
            if self.by_name.get(&oldest.name).is_some_and(is_last) {
                self.by_name.remove(&oldest.name);
            }
        }
    }
}

impl Written {
    /// The record was written like this.
    pub(crate) fn put(&mut self, record: Arc<OperationRecord>) {
        if !self.unknown.is_empty() {
            self.unknown.remove(&record.name);
        }
        self.by_name.replace(ByName(record));
    }

    /// The record was removed, or parts of it were not read before it was written.
    pub(crate) fn forget(&mut self, name: OperationName) {
        self.by_name.remove(&name);
        self.unknown.insert(name);
    }

    /// The record of that name within the transaction, if that is known without the file.
    pub(crate) fn get(&self, name: &OperationName, hot: &Hot) -> Option<Arc<OperationRecord>> {
        match self.by_name.get(name) {
            Some(ByName(record)) => Some(record.clone()),
            None if self.unknown.contains(name) => None,
            None => hot.get(name),
        }
    }

    /// The transaction was rolled back.
    pub(crate) fn clear(&mut self) {
        self.by_name.clear();
        self.unknown.clear();
    }
}

fn len(record: &OperationRecord) -> usize {
    let payloads = [&record.metadata, &record.checkpoint].map(|any| any.as_ref());
    let result = match &record.result {
        Some(OperationResult::Response(any)) => any.value.len(),
        Some(OperationResult::Error(status)) => {
            let details = status.details.iter().map(|any| any.value.len());
            status.message.len() + details.sum::<usize>()
        }
        None => 0,
    };
    let labels = record
        .labels
        .iter()
        .map(|(key, value)| key.len() + value.len());
    let payloads = payloads.into_iter().flatten().map(|any| any.value.len());
    let rest = payloads.sum::<usize>() + labels.sum::<usize>();
    let history = record.history.encode().map_or(0, |bytes| bytes.len());
    let steps = record.steps.as_deref().map_or(0, Message::encoded_len);
    RECORD_LEN_MIN + record.request.value.len() + result + rest + history + steps
}

impl Borrow<OperationName> for ByName {
    fn borrow(&self) -> &OperationName {
        &self.0.name
    }
}

impl Hash for ByName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.name.hash(state);
    }
}

impl PartialEq for ByName {
    fn eq(&self, other: &Self) -> bool {
        self.0.name == other.0.name
    }
}

impl Eq for ByName {}

#[cfg(test)]
mod tests {
    use lro_core::Timestamp;
    use lro_core::store::{Command, NewOperation, WorkerId};
    use prost_types::Any;
    use uuid::Uuid;

    use super::*;

    fn record(number: u128, request: usize) -> Arc<OperationRecord> {
        let name = format!("operations/{number}").parse().unwrap();
        let request = Any {
            type_url: String::new(),
            value: vec![7; request],
        };
        let operation = NewOperation::new(Uuid::from_u128(number), name, "/s.S/M", request);
        let mut record = OperationRecord::new(operation, Timestamp::EPOCH);
        let claim = Command::Claim {
            worker: WorkerId::from_uuid(Uuid::nil()),
            lease_duration: std::time::Duration::ZERO,
        };
        record.apply(claim, Timestamp::EPOCH).unwrap();
        Arc::new(record)
    }

    fn commit(hot: &Hot, records: impl IntoIterator<Item = Arc<OperationRecord>>) {
        let mut written = Written::default();
        records.into_iter().for_each(|record| written.put(record));
        hot.forget(&written);
        hot.keep(&mut written);
    }

    #[test]
    fn the_last_ones_are_kept_as_far_as_they_fit() {
        let hot = Hot::default();
        let of = |number| format!("operations/{number}").parse().unwrap();
        commit(&hot, [record(1, 0), record(2, 2 * RECORD_LEN_MAX)]);
        assert!(hot.get(&of(1)).is_some());
        assert!(hot.get(&of(2)).is_none(), "too large");
        let again = record(1, 0);
        commit(&hot, [again.clone()]);
        assert!(Arc::ptr_eq(&hot.get(&of(1)).unwrap(), &again));
        commit(&hot, (3..20_000).map(|number| record(number, 0)));
        let kept = hot.kept();
        assert!(kept.len <= LEN_MAX && kept.len > LEN_MAX - RECORD_LEN_MAX);
        assert_eq!(kept.len, kept.order.iter().map(|it| len(it)).sum::<usize>());
        assert_eq!(kept.by_name.len(), kept.order.len());
        drop(kept);
        assert!(hot.get(&of(1)).is_none(), "the oldest have made room");
    }

    #[test]
    fn writes_of_an_open_transaction_are_not_visible() {
        let (hot, mut written) = (Hot::default(), Written::default());
        let (before, after) = (record(1, 0), record(1, 1));
        commit(&hot, [before.clone()]);
        let name = &before.name;
        assert!(Arc::ptr_eq(&written.get(name, &hot).unwrap(), &before));
        written.put(after.clone());
        assert!(Arc::ptr_eq(&written.get(name, &hot).unwrap(), &after));
        assert!(Arc::ptr_eq(&hot.get(name).unwrap(), &before));
        written.forget(name.clone());
        assert!(written.get(name, &hot).is_none());
        written.clear();
        assert!(Arc::ptr_eq(&written.get(name, &hot).unwrap(), &before));
        written.forget(name.clone());
        hot.forget(&written);
        assert!(hot.get(name).is_none(), "not even while it is committed");
        hot.keep(&mut written);
        assert!(hot.get(name).is_none() && written.get(name, &hot).is_none());
    }
}
