//! Limits that all stores keep, and what their lists have in common.

use crate::ParentPattern;

/// How many expired leases one claim requeues at most. The next claim takes the rest.
pub const MAX_EXPIRED_PER_CLAIM: usize = 256;

/// How many elements a store commits together at most.
pub const MAX_GROUP_LEN: usize = 512;

/// How many calls wait for a store at most. One more is refused as
/// [unavailable](crate::store::StoreErrorKind::Unavailable).
pub const MAX_QUEUED_CALLS: usize = 65_536;

/// How many index ranges a list joins at most. With more, a list reads a wider range and skips the
/// operations that do not match.
pub const MAX_INDEX_RANGES: usize = 256;

/// How many parents, methods or labels a list reads at most to find its index ranges.
pub const MAX_DISTINCT: usize = 512;

/// The text with which every parent begins that a pattern stands for: its segments before the first
/// open one, each with a slash.
///
/// ```
/// use lro_core::ParentPattern;
/// use lro_core::store::kit::parent_prefix;
///
/// let pattern: ParentPattern = "projects/p/locations/-".parse()?;
/// assert_eq!(parent_prefix(&pattern), "projects/p/locations/");
/// # Ok::<(), lro_core::InvalidName>(())
/// ```
pub fn parent_prefix(pattern: &ParentPattern) -> String {
    let mut prefix = String::new();
    for segment in pattern.segments().map_while(|segment| segment) {
        prefix.push_str(segment);
        prefix.push('/');
    }
    prefix
}
