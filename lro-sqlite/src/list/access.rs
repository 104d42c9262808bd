//! The access path of a page: the index ranges that a filter restricts it to. SQLite's planner does
//! not choose them.

use std::collections::BTreeSet;

use lro_core::ParentPattern;
use lro_core::filter::{Comparison, Filter, Known, LabelNeed, Predicate, TextTest, Wildcard};
use lro_core::store::kit::{MAX_DISTINCT, MAX_INDEX_RANGES, parent_prefix};
use lro_core::store::{ListQuery, OperationState, PageCursor};
use rusqlite::Connection;
use rusqlite::types::Value;

use super::keys::{Below, Index, IndexRange, Union, next_common};
use crate::error::Fault;
use crate::statement;

/// The number of keys that a list may skip for each operation that it may examine.
const STEPS_PER_EXAMINED: usize = 8;

/// The keys of operations that may be on the page, in the list's order.
#[derive(Debug)]
pub(crate) struct AccessPath<'c> {
    index: Index<'c>,
    unions: Vec<Union>,
    below: Below,
    steps_left: usize,
}

impl<'c> AccessPath<'c> {
    pub(crate) fn choose(connection: &'c Connection, query: &ListQuery) -> Result<Self, Fault> {
        let filter = &query.filter;
        let times = filter.predicate().create_times();
        let mut below = Below::time(*times.end());
        if let Some(after) = query.after {
            below = below.min(Below::behind(after));
        }
        let unions = if times.is_empty() {
            Vec::new()
        } else {
            unions(connection, &query.parent, filter)?
        };
        Ok(Self {
            index: Index {
                connection,
                first: *times.start(),
            },
            unions,
            below,
            steps_left: query.max_examined.saturating_mul(STEPS_PER_EXAMINED),
        })
    }

    /// The next key. Its operation may still not match.
    pub(crate) fn next(&mut self) -> Result<Option<PageCursor>, Fault> {
        let common = next_common(&self.index, &mut self.unions, &self.below, self.steps_left);
        let (key, steps) = common?;
        self.steps_left -= steps;
        if let Some(key) = key {
            self.below = Below::behind(key);
        }
        Ok(key)
    }

    /// Whether the list skipped as many keys as it may, so that the page has to end.
    pub(crate) fn is_exhausted(&self) -> bool {
        self.steps_left == 0
    }
}

/// The unions of ranges that all hold each key of the list; none when no key can match.
fn unions(
    connection: &Connection,
    parent: &ParentPattern,
    filter: &Filter,
) -> Result<Vec<Union>, Fault> {
    let predicate = filter.predicate();
    if predicate.verdict(&Known::default()) == Some(false) {
        return Ok(Vec::new());
    }
    let indexes = Indexes { connection };
    let mut unions = match indexes.parents(parent)? {
        Some(parents) => of_parents(&indexes, parents, predicate)?,
        None => vec![Union(vec![IndexRange::new(statement::KEYS, Vec::new())])],
    };
    // Beside the others: they hold operations of all parents.
    for tests in predicate.parent_operation_needs() {
        unions.extend(indexes.children(&tests)?);
    }
    Ok(unions)
}

/// The unions of ranges by these parents.
fn of_parents(
    indexes: &Indexes<'_>,
    parents: Vec<String>,
    predicate: &Predicate,
) -> Result<Vec<Union>, Fault> {
    let mut unions = Vec::new();
    for needs in predicate.label_needs() {
        unions.extend(indexes.labels(&parents, &needs)?);
    }
    unions.extend(indexes.states(&parents, predicate)?);
    if unions.is_empty() {
        let parents = parents.into_iter().map(|parent| {
            let parent = Value::Text(parent);
            IndexRange::new(statement::KEYS_OF_PARENT, vec![parent])
        });
        unions.push(Union(parents.collect()));
    }
    Ok(unions)
}

/// The parts of the indexes by parent, method and state. Each operation is in one.
#[derive(Clone, Copy, Debug)]
pub(super) enum Part {
    /// Operations that have ended.
    Done,
    /// Unfinished operations that are not far.
    Near,
    /// [Far](crate::schedule::Entry::Far) operations.
    Far,
}

impl Part {
    pub(super) const ALL: [Self; 3] = [Self::Near, Self::Far, Self::Done];

    /// Whether it may hold operations in this state.
    pub(super) fn holds(self, state: OperationState) -> bool {
        match self {
            Self::Done => state.is_done(),
            Self::Near => !state.is_done(),
            Self::Far => state == OperationState::Pending,
        }
    }

    fn keys(self) -> &'static str {
        match self {
            Self::Done => statement::KEYS_OF_DONE,
            Self::Near => statement::KEYS_OF_NEAR,
            Self::Far => statement::KEYS_OF_FAR,
        }
    }

    fn method_from(self) -> &'static str {
        match self {
            Self::Done => statement::DONE_METHOD_FROM,
            Self::Near => statement::NEAR_METHOD_FROM,
            Self::Far => statement::FAR_METHOD_FROM,
        }
    }

    pub(super) fn count(self) -> &'static str {
        match self {
            Self::Done => statement::COUNT_DONE,
            Self::Near => statement::COUNT_NEAR,
            Self::Far => statement::COUNT_FAR,
        }
    }
}

/// Finds the ranges of the indexes.
pub(super) struct Indexes<'c> {
    pub(super) connection: &'c Connection,
}

