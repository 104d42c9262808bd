//! Keys from indexes, in the list's order: index ranges, their union, the intersection of unions.

use std::collections::VecDeque;

use lro_core::Timestamp;
use lro_core::store::PageCursor;
use rusqlite::Connection;
use rusqlite::types::Value;
use uuid::Uuid;

use crate::error::Fault;

/// How many keys one statement reads: few at first, for a page may take one of each range, then
/// more and more, as long as they are taken one after the other.
const FIRST_BLOCK: i64 = 8;
const MAX_BLOCK: i64 = 256;
/// How many after a jump: the next one will be a jump too.
const JUMP_BLOCK: i64 = 2;

/// Everything before this point of the list's order, the point itself not included.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Below {
    time: i64,
    /// Longer than a uid, where it is to stand behind one.
    uid: Vec<u8>,
}

impl Below {
    /// Up to and including this time.
    pub(crate) fn time(time: Timestamp) -> Self {
        Self {
            time: time.as_micros(),
            uid: vec![0xff; 17],
        }
    }

    /// Behind this key in the list.
    pub(crate) fn behind(key: PageCursor) -> Self {
        Self {
            time: key.create_time.as_micros(),
            uid: key.uid.as_bytes().to_vec(),
        }
    }

    /// This key and what is behind it in the list.
    pub(crate) fn from(key: PageCursor) -> Self {
        let mut below = Self::behind(key);
        below.uid.push(0);
        below
    }

    fn contains(&self, key: PageCursor) -> bool {
        (key.create_time.as_micros(), key.uid.as_bytes().as_slice()) < (self.time, &self.uid)
    }
}

/// A range of an index that is in the list's order.
#[derive(Debug)]
pub(crate) struct IndexRange {
    /// Takes the point as `?1, ?2`, the first create time as `?3` and a limit as `?4`.
    sql: &'static str,
    prefix: Vec<Value>,
    block: i64,
    buffer: VecDeque<PageCursor>,
    /// The index holds no more than the buffer.
    at_end: bool,
}

impl IndexRange {
    pub(crate) fn new(sql: &'static str, prefix: Vec<Value>) -> Self {
        Self {
            sql,
            prefix,
            block: FIRST_BLOCK,
            buffer: VecDeque::new(),
            at_end: false,
        }
    }

    /// The first key below the point. Points only go down.
    fn head(&mut self, index: &Index<'_>, below: &Below) -> Result<Option<PageCursor>, Fault> {
        let mut dropped = 0;
        while self.buffer.front().is_some_and(|key| !below.contains(*key)) {
            self.buffer.pop_front();
            dropped += 1;
        }
        if self.buffer.is_empty() && !self.at_end {
            if dropped > 1 {
                self.block = JUMP_BLOCK;
            }
            self.fill(index, below)?;
        }
        Ok(self.buffer.front().copied())
    }

    fn fill(&mut self, index: &Index<'_>, below: &Below) -> Result<(), Fault> {
        let mut statement = index.connection.prepare_cached(self.sql)?;
        statement.raw_bind_parameter(1, below.time)?;
        statement.raw_bind_parameter(2, &below.uid)?;
        statement.raw_bind_parameter(3, index.first.as_micros())?;
        statement.raw_bind_parameter(4, self.block)?;
        for (at, value) in self.prefix.iter().enumerate() {
            statement.raw_bind_parameter(5 + at, value)?;
        }
        let mut rows = statement.raw_query();
        while let Some(row) = rows.next()? {
            let uid = row.get_ref(1)?.as_blob().ok();
            let uid = uid.and_then(|uid| Uuid::from_slice(uid).ok());
            self.buffer.push_back(PageCursor {
                create_time: Timestamp::from_micros(row.get(0)?),
                uid: uid.ok_or_else(|| Fault::row("an index holds what is no uid"))?,
            });
        }
        self.at_end = (self.buffer.len() as i64) < self.block;
        self.block = (self.block * 2).min(MAX_BLOCK);
        Ok(())
    }
}

/// Where keys are read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Index<'c> {
    pub(crate) connection: &'c Connection,
    /// The first create time of the list.
    pub(crate) first: Timestamp,
}

/// The keys of any of its ranges.
#[derive(Debug)]
pub(crate) struct Union(pub(crate) Vec<IndexRange>);

impl Union {
    fn head(&mut self, index: &Index<'_>, below: &Below) -> Result<Option<PageCursor>, Fault> {
        let mut head = None;
        for range in &mut self.0 {
            head = head.max(range.head(index, below)?);
        }
        Ok(head)
    }
}

/// The next key below the point that all unions have, and how many steps that took. Another key
/// if that would take more than `max_steps`.
pub(crate) fn next_common(
    index: &Index<'_>,
    unions: &mut [Union],
    below: &Below,
    max_steps: usize,
) -> Result<(Option<PageCursor>, usize), Fault> {
    let mut below = below.clone();
    let mut steps = 0;
    loop {
        let (mut lowest, mut highest) = (None, None);
        for union in &mut *unions {
            let Some(head) = union.head(index, &below)? else {
                return Ok((None, steps));
            };
            lowest = Some(lowest.map_or(head, |key: PageCursor| key.min(head)));
            highest = highest.max(Some(head));
        }
        let Some(key) = lowest else {
            return Ok((None, steps));
        };
        if lowest == highest || steps >= max_steps {
            return Ok((Some(key), steps));
        }
        below = Below::from(key);
        steps += 1;
    }
}
