//! Counts by method and state: by index ranges where the filter says nothing else, and otherwise
//! page by page.

use lro_core::Timestamp;
use lro_core::filter::Known;
use lro_core::store::kit::{CountBuilder, MAX_DISTINCT, MAX_INDEX_RANGES};
use lro_core::store::{CountQuery, Counts, ListQuery, OperationState};
use tokio_postgres::types::Type;

use super::access::{methods, parents};
use super::{list, statement};
use crate::error::Fault;
use crate::holes::KnownHoles;
use crate::notify::events::Events;
use crate::sql::database::{Access, Database, Query};
use crate::sql::row::encode_state;
use crate::sql::statement::CLOCK;
use crate::sql::text::unescape;

/// The number of rows and bytes of a page, where rows have to be looked at.
const PAGE_LEN: usize = 1_000;
const PAGE_BYTES: usize = 4 << 20;

/// The counts. Each operation is counted as it is at some moment of the call.
pub(crate) async fn count(
    database: &Database,
    events: &Events,
    holes: &KnownHoles,
    query: &CountQuery,
) -> Result<Counts, Fault> {
    let mut attempts = database.attempts();
    loop {
        let result = database.in_time(by_groups(database, query)).await;
        if !attempts.again(&result).await {
            return match result? {
                Ok(counts) => Ok(counts),
                Err(NeedsRows { as_of }) => by_pages(database, events, holes, query, as_of).await,
            };
        }
    }
}

/// The filter asks for more than indexes hold.
struct NeedsRows {
    as_of: Timestamp,
}

/// The operations of one parent, method and state: an index range.
struct Group {
    parent: String,
    /// As it is stored.
    method: String,
    plain_method: String,
    state: OperationState,
    count: usize,
    /// Whether there are more.
    is_cut: bool,
}

/// Counts each group up to its share of the bound, and then those that have more up to their share
/// of what the others have left.
async fn by_groups(
    database: &Database,
    query: &CountQuery,
) -> Result<Result<Counts, NeedsRows>, Fault> {
    let as_of = now(database).await?;
    let list = query.to_list();
    let Some(mut groups) = groups(database, &list).await? else {
        return Ok(Err(NeedsRows { as_of }));
    };
    let mut counts = CountBuilder::new(&list, as_of);
    let mut left = counts.room();
    let mut share = 0;
    for _ in 0..2 {
        let mut cut: Vec<_> = groups.iter_mut().filter(|group| group.is_cut).collect();
        if cut.is_empty() {
            break;
        }
        share += left / cut.len();
        left += cut.iter().map(|group| group.count).sum::<usize>();
        count_each(database, &mut cut, share).await?;
        left -= cut.iter().map(|group| group.count).sum::<usize>();
    }
    for group in groups {
        counts.add(&group.plain_method, group.state, group.count, group.is_cut);
    }
    counts.finish();
    Ok(Ok(counts.build()))
}

/// The store's clock.
async fn now(database: &Database) -> Result<Timestamp, Fault> {
    if let Some(clock) = &database.clock {
        return Ok(clock.now());
    }
    let query = Query {
        sql: CLOCK,
        params: Vec::new(),
    };
    let rows = database.run(Access::Read, &[query]).await?.remove(0);
    let row = rows.first().ok_or_else(|| Fault::row("a row is missing"))?;
    Ok(Timestamp::from_micros(row.try_get(0)?))
}

/// The groups that together are what the list shows; nothing where rows have to be looked at.
async fn groups(database: &Database, list: &ListQuery) -> Result<Option<Vec<Group>>, Fault> {
    let predicate = list.filter.predicate();
    if predicate.verdict(&Known::default()) == Some(false) {
        return Ok(Some(Vec::new()));
    }
    let Some(parents) = parents(database, &list.parent).await? else {
        return Ok(None);
    };
    let rows = methods(database, &parents).await?;
    if rows.len() > MAX_DISTINCT {
        return Ok(None);
    }
    let mut groups = Vec::new();
    for row in rows {
        let (parent, method): (String, String) = (row.try_get(0)?, row.try_get(1)?);
        let plain = unescape(&method).ok_or_else(|| Fault::row("a method was never written so"))?;
        for (state, is_certain) in predicate.states_of(Some(&plain)) {
            if !is_certain || groups.len() == MAX_INDEX_RANGES {
                return Ok(None);
            }
            groups.push(Group {
                parent: parent.clone(),
                method: method.clone(),
                plain_method: plain.clone(),
                state,
                count: 0,
                is_cut: true,
            });
        }
    }
    Ok(Some(groups))
}

/// Counts the operations of each group, up to a bound.
async fn count_each(
    database: &Database,
    groups: &mut [&mut Group],
    most: usize,
) -> Result<(), Fault> {
    let parents: Vec<&str> = groups.iter().map(|group| &*group.parent).collect();
    let methods: Vec<&str> = groups.iter().map(|group| &*group.method).collect();
    let states: Vec<i16> = groups.iter().map(|it| encode_state(it.state)).collect();
    // One more tells whether there are more.
    let limit = i64::try_from(most).map_or(i64::MAX, |most| most.saturating_add(1));
    let query = Query {
        sql: statement::COUNT,
        params: vec![
            (&parents, Type::TEXT_ARRAY),
            (&methods, Type::TEXT_ARRAY),
            (&states, Type::INT2_ARRAY),
            (&limit, Type::INT8),
        ],
    };
    let rows = database.run(Access::ReadInOrder, &[query]).await?.remove(0);
    let mut found = vec![0; groups.len()];
    for row in &rows {
        let place = usize::try_from(row.try_get::<_, i64>(0)?).unwrap_or_default();
        if let Some(found) = found.get_mut(place.wrapping_sub(1)) {
            *found = usize::try_from(row.try_get::<_, i64>(1)?).unwrap_or_default();
        }
    }
    for (group, found) in groups.iter_mut().zip(found) {
        group.is_cut = found > most;
        group.count = found.min(most);
    }
    Ok(())
}

/// Counts what pages of a list show.
async fn by_pages(
    database: &Database,
    events: &Events,
    holes: &KnownHoles,
    query: &CountQuery,
    as_of: Timestamp,
) -> Result<Counts, Fault> {
    let whole = query.to_list();
    let mut counts = CountBuilder::new(&whole, as_of);
    let mut left = query.max_examined;
    let mut page = whole.clone();
    page.max_bytes = PAGE_BYTES;
    while left > 0 {
        page.limit = left.min(PAGE_LEN);
        page.max_examined = page.limit;
        let found = list(database, events, holes, &page).await?;
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
