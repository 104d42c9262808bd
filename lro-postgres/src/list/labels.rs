//! Labels as stored in the table of labels, and the ranges of it that a list reads.

use lro_core::filter::{Comparison, LabelNeed, TextTest, Wildcard, nfc};
use lro_core::store::kit::{MAX_DISTINCT, MAX_INDEX_RANGES};
use tokio_postgres::Row;
use tokio_postgres::types::{ToSql, Type};

use super::access::Union;
use crate::error::Fault;

/// How many bytes of a text are kept: `label_text` in the schema.
const TEXT_MAX: usize = 255;

/// The first byte of what is not the text itself. No text begins with it.
const ODD: u8 = 0xff;

/// How many ranges are looked at for one list.
const RANGES_MAX: usize = 4 * MAX_INDEX_RANGES;

/// How many labels are read for one list, of all ranges.
const LABELS_MAX: usize = 8 * MAX_DISTINCT;

/// A label, as it is stored.
type Entry = (Vec<u8>, Vec<u8>);

/// Ranges of the table, in which the labels stand that are needed and not known by their bytes.
#[derive(Debug)]
pub(super) struct Ranges<'n> {
    needs: &'n [Vec<LabelNeed>],
    parents: Vec<String>,
    first_keys: Vec<Vec<u8>>,
    first_values: Vec<Vec<u8>>,
    last_keys: Vec<Vec<u8>>,
    last_values: Vec<Vec<u8>>,
    /// Whose they are: which list of needs, and which of it.
    of: Vec<(usize, usize)>,
    /// Labels that are known by their bytes.
    known: Vec<(usize, String, Entry)>,
}

impl<'n> Ranges<'n> {
    /// `None`: the list needs no labels, or too many for a search to pay off.
    pub(super) fn of(parents: &[String], needs: &'n [Vec<LabelNeed>]) -> Option<Self> {
        let mut ranges = Self {
            needs,
            parents: Vec::new(),
            first_keys: Vec::new(),
            first_values: Vec::new(),
            last_keys: Vec::new(),
            last_values: Vec::new(),
            of: Vec::new(),
            known: Vec::new(),
        };
        for (list, needs) in needs.iter().enumerate() {
            for (at, need) in needs.iter().enumerate() {
                for parent in parents {
                    ranges.add((list, at), parent, need);
                    if ranges.of.len() > RANGES_MAX {
                        return None;
                    }
                }
            }
        }
        (!needs.is_empty()).then_some(ranges)
    }

    /// How many labels of each range are of use.
    pub(super) fn most(&self) -> usize {
        (LABELS_MAX / self.of.len().max(1)).clamp(1, MAX_DISTINCT)
    }

    fn add(&mut self, of: (usize, usize), parent: &str, need: &LabelNeed) {
        // Odd keys, whose text may be this one in its normal form.
        self.range(of, parent, (&[ODD], &[]), (&[ODD, ODD], &[]));
        let key = need.key.as_bytes();
        if !is_plain(key) {
            return;
        }
        let odd_values: (&[u8], &[u8]) = (&[ODD], &[ODD, ODD]);
        match &need.test {
            Some(TextTest::Compare {
                comparison: Comparison::Equal,
                value,
            }) => {
                self.range(of, parent, (key, odd_values.0), (key, odd_values.1));
                if is_plain(value.as_bytes()) {
                    let entry = (key.to_owned(), value.as_bytes().to_owned());
                    self.known.push((of.0, parent.to_owned(), entry));
                }
            }
            Some(TextTest::Like {
                pattern: Wildcard::Prefix(prefix),
                negated: false,
            }) => {
                let first = prefix.as_bytes();
                let last = [first, &[ODD]].concat();
                self.range(of, parent, (key, first), (key, &last));
                self.range(of, parent, (key, odd_values.0), (key, odd_values.1));
            }
            _ => self.range(of, parent, (key, &[]), (key, odd_values.1)),
        }
    }

