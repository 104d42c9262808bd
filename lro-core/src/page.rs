//! Lists, a page at a time.

use uuid::Uuid;

use crate::clock::Timestamp;
use crate::filter::Filter;
use crate::name::ParentPattern;
use crate::record::OperationRecord;

/// Which operations to list.
///
/// ```
/// use lro_core::{ListQuery, ParentName};
///
/// let query = ListQuery::new(ParentName::default(), 50);
/// assert_eq!((query.after, query.limit), (None, 50));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct ListQuery {
    /// Those directly below this parent, or below those that it stands for.
    pub parent: ParentPattern,
    /// Those that match.
    pub filter: Filter,
    /// Those behind this one.
    pub after: Option<PageCursor>,
    /// At most so many, and at least one.
    pub limit: usize,
    /// After looking at about so many operations the page ends, full or not: so a rare match costs
    /// many short pages rather than one long call. What an index passes over is not looked at.
    pub examine_max: usize,
}

impl ListQuery {
    /// The newest operations below a parent.
    pub fn new(parent: impl Into<ParentPattern>, limit: usize) -> Self {
        Self {
            parent: parent.into(),
            filter: Filter::default(),
            after: None,
            limit,
            examine_max: usize::MAX,
        }
    }

    /// Whether a record belongs to the list, wherever the page begins.
    pub fn matches(&self, record: &OperationRecord) -> bool {
        record.is_visible()
            && self.parent.matches(record.name.parent())
            && self.filter.matches(record)
    }
}

/// A part of a list.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Page {
    /// The records.
    pub records: Vec<OperationRecord>,
    /// Where to go on, unless this was the end.
    pub next: Option<PageCursor>,
}

/// Where a list goes on: behind this operation, in the order newest first.
///
/// A key, not an offset, so that operations which come or go meanwhile neither repeat nor hide
/// others. A store makes and reads it; the wire's page token wraps it. Greater ones are newer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PageCursor {
    /// When it was started.
    pub create_time: Timestamp,
    /// Which it is, of those that were started at the same time.
    pub uid: Uuid,
}

impl PageCursor {
    /// How many bytes it has.
    pub const LEN: usize = 24;

    /// Behind this operation.
    pub fn behind(record: &OperationRecord) -> Self {
        Self {
            create_time: record.create_time,
            uid: record.uid,
        }
    }

    /// As bytes.
    pub fn to_bytes(self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        bytes[..8].copy_from_slice(&self.create_time.as_micros().to_be_bytes());
        bytes[8..].copy_from_slice(self.uid.as_bytes());
        bytes
    }

    /// The cursor of its bytes.
    pub fn from_bytes(bytes: [u8; Self::LEN]) -> Self {
        let [a, b, c, d, e, f, g, h, uid @ ..] = bytes;
        Self {
            create_time: Timestamp::from_micros(i64::from_be_bytes([a, b, c, d, e, f, g, h])),
            uid: Uuid::from_bytes(uid),
        }
    }
}

/// Gathers a page from records that come in the list's order, for stores that cannot answer all of a
/// filter themselves.
///
/// ```
/// # use lro_core::{ListQuery, OperationRecord, Page, PageBuilder, PageCursor, ParentName};
/// # fn read(after: Option<PageCursor>, limit: usize) -> Vec<OperationRecord> { Vec::new() }
/// let query = ListQuery::new(ParentName::default(), 50);
/// let mut page = PageBuilder::new(&query);
/// while let Some(limit) = page.wanted() {
///     page.take(limit, read(page.after(), limit));
/// }
/// assert_eq!(page.build(), Page::default());
/// ```
///
/// A store that finds single records, or refuses some by itself, gives them one at a time:
/// [`push`](Self::push), [`pass`](Self::pass), and [`finish`](Self::finish) at the end.
#[derive(Debug)]
pub struct PageBuilder<'q> {
    query: &'q ListQuery,
    page: Page,
    after: Option<PageCursor>,
    examined: usize,
    complete: bool,
}

impl<'q> PageBuilder<'q> {
    /// How many records are read at once, at least, where not every one may match.
    pub const CHUNK_MIN: usize = 200;

    /// An empty page.
    pub fn new(query: &'q ListQuery) -> Self {
        Self {
            query,
            page: Page::default(),
            after: query.after,
            examined: 0,
            complete: false,
        }
    }

    /// Behind which record to go on.
    pub fn after(&self) -> Option<PageCursor> {
        self.after
    }

    /// How many records to read next; `None` when the page is complete.
    pub fn wanted(&self) -> Option<usize> {
        if self.is_complete() {
            return None;
        }
        // One more than the page takes tells whether there are more.
        let limit = self.query.limit.saturating_add(1);
        let every_one_matches = self.query.filter.is_empty() && self.query.parent.exact().is_some();
        Some(match every_one_matches {
            true => limit,
            false => limit.max(Self::CHUNK_MIN),
        })
    }

