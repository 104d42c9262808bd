//! How many operations there are, by method and state, within a bound.

use super::kit::CountBuilder;
use super::query::ListQuery;
use super::{OperationState, OperationStore, StoreError};
use crate::clock::{Clock as _, SystemClock, Timestamp};
use crate::filter::Filter;
use crate::name::ParentPattern;

/// Which operations to count, and how many of them at most.
///
/// ```
/// use lro_core::ParentName;
/// use lro_core::store::{CountQuery, MemoryStore, OperationStore};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), lro_core::store::StoreError> {
/// # let store = MemoryStore::new();
/// let mut query = CountQuery::new(ParentName::default());
/// query.max_examined = 1_000;
/// let counts = store.count(query).await?;
/// for group in &counts.groups {
///     let more = if group.is_exact { "" } else { "+" };
///     println!("{} {:?}: {}{more}", group.method, group.state, group.count);
/// }
/// # assert!(counts.is_exact);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct CountQuery {
    /// Those directly below this parent, or below those that it stands for.
    pub parent: ParentPattern,
    /// Those that match.
    pub filter: Filter,
    /// The number of operations, roughly, after whose examination the store stops. Operations that
    /// an index skips do not count. Default: [`DEFAULT_MAX_EXAMINED`](Self::DEFAULT_MAX_EXAMINED).
    pub max_examined: usize,
}

impl CountQuery {
    /// The default of [`max_examined`](Self::max_examined).
    pub const DEFAULT_MAX_EXAMINED: usize = 10_000;

    /// All operations below a parent.
    pub fn new(parent: impl Into<ParentPattern>) -> Self {
        Self {
            parent: parent.into(),
            filter: Filter::default(),
            max_examined: Self::DEFAULT_MAX_EXAMINED,
        }
    }

    /// The list of the operations to count, in one page that examines as many as the count may.
    pub fn to_list(&self) -> ListQuery {
        let mut list = ListQuery::new(self.parent.clone(), self.max_examined);
        list.filter = self.filter.clone();
        list.max_examined = self.max_examined;
        list
    }
}

/// The numbers of operations, by method and state.
///
/// ```
/// use lro_core::Timestamp;
/// use lro_core::store::{Counts, OperationState};
///
/// let counts = Counts::new(Vec::new(), true, Timestamp::EPOCH);
/// assert_eq!((counts.total(), counts.is_exact), (0, true));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// A number for each method and state of which an operation was found, ordered by both.
    pub groups: Vec<Count>,
    /// Whether all operations that match were counted. Otherwise there may be more of each group
    /// that is not [exact](Count::is_exact), and other groups.
    pub is_exact: bool,
    /// When the store began to count, by its clock.
    pub as_of: Timestamp,
}

impl Counts {
    /// The answer to a [`CountQuery`].
    pub fn new(groups: Vec<Count>, is_exact: bool, as_of: Timestamp) -> Self {
        Self {
            groups,
            is_exact,
            as_of,
        }
    }

    /// The number of operations in all groups: at least this number, unless it
    /// [is exact](Self::is_exact).
    pub fn total(&self) -> u64 {
        self.groups.iter().map(|group| group.count).sum()
    }
}

/// The number of operations of one method in one state.
///
/// ```
/// use lro_core::store::{Count, OperationState};
///
/// let thousand = Count::new("/s.S/M", OperationState::Failed, 1_000, false);
/// assert!(!thousand.is_exact, "shown as 1,000+");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Count {
    /// The gRPC path of the method.
    pub method: String,
    /// The state.
    pub state: OperationState,
    /// How many were counted.
    pub count: u64,
    /// Whether there are no more.
    pub is_exact: bool,
}

impl Count {
    /// The number of a group.
    pub fn new(
        method: impl Into<String>,
        state: OperationState,
        count: u64,
        is_exact: bool,
    ) -> Self {
        Self {
            method: method.into(),
            state,
            count,
            is_exact,
        }
    }
}

/// The number of operations on each page of a count by lists, and the bytes that it has at most.
const PAGE_LEN: usize = 100;
const PAGE_BYTES: usize = 4 << 20;

/// Counts what pages of lists show, for a store that knows nothing better.
pub(super) async fn by_lists<S: OperationStore + ?Sized>(
    store: &S,
    query: &CountQuery,
) -> Result<Counts, StoreError> {
    let whole = query.to_list();
    let mut counts = CountBuilder::new(&whole, SystemClock.now());
    let mut left = query.max_examined;
    let mut page = whole.clone();
    page.max_bytes = PAGE_BYTES;
    while left > 0 {
        page.limit = left.min(PAGE_LEN);
        page.max_examined = page.limit;
        let found = store.list(page.clone()).await?;
        found.records.iter().for_each(|record| counts.push(record));
        page.after = found.next;
        if page.after.is_none() {
            counts.finish();
            break;
        }
        left -= page.limit;
    }
    Ok(counts.build())
}

#[cfg(test)]
mod tests;
