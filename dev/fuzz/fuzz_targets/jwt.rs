//! Arbitrary text as a bearer token, and as header and claims of a genuine one.
//!
//! `lro-server/tests/it/arbitrary.rs` holds the same property with texts that proptest makes.
#![no_main]

#[path = "../../../lro-server/tests/it/arbitrary/tokens.rs"]
mod tokens;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    if let Ok(input) = str::from_utf8(input) {
        tokens::ask(input);
    }
});
