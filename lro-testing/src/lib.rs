#![doc = include_str!("../README.md")]
//!
//! Authors of a store write, in `tests/conformance.rs`:
//!
//! ```
//! use std::sync::Arc;
//! use lro_core::store::MemoryStore;
//! use lro_core::Clock;
//!
//! async fn make(clock: Arc<dyn Clock>) -> MemoryStore {
//!     MemoryStore::with_clock(clock)
//! }
//!
//! lro_testing::store_conformance!(make);
//! # fn main() {}
//! ```
//!
//! and get one test for each case. A store that needs a folder or a server while it lives gives a
//! [`Fixture`](store::Fixture) instead, which keeps that.
//!
//! # The main types
//!
//! * [`store_conformance!`] — the suite, one test a case;
//! * [`store::exercise`] — the same suite as one call;
//! * [`store::compare_with_memory`] — a pseudo-random script, side by side with `MemoryStore`;
//! * [`ManualClock`] — a clock that stands still until the test moves it;
//! * [`EventLog`] — an observer that records events.
//!
//! # What it does not do
//!
//! The suite does not cut the power or kill processes: a store's own tests must show its
//! durability.

#![allow(clippy::unwrap_used, reason = "a case that cannot continue has failed")]

mod clock;
mod events;
mod random;
pub mod store;

pub use clock::ManualClock;
pub use events::EventLog;
