//! A request for the rows of an operation.

use uuid::Uuid;

/// A request for recorded steps of an operation, in the order in which they were first written.
///
/// ```
/// use lro_core::store::StepQuery;
///
/// let first = StepQuery::all(uuid::Uuid::nil(), 0);
/// let next = StepQuery { after_seq: 500, ..first };
/// assert_eq!(next.uid, first.uid);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StepQuery {
    /// The operation.
    pub uid: Uuid,
    /// The [epoch](super::StepSummary::epoch) of the rows.
    pub epoch: u32,
    /// Only rows with a greater [`seq`](super::StepRow::seq): that of the last row of the page
    /// before, or 0.
    pub after_seq: u64,
    /// The maximum number of rows.
    pub limit: usize,
    /// The maximum size of the page in bytes of keys and values. A page holds at least one row if
    /// there is one.
    pub max_bytes: usize,
}

impl StepQuery {
    /// All rows of an epoch in one page, which the [limits](super::StepSummary) of steps bound.
    pub const fn all(uid: Uuid, epoch: u32) -> Self {
        Self {
            uid,
            epoch,
            after_seq: 0,
            limit: usize::MAX,
            max_bytes: usize::MAX,
        }
    }
}
