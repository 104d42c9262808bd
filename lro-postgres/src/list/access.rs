//! The way to a page, chosen by what the filter restricts.

use lro_core::ParentPattern;
use lro_core::filter::{Known, LabelNeed, Predicate};
use lro_core::store::kit::{MAX_DISTINCT, MAX_INDEX_RANGES, parent_prefix};
use lro_core::store::{ListQuery, OperationState, PageCursor};
use tokio_postgres::Row;
use tokio_postgres::types::{ToSql, Type};
use uuid::Uuid;

use super::families::Families;
use super::labels::Ranges;
use super::{key, statement};
use crate::error::Fault;
use crate::holes::Key;
use crate::sql::database::{Access, Database, Query};
use crate::sql::row::encode_state;
use crate::sql::text::unescape;

type Params<'a> = Vec<(&'a (dyn ToSql + Sync), Type)>;

/// Where the next keys are.
pub(crate) struct Below {
    time: i64,
    uid: Uuid,
    /// The first create time.
    first: i64,
}

impl Below {
    /// Behind this key, and at the create times of the filter.
    pub(crate) fn of(query: &ListQuery, after: Option<PageCursor>) -> Self {
        let times = query.filter.predicate().create_times();
        let last = times.end().as_micros();
        let mut below = match last.checked_add(1) {
            Some(time) => (time, Uuid::nil()),
            None => (last, Uuid::max()),
        };
        if let Some(after) = after {
            below = below.min((after.create_time.as_micros(), after.uid));
        }
        Self {
            time: below.0,
            uid: below.1,
            first: times.start().as_micros(),
        }
    }

    /// The first key that is not below.
    pub(super) fn key(&self) -> Key {
        Key {
            micros: self.time,
            uid: self.uid.as_u128(),
        }
    }
}

/// Index ranges that together contain every operation that may match the list.
#[derive(Debug)]
pub(crate) struct Way {
    union: Union,
    /// Whether everything in them is on the list that callers may see at all.
    pub(crate) is_exact: bool,
    /// Whether the filter names a first create time.
    has_first: bool,
}

/// The prefixes of the index ranges, one column each.
#[derive(Debug)]
pub(super) enum Union {
    All,
    Parents(Vec<String>),
    States {
        parents: Vec<String>,
        methods: Vec<String>,
        states: Vec<i16>,
    },
    Labels {
        parents: Vec<String>,
        keys: Vec<Vec<u8>>,
        values: Vec<Vec<u8>>,
    },
    Children {
        parents: Vec<String>,
        operations: Vec<String>,
    },
}

impl Way {
    /// `None`: nothing can be on the list.
    pub(crate) async fn choose(
        database: &Database,
        query: &ListQuery,
    ) -> Result<Option<Self>, Fault> {
        let predicate = query.filter.predicate();
        let is_never = predicate.verdict(&Known::default()) == Some(false);
        if is_never || predicate.create_times().is_empty() {
            return Ok(None);
        }
        let Some(parents) = parents(database, &query.parent).await? else {
            return Ok(Some(Self {
                union: Union::All,
                is_exact: false,
                has_first: false,
            }));
        };
        let mut ways = narrow(database, &parents, predicate).await?;
        if ways.is_empty() {
            ways.push(Self {
                union: Union::Parents(parents),
                is_exact: false,
                has_first: predicate.create_times().start().as_micros() > i64::MIN,
            });
        }
        if ways.iter().any(|way| way.union.is_empty()) {
            return Ok(None);
        }
        match ways.len() {
            1 => Ok(ways.pop()),
            _ => sparsest(database, query, ways).await.map(Some),
        }
    }

    pub(crate) fn is_of_all(&self) -> bool {
        matches!(self.union, Union::All)
    }

    /// How many parameters its statements take.
    pub(crate) fn parameters(&self) -> usize {
        match self.union {
            Union::All => 4,
            Union::Parents(_) => 5,
            Union::Children { .. } => 6,
            Union::States { .. } | Union::Labels { .. } => 7,
        }
    }

