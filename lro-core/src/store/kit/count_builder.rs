use std::collections::BTreeMap;

use crate::clock::Timestamp;
use crate::store::{Count, Counts, ListQuery, OperationRecord, OperationState};

/// Counts records that come in any order.
///
/// A store calls [`push`](Self::push) for each record that it reads, or [`pass`](Self::pass) for
/// one that it found not to match, until the count [is complete](Self::is_complete), and
/// [`finish`](Self::finish) if no record is left. A store that knows the size of a group without
/// reading its records calls [`add`](Self::add).
///
/// ```
/// use lro_core::store::kit::CountBuilder;
/// use lro_core::store::{CountQuery, OperationRecord};
/// use lro_core::{ParentName, Timestamp};
///
/// # let records: Vec<OperationRecord> = Vec::new();
/// let query = CountQuery::new(ParentName::default()).to_list();
/// let mut counts = CountBuilder::new(&query, Timestamp::EPOCH);
/// let mut records = records.iter();
/// loop {
///     if counts.is_complete() {
///         break;
///     }
///     match records.next() {
///         Some(record) => counts.push(record),
///         None => counts.finish(),
///     }
/// }
/// assert!(counts.build().is_exact);
/// ```
#[derive(Debug)]
pub struct CountBuilder<'q> {
    query: &'q ListQuery,
    /// By method, then by the number of the state.
    groups: BTreeMap<String, [Group; OperationState::ALL.len()]>,
    examined: usize,
    finished: bool,
    as_of: Timestamp,
}

#[derive(Clone, Copy, Debug, Default)]
struct Group {
    count: u64,
    /// Whether a store said that there are more.
    is_cut: bool,
}

impl<'q> CountBuilder<'q> {
    /// A count of nothing yet. It begins at this time, and takes the parent, the filter and the
    /// bound from the [list](crate::store::CountQuery::to_list) of the query.
    pub fn new(query: &'q ListQuery, as_of: Timestamp) -> Self {
        Self {
            query,
            groups: BTreeMap::new(),
            examined: 0,
            finished: false,
            as_of,
        }
    }

    /// Whether it needs no more records.
    pub fn is_complete(&self) -> bool {
        self.finished || self.examined >= self.query.max_examined
    }

    /// How many more records it takes.
    pub fn room(&self) -> usize {
        self.query.max_examined.saturating_sub(self.examined)
    }

    /// Counts one record, unless it does not match.
    pub fn push(&mut self, record: &OperationRecord) {
        if self.query.matches(record) {
            self.group(&record.method, record.state).count += 1;
        }
        self.pass();
    }

    /// Counts a record that the store looked at and found not to match.
    pub fn pass(&mut self) {
        self.examined = self.examined.saturating_add(1);
    }

    /// Adds a number of operations of a group, all of which match. `is_cut`: there may be more.
    pub fn add(&mut self, method: &str, state: OperationState, count: usize, is_cut: bool) {
        self.examined = self.examined.saturating_add(count);
        if count > 0 || is_cut {
            let group = self.group(method, state);
            group.count += count as u64;
            group.is_cut |= is_cut;
        }
    }

    /// Ends the count: there are no more records but those of groups that were cut.
    pub fn finish(&mut self) {
        self.finished = true;
    }

    /// The counts.
    pub fn build(self) -> Counts {
        let mut counts = Vec::new();
        for (method, groups) in self.groups {
            for (state, group) in OperationState::ALL.into_iter().zip(groups) {
                if group.count > 0 || group.is_cut {
                    let is_exact = self.finished && !group.is_cut;
                    counts.push(Count::new(method.clone(), state, group.count, is_exact));
                }
            }
        }
        let is_exact = self.finished && counts.iter().all(|group| group.is_exact);
        Counts::new(counts, is_exact, self.as_of)
    }

    fn group(&mut self, method: &str, state: OperationState) -> &mut Group {
        let groups = self.groups.entry(method.to_owned()).or_default();
        &mut groups[usize::from(state.as_number())]
    }
}
