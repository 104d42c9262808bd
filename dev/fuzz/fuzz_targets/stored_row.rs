//! Arbitrary values in the columns of a stored operation, read by the SQLite store.
//!
//! `lro-sqlite/tests/store/arbitrary.rs` holds the same property with values that proptest makes.
#![no_main]

#[path = "../../../lro-sqlite/tests/store/damage.rs"]
mod damage;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    damage::ask(input);
});