    pub(crate) fn params<'a>(&'a self, below: &'a Below, limit: &'a i64) -> Params<'a> {
        let mut params: Params<'a> = vec![
            (&below.time, Type::INT8),
            (&below.uid, Type::UUID),
            (&below.first, Type::INT8),
            (limit, Type::INT8),
        ];
        match &self.union {
            Union::All => {}
            Union::Parents(parents) => params.push((parents, Type::TEXT_ARRAY)),
            Union::States {
                parents,
                methods,
                states,
            } => {
                params.push((parents, Type::TEXT_ARRAY));
                params.push((methods, Type::TEXT_ARRAY));
                params.push((states, Type::INT2_ARRAY));
            }
            Union::Labels {
                parents,
                keys,
                values,
            } => {
                params.push((parents, Type::TEXT_ARRAY));
                params.push((keys, Type::BYTEA_ARRAY));
                params.push((values, Type::BYTEA_ARRAY));
            }
            Union::Children {
                parents,
                operations,
            } => {
                params.push((parents, Type::TEXT_ARRAY));
                params.push((operations, Type::TEXT_ARRAY));
            }
        }
        params
    }

    pub(crate) fn rows(&self) -> &'static str {
        match self.union {
            Union::All => statement::ROWS_OF_ALL,
            Union::Parents(_) if self.has_first => statement::ROWS_OF_PARENTS_FROM,
            Union::Parents(_) => statement::ROWS_OF_PARENTS,
            Union::States { .. } => statement::ROWS_OF_STATES,
            Union::Labels { .. } => statement::ROWS_OF_LABELS,
            Union::Children { .. } => statement::ROWS_OF_CHILDREN,
        }
    }

    fn keys(&self) -> &'static str {
        match self.union {
            Union::All => statement::KEYS_OF_ALL,
            Union::Parents(_) if self.has_first => statement::KEYS_OF_PARENTS_FROM,
            Union::Parents(_) => statement::KEYS_OF_PARENTS,
            Union::States { .. } => statement::KEYS_OF_STATES,
            Union::Labels { .. } => statement::KEYS_OF_LABELS,
            Union::Children { .. } => statement::KEYS_OF_CHILDREN,
        }
    }
}

impl Union {
    fn is_empty(&self) -> bool {
        match self {
            Self::All => false,
            Self::Parents(parents)
            | Self::States { parents, .. }
            | Self::Labels { parents, .. }
            | Self::Children { parents, .. } => parents.is_empty(),
        }
    }
}

/// The parents that a pattern stands for; nothing when they are too many.
pub(super) async fn parents(
    database: &Database,
    pattern: &ParentPattern,
) -> Result<Option<Vec<String>>, Fault> {
    if let Some(parent) = pattern.exact() {
        return Ok(Some(vec![parent.as_str().to_owned()]));
    }
    let prefix = parent_prefix(pattern);
    let most = MAX_DISTINCT as i64 + 1;
    let query = Query {
        sql: statement::PARENTS,
        params: vec![(&prefix, Type::TEXT), (&most, Type::INT8)],
    };
    let rows = database.run(Access::ReadInOrder, &[query]).await?.remove(0);
    if rows.len() > MAX_DISTINCT {
        return Ok(None);
    }
    let parents: Result<Vec<String>, _> = rows.iter().map(|row| row.try_get(0)).collect();
    let mut parents = parents?;
    parents.retain(|parent| pattern.matches(parent));
    Ok((parents.len() <= MAX_INDEX_RANGES).then_some(parents))
}

/// The methods of the operations of each parent, one more than are of use.
pub(super) async fn methods(database: &Database, parents: &[String]) -> Result<Vec<Row>, Fault> {
    let query = of_methods(&parents);
    Ok(database.run(Access::ReadInOrder, &[query]).await?.remove(0))
}

fn of_methods<'a>(parents: &'a &'a [String]) -> Query<'a> {
    const MOST: i64 = MAX_DISTINCT as i64 + 1;
    Query {
        sql: statement::METHODS,
        params: vec![(parents, Type::TEXT_ARRAY), (&MOST, Type::INT8)],
    }
}

