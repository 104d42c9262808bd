//! Compiler messages for right and wrong uses of `#[long_running]`.
//!
//! The folders are named by the kind of mistake. Each case prints one message per mistake, at the
//! token to change. After a change of messages, `TRYBUILD=overwrite cargo test -p lro-ui --test
//! ui` writes the new ones; read them.

#[test]
fn ui() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/cases/pass/*.rs");
    for mistakes in ["arguments", "caller", "placement", "signatures", "types"] {
        cases.compile_fail(format!("tests/cases/{mistakes}/*.rs"));
    }
}
