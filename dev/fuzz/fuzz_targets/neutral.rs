//! Arbitrary text that is made harmless for a terminal.
//!
//! `lro-cli/tests/it/arbitrary` holds the same property with inputs that proptest makes.
#![no_main]

#[path = "../../../lro-cli/tests/it/arbitrary/neutral.rs"]
mod neutral;

libfuzzer_sys::fuzz_target!(|input: &[u8]| neutral::ask(input));
