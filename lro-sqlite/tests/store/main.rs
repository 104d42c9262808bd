//! What the SQLite store guarantees beyond the contract of all stores.

#![expect(
    clippy::unwrap_used,
    reason = "a step that fails fails the test, in helpers as well"
)]

mod arbitrary;
mod corruption;
mod damage;
mod durability;
mod fixture;
mod full;
mod group_commit;
mod load;
mod memory;
mod opening;
mod recovery;
mod upgrade;
