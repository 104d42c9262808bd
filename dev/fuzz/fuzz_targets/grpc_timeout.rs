//! Arbitrary bytes as the header `grpc-timeout`, for the layer of deadlines and for WaitOperation.
//!
//! `lro-server/tests/it/arbitrary.rs` holds the same property with texts that proptest makes.
#![no_main]

#[path = "../../../lro-server/tests/it/arbitrary/timeouts.rs"]
mod timeouts;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    timeouts::ask(input);
});
