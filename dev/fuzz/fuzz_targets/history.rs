//! Arbitrary texts as the exported history of an operation: read and replayed, or refused.
//!
//! `lro-server/tests/testing/histories.rs` holds the same property with texts that proptest makes.
#![no_main]

#[path = "../../../lro-server/tests/testing/history.rs"]
mod history;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    history::ask(input);
});
