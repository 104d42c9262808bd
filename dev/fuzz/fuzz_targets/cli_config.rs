//! A configuration file of arbitrary text.
//!
//! `lro-cli/tests/it/arbitrary` holds the same property with inputs that proptest makes.
#![no_main]

#[path = "../../../lro-cli/tests/it/arbitrary/config.rs"]
mod config;

libfuzzer_sys::fuzz_target!(|input: &[u8]| config::ask(input));
