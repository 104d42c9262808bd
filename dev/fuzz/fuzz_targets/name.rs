//! Arbitrary text as the name of an operation, as its parent, and as a pattern of parents.
//!
//! `lro-core/tests/it/names.rs` holds the same property with texts that proptest makes.
#![no_main]

#[path = "../../../lro-core/tests/it/names/text.rs"]
mod text;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    if let Ok(input) = str::from_utf8(input) {
        text::ask(input);
    }
});
