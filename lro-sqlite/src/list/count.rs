//! Counts by method and state: from the indexes where the filter says nothing else, and otherwise
//! along the access path of a list.

use lro_core::Timestamp;
use lro_core::filter::Known;
use lro_core::store::kit::{CountBuilder, MAX_INDEX_RANGES};
use lro_core::store::{CountQuery, Counts, ListQuery, OperationState};
use rusqlite::{Connection, params};

use super::access::{AccessPath, Indexes, Part};
use super::condition::Where;
use crate::error::Fault;
use crate::table::Table;

/// The counts. All statements read one snapshot.
pub(crate) fn count(
    connection: &Connection,
    query: &CountQuery,
    as_of: Timestamp,
) -> Result<Counts, Fault> {
    let snapshot = connection.unchecked_transaction()?;
    let list = query.to_list();
    let mut counts = CountBuilder::new(&list, as_of);
    match groups(connection, &list)? {
        Some(groups) => by_groups(connection, groups, &mut counts)?,
        None => by_rows(connection, &list, &mut counts)?,
    }
    snapshot.finish()?;
    Ok(counts.build())
}

/// Looks at each row that a list would look at.
fn by_rows(
    connection: &Connection,
    list: &ListQuery,
    counts: &mut CountBuilder<'_>,
) -> Result<(), Fault> {
    let condition = Where::of(list);
    let sql = condition.select();
    let mut rows = Table(connection).listed(&sql, condition.values())?;
    let mut access = AccessPath::choose(connection, list)?;
    while !counts.is_complete() {
        let Some(key) = access.next()? else {
            counts.finish();
            break;
        };
        match rows.get(key.uid) {
            Ok(Some(record)) => counts.push(&record),
            Ok(None) => counts.pass(),
            // As in a list, which leaves it out.
            Err(fault @ Fault::Row(_)) => {
                tracing::error!(uid = %key.uid, ?fault, "skipping an operation in a count: its row is corrupt");
                counts.pass();
            }
            Err(fault) => return Err(fault),
        }
        if access.is_exhausted() {
            break;
        }
    }
    Ok(())
}

/// The operations of one parent, method and state in one part: an index range.
struct Group {
    part: Part,
    parent: String,
    method: String,
    state: OperationState,
    count: usize,
    /// Whether there are more.
    is_cut: bool,
}

/// The groups that together are what the query counts; nothing where rows have to be looked at.
fn groups(connection: &Connection, list: &ListQuery) -> Result<Option<Vec<Group>>, Fault> {
    let predicate = list.filter.predicate();
    if predicate.verdict(&Known::default()) == Some(false) {
        return Ok(Some(Vec::new()));
    }
    let indexes = Indexes { connection };
    let Some(parents) = indexes.parents(&list.parent)? else {
        return Ok(None);
    };
    let mut groups = Vec::new();
    for parent in parents {
        for part in Part::ALL {
            let Some(methods) = indexes.methods(&parent, part)? else {
                return Ok(None);
            };
            for method in methods {
                for (state, is_certain) in predicate.states_of(Some(&method)) {
                    if !part.holds(state) {
                        continue;
                    }
                    if !is_certain {
                        return Ok(None);
                    }
                    groups.push(Group {
                        part,
                        parent: parent.clone(),
                        method: method.clone(),
                        state,
                        count: 0,
                        is_cut: true,
                    });
                }
            }
        }
        if groups.len() > MAX_INDEX_RANGES {
            return Ok(None);
        }
    }
    Ok(Some(groups))
}

/// Counts each group up to its share of the bound, and then those that have more up to their share
/// of what the others have left.
fn by_groups(
    connection: &Connection,
    mut groups: Vec<Group>,
    counts: &mut CountBuilder<'_>,
) -> Result<(), Fault> {
    let mut left = counts.room();
    let mut share = 0;
    for _ in 0..2 {
        let cut = groups.iter().filter(|group| group.is_cut).count();
        share += left.checked_div(cut).unwrap_or(0);
        for group in groups.iter_mut().filter(|group| group.is_cut) {
            left += group.count;
            group.count(connection, share)?;
            left -= group.count;
        }
    }
    for group in groups {
        counts.add(&group.method, group.state, group.count, group.is_cut);
    }
    counts.finish();
    Ok(())
}

impl Group {
    /// Counts its operations, up to a bound.
    fn count(&mut self, connection: &Connection, most: usize) -> Result<(), Fault> {
        let mut statement = connection.prepare_cached(self.part.count())?;
        // One more tells whether there are more.
        let limit = i64::try_from(most).map_or(i64::MAX, |most| most.saturating_add(1));
        let key = params![self.parent, self.method, self.state.as_number(), limit];
        let found: u32 = statement.query_row(key, |row| row.get(0))?;
        self.is_cut = found as usize > most;
        self.count = most.min(found as usize);
        Ok(())
    }
}