impl Indexes<'_> {
    /// The parents that a pattern stands for; nothing when they are too many.
    pub(super) fn parents(&self, pattern: &ParentPattern) -> Result<Option<Vec<String>>, Fault> {
        if let Some(parent) = pattern.exact() {
            return Ok(Some(vec![parent.as_str().to_owned()]));
        }
        let prefix = parent_prefix(pattern);
        self.distinct(statement::PARENT_FROM, &[], &prefix, |parent| {
            pattern.matches(parent)
        })
    }

    /// By method and state, unless the filter leaves all of them open.
    fn states(&self, parents: &[String], predicate: &Predicate) -> Result<Option<Union>, Fault> {
        if !predicate.restricts_states() {
            return Ok(None);
        }
        let (mut ranges, mut restricts) = (Vec::new(), false);
        for parent in parents {
            for part in Part::ALL {
                let Some(methods) = self.methods(parent, part)? else {
                    return Ok(None);
                };
                let all = OperationState::ALL.iter();
                let all = all.filter(|state| part.holds(**state)).count();
                for method in methods {
                    let states = predicate.states_of(Some(&method)).into_iter();
                    let states = states.filter(|(state, _)| part.holds(*state));
                    let before = ranges.len();
                    ranges.extend(states.map(|(state, _)| {
                        let prefix = vec![
                            Value::Text(parent.clone()),
                            Value::Text(method.clone()),
                            Value::Integer(state.as_number().into()),
                        ];
                        IndexRange::new(part.keys(), prefix)
                    }));
                    restricts |= ranges.len() - before < all;
                }
            }
        }
        let usable = restricts && ranges.len() <= MAX_INDEX_RANGES;
        Ok(usable.then_some(Union(ranges)))
    }

    /// The methods of the operations of a parent in this part; nothing when they are too many.
    pub(super) fn methods(&self, parent: &str, part: Part) -> Result<Option<Vec<String>>, Fault> {
        self.distinct(part.method_from(), &[parent], "", |_| true)
    }

    /// By labels, of which an operation needs one.
    fn labels(&self, parents: &[String], needs: &[LabelNeed]) -> Result<Option<Union>, Fault> {
        let mut all = Vec::new();
        for need in needs {
            match self.label(parents, &need.key, need.test.as_ref())? {
                Some(Union(ranges)) => all.extend(ranges),
                None => return Ok(None),
            }
        }
        Ok((all.len() <= MAX_INDEX_RANGES).then_some(Union(all)))
    }

    /// By the operations whose children they are: those that satisfy one of the tests.
    fn children(&self, tests: &[TextTest]) -> Result<Option<Union>, Fault> {
        let mut operations = BTreeSet::new();
        for test in tests {
            let sql = statement::PARENT_OPERATION_FROM;
            match self.accepted(sql, &[], Some(test))? {
                Some(accepted) => operations.extend(accepted),
                None => return Ok(None),
            }
        }
        let ranges = operations.into_iter().map(|operation| {
            let prefix = vec![Value::Text(operation)];
            IndexRange::new(statement::KEYS_OF_CHILDREN, prefix)
        });
        let ranges: Vec<_> = ranges.collect();
        Ok((ranges.len() <= MAX_INDEX_RANGES).then_some(Union(ranges)))
    }

    fn label(
        &self,
        parents: &[String],
        key: &str,
        test: Option<&TextTest>,
    ) -> Result<Option<Union>, Fault> {
        let mut ranges = Vec::new();
        for parent in parents {
            let sql = statement::LABEL_VALUE_FROM;
            let Some(values) = self.accepted(sql, &[parent, key], test)? else {
                return Ok(None);
            };
            ranges.extend(values.into_iter().map(|value| {
                let prefix = [parent.as_str(), key, &value].map(|text| Value::Text(text.into()));
                IndexRange::new(statement::KEYS_OF_LABEL, prefix.into())
            }));
        }
        Ok((ranges.len() <= MAX_INDEX_RANGES).then_some(Union(ranges)))
    }

    /// The texts that follow `columns` in an index and satisfy the test; nothing when they are too many. They are
    /// stored in the form in which tests compare.
    fn accepted(
        &self,
        sql: &'static str,
        columns: &[&str],
        test: Option<&TextTest>,
    ) -> Result<Option<Vec<String>>, Fault> {
        let prefix = match test {
            Some(TextTest::Compare {
                comparison: Comparison::Equal,
                value,
            }) => return Ok(Some(vec![value.clone()])),
            Some(TextTest::Like {
                pattern: Wildcard::Prefix(prefix),
                negated: false,
            }) => prefix,
            _ => "",
        };
        let accepts = |text: &str| test.is_none_or(|test| test.accepts(text));
        self.distinct(sql, columns, prefix, accepts)
    }

    /// The distinct texts that follow `columns` in an index, begin so and are wanted; nothing when
    /// they are too many. One jump each, however many operations have it.
    fn distinct(
        &self,
        sql: &'static str,
        columns: &[&str],
        prefix: &str,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<Option<Vec<String>>, Fault> {
        let mut statement = self.connection.prepare_cached(sql)?;
        for (at, column) in columns.iter().enumerate() {
            statement.raw_bind_parameter(2 + at, column)?;
        }
        let mut found = Vec::new();
        let mut from = prefix.to_owned();
        for _ in 0..MAX_DISTINCT {
            statement.raw_bind_parameter(1, &from)?;
            let mut rows = statement.raw_query();
            let text: Option<String> = rows.next()?.map(|row| row.get(0)).transpose()?;
            drop(rows);
            let Some(text) = text.filter(|text| text.starts_with(prefix)) else {
                return Ok((found.len() <= MAX_INDEX_RANGES).then_some(found));
            };
            // The very next text.
            from = format!("{text}\0");
            if wanted(&text) {
                found.push(text);
            }
        }
        Ok(None)
    }
}
