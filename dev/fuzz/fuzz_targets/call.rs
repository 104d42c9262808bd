//! Arbitrary bytes as the request of one of the five calls of google.longrunning.Operations.
//!
//! `lro-server/tests/it/arbitrary.rs` holds the same property with bytes that proptest makes.
#![no_main]

#[path = "../../../lro-server/tests/it/arbitrary/calls.rs"]
mod calls;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    calls::ask(input);
});
