//! Arbitrary arguments of the command.
//!
//! `lro-cli/tests/it/arbitrary` holds the same property with inputs that proptest makes.
#![no_main]

#[path = "../../../lro-cli/tests/it/arbitrary/arguments.rs"]
mod arguments;

libfuzzer_sys::fuzz_target!(|input: &[u8]| arguments::ask(input));
