//! Which operations a list asks for.

use super::page::PageCursor;
use super::record::OperationRecord;
use crate::filter::Filter;
use crate::name::ParentPattern;

/// Which operations to list.
///
/// ```
/// use lro_core::store::ListQuery;
/// use lro_core::ParentName;
///
/// let query = ListQuery::new(ParentName::default(), 50);
/// assert_eq!((query.after, query.limit), (None, 50));
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ListQuery {
    /// Those directly below this parent, or below those that it stands for.
    pub parent: ParentPattern,
    /// Those that match.
    pub filter: Filter,
    /// Those behind this one.
    pub after: Option<PageCursor>,
    /// At most this many operations, and at least one.
    pub limit: usize,
    /// The number of operations, roughly, after whose examination the page ends, full or not: a rare
    /// match then costs many short pages rather than one long call. Operations that an index skips
    /// do not count.
    pub max_examined: usize,
    /// A page with an operation on it ends before its operations have more bytes than this, counted
    /// by [`OperationRecord::max_wire_len`]. So a page of one operation alone may have more.
    pub max_bytes: usize,
}

impl ListQuery {
    /// The newest operations below a parent.
    pub fn new(parent: impl Into<ParentPattern>, limit: usize) -> Self {
        Self {
            parent: parent.into(),
            filter: Filter::default(),
            after: None,
            limit,
            max_examined: usize::MAX,
            max_bytes: usize::MAX,
        }
    }

    /// Whether a record belongs to the list, wherever the page begins.
    pub fn matches(&self, record: &OperationRecord) -> bool {
        record.is_visible()
            && self.parent.matches(record.name.parent())
            && self.filter.matches(record)
    }
}
