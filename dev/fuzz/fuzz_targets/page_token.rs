//! Arbitrary texts as the page token of a list, and genuine tokens with some of their characters
//! replaced: all of them are refused, and none is a panic.
//!
//! `lro-server/tests/it/arbitrary.rs` holds the same property with texts that proptest makes.
#![no_main]

#[path = "../../../lro-server/tests/it/arbitrary/page_tokens.rs"]
mod page_tokens;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    page_tokens::ask(input);
});