/// All ways that leave out more than other parents. Which methods, labels and parent operations there are, is
/// asked at once.
async fn narrow(
    database: &Database,
    parents: &[String],
    predicate: &Predicate,
) -> Result<Vec<Way>, Fault> {
    let needs: Vec<Vec<LabelNeed>> = predicate.label_needs();
    let ranges = Ranges::of(parents, &needs);
    let families = Families::of(predicate);
    let restricts_states = predicate.restricts_states();
    // One more than is of use, to know.
    let most_of_range = ranges.as_ref().map_or(0, |ranges| ranges.most() as i64 + 1);
    let mut queries = Vec::new();
    if restricts_states {
        queries.push(of_methods(&parents));
    }
    if let Some(ranges) = &ranges {
        queries.push(Query {
            sql: statement::LABELS,
            params: ranges.params(&most_of_range),
        });
    }
    queries.extend(families.iter().filter_map(Families::query));
    let mut answers = match queries.is_empty() {
        true => Vec::new(),
        false => database.run(Access::ReadInOrder, &queries).await?,
    };
    let mut unions = Vec::new();
    for family in families.iter().rev() {
        let found = family.query().and_then(|_| answers.pop());
        unions.extend(family.union(parents, &found.unwrap_or_default())?);
    }
    let labels = match &ranges {
        Some(ranges) => ranges.unions(&answers.pop().unwrap_or_default())?,
        None => Vec::new(),
    };
    let mut ways: Vec<Way> = labels
        .into_iter()
        .chain(unions)
        .map(|union| Way {
            union,
            is_exact: false,
            has_first: false,
        })
        .collect();
    if restricts_states {
        ways.extend(states(&answers.pop().unwrap_or_default(), predicate)?);
    }
    Ok(ways)
}

/// By method and state, unless the filter leaves all of them open.
fn states(rows: &[Row], predicate: &Predicate) -> Result<Option<Way>, Fault> {
    if rows.len() > MAX_DISTINCT {
        return Ok(None);
    }
    let (mut parents, mut methods, mut states) = (Vec::new(), Vec::new(), Vec::new());
    let mut is_exact = true;
    for row in rows {
        let (parent, method): (&str, &str) = (row.try_get(0)?, row.try_get(1)?);
        let plain = unescape(method).ok_or_else(|| Fault::row("a method was never written so"))?;
        for (state, is_certain) in predicate.states_of(Some(&plain)) {
            parents.push(parent.to_owned());
            methods.push(method.to_owned());
            states.push(encode_state(state));
            is_exact &= is_certain;
        }
    }
    let restricts = states.len() < rows.len() * OperationState::ALL.len();
    let is_usable = (restricts || rows.is_empty()) && states.len() <= MAX_INDEX_RANGES;
    let union = Union::States {
        parents,
        methods,
        states,
    };
    Ok(is_usable.then_some(Way {
        union,
        is_exact,
        has_first: false,
    }))
}

/// The way with the fewest keys, as far as its first ones tell: those of a whole page, that reach
/// further down the list where there are few.
async fn sparsest(database: &Database, query: &ListQuery, ways: Vec<Way>) -> Result<Way, Fault> {
    let below = Below::of(query, query.after);
    let block = query.limit.saturating_add(1).min(MAX_DISTINCT);
    let limit = i64::try_from(block).unwrap_or(i64::MAX);
    let queries: Vec<Query<'_>> = ways
        .iter()
        .map(|way| Query {
            sql: way.keys(),
            params: way.params(&below, &limit),
        })
        .collect();
    let answers = database.run(Access::ReadInOrder, &queries).await?;
    let mut best = None;
    for (way, rows) in ways.iter().enumerate().map(|(at, _)| at).zip(&answers) {
        let last = rows.last().map(|row| key(row, 0)).transpose()?;
        let reach = match rows.len() < block {
            true => (rows.len(), None),
            false => (usize::MAX, last),
        };
        if best.is_none_or(|(_, known)| reach < known) {
            best = Some((way, reach));
        }
    }
    drop(queries);
    let at = best.map_or(0, |(at, _)| at);
    let way = ways.into_iter().nth(at);
    way.ok_or_else(|| Fault::row("there is no way"))
}
