//! Shared parts for authors of stores.
//!
//! Nothing here is part of the contract: a store may use it or not. Numbers and bytes of a record
//! for stores that have columns, the ready operations and the leases of a store that one process
//! owns, the loops that fill a page and that count, page token keys, and the limits that all stores
//! keep.

mod columns;
mod count_builder;
mod leases;
mod limits;
mod page_builder;
mod page_token_key;
mod ready;

pub use columns::{decode_labels, encode_labels};
pub use count_builder::CountBuilder;
pub use leases::Leases;
pub use limits::{
    MAX_DISTINCT, MAX_EXPIRED_PER_CLAIM, MAX_GROUP_LEN, MAX_INDEX_RANGES, MAX_QUEUED_CALLS,
    parent_prefix,
};
pub use page_builder::PageBuilder;
pub use page_token_key::new_page_token_key;
pub use ready::{ReadyEntry, ReadyQueue};