    fn range(
        &mut self,
        of: (usize, usize),
        parent: &str,
        first: (&[u8], &[u8]),
        last: (&[u8], &[u8]),
    ) {
        self.parents.push(parent.to_owned());
        self.first_keys.push(first.0.to_owned());
        self.first_values.push(first.1.to_owned());
        self.last_keys.push(last.0.to_owned());
        self.last_values.push(last.1.to_owned());
        self.of.push(of);
    }

    pub(super) fn params<'a>(&'a self, most: &'a i64) -> Vec<(&'a (dyn ToSql + Sync), Type)> {
        vec![
            (&self.parents, Type::TEXT_ARRAY),
            (&self.first_keys, Type::BYTEA_ARRAY),
            (&self.first_values, Type::BYTEA_ARRAY),
            (&self.last_keys, Type::BYTEA_ARRAY),
            (&self.last_values, Type::BYTEA_ARRAY),
            (most, Type::INT8),
        ]
    }

    /// The index ranges for each list of needs, from the labels found. Lists with too many labels
    /// get none.
    pub(super) fn unions(&self, rows: &[Row]) -> Result<Vec<Union>, Fault> {
        let mut found: Vec<Option<Vec<(String, Entry)>>> =
            self.needs.iter().map(|_| Some(Vec::new())).collect();
        for (list, parent, entry) in &self.known {
            if let Some(Some(entries)) = found.get_mut(*list) {
                entries.push((parent.clone(), entry.clone()));
            }
        }
        let mut counts = vec![0; self.of.len()];
        for row in rows {
            let place: i64 = row.try_get(0)?;
            let place = usize::try_from(place - 1).unwrap_or(usize::MAX);
            let (Some((list, at)), Some(parent)) = (self.of.get(place), self.parents.get(place))
            else {
                return Err(Fault::row("the answer has a range that was not requested"));
            };
            let entries = &mut found[*list];
            counts[place] += 1;
            if counts[place] > self.most() {
                *entries = None;
                continue;
            }
            let (key, value): (Vec<u8>, Vec<u8>) = (row.try_get(1)?, row.try_get(2)?);
            let need = &self.needs[*list][*at];
            let test = |value: &str| need.test.as_ref().is_none_or(|test| test.accepts(value));
            let is_wanted = may_be(&key, |key| nfc(key) == need.key) && may_be(&value, test);
            if let Some(entries) = entries.as_mut().filter(|_| is_wanted) {
                entries.push((parent.clone(), (key, value)));
            }
        }
        let usable = found.into_iter().flatten().map(|mut entries| {
            entries.sort_unstable();
            entries.dedup();
            entries
        });
        let usable = usable.filter(|entries| entries.len() <= MAX_INDEX_RANGES);
        Ok(usable.map(union).collect())
    }
}

fn union(entries: Vec<(String, Entry)>) -> Union {
    let (mut parents, mut keys, mut values) = (Vec::new(), Vec::new(), Vec::new());
    for (parent, (key, value)) in entries {
        parents.push(parent);
        keys.push(key);
        values.push(value);
    }
    Union::Labels {
        parents,
        keys,
        values,
    }
}

/// Whether the table has a text as it is.
fn is_plain(text: &[u8]) -> bool {
    let is_own = |byte: &u8| byte.is_ascii() && !matches!(byte, b'\\' | 0);
    text.len() <= TEXT_MAX && text.iter().all(is_own)
}

/// Whether the text that stands in the table so may satisfy the test.
fn may_be(stored: &[u8], test: impl Fn(&str) -> bool) -> bool {
    let text = match stored.split_first() {
        // Its end may have been cut off.
        Some((&ODD, text)) if text.len() >= TEXT_MAX => return true,
        Some((&ODD, text)) => text,
        _ => stored,
    };
    std::str::from_utf8(text).is_ok_and(test)
}
