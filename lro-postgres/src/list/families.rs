//! The ranges of the index by parent operation that a list reads.

use std::collections::BTreeSet;

use lro_core::filter::{Comparison, Predicate, TextTest, Wildcard};
use lro_core::store::kit::{MAX_DISTINCT, MAX_INDEX_RANGES};
use tokio_postgres::Row;
use tokio_postgres::types::Type;

use super::access::Union;
use super::statement;
use crate::error::Fault;
use crate::sql::database::Query;

/// Tests of the names of parent operations, one of which each operation of the list satisfies.
#[derive(Debug)]
pub(super) struct Families {
    tests: Vec<TextTest>,
    /// Those that are named: all, unless a test accepts several.
    named: BTreeSet<String>,
    /// The beginning of the names to look for.
    prefix: Option<String>,
}

const MOST: i64 = MAX_DISTINCT as i64 + 1;

impl Families {
    /// One for each part of the predicate that needs a parent operation.
    pub(super) fn of(predicate: &Predicate) -> Vec<Self> {
        let needs = predicate.parent_operation_needs().into_iter();
        needs.map(Self::by).collect()
    }

    fn by(tests: Vec<TextTest>) -> Self {
        let mut families = Self {
            tests: Vec::new(),
            named: BTreeSet::new(),
            prefix: None,
        };
        for test in tests {
            let prefix = match &test {
                TextTest::Compare {
                    comparison: Comparison::Equal,
                    value,
                } => {
                    families.named.insert(value.clone());
                    continue;
                }
                TextTest::Like {
                    pattern: Wildcard::Prefix(prefix),
                    negated: false,
                } => prefix.clone(),
                _ => String::new(),
            };
            families.prefix = Some(match families.prefix {
                None => prefix,
                Some(_) => String::new(),
            });
            families.tests.push(test);
        }
        families
    }

    /// The statement that finds the parent operations there are; nothing where all are named.
    pub(super) fn query(&self) -> Option<Query<'_>> {
        let prefix = self.prefix.as_ref()?;
        Some(Query {
            sql: statement::PARENT_OPERATIONS,
            params: vec![(prefix, Type::TEXT), (&MOST, Type::INT8)],
        })
    }

    /// The index ranges, from the parent operations found; nothing when they are too many.
    pub(super) fn union(&self, parents: &[String], found: &[Row]) -> Result<Option<Union>, Fault> {
        if found.len() > MAX_DISTINCT {
            return Ok(None);
        }
        let mut names = self.named.clone();
        for row in found {
            let name: String = row.try_get(0)?;
            if self.tests.iter().any(|test| test.accepts(&name)) {
                names.insert(name);
            }
        }
        if names.len() * parents.len() > MAX_INDEX_RANGES {
            return Ok(None);
        }
        let ranges = parents
            .iter()
            .flat_map(|parent| names.iter().map(|name| (parent.clone(), name.clone())));
        let (parents, operations) = ranges.unzip();
        Ok(Some(Union::Children {
            parents,
            operations,
        }))
    }
}
