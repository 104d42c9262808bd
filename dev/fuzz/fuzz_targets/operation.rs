//! Arbitrary bytes as the `google.longrunning.Operation` that a server answers with: the typed view
//! of them, and what a poller, its updates and a set make of them.
//!
//! `lro-client/tests/it/arbitrary.rs` holds the same property with bytes that proptest makes.
#![no_main]

#[path = "../../../lro-client/tests/it/support/bytes.rs"]
mod bytes;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    bytes::wait_for(input);
});
