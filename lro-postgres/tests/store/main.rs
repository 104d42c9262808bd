//! Guarantees of the PostgreSQL store beyond the contract of all stores.

#![expect(
    clippy::unwrap_used,
    reason = "a step that fails fails the test, in helpers too"
)]

mod altered;
mod blocked;
mod children;
mod corrupt_page;
mod deadlocks;
mod ends;
mod faults;
mod fixture;
mod link;
mod migrating;
mod nodes;
mod notifications;
mod opening;
mod pooler;
mod read_only;
mod recordings;
#[path = "../support/mod.rs"]
mod support;
mod switchover;
#[cfg(feature = "tls")]
mod tls;
mod written_before;
