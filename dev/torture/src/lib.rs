//! Power losses, kills and pauses under the embedded store and the server; all that may break
//! between many nodes on one PostgreSQL.
//!
//! `TORTURE.md` says what each check does, how to run it, and what it has reached.

pub mod audit;
pub mod durable;
pub mod family;
pub mod files;
pub mod journal;
pub mod kill;
mod ledger;
pub mod node;
pub mod pause;
pub mod power_loss;
pub mod process;
pub mod random;
pub mod recovery;
pub mod server;
mod shared_store;
pub mod stale;
pub mod takeover;
pub mod trials;

/// The messages, server trait and client of `torture.v1`.
#[allow(missing_docs, reason = "the proto says what they are")]
pub mod pb {
    tonic::include_proto!("torture.v1");
}
