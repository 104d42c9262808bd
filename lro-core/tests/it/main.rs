//! Guarantees of `lro-core`, through its public API.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests too")]

#[cfg(feature = "store")]
mod filter;
#[cfg(feature = "store")]
mod memory_store;
mod names;
#[path = "../../../dev/fuzz/replay.rs"]
mod replay;
