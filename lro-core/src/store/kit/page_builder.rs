use crate::store::{ListQuery, OperationRecord, Page, PageCursor};

/// Fills a page with records that come in the order of lists, newest first.
///
/// A store calls [`push`](Self::push) for each record that it reads, or [`pass`](Self::pass) for
/// one that it found not to match, until the page [is complete](Self::is_complete), and
/// [`finish`](Self::finish) if no record is left.
///
/// ```
/// use lro_core::ParentName;
/// use lro_core::store::kit::PageBuilder;
/// use lro_core::store::{ListQuery, OperationRecord, Page};
///
/// # let records: Vec<OperationRecord> = Vec::new();
/// let query = ListQuery::new(ParentName::default(), 50);
/// let mut page = PageBuilder::new(&query);
/// for record in records {
///     if page.is_complete() {
///         break;
///     }
///     page.push(record);
/// }
/// page.finish();
/// assert_eq!(page.build(), Page::default());
/// ```
#[derive(Debug)]
pub struct PageBuilder<'q> {
    query: &'q ListQuery,
    page: Page,
    after: Option<PageCursor>,
    examined: usize,
    bytes: usize,
    complete: bool,
}

impl<'q> PageBuilder<'q> {
    /// An empty page.
    pub fn new(query: &'q ListQuery) -> Self {
        Self {
            query,
            page: Page::default(),
            after: query.after,
            examined: 0,
            bytes: 0,
            complete: false,
        }
    }

    /// The record that was examined last: the page continues behind it.
    pub fn after(&self) -> Option<PageCursor> {
        self.after
    }

    /// Whether the page needs no more records.
    pub fn is_complete(&self) -> bool {
        self.complete || self.query.limit == 0
    }

    /// How many more records the page takes.
    pub fn room(&self) -> usize {
        self.query.limit - self.page.records.len()
    }

    /// Takes one record, which may match or not. Does nothing when the page is complete.
    pub fn push(&mut self, record: OperationRecord) {
        let cursor = PageCursor::behind(&record);
        if self.admits(&record) {
            self.page.records.push(record.into_public_part());
        }
        self.pass(cursor);
    }

    /// [`push`](Self::push) for a store that keeps the record: it is copied only if it matches.
    pub fn push_ref(&mut self, record: &OperationRecord) {
        if self.admits(record) {
            self.page.records.push(record.public_part());
        }
        self.pass(PageCursor::behind(record));
    }

    /// Whether a record belongs on the page. Ends the page if the record does not fit.
    fn admits(&mut self, record: &OperationRecord) -> bool {
        if self.is_complete() || !self.query.matches(record) {
            return false;
        }
        let bytes = self.bytes.saturating_add(record.max_wire_len());
        let is_too_long = bytes > self.query.max_bytes && !self.page.records.is_empty();
        if self.is_full() || is_too_long {
            self.stop();
            return false;
        }
        self.bytes = bytes;
        true
    }

    /// Counts a record that the store looked at and found not to match.
    pub fn pass(&mut self, cursor: PageCursor) {
        if self.is_complete() {
            return;
        }
        self.after = Some(cursor);
        self.examined += 1;
        if self.examined >= self.query.max_examined {
            self.stop();
        }
    }

    /// Ends the page where it stands, although there may be more.
    pub fn stop(&mut self) {
        self.end(if self.is_full() {
            self.page.records.last().map(PageCursor::behind)
        } else {
            self.after
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
    use uuid::Uuid;

    use super::*;
    use crate::store::NewOperation;
    use crate::{ParentName, Timestamp, pack};

    #[test]
    fn a_page_from_single_records_ends_where_it_must() {
        let record = |n: i64| {
            let new = NewOperation::new(
                Uuid::from_u128(1),
                "operations/1".parse().unwrap(),
                "/m",
                pack(&()),
            );
            OperationRecord::new(new, Timestamp::from_micros(n))
        };
        let mut query = ListQuery::new(ParentName::default(), 2);
        query.max_examined = 3;
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
        assert_eq!(
            page.records,
            [record(8), record(7)].map(|record| record.public_part())
        );
        assert_eq!(page.next, Some(PageCursor::behind(&record(7))));

        let mut page = PageBuilder::new(&query);
        page.pass(passed);
        page.stop();
        assert_eq!(page.build().next, Some(passed));
    }

    /// report:L1
    #[test]
    fn a_page_ends_before_its_bytes_but_not_before_its_first_record() {
        let record = |n: i64| {
            let name = "operations/1".parse().unwrap();
            let request = pack(&"x".repeat(1_000));
            let mut new = NewOperation::new(Uuid::from_u128(1), name, "/m", request);
            new.metadata = Some(pack(&"y".repeat(1_000)));
            OperationRecord::new(new, Timestamp::from_micros(n))
        };
        let len = record(9).max_wire_len();
        // The request does not count.
        assert!((1_000..2_000).contains(&len), "{len}");
        let lengths = [
            (0, 1),
            (len, 1),
            (2 * len - 1, 1),
            (2 * len, 2),
            (3 * len, 3),
        ];
        for (max_bytes, expected) in lengths {
            let mut query = ListQuery::new(ParentName::default(), 10);
            query.max_bytes = max_bytes;
            let mut page = PageBuilder::new(&query);
            for n in (0..4).rev() {
                page.push(record(n));
            }
            page.finish();
            let page = page.build();
            assert_eq!(page.records.len(), expected, "{max_bytes} bytes");
            assert_eq!(page.next, page.records.last().map(PageCursor::behind));
        }
    }
}
