//! Every example prints what its header says.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests too")]

use std::process::Command;

/// Runs a program, and compares what it prints with the text block of its header.
fn check(program: &str, source: &str, arguments: &[&str]) {
    let header = source.lines().map_while(|line| line.strip_prefix("//!"));
    let header: Vec<&str> = header
        .map(|line| line.strip_prefix(' ').unwrap_or(line))
        .collect();
    let start = header.iter().position(|line| *line == "```text").unwrap();
    let block = header[start + 1..]
        .iter()
        .take_while(|line| **line != "```");
    let expected: String = block.flat_map(|line| [line, "\n"]).collect();
    let output = Command::new(program).args(arguments).output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(printed, expected, "stderr: {errors}");
    assert!(output.status.success(), "{}: {errors}", output.status);
}

macro_rules! examples {
    ($($name:ident)*) => {$(
        #[test]
        fn $name() {
            let source = include_str!(concat!("../src/bin/", stringify!($name), ".rs"));
            check(env!(concat!("CARGO_BIN_EXE_", stringify!($name))), source, &[]);
        }
    )*};
}

examples! {
    authorize cancel checkpoint custom_store error_details http_json list_and_filter plain_tonic progress
    resume retry steps
}

#[test]
fn workers() {
    if let Some(shared) = test_programs::postgres::shared_or_skip() {
        check(
            env!("CARGO_BIN_EXE_workers"),
            include_str!("../src/bin/workers.rs"),
            &[shared.url()],
        );
    }
}
