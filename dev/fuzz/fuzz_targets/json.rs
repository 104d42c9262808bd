//! Arbitrary bytes as JSON and as the encoding of a message: read, written and read again.
//!
//! `lro-json/tests/it/arbitrary.rs` holds the same property with inputs that proptest makes.
#![no_main]

#[path = "../../../lro-json/tests/it/json.rs"]
mod json;
#[path = "../../../lro-json/tests/it/types.rs"]
mod types;

libfuzzer_sys::fuzz_target!(|input: &[u8]| json::ask(input));
