//! Arbitrary text as the filter of a list: parsed, printed and parsed again, checked against the
//! fields of operations and of a payload, and asked of operations.
//!
//! `lro-core/tests/it/filter/arbitrary.rs` holds the same property with texts that proptest makes.
#![no_main]

#[path = "../../../lro-core/tests/it/filter/text.rs"]
mod text;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    if let Ok(input) = str::from_utf8(input) {
        text::ask(input);
    }
});
