//! Limits that all stores keep.

/// How many expired leases one claim requeues at most. The next claim takes the rest.
pub const MAX_EXPIRED_PER_CLAIM: usize = 256;

/// How many elements a store commits together at most.
pub const MAX_GROUP_LEN: usize = 512;

/// How many calls wait for a store at most. One more is refused as
/// [unavailable](crate::store::StoreErrorKind::Unavailable).
pub const MAX_QUEUED_CALLS: usize = 65_536;
