//! Pseudo-random filters over pseudo-random operations.

mod crowd;
mod writer;

use std::collections::BTreeMap;
use std::sync::Arc;

use lro_core::ParentPattern;
use lro_core::filter::{Filter, Schema};
use lro_core::store::{
    CountQuery, Counts, ListQuery, MemoryStore, OperationRecord, OperationStore, PageCursor,
};

use self::crowd::Crowd;
use self::writer::FilterWriter;
use crate::ManualClock;
use crate::random::Random;

const PATTERNS: [&str; 9] = ["", "p", "p/q", "p_", "-", "-/-", "p/-", "-/q", "none/-"];

/// Fills the store with pseudo-random operations, lists them by `filters` pseudo-random filters, and
/// compares what all pages hold with a [`MemoryStore`] and with [`Filter::matches`] on each
/// operation.
///
/// `store` is empty and lives by `clock`. The same seed makes the same operations and filters,
/// always.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use std::sync::Arc;
/// use lro_core::store::MemoryStore;
/// use lro_testing::{ManualClock, store::compare_filters};
///
/// let clock = Arc::new(ManualClock::new());
/// let store = Arc::new(MemoryStore::with_clock(clock.clone()));
/// compare_filters(store, clock, 42, 50).await;
/// # });
/// ```
///
/// # Panics
///
/// At the first difference, with the seed and the filter in the message.
pub async fn compare_filters(
    store: Arc<dyn OperationStore>,
    clock: Arc<ManualClock>,
    seed: u64,
    filters: usize,
) {
    println!("compare_filters: seed {seed}, {filters} filters");
    let memory: Arc<dyn OperationStore> = Arc::new(MemoryStore::with_clock(clock.clone()));
    let crowd = Crowd::start(&[&memory, &store], &clock, seed).await;
    let mut writer = FilterWriter::new(seed);
    let mut random = Random::new(!seed);
    for n in 0..filters {
        let text = writer.filter();
        let mut query = query(
            random.pick(&PATTERNS),
            &text,
            random.pick(&[1, 3, 20, 1_000]),
        );
        query.max_examined = random.pick(&[usize::MAX, 1, 7, 100]);
        query.max_bytes = random.pick(&[usize::MAX, 0, 600, 5_000]);
        let at = format!("seed {seed}, filter {n}: {text:?} in {}", query.parent);
        let wanted = crowd.matching(&query);
        for store in [&memory, &store] {
            let found = list_all(store, query.clone()).await;
            let (names, expected) = (names(&found), names(&wanted));
            assert!(
                names == expected,
                "{at}: found {names:#?}, wanted {expected:#?}"
            );
            assert!(found == wanted, "{at}: records differ");
            let counts = store.count(count_query(&query)).await.unwrap();
            check_counts(&counts, &wanted, query.max_examined, &at);
        }
    }
}

/// A query of a filter that is one.
pub(crate) fn query(pattern: &str, text: &str, limit: usize) -> ListQuery {
    let pattern: ParentPattern = pattern.parse().unwrap();
    let filter = Filter::parse(text, &Schema::default());
    let mut query = ListQuery::new(pattern, limit);
    query.filter = filter.unwrap_or_else(|error| panic!("{text:?}: {error}"));
    query
}

/// The operations of all pages.
pub(crate) async fn list_all(
    store: &Arc<dyn OperationStore>,
    mut query: ListQuery,
) -> Vec<OperationRecord> {
    let mut found = Vec::new();
    loop {
        let page = store.list(query.clone()).await.unwrap();
        assert!(page.records.len() <= query.limit, "more than the limit");
        found.extend(page.records);
        let Some(next) = page.next else {
            return found;
        };
        let ahead = query.after.is_none_or(|after: PageCursor| next < after);
        assert!(ahead, "the cursor does not advance");
        query.after = Some(next);
    }
}

/// The count of what the list has.
fn count_query(list: &ListQuery) -> CountQuery {
    let mut query = CountQuery::new(list.parent.clone());
    query.filter = list.filter.clone();
    query.max_examined = list.max_examined;
    query
}

/// Exact counts are those of the operations on all pages, and others are not more.
fn check_counts(counts: &Counts, wanted: &[OperationRecord], bound: usize, at: &str) {
    let mut groups = BTreeMap::new();
    for record in wanted {
        *groups.entry((&*record.method, record.state)).or_insert(0) += 1;
    }
    let is_bounded = counts.total() <= bound as u64;
    assert!(is_bounded, "{at}: more than {bound}: {counts:?}");
    assert!(counts.is_exact || bound < usize::MAX, "{at}: {counts:?}");
    for group in &counts.groups {
        let all = groups.remove(&(&*group.method, group.state)).unwrap_or(0);
        let fits = if group.is_exact {
            group.count == all
        } else {
            group.count <= all
        };
        assert!(fits, "{at}: {group:?} of {all}");
    }
    let missing = counts.is_exact && !groups.is_empty();
    assert!(!missing, "{at}: {groups:?} are missing in {counts:?}");
}

fn names(records: &[OperationRecord]) -> Vec<&str> {
    records.iter().map(|record| record.name.as_str()).collect()
}
