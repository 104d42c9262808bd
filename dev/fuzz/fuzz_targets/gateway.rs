//! Arbitrary templates, paths, queries and bodies at the gateway.
//!
//! `lro-gateway/tests/it/main.rs` holds the same property with inputs that proptest makes.
#![no_main]

#[path = "../../../lro-gateway/tests/it/requests.rs"]
mod requests;

libfuzzer_sys::fuzz_target!(|input: &[u8]| requests::ask(input));
