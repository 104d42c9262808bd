//! Keys of an index that cannot be read, and how they are found.

use std::future::Future;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::error::Fault;

/// How long a hole is remembered. After that, claims search for it again: the operator may have
/// repaired it.
const HOLE_LASTS: Duration = Duration::from_secs(600);

/// The maximum number of statements that one claim spends on finding holes.
const STATEMENTS_MAX: usize = 2_000;

/// The key of an index that begins with a time and ends with a uid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) micros: i64,
    pub(crate) uid: u128,
}

/// Keys from `from` to just before `to`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) from: Key,
    pub(crate) to: Key,
}

impl Key {
    pub(crate) const FIRST: Self = Self {
        micros: i64::MIN,
        uid: 0,
    };
    pub(crate) const LAST: Self = Self {
        micros: i64::MAX,
        uid: u128::MAX,
    };

    /// The key at the same place of the opposite order.
    pub(crate) fn opposite(self) -> Self {
        Self {
            micros: !self.micros,
            uid: !self.uid,
        }
    }

    pub(crate) fn next(self) -> Self {
        match self.uid.checked_add(1) {
            Some(uid) => Self { uid, ..self },
            None => Self {
                micros: self.micros.saturating_add(1),
                uid: 0,
            },
        }
    }
}

impl Range {
    /// Those from a key on.
    pub(crate) fn since(from: Key) -> Self {
        Self {
            from,
            to: Key::LAST,
        }
    }

    fn is_one(&self) -> bool {
        self.from.next() >= self.to
    }

    /// Two ranges, neither of which is empty.
    fn halves(self) -> [Self; 2] {
        let Self { from, to } = self;
        let far = to.micros.abs_diff(from.micros) > 1;
        let middle = if far {
            // Times are later than 1970 as a rule: so these are found first.
            let micros = i64::midpoint(from.micros, to.micros);
            Key { micros, uid: 0 }
        } else if from.micros == to.micros {
            let uid = u128::midpoint(from.uid, to.uid).max(from.uid + 1);
            Key { uid, ..from }
        } else if to.uid > 0 {
            Key { uid: 0, ..to }
        } else {
            let uid = u128::midpoint(from.uid, u128::MAX).max(from.uid + 1);
            Key { uid, ..from }
        };
        [Self { from, to: middle }, Self { from: middle, to }]
    }
}

/// Serves a range by the given step, and its halves where it cannot be read, until the step says that
/// it has enough. Gives the keys that cannot be read.
pub(crate) async fn around<F: Future<Output = Result<bool, Fault>>>(
    ranges: Vec<Range>,
    mut serve: impl FnMut(Range) -> F,
) -> Result<Vec<Key>, Fault> {
    let mut holes = Vec::new();
    // The next one last.
    let mut left: Vec<Range> = ranges.into_iter().rev().collect();
    let mut statements = 0;
    while let Some(range) = left.pop() {
        statements += 1;
        match serve(range).await {
            Ok(true) => break,
            Ok(false) => {}
            Err(fault) if fault.may_be_damage() && statements < STATEMENTS_MAX => {
                if range.is_one() {
                    holes.push(range.from);
                } else {
                    let [first, second] = range.halves();
                    left.extend([second, first]);
                }
            }
            Err(fault) => return Err(fault),
        }
    }
    Ok(holes)
}

/// Keys of one index that cannot be read.
#[derive(Debug)]
pub(crate) struct Holes {
    pub(crate) keys: Vec<Key>,
    until: Instant,
}

impl Holes {
    /// `None`: there are none.
    pub(crate) fn new(mut keys: Vec<Key>) -> Option<Self> {
        keys.sort_unstable();
        (!keys.is_empty()).then(|| Self {
            keys,
            until: Instant::now() + HOLE_LASTS,
        })
    }

    pub(crate) fn are_known(&self) -> bool {
        self.until > Instant::now()
    }

    /// The first time behind all of them.
    pub(crate) fn end(&self) -> i64 {
        let last = self.keys.last();
        last.map_or(i64::MIN, |key| key.micros.saturating_add(1))
    }

    /// The ranges between the holes.
    pub(crate) fn between(&self) -> Vec<Range> {
        let mut from = Key::FIRST;
        let mut ranges = Vec::new();
        for key in &self.keys {
            ranges.push(Range { from, to: *key });
            from = key.next();
        }
        ranges.push(Range::since(from));
        ranges.retain(|range| range.from < range.to);
        ranges
    }

    pub(crate) fn add(&mut self, keys: Vec<Key>) {
        self.keys.extend(keys);
        self.keys.sort_unstable();
    }
}

/// The holes of one index, kept between calls.
#[derive(Debug, Default)]
pub(crate) struct KnownHoles(Mutex<Option<Holes>>);

impl KnownHoles {
    /// The ranges that can be read, as far as is known.
    pub(crate) fn ranges(&self) -> Vec<Range> {
        let known = self.lock();
        let known = known.as_ref().filter(|holes| holes.are_known());
        known.map_or_else(|| vec![Range::since(Key::FIRST)], Holes::between)
    }

    /// How many holes are known.
    pub(crate) fn count(&self) -> usize {
        let known = self.lock();
        let known = known.as_ref().filter(|holes| holes.are_known());
        known.map_or(0, |holes| holes.keys.len())
    }

    /// Adds holes that were found in these ranges.
    pub(crate) fn add(&self, keys: Vec<Key>) {
        let mut known = self.lock();
        match known.as_mut().filter(|holes| holes.are_known()) {
            Some(holes) => holes.add(keys),
            None => *known = Holes::new(keys),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Holes>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    fn key(micros: i64, uid: u128) -> Key {
        Key { micros, uid }
    }

    /// report:P5
    #[tokio::test]
    async fn exactly_the_keys_that_cannot_be_read_are_left_out() {
        let bad = [key(1_700_000_000_000_000, 7), key(1_700_000_000_000_000, 9)];
        let good = [
            key(-5, 1),
            key(1_700_000_000_000_000, 0),
            key(1_700_000_000_000_000, 8),
            key(1_700_000_000_000_001, u128::MAX),
            key(1_800_000_000_000_000, 3),
        ];
        let served = RefCell::new(Vec::new());
        let is_in = |range: &Range, key: &Key| range.from <= *key && *key < range.to;
        let holes = around(vec![Range::since(Key::FIRST)], async |range: Range| {
            if bad.iter().any(|key| is_in(&range, key)) {
                return Err(Fault::Unreadable);
            }
            let found = good.iter().filter(|key| is_in(&range, key));
            served.borrow_mut().extend(found.copied());
            Ok(false)
        });
        let holes = holes.await.unwrap();
        assert_eq!(holes, bad);
        assert_eq!(served.into_inner(), good);
        let between = Holes::new(holes).unwrap().between();
        assert!(
            bad.iter()
                .all(|key| between.iter().all(|it| !is_in(it, key)))
        );
        assert!(
            good.iter()
                .all(|key| between.iter().any(|it| is_in(it, key)))
        );
    }

    /// A disk that fails altogether is not looked through for ever.
    #[tokio::test]
    async fn a_search_that_finds_nothing_readable_ends() {
        let steps = RefCell::new(0);
        let holes = around(vec![Range::since(Key::FIRST)], async |_| {
            *steps.borrow_mut() += 1;
            Err(Fault::Unreadable)
        });
        assert!(holes.await.is_err());
        assert_eq!(steps.into_inner(), STATEMENTS_MAX);
    }
}
