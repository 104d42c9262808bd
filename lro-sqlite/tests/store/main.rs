//! Guarantees of the SQLite store beyond the contract of all stores.

#![expect(
    clippy::unwrap_used,
    reason = "a step that fails fails the test, in helpers too"
)]

mod arbitrary;
mod backup;
mod children;
mod corruption;
mod damage;
mod durability;
mod fixture;
mod full;
mod group_commit;
mod load;
mod memory;
mod opening;
#[cfg(target_os = "linux")]
mod ownership;
mod recovery;
mod steps;
mod timers;
mod upgrade;