    /// Whether nothing is to be read any more.
    pub fn is_complete(&self) -> bool {
        self.complete || self.query.limit == 0
    }

    /// Takes what was read: fewer records than were asked for mean that there are no more.
    pub fn take(&mut self, wanted: usize, records: Vec<OperationRecord>) {
        let at_end = records.len() < wanted;
        for record in records {
            self.push(record);
            if self.complete {
                return;
            }
        }
        if at_end {
            self.finish();
        }
    }

    /// Takes one record, which may match or not. Nothing when the page is complete.
    pub fn push(&mut self, record: OperationRecord) {
        if self.is_complete() {
            return;
        }
        let cursor = PageCursor::behind(&record);
        if self.query.matches(&record) {
            if self.is_full() {
                return self.stop();
            }
            self.page.records.push(record);
        }
        self.pass(cursor);
    }

    /// Counts a record that the store looked at and found not to match.
    pub fn pass(&mut self, cursor: PageCursor) {
        if self.is_complete() {
            return;
        }
        self.after = Some(cursor);
        self.examined += 1;
        if self.examined >= self.query.examine_max {
            self.stop();
        }
    }

    /// Ends the page where it stands, although there may be more.
    pub fn stop(&mut self) {
        self.end(match self.is_full() {
            true => self.page.records.last().map(PageCursor::behind),
            false => self.after,
        });
    }

    /// Ends the page and the list: there are no more records.
    pub fn finish(&mut self) {
        self.end(None);
    }

    fn is_full(&self) -> bool {
        self.page.records.len() == self.query.limit
    }

    fn end(&mut self, next: Option<PageCursor>) {
        if !self.complete {
            self.page.next = next;
            self.complete = true;
        }
    }

    /// The page.
    pub fn build(self) -> Page {
        self.page
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// spec:2 spec:103
    #[test]
    fn lists_have_these_fields_and_no_others() {
        let pool = prost_reflect::DescriptorPool::decode(crate::pb::FILE_DESCRIPTOR_SET).unwrap();
        let fields = |message: &str| -> Vec<(String, u32)> {
            let name = format!("google.longrunning.{message}");
            let fields = pool.get_message_by_name(&name).unwrap();
            let fields = fields.fields();
            let mut fields: Vec<_> = fields
                .map(|it| (it.name().to_owned(), it.number()))
                .collect();
            fields.sort_by_key(|(_, number)| *number);
            fields
        };
        let wanted = |fields: &[(&str, u32)]| -> Vec<(String, u32)> {
            let fields = fields.iter();
            fields
                .map(|(name, number)| ((*name).to_owned(), *number))
                .collect()
        };
        let request = [
            ("filter", 1),
            ("page_size", 2),
            ("page_token", 3),
            ("name", 4),
            ("return_partial_success", 5),
        ];
        assert_eq!(fields("ListOperationsRequest"), wanted(&request));
        let response = [
            ("operations", 1),
            ("next_page_token", 2),
            ("unreachable", 3),
        ];
        assert_eq!(fields("ListOperationsResponse"), wanted(&response));
    }

    #[test]
    fn a_page_from_single_records_ends_where_it_must() {
        let record = |n: i64| {
            let new = crate::record::NewOperation::new(
                Uuid::from_u128(1),
                "operations/1".parse().unwrap(),
                "/m",
                crate::payload::pack(&()),
            );
            OperationRecord::new(new, Timestamp::from_micros(n))
        };
        let mut query = ListQuery::new(crate::name::ParentName::default(), 2);
        query.examine_max = 3;
        let mut page = PageBuilder::new(&query);
        let passed = PageCursor::behind(&record(9));
        page.pass(passed);
        page.push(record(8));
        assert!(!page.is_complete());
        // The third that was looked at; it is on the page.
        page.push(record(7));
        assert!(page.is_complete());
        page.push(record(6));
        page.finish();
        let page = page.build();
        assert_eq!(page.records, [record(8), record(7)]);
        assert_eq!(page.next, Some(PageCursor::behind(&record(7))));

        let mut page = PageBuilder::new(&query);
        page.pass(passed);
        page.stop();
        assert_eq!(page.build().next, Some(passed));
    }

    proptest! {
        #[test]
        fn cursors_go_through_bytes(micros: i64, uid: u128) {
            let cursor = PageCursor {
                create_time: Timestamp::from_micros(micros),
                uid: Uuid::from_u128(uid),
            };
            prop_assert_eq!(PageCursor::from_bytes(cursor.to_bytes()), cursor);
        }
    }
}
