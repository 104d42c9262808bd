//! What the PostgreSQL store guarantees beyond the contract of all stores.

#![expect(
    clippy::unwrap_used,
    reason = "a step that fails fails the test, in helpers as well"
)]

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
#[path = "../support/mod.rs"]
mod support;
#[cfg(feature = "tls")]
mod tls;
