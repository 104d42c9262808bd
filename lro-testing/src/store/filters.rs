//! Pseudo-random filters over pseudo-random operations.

mod crowd;
mod writer;

use std::sync::Arc;

use lro_core::ParentPattern;
use lro_core::filter::{Filter, Schema};
use lro_core::store::{ListQuery, MemoryStore, OperationRecord, OperationStore, PageCursor};

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

fn names(records: &[OperationRecord]) -> Vec<&str> {
    records.iter().map(|record| record.name.as_str()).collect()
}
